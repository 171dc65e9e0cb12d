//! Many balances in few requests: a hundred keys per `getMultipleAccounts` without account data. Shares its cache entries with `getBalance`.

use crate::solana::call::reply;
use crate::solana::call::request::Prepared;
use crate::solana::call::{Call, CallOptions};
use crate::solana::error::{AttemptError, PoolError};
use crate::solana::pool::Pool;
use bytes::Bytes;
use futures_util::future::try_join_all;
use serde::Deserialize;
use std::sync::Arc;

/// Keys per request, the node's limit.
const CHUNK: usize = 100;
/// Keys per call.
const MAX_KEYS: usize = 100_000;

#[derive(Deserialize)]
struct Accounts {
    value: Vec<Option<Account>>,
}

#[derive(Deserialize)]
struct Account {
    lamports: u64,
}

#[derive(Deserialize)]
struct Balance {
    value: u64,
}

impl Pool {
    /// The balances of `keys` in order; an account that does not exist has 0.
    pub async fn balances(self: &Arc<Self>, keys: &[String], options: CallOptions) -> Result<Vec<u64>, PoolError> {
        if keys.len() > MAX_KEYS {
            let message = format!("publicKeys must not hold more than {MAX_KEYS} keys");
            return Err(PoolError::Argument { argument: "publicKeys", message });
        }
        let running = self.enter()?;
        let singles = keys.iter().map(|key| self.single(key)).collect::<Result<Vec<Bytes>, _>>()?;
        let floor = self.floor.of_writes(self.options.commitment);
        let mut balances: Vec<Option<u64>> = singles.iter().map(|single| self.kept_balance(single, floor)).collect();
        let missing: Vec<usize> =
            balances.iter().enumerate().filter(|(_, kept)| kept.is_none()).map(|(index, _)| index).collect();
        let chunks = missing.chunks(CHUNK).map(|chunk| self.fetch_chunk(keys, chunk, options.clone()));
        let lifetime = self.options.ttl.balance;
        for (chunk, (slot, lamports)) in missing.chunks(CHUNK).zip(try_join_all(chunks).await?) {
            for (index, lamports) in chunk.iter().zip(lamports) {
                if let (Some(place), Some(single)) = (balances.get_mut(*index), singles.get(*index)) {
                    *place = Some(lamports);
                    let kept = format!("{{\"context\":{{\"slot\":{slot}}},\"value\":{lamports}}}");
                    self.cache.put(single.clone(), kept.as_bytes(), lifetime);
                }
            }
        }
        drop(running);
        Ok(balances.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The cache key of `getBalance` for one key.
    fn single(&self, key: &str) -> Result<Bytes, PoolError> {
        let params = serde_json::json!([key]).to_string();
        Ok(Prepared::new("getBalance", &params, self.options.commitment)?.key())
    }

    fn kept_balance(&self, single: &Bytes, floor: Option<u64>) -> Option<u64> {
        if self.options.ttl.balance.is_zero() {
            return None;
        }
        let kept = self.cache.get_from(single, floor)?;
        serde_json::from_slice::<Balance>(&kept).ok().map(|balance| balance.value)
    }

    async fn fetch_chunk(
        self: &Arc<Self>,
        keys: &[String],
        chunk: &[usize],
        options: CallOptions,
    ) -> Result<(u64, Vec<u64>), PoolError> {
        let asked: Vec<&String> = chunk.iter().filter_map(|index| keys.get(*index)).collect();
        let params = serde_json::json!([asked, { "encoding": "base64", "dataSlice": { "offset": 0, "length": 0 } }]);
        let call = Call { method: "getMultipleAccounts", params: &params.to_string() };
        let result = self.call_within(call, CallOptions { cached: false, ..options }).await?;
        let accounts: Option<Accounts> = serde_json::from_slice(&result).ok();
        let accounts = accounts.filter(|accounts| accounts.value.len() == chunk.len()).ok_or_else(|| {
            PoolError::Refused(AttemptError::Garbled { detail: "accounts do not match the keys asked for".to_owned() })
        })?;
        let lamports = accounts.value.into_iter().map(|account| account.map_or(0, |account| account.lamports));
        Ok((reply::context_slot(&result).unwrap_or_default(), lamports.collect()))
    }
}
