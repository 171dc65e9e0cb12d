//! The reply side of the envelope. A reply counts only when it is one complete JSON value with our id: that catches truncation and crossed replies.
//! The result stays a slice of what was received.

use crate::solana::error::{AttemptError, RpcRefusal};
use crate::solana::object::{Object, given};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// How far into a result the slot of its context is looked for.
const CONTEXT_HEAD: usize = 256;
/// Deeper replies are refused: what JavaScript does with them (a reviver, `JSON.stringify`) would overflow its stack.
const MAX_DEPTH: u32 = 512;

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "given")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireError {
    code: i64,
    #[serde(default)]
    message: String,
}

/// The `result` of a reply to request `id`, as a slice of `body`.
pub(in crate::solana) fn read(body: &Bytes, id: u64) -> Result<Bytes, AttemptError> {
    let garbled = |detail: &str| AttemptError::Garbled { detail: detail.to_owned() };
    let Object(wire) = serde_json::from_slice::<Object<Wire<'_>>>(body).map_err(|error| {
        garbled(if error.is_eof() { "reply is cut short" } else { "reply is not a JSON-RPC object" })
    })?;
    if is_too_deep(body) {
        return Err(garbled("reply is nested too deeply"));
    }
    let ours = wire.id.is_some_and(|raw| raw.get() == id.to_string());
    if let Some(error) = wire.error {
        // An error may come with id null, when the node could not read the request.
        if !ours && wire.id.is_some_and(|raw| raw.get() != "null") {
            return Err(garbled("reply has another id"));
        }
        let raw = body.slice_ref(error.get().as_bytes());
        let Object(parsed) = serde_json::from_slice::<Object<WireError>>(&raw)
            .map_err(|_| garbled("reply has an error without a code"))?;
        return Err(AttemptError::Rpc(RpcRefusal { code: parsed.code, message: parsed.message, body: raw }));
    }
    if !ours {
        return Err(garbled("reply has another id"));
    }
    let result = wire.result.ok_or_else(|| garbled("reply has neither result nor error"))?;
    Ok(body.slice_ref(result.get().as_bytes()))
}

/// The error for request `id` inside a body that came with a bad HTTP status, if there is one.
pub(in crate::solana) fn read_error(body: &Bytes, id: u64) -> Option<RpcRefusal> {
    match read(body, id) {
        Err(AttemptError::Rpc(refusal)) => Some(refusal),
        _ => None,
    }
}

/// The slot in `{"context":{..,"slot":N}..}`, looked for in the head of a result only.
pub(in crate::solana) fn context_slot(result: &[u8]) -> Option<u64> {
    let head = result.get(..result.len().min(CONTEXT_HEAD))?;
    if !head.starts_with(b"{\"context\"") {
        return None;
    }
    let at = memchr::memmem::find(head, b"\"slot\":")?;
    number(head.get(at + 7..)?)
}

/// Whether valid JSON nests deeper than [`MAX_DEPTH`].
fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut rest) = (0u32, json);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => rest = after_string(after),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// What follows the string whose inside begins here.
fn after_string(mut inside: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', inside) {
        let escapes = inside.get(at) == Some(&b'\\');
        inside = inside.get(at + 1 + usize::from(escapes)..).unwrap_or_default();
        if !escapes {
            return inside;
        }
    }
    &[]
}

/// The digits at the start of `text`.
pub(in crate::solana) fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{context_slot, read};
    use crate::solana::error::AttemptError;
    use bytes::Bytes;
    use proptest::prelude::*;

    const WHOLE: &str = r#"{"jsonrpc":"2.0","result":{"context":{"apiVersion":"2","slot":77},"value":5},"id":12}"#;

    #[test]
    fn cuts_the_result_out_without_copying() {
        let body = Bytes::from_static(WHOLE.as_bytes());
        let result = read(&body, 12).unwrap();
        assert_eq!(&result[..], br#"{"context":{"apiVersion":"2","slot":77},"value":5}"#);
        assert_eq!(context_slot(&result), Some(77));
        assert_eq!(&read(&Bytes::from_static(br#"{"id":1,"result":null}"#), 1).unwrap()[..], b"null");
    }

    #[test]
    fn refuses_crossed_and_empty_replies_and_keeps_the_error_object() {
        let body = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert!(matches!(read(&body(WHOLE), 13), Err(AttemptError::Garbled { .. })));
        assert!(matches!(read(&body(r#"{"id":1}"#), 1), Err(AttemptError::Garbled { .. })));
        assert!(matches!(read(&body("<html>"), 1), Err(AttemptError::Garbled { .. })));
        assert!(matches!(read(&body("[1,2]"), 1), Err(AttemptError::Garbled { .. })), "the fields without their names");
        let nameless = body(r#" {"id":1,"error":[1,"no"]}"#);
        assert!(matches!(read(&nameless, 1), Err(AttemptError::Garbled { .. })));
        let foreign = body(r#"{"id":2,"error":{"code":-32602}}"#);
        assert!(matches!(read(&foreign, 1), Err(AttemptError::Garbled { .. })), "somebody else's error");
        let Err(AttemptError::Rpc(refusal)) =
            read(&body(r#"{"id":null,"error":{"code":-32602,"message":"no","data":[1]}}"#), 1)
        else {
            panic!("expected the node's error");
        };
        assert_eq!((refusal.code, refusal.message.as_str()), (-32602, "no"));
        assert_eq!(&refusal.body[..], br#"{"code":-32602,"message":"no","data":[1]}"#);
    }

    proptest! {
        #[test]
        fn every_truncation_is_noticed(cut in 0..WHOLE.len()) {
            let body = Bytes::copy_from_slice(&WHOLE.as_bytes()[..cut]);
            let noticed = matches!(read(&body, 12), Err(AttemptError::Garbled { .. }));
            prop_assert!(noticed);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let body = Bytes::from(bytes);
            drop(read(&body, 1));
            context_slot(&body);
        }
    }
}
