//! The wire format of signed transactions (legacy and version 0), as far as it is needed: names, lifetime, nothing of what they do.

use crate::solana::error::PoolError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::Value;

/// The largest transaction of the network.
const MAX_BYTES: usize = 1232;
const SIGNATURE_BYTES: usize = 64;
const KEY_BYTES: usize = 32;
/// The system program's address, and its instruction that moves a durable nonce on.
const SYSTEM_PROGRAM: [u8; KEY_BYTES] = [0; KEY_BYTES];
const ADVANCE_NONCE: [u8; 4] = [4, 0, 0, 0];

/// A transaction with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    /// The bytes that go out, always the same.
    pub bytes: Bytes,
    /// The first signature, base58: the transaction's name.
    pub signature: String,
    /// Its blockhash, or the value of its durable nonce, base58.
    pub blockhash: String,
    /// The nonce account, when its first instruction moves a durable nonce on: then it lives until that account's value changes.
    pub nonce_account: Option<String>,
}

impl SignedTransaction {
    /// Reads signature, blockhash and nonce account. Does not verify the signature.
    pub fn parse(bytes: Bytes) -> Result<Self, PoolError> {
        let bad = |message: &str| PoolError::Argument { argument: "transaction", message: message.to_owned() };
        if bytes.len() > MAX_BYTES {
            return Err(bad("transaction is larger than 1232 bytes"));
        }
        let parts = Parts::read(&bytes).ok_or_else(|| bad("transaction is not a serialized transaction"))?;
        if parts.signature.iter().all(|byte| *byte == 0) {
            return Err(bad("transaction is not signed"));
        }
        let text = |bytes: &[u8]| bs58::encode(bytes).into_string();
        let (signature, blockhash) = (text(parts.signature), text(parts.blockhash));
        let nonce_account = parts.nonce_account().map(text);
        Ok(Self { bytes, signature, blockhash, nonce_account })
    }
}

/// Slices of the wire format.
struct Parts<'a> {
    signature: &'a [u8],
    keys: &'a [u8],
    blockhash: &'a [u8],
    /// From the count of instructions on.
    instructions: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (signatures, rest) = compact_u16(bytes)?;
        let signature = rest.get(..SIGNATURE_BYTES).filter(|_| signatures > 0)?;
        let message = rest.get(signatures.checked_mul(SIGNATURE_BYTES)?..)?;
        // The high bit marks a versioned message, which has one byte more before the header of three.
        let versioned = message.first()? & 0x80 != 0;
        let (count, rest) = compact_u16(message.get(if versioned { 4 } else { 3 }..)?)?;
        let (keys, rest) = rest.split_at_checked(count.checked_mul(KEY_BYTES)?)?;
        let (blockhash, instructions) = rest.split_at_checked(KEY_BYTES)?;
        Some(Self { signature, keys, blockhash, instructions })
    }

    fn key(&self, index: u8) -> Option<&'a [u8]> {
        let start = usize::from(index) * KEY_BYTES;
        self.keys.get(start..start + KEY_BYTES)
    }

    /// The runtime looks at the first instruction only, and takes no account of a lookup table for a nonce.
    fn nonce_account(&self) -> Option<&'a [u8]> {
        let (count, rest) = compact_u16(self.instructions)?;
        let (program, rest) = rest.split_first().filter(|_| count > 0)?;
        let (accounts, rest) = compact_u16(rest)?;
        let (accounts, rest) = rest.split_at_checked(accounts)?;
        let (length, data) = compact_u16(rest)?;
        let data = data.get(..length)?;
        let advances = self.key(*program)? == SYSTEM_PROGRAM && data.starts_with(&ADVANCE_NONCE);
        if advances { self.key(*accounts.first()?) } else { None }
    }
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

