//! Signature statuses: kept per signature for callers, and asked for all pending transactions together by the trackers.

use crate::solana::call::reply;
use crate::solana::call::{Call, CallOptions};
use crate::solana::endpoint::slot::Commitment;
use crate::solana::error::{AttemptError, PoolError};
use crate::solana::pool::Pool;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Signatures per request, the node's limit.
const CHUNK: usize = 256;
/// How often the pending ones are asked for; about a slot.
const POLL: Duration = Duration::from_millis(400);
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

/// What a look at one signature found; `None`: nothing yet.
pub(in crate::solana) type Look = Result<Option<SignatureStatus>, PoolError>;

/// Signatures that trackers wait for.
#[derive(Default)]
pub(in crate::solana) struct Statuses {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    polling: bool,
    lookers: HashMap<String, Vec<oneshot::Sender<Look>>>,
}

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
        let commitment = match wire.confirmation_status.as_deref().and_then(Commitment::parse) {
            Some(commitment) => commitment,
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
            let result = self.ask(chunk, search_history, options.clone()).await?;
            slot = reply::context_slot(&result).unwrap_or(slot).max(slot);
            let parsed = parse(&result)?;
            for (signature, raw) in chunk.iter().zip(parsed.value) {
                if let Some(raw) = raw {
                    let status = SignatureStatus::parse(raw);
                    self.keep(signature, raw, status.as_ref());
                    found.insert(signature, result.slice_ref(raw.get().as_bytes()));
                }
            }
        }
        drop(running);
        Ok(assemble(signatures, &found, slot).into())
    }

    fn keep(&self, signature: &str, raw: &RawValue, status: Option<&SignatureStatus>) {
        let fresh = self.options.ttl.status;
        let settled = status.is_some_and(|status| status.commitment == Commitment::Finalized);
        let lifetime = if settled && !fresh.is_zero() { SETTLED_LIFETIME } else { fresh };
        self.cache.put(key(signature), raw.get().as_bytes(), lifetime);
    }

    async fn ask(
        self: &Arc<Self>,
        signatures: &[&str],
        history: bool,
        options: CallOptions,
    ) -> Result<Bytes, PoolError> {
        let list = serde_json::json!(signatures).to_string();
        let params =
            if history { format!("[{list},{{\"searchTransactionHistory\":true}}]") } else { format!("[{list}]") };
        self.call_within(Call { method: "getSignatureStatuses", params: &params }, options).await
    }

    /// One look at a signature, together with all others that are waited for.
    pub(in crate::solana) async fn next_status(self: &Arc<Self>, signature: &str) -> Look {
        let (sender, receiver) = oneshot::channel();
        let start = {
            let mut waiting = self.statuses.waiting();
            waiting.lookers.entry(signature.to_owned()).or_default().push(sender);
            !std::mem::replace(&mut waiting.polling, true)
        };
        if start {
            let pool = Arc::clone(self);
            drop(tokio::spawn(async move { pool.poll_statuses().await }));
        }
        receiver.await.unwrap_or(Err(PoolError::Closed { state: "closed" }))
    }

    /// One look at a signature, in the node's whole history.
    pub(in crate::solana) async fn last_status(self: &Arc<Self>, signature: &str) -> Look {
        let result = self.ask(&[signature], true, CallOptions::default()).await?;
        Ok(parse(&result)?.value.first().copied().flatten().and_then(SignatureStatus::parse))
    }

    async fn poll_statuses(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = self.stop.cancelled() => {
                    self.statuses.waiting().lookers.clear();
                    return;
                }
            }
            let lookers = {
                let mut waiting = self.statuses.waiting();
                // Those who gave up do not cost a request.
                waiting.lookers.retain(|_, all| {
                    all.retain(|one| !one.is_closed());
                    !all.is_empty()
                });
                if waiting.lookers.is_empty() {
                    waiting.polling = false;
                    return;
                }
                std::mem::take(&mut waiting.lookers)
            };
            self.look(lookers).await;
        }
    }

    async fn look(self: &Arc<Self>, mut lookers: HashMap<String, Vec<oneshot::Sender<Look>>>) {
        let signatures: Vec<String> = lookers.keys().cloned().collect();
        for chunk in signatures.chunks(CHUNK) {
            let names: Vec<&str> = chunk.iter().map(String::as_str).collect();
            let result = self.ask(&names, false, CallOptions::default()).await;
            let looks: Result<Vec<_>, PoolError> = result.and_then(|result| {
                Ok(parse(&result)?.value.iter().map(|raw| raw.and_then(SignatureStatus::parse)).collect())
            });
            for (index, signature) in chunk.iter().enumerate() {
                let look = looks.as_ref().map(|all| all.get(index).cloned().flatten()).map_err(Clone::clone);
                for looker in lookers.remove(signature).unwrap_or_default() {
                    // A looker that is gone needs no answer.
                    drop(looker.send(look.clone()));
                }
            }
        }
    }
}

impl Statuses {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(signature: &str) -> Bytes {
    format!("status\n{signature}").into()
}

fn parse(result: &Bytes) -> Result<Reply<'_>, PoolError> {
    serde_json::from_slice(result)
        .map_err(|_| PoolError::Refused(AttemptError::Garbled { detail: "statuses are not a list".to_owned() }))
}

fn assemble(signatures: &[String], found: &HashMap<&str, Bytes>, slot: u64) -> String {
    let values = signatures
        .iter()
        .map(|one| found.get(one.as_str()).map_or("null", |raw| std::str::from_utf8(raw).unwrap_or("null")));
    format!("{{\"context\":{{\"slot\":{slot}}},\"value\":[{}]}}", values.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::{SignatureStatus, parse};
    use crate::solana::endpoint::slot::Commitment;
    use bytes::Bytes;

    #[test]
    fn reads_statuses_of_old_and_new_nodes() {
        let body = br#"{"context":{"slot":9},"value":[null,{"slot":5,"confirmations":1,"err":null,"confirmationStatus":"confirmed"},
            {"slot":6,"confirmations":null,"err":{"InstructionError":[0,{"Custom":1}]}}]}"#;
        let bytes = Bytes::from_static(body);
        let reply = parse(&bytes).unwrap();
        let statuses: Vec<_> = reply.value.iter().map(|raw| raw.and_then(SignatureStatus::parse)).collect();
        assert_eq!(statuses[0], None);
        assert_eq!(statuses[1].as_ref().unwrap().commitment, Commitment::Confirmed);
        assert_eq!(statuses[1].as_ref().unwrap().error, None);
        assert_eq!(statuses[2].as_ref().unwrap().commitment, Commitment::Finalized);
        assert_eq!(statuses[2].as_ref().unwrap().error.as_deref(), Some(r#"{"InstructionError":[0,{"Custom":1}]}"#));
    }
}
