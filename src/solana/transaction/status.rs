//! Signature statuses: kept per signature for callers, and asked for many signatures in one request.

use crate::solana::call::CallOptions;
use crate::solana::call::reply;
use crate::solana::call::request::Prepared;
use crate::solana::endpoint::slot::Commitment;
use crate::solana::error::{AttemptError, PoolError};
use crate::solana::pool::Pool;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Signatures per request, the node's limit.
pub(in crate::solana) const CHUNK: usize = 256;
/// Statuses that cannot change any more.
const SETTLED_LIFETIME: Duration = Duration::from_mins(1);

/// The status of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::solana) struct SignatureStatus {
    /// The slot it is in.
    pub slot: u64,
    /// How sure that is.
    pub commitment: Commitment,
    /// The transaction's error as JSON text; `None` when it succeeded.
    pub error: Option<String>,
}

/// A status as received, and read.
type Seen<'a> = (&'a RawValue, SignatureStatus);

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    value: Vec<Option<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    slot: u64,
    #[serde(borrow, default)]
    err: Option<&'a RawValue>,
    #[serde(default)]
    confirmations: Option<u64>,
    #[serde(default)]
    confirmation_status: Option<String>,
}

impl SignatureStatus {
    fn parse(raw: &RawValue) -> Option<Self> {
        let wire: Wire<'_> = serde_json::from_str(raw.get()).ok()?;
        let commitment = match wire.confirmation_status.as_deref() {
            Some(text) => Commitment::parse(text)?,
            // Older nodes: no count of confirmations means rooted.
            None if wire.confirmations.is_none() => Commitment::Finalized,
            None => Commitment::Processed,
        };
        Some(Self { slot: wire.slot, commitment, error: wire.err.map(|err| err.get().to_owned()) })
    }
}

impl Pool {
    /// The statuses of `signatures` in order, as `{context, value}` text. Seen ones come from the cache while they are fresh; unseen ones are always asked for.
    pub async fn signature_statuses(
        self: &Arc<Self>,
        signatures: &[String],
        search_history: bool,
        options: CallOptions,
    ) -> Result<Bytes, PoolError> {
        let running = self.enter()?;
        let mut found: HashMap<&str, Bytes> = HashMap::new();
        let mut slot = 0;
        for signature in signatures {
            if let Some(kept) = self.cache.get(&key(signature)) {
                found.insert(signature, kept);
            }
        }
        let mut missing: Vec<&str> =
            signatures.iter().map(String::as_str).filter(|one| !found.contains_key(one)).collect();
        missing.dedup();
        for chunk in missing.chunks(CHUNK) {
            // Kept by signature, below: a kept reply would hold what was not found as well.
            let options = CallOptions { cached: false, ..options.clone() };
            let result = self.ask(chunk, search_history, None, options).await?;
            slot = reply::context_slot(&result).unwrap_or(slot).max(slot);
            for (signature, seen) in chunk.iter().zip(parse(&result, chunk.len())?) {
                if let Some((raw, status)) = seen {
                    self.keep(signature, raw, &status);
                    found.insert(signature, result.slice_ref(raw.get().as_bytes()));
                }
            }
        }
        drop(running);
        Ok(assemble(signatures, &found, slot).into())
    }

    fn keep(&self, signature: &str, raw: &RawValue, status: &SignatureStatus) {
        let fresh = self.options.ttl.status;
        let settled = status.commitment == Commitment::Finalized;
        let lifetime = if settled && !fresh.is_zero() { SETTLED_LIFETIME } else { fresh };
        self.cache.put(key(signature), raw.get().as_bytes(), lifetime);
    }

    /// The statuses of at most 256 signatures as a node sees them now, with the slot it answers for. `floor`: a node at or past this slot.
    pub(in crate::solana) async fn statuses_of(
        self: &Arc<Self>,
        signatures: &[Arc<str>],
        history: bool,
        floor: Option<u64>,
        options: CallOptions,
    ) -> Result<(u64, Vec<Option<SignatureStatus>>), PoolError> {
        let result = self.ask(signatures, history, floor, options).await?;
        let statuses = signatures.iter().zip(parse(&result, signatures.len())?).map(|(signature, seen)| {
            let (raw, status) = seen?;
            self.keep(signature, raw, &status);
            Some(status)
        });
        Ok((reply::context_slot(&result).unwrap_or(0), statuses.collect()))
    }