/// The signature of the transaction in the parameters of `sendTransaction`: what a node must answer.
pub(in crate::solana) fn signature_in(params: &str) -> Option<String> {
    let params: Value = serde_json::from_str(params).ok()?;
    let text = params.get(0)?.as_str()?;
    let encoding = params.get(1).and_then(|config| config.get("encoding")).and_then(Value::as_str);
    let bytes = match encoding {
        Some("base64") => BASE64.decode(text).ok()?,
        _ => bs58::decode(text).into_vec().ok()?,
    };
    Some(bs58::encode(Parts::read(&bytes)?.signature).into_string())
}

#[cfg(test)]
pub(in crate::solana) mod tests {
    use super::{BASE64, SignedTransaction, signature_in};
    use crate::solana::error::PoolError;
    use base64::Engine;
    use bytes::Bytes;
    use proptest::prelude::*;

    /// A transaction of one signature and the keys 3, 5 and the system program, with these instructions after their count.
    fn wire(signature: u8, versioned: bool, instructions: &[u8]) -> Bytes {
        let mut bytes = vec![1];
        bytes.extend([signature; 64]);
        bytes.extend(if versioned { &[0x80, 1, 0, 1, 3][..] } else { &[1, 0, 1, 3] });
        bytes.extend([3; 32]);
        bytes.extend([5; 32]);
        bytes.extend([0; 32]);
        bytes.extend([9; 32]);
        bytes.extend(instructions);
        bytes.into()
    }

    const TRANSFER: &[u8] = &[1, 2, 2, 0, 1, 4, 2, 0, 0, 0, 0];
    const ADVANCE: &[u8] = &[2, 2, 3, 1, 0, 0, 4, 4, 0, 0, 0, 2, 2, 0, 1, 4, 2, 0, 0, 0, 0];

    /// Any signed transaction.
    pub(in crate::solana) fn transfer(signature: u8) -> Bytes {
        wire(signature, true, TRANSFER)
    }

    #[test]
    fn reads_signature_and_blockhash() {
        for versioned in [false, true] {
            let parsed = SignedTransaction::parse(wire(7, versioned, TRANSFER)).unwrap();
            assert_eq!(parsed.signature, bs58::encode([7; 64]).into_string());
            assert_eq!(parsed.blockhash, bs58::encode([9; 32]).into_string());
            assert_eq!(parsed.nonce_account, None);
        }
    }

    #[test]
    fn knows_a_durable_nonce_by_the_first_instruction_only() {
        let account = |versioned, instructions: &[u8]| {
            SignedTransaction::parse(wire(7, versioned, instructions)).unwrap().nonce_account
        };
        let nonce = bs58::encode([5; 32]).into_string();
        assert_eq!(account(false, ADVANCE), Some(nonce.clone()));
        assert_eq!(account(true, ADVANCE), Some(nonce));
        let second = [&[2][..], &TRANSFER[1..], &ADVANCE[1..11]].concat();
        assert_eq!(account(true, &second), None, "not the first instruction");
        assert_eq!(account(true, &[1, 1, 3, 1, 0, 0, 4, 4, 0, 0, 0]), None, "another program");
        assert_eq!(account(true, &[1, 2, 3, 9, 0, 0, 4, 4, 0, 0, 0]), None, "an account of a lookup table");
    }

    #[test]
    fn refuses_unsigned_oversized_and_foreign_bytes_before_any_io() {
        for bytes in [transfer(0), Bytes::from(vec![1; 1233]), Bytes::new(), Bytes::from_static(b"hello")] {
            let refused = SignedTransaction::parse(bytes);
            assert!(matches!(refused, Err(PoolError::Argument { argument: "transaction", .. })));
        }
    }

    #[test]
    fn reads_the_signature_out_of_a_request() {
        let expected = Some(bs58::encode([7; 64]).into_string());
        let base64 = format!(r#"["{}",{{"encoding":"base64"}}]"#, BASE64.encode(transfer(7)));
        assert_eq!(signature_in(&base64), expected);
        assert_eq!(signature_in(&format!(r#"["{}"]"#, bs58::encode(transfer(7)).into_string())), expected);
        assert_eq!(signature_in("[1]"), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            drop(SignedTransaction::parse(bytes.into()));
        }
    }
}
