//! Signed transactions: read, never made. The same bytes may be sent anywhere, any number of times; the signature makes repeats harmless.

pub(in crate::solana) mod expiry;
pub(in crate::solana) mod follow;
pub(in crate::solana) mod listen;
pub(in crate::solana) mod pending;
pub(in crate::solana) mod status;
pub(in crate::solana) mod track;
pub(in crate::solana) mod wire;

pub use wire::SignedTransaction;

use crate::error::Failure;
use crate::solana::call::CallOptions;
use crate::solana::call::reply;
use crate::solana::call::request::Prepared;
use crate::solana::error::{AttemptError, PoolError};
use crate::solana::pool::Pool;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// How to send. Names as in the JSON-RPC method.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SendOptions {
    /// Skip the simulation.
    pub skip_preflight: bool,
    /// The commitment of the simulation. Default: the pool's.
    pub preflight_commitment: Option<String>,
    /// How often the node itself sends it again.
    pub max_retries: Option<u32>,
    /// The slot the node must have reached.
    pub min_context_slot: Option<u64>,
}

/// Why a transaction was not sent, or not followed to its end: with its name, so that the caller can look for it.
#[derive(Debug)]
pub struct SendError {
    /// The transaction's signature.
    pub signature: String,
    /// What went wrong.
    pub error: PoolError,
}

impl SendError {
    /// `error` with the name of its transaction.
    pub fn of(transaction: &SignedTransaction, error: PoolError) -> Self {
        Self { signature: transaction.signature.clone(), error }
    }
}

impl From<SendError> for Failure {
    fn from(failed: SendError) -> Self {
        let failure = Self::from(failed.error);
        // An answer of the node is a refusal: it kept nothing.
        let sent = if failure.maybe_executed.unwrap_or(false) { "maybe" } else { "no" };
        failure.with_text("signature", failed.signature).with_text("sent", sent)
    }
}

/// A node's answer to a send must be the signature of the bytes; another one says nothing about them.
pub(in crate::solana) fn check_answer(call: &Prepared, result: Bytes) -> Result<Bytes, AttemptError> {
    let Some(signature) = &call.signature else { return Ok(result) };
    if result.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) == Some(signature.as_bytes()) {
        return Ok(result);
    }
    Err(AttemptError::Garbled { detail: "node returned another signature than the transaction's".to_owned() })
}

/// A resend is refused with `AlreadyProcessed` when an earlier attempt got through after all: that is a success. Its result is the signature.
pub(in crate::solana) fn landed_before(call: &Prepared, error: &AttemptError, sent_before: bool) -> Option<Bytes> {
    let AttemptError::Rpc(refusal) = error else { return None };
    if !sent_before || !refusal.mentions("AlreadyProcessed") {
        return None;
    }
    call.signature.as_ref().map(|signature| format!("\"{signature}\"").into())
}

/// The key under which the slot of a blockhash is remembered.
fn blockhash_key(blockhash: &str) -> Bytes {
    format!("blockhash\n{blockhash}").into()
}

impl Pool {
    /// Sends a signed transaction to one endpoint, to others with the same bytes when that fails. Returns its signature.
    pub async fn send(
        self: &Arc<Self>,
        transaction: &Arc<SignedTransaction>,
        how: &SendOptions,
        options: CallOptions,
    ) -> Result<String, PoolError> {
        let running = self.enter()?;
        let held = self.pending.hold(transaction);
        self.report_transaction(transaction);
        let sent = self.send_within(transaction, how, options).await;
        drop((held, running));
        sent.map(|()| transaction.signature.clone())
    }

    /// A send that is part of a call that has entered.
    pub(in crate::solana) async fn send_within(
        self: &Arc<Self>,
        transaction: &SignedTransaction,
        how: &SendOptions,
        options: CallOptions,
    ) -> Result<(), PoolError> {
        let prepared = self.prepare_send(transaction, how)?;
        self.next_generation();
        let result = self.run(prepared, options).await;
        self.next_generation();
        result.map(drop)
    }

