//! Signed transactions: read, never made. The same bytes may be sent anywhere, any number of times; the signature makes repeats harmless.

pub(in crate::solana) mod status;
pub(in crate::solana) mod track;

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

/// The largest transaction of the network.
const MAX_BYTES: usize = 1232;
const SIGNATURE_BYTES: usize = 64;
const KEY_BYTES: usize = 32;

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

/// A transaction with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    /// The bytes that go out, always the same.
    pub bytes: Bytes,
    /// The first signature, base58: the transaction's name.
    pub signature: String,
    /// Its blockhash (or nonce), base58.
    pub blockhash: String,
}

impl SignedTransaction {
    /// Reads signature and blockhash. Does not verify the signature.
    pub fn parse(bytes: Bytes) -> Result<Self, PoolError> {
        let bad = |message: &str| PoolError::Argument { argument: "transaction", message: message.to_owned() };
        if bytes.len() > MAX_BYTES {
            return Err(bad("transaction is larger than 1232 bytes"));
        }
        let (signature, blockhash) = names(&bytes).ok_or_else(|| bad("transaction is not a serialized transaction"))?;
        if signature.iter().all(|byte| *byte == 0) {
            return Err(bad("transaction is not signed"));
        }
        let signature = bs58::encode(signature).into_string();
        let blockhash = bs58::encode(blockhash).into_string();
        Ok(Self { bytes, signature, blockhash })
    }
}

/// First signature and blockhash within the wire format.
fn names(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (signatures, rest) = compact_u16(bytes)?;
    let signature = rest.get(..SIGNATURE_BYTES).filter(|_| signatures > 0)?;
    let message = rest.get(signatures.checked_mul(SIGNATURE_BYTES)?..)?;
    // The high bit marks a versioned message, which has one byte more before the header of three.
    let versioned = message.first()? & 0x80 != 0;
    let (keys, rest) = compact_u16(message.get(if versioned { 4 } else { 3 }..)?)?;
    let blockhash = rest.get(keys.checked_mul(KEY_BYTES)?..)?.get(..KEY_BYTES)?;
    Some((signature, blockhash))
}

fn compact_u16(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    for (index, byte) in bytes.iter().take(3).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// A resend is refused with `AlreadyProcessed` when an earlier attempt got through after all: that is a success. Its result is the signature.
pub(in crate::solana) fn landed_before(call: &Prepared, error: &AttemptError, sent_before: bool) -> Option<Bytes> {
    let AttemptError::Rpc(refusal) = error else { return None };
    if !sent_before || call.name != "sendTransaction" || !refusal.mentions("AlreadyProcessed") {
        return None;
    }
    let params: Value = serde_json::from_slice(&call.params).ok()?;
    let text = params.get(0)?.as_str()?;
    let encoding = params.get(1).and_then(|config| config.get("encoding")).and_then(Value::as_str);
    let bytes = match encoding {
        Some("base64") => BASE64.decode(text).ok()?,
        _ => bs58::decode(text).into_vec().ok()?,
    };
    let (signature, _) = names(&bytes)?;
    Some(format!("\"{}\"", bs58::encode(signature).into_string()).into())
}

/// The key under which the slot of a blockhash is remembered.
fn blockhash_key(blockhash: &str) -> Bytes {
    format!("blockhash\n{blockhash}").into()
}

impl Pool {
    /// Sends a signed transaction to one endpoint, to others with the same bytes when that fails. Returns its signature.
    pub async fn send(
        self: &Arc<Self>,
        transaction: &SignedTransaction,
        how: &SendOptions,
        options: CallOptions,
    ) -> Result<String, PoolError> {
        let running = self.enter()?;
        let prepared = self.prepare_send(transaction, how)?;
        self.next_generation();
        let result = self.run(prepared, options).await;
        self.next_generation();
        drop(running);
        let returned = result?;
        if returned.get(1..returned.len().saturating_sub(1)) == Some(transaction.signature.as_bytes()) {
            return Ok(transaction.signature.clone());
        }
        let detail = "node returned another signature than the transaction's".to_owned();
        Err(PoolError::Refused(AttemptError::Garbled { detail }))
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

    fn slot_of_blockhash(&self, blockhash: &str) -> Option<u64> {
        self.cache.peek(&blockhash_key(blockhash)).and_then(|slot| reply::number(&slot))
    }
}

#[cfg(test)]
pub(in crate::solana) mod tests {
    use super::{SignedTransaction, landed_before};
    use crate::solana::call::request::Prepared;
    use crate::solana::endpoint::slot::Commitment;
    use crate::solana::error::{AttemptError, PoolError, RpcRefusal};
    use base64::Engine;
    use bytes::Bytes;
    use proptest::prelude::*;

    /// A versioned transaction of the wire format with one signature and two keys.
    pub(in crate::solana) fn wire(signature: u8) -> Bytes {
        let mut bytes = vec![1];
        bytes.extend([signature; 64]);
        bytes.extend([0x80, 1, 0, 1, 2]);
        bytes.extend([3; 64]);
        bytes.extend([9; 32]);
        bytes.extend([0, 0]);
        bytes.into()
    }

    #[test]
    fn reads_signature_and_blockhash() {
        let parsed = SignedTransaction::parse(wire(7)).unwrap();
        assert_eq!(parsed.signature, bs58::encode([7; 64]).into_string());
        assert_eq!(parsed.blockhash, bs58::encode([9; 32]).into_string());
    }

    #[test]
    fn refuses_unsigned_oversized_and_foreign_bytes_before_any_io() {
        for bytes in [wire(0), Bytes::from(vec![1; 1233]), Bytes::new(), Bytes::from_static(b"hello")] {
            let refused = SignedTransaction::parse(bytes);
            assert!(matches!(refused, Err(PoolError::Argument { argument: "transaction", .. })));
        }
    }

    #[test]
    fn already_processed_on_a_resend_is_a_success_with_the_signature() {
        let encoded = base64::engine::general_purpose::STANDARD.encode(wire(7));
        let params = format!(r#"["{encoded}",{{"encoding":"base64"}}]"#);
        let call = Prepared::new("sendTransaction", &params, Commitment::Processed).unwrap();
        let body = Bytes::from_static(br#"{"code":-32002,"data":{"err":"AlreadyProcessed"}}"#);
        let error = AttemptError::Rpc(RpcRefusal { code: -32002, message: String::new(), body });
        let expected = format!("\"{}\"", bs58::encode([7; 64]).into_string());
        assert_eq!(landed_before(&call, &error, true).unwrap(), expected);
        assert_eq!(landed_before(&call, &error, false), None, "the first send was not ours");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            drop(SignedTransaction::parse(bytes.into()));
        }
    }
}