    async fn ask(
        self: &Arc<Self>,
        signatures: &[impl AsRef<str>],
        history: bool,
        floor: Option<u64>,
        options: CallOptions,
    ) -> Result<Bytes, PoolError> {
        let names: Vec<&str> = signatures.iter().map(AsRef::as_ref).collect();
        let list = serde_json::json!(names).to_string();
        let params =
            if history { format!("[{list},{{\"searchTransactionHistory\":true}}]") } else { format!("[{list}]") };
        let mut call = Prepared::new("getSignatureStatuses", &params, self.options.commitment)?;
        call.min_slot = floor;
        self.run(call, options).await
    }
}

fn key(signature: &str) -> Bytes {
    format!("status\n{signature}").into()
}

/// One place per signature; one that cannot be read makes the whole reply unusable: it must not pass for a transaction that nobody has seen.
fn parse(result: &[u8], signatures: usize) -> Result<Vec<Option<Seen<'_>>>, PoolError> {
    let reply: Reply<'_> = serde_json::from_slice(result).map_err(|_| garbled("statuses are not a list"))?;
    if reply.value.len() != signatures {
        return Err(garbled("statuses are not as many as signatures"));
    }
    let read = |raw: Option<_>| {
        raw.map(|raw| {
            SignatureStatus::parse(raw).map(|status| (raw, status)).ok_or_else(|| garbled("a status is none"))
        })
        .transpose()
    };
    reply.value.into_iter().map(read).collect()
}

fn garbled(detail: &str) -> PoolError {
    PoolError::Refused(AttemptError::Garbled { detail: detail.to_owned() })
}

fn assemble(signatures: &[String], found: &HashMap<&str, Bytes>, slot: u64) -> String {
    let values = signatures
        .iter()
        .map(|one| found.get(one.as_str()).map_or("null", |raw| std::str::from_utf8(raw).unwrap_or("null")));
    format!("{{\"context\":{{\"slot\":{slot}}},\"value\":[{}]}}", values.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::solana::endpoint::slot::Commitment;
    use proptest::prelude::*;

    #[test]
    fn reads_statuses_of_old_and_new_nodes() {
        let body = br#"{"context":{"slot":9},"value":[null,{"slot":5,"confirmations":1,"err":null,"confirmationStatus":"confirmed"},
            {"slot":6,"confirmations":null,"err":{"InstructionError":[0,{"Custom":1}]}}]}"#;
        let statuses = parse(body, 3).unwrap();
        let status = |at: usize| statuses[at].as_ref().map(|(_, status)| status.clone());
        assert_eq!(status(0), None);
        assert_eq!(status(1).unwrap().commitment, Commitment::Confirmed);
        assert_eq!(status(1).unwrap().error, None);
        assert_eq!(status(2).unwrap().commitment, Commitment::Finalized);
        assert_eq!(status(2).unwrap().error.as_deref(), Some(r#"{"InstructionError":[0,{"Custom":1}]}"#));
    }

    #[test]
    fn a_status_that_cannot_be_read_does_not_pass_for_none() {
        for value in
            ["[]", "[null,null]", "[5]", "[{}]", r#"[{"slot":-1}]"#, r#"[{"slot":5,"confirmationStatus":"x"}]"#]
        {
            assert!(parse(format!(r#"{{"value":{value}}}"#).as_bytes(), 1).is_err(), "{value}");
        }
        assert!(parse(br#"{"value":[null]}"#, 1).unwrap()[0].is_none());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), value in "[\\[\\]{}a-z\":,0-9-]{0,60}") {
            drop(parse(&bytes, 1));
            drop(parse(format!(r#"{{"value":[{value}]}}"#).as_bytes(), 1));
        }
    }
}
