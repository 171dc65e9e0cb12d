//! Reads what a moved subscription may have missed: the states of its account, or the status of its signature. One task per pool, many subscriptions per read.

use crate::solana::call::{Call, CallOptions, reply};
use crate::solana::endpoint::slot::Commitment;
use crate::solana::pool::Pool;
use crate::solana::subscription::book::{Book, Place};
use crate::solana::subscription::params_of;
use crate::solana::subscription::protocol::Kind;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Accounts, or signatures, per read.
const CHUNK: usize = 100;
/// Reads per subscription before its gap is called lost.
const ATTEMPTS: u32 = 5;
/// Between reads of which some failed.
const PAUSE: Duration = Duration::from_millis(500);

/// What to read next.
enum Batch {
    Signatures(Vec<(u64, String, Commitment)>),
    /// Accounts with the same configuration.
    Accounts(String, Vec<(u64, String)>),
}

impl Batch {
    fn len(&self) -> usize {
        match self {
            Self::Signatures(list) => list.len(),
            Self::Accounts(_, list) => list.len(),
        }
    }
}

#[derive(Deserialize)]
struct Accounts<'a> {
    #[serde(borrow)]
    value: Vec<Option<&'a RawValue>>,
}

impl Book {
    /// Takes subscriptions that can be read for together. `None`, and no longer catching up, when none is left.
    fn next_batch(&mut self) -> Option<Batch> {
        let mut batch: Option<Batch> = None;
        for _ in 0..self.catch_up.len() {
            if batch.as_ref().is_some_and(|batch| batch.len() >= CHUNK) {
                break;
            }
            let Some(id) = self.catch_up.pop_front() else { break };
            let Some(entry) = self.entries.get(&id) else { continue };
            if !matches!(entry.place, Place::On { server: Some(_), .. }) {
                // Not watched at the moment: it comes back when it is again.
                continue;
            }
            let params = params_of(&entry.core.request.params);
            let key = params.first().map(|key| key.trim_matches('"').to_owned()).unwrap_or_default();
            let config = params.get(1).map(|config| (*config).to_owned()).unwrap_or_default();
            match (&mut batch, entry.core.kind) {
                (None, Kind::Signature) => {
                    batch = Some(Batch::Signatures(vec![(id, key, entry.core.request.commitment)]));
                }
                (None, _) => batch = Some(Batch::Accounts(config, vec![(id, key)])),
                (Some(Batch::Signatures(list)), Kind::Signature) => {
                    list.push((id, key, entry.core.request.commitment));
                }
                (Some(Batch::Accounts(same, list)), Kind::Account) if *same == config => {
                    list.push((id, key));
                }
                _ => self.catch_up.push_back(id),
            }
        }
        self.catching = batch.is_some();
        batch
    }

    fn retry_later(&mut self, id: u64) -> bool {
        let again = self.could_not_catch_up(id, ATTEMPTS);
        if again {
            self.catch_up.push_back(id);
        }
        again
    }
}

impl Pool {
    /// Reads until nothing is left to read.
    pub(super) async fn catch_up(self: Arc<Self>) {
        loop {
            let batch = self.hub.book().next_batch();
            let failed = match batch {
                None => return,
                Some(Batch::Signatures(list)) => self.catch_up_with_signatures(list).await,
                Some(Batch::Accounts(config, list)) => self.catch_up_with_accounts(&config, &list).await,
            };
            if failed {
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = self.stop.cancelled() => {}
                }
            }
            if self.stop.is_cancelled() {
                self.hub.book().catching = false;
                return;
            }
        }
    }

    /// True: some have to be read again.
    async fn catch_up_with_signatures(self: &Arc<Self>, list: Vec<(u64, String, Commitment)>) -> bool {
        let signatures: Vec<Arc<str>> = list.iter().map(|(_, signature, _)| signature.as_str().into()).collect();
        let looked = self.statuses_of(&signatures, false, None, CallOptions::default()).await;
        let (mut book, mut failed) = (self.hub.book(), false);
        for (index, (id, _, commitment)) in list.iter().enumerate() {
            match &looked {
                Ok((_, statuses)) => {
                    let status = statuses.get(index).and_then(Option::as_ref);
                    let reached = status.filter(|status| status.commitment >= *commitment);
                    let end = reached.map(|status| (status.slot, status.error.as_deref().unwrap_or("null")));
                    book.caught_up_with_signature(*id, end, Instant::now());
                }
                Err(_) => failed |= book.retry_later(*id),
            }
        }
        failed
    }

    async fn catch_up_with_accounts(self: &Arc<Self>, config: &str, list: &[(u64, String)]) -> bool {
        let keys: Vec<&str> = list.iter().map(|(_, key)| key.as_str()).collect();
        let keys = serde_json::json!(keys).to_string();
        let params = if config.is_empty() { format!("[{keys}]") } else { format!("[{keys},{config}]") };
        let call = Call { method: "getMultipleAccounts", params: &params };
        let result = self.call_within(call, CallOptions::default()).await;
        let accounts = result.as_ref().ok().and_then(parse);
        let (mut book, mut failed) = (self.hub.book(), false);
        for (index, (id, _)) in list.iter().enumerate() {
            match &accounts {
                Some((slot, accounts)) => {
                    let value = accounts.value.get(index).copied().flatten().map(RawValue::get);
                    book.caught_up_with_account(*id, *slot, value, Instant::now());
                }
                None => failed |= book.retry_later(*id),
            }
        }
        failed
    }
}

fn parse(result: &Bytes) -> Option<(u64, Accounts<'_>)> {
    Some((reply::context_slot(result)?, serde_json::from_slice(result).ok()?))
}