    /// The call that sends `transaction`.
    pub(in crate::solana) fn prepare_send(
        &self,
        transaction: &SignedTransaction,
        how: &SendOptions,
    ) -> Result<Prepared, PoolError> {
        let mut config = json!({ "encoding": "base64" });
        let mut put = |name: &str, value: Value| {
            if let Some(config) = config.as_object_mut() {
                config.insert(name.to_owned(), value);
            }
        };
        if how.skip_preflight {
            put("skipPreflight", true.into());
        }
        if let Some(commitment) = &how.preflight_commitment {
            put("preflightCommitment", commitment.as_str().into());
        }
        if let Some(retries) = how.max_retries {
            put("maxRetries", retries.into());
        }
        if let Some(slot) = how.min_context_slot {
            put("minContextSlot", slot.into());
        }
        let params = json!([BASE64.encode(&transaction.bytes), config]).to_string();
        let mut prepared = Prepared::new("sendTransaction", &params, self.options.commitment)?;
        // A node behind the blockhash's slot would answer "Blockhash not found".
        prepared.min_slot = prepared.min_slot.max(self.slot_of_blockhash(&transaction.blockhash));
        Ok(prepared)
    }

    /// Remembers at which slot a blockhash was seen.
    pub(in crate::solana) fn remember_blockhash(&self, result: &[u8], slot: u64) {
        let Some(at) = memchr::memmem::find(result, b"\"blockhash\":\"") else { return };
        let rest = result.get(at + 13..).unwrap_or_default();
        let end = memchr::memchr(b'"', rest).unwrap_or(0);
        if let Some(Ok(blockhash)) = rest.get(..end).map(std::str::from_utf8) {
            let lifetime = std::time::Duration::from_mins(2);
            self.cache.put(blockhash_key(blockhash), slot.to_string().as_bytes(), lifetime);
        }
    }

    /// The slot at which a blockhash was seen, if this pool saw it of late.
    pub(in crate::solana) fn slot_of_blockhash(&self, blockhash: &str) -> Option<u64> {
        self.cache.peek(&blockhash_key(blockhash)).and_then(|slot| reply::number(&slot))
    }
}

#[cfg(test)]
mod tests {
    use super::wire::tests::transfer;
    use super::{check_answer, landed_before};
    use crate::solana::call::request::Prepared;
    use crate::solana::endpoint::slot::Commitment;
    use crate::solana::error::{AttemptError, RpcRefusal};
    use base64::Engine;
    use bytes::Bytes;

    fn send() -> Prepared {
        let encoded = base64::engine::general_purpose::STANDARD.encode(transfer(7));
        let params = format!(r#"["{encoded}",{{"encoding":"base64"}}]"#);
        Prepared::new("sendTransaction", &params, Commitment::Processed).unwrap()
    }

    fn answer(signature: u8) -> Bytes {
        format!("\"{}\"", bs58::encode([signature; 64]).into_string()).into()
    }

    #[test]
    fn already_processed_on_a_resend_is_a_success_with_the_signature() {
        let body = Bytes::from_static(br#"{"code":-32002,"data":{"err":"AlreadyProcessed"}}"#);
        let error = AttemptError::Rpc(RpcRefusal { code: -32002, message: String::new(), body });
        assert_eq!(landed_before(&send(), &error, true), Some(answer(7)));
        assert_eq!(landed_before(&send(), &error, false), None, "the first send was not ours");
    }

    #[test]
    fn an_answer_with_another_signature_says_nothing() {
        assert_eq!(check_answer(&send(), answer(7)), Ok(answer(7)));
        for wrong in [answer(8), Bytes::from_static(b"null"), Bytes::from_static(b"\"")] {
            assert!(matches!(check_answer(&send(), wrong), Err(AttemptError::Garbled { .. })));
        }
    }
}
