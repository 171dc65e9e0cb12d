//! Property tests of what comes off the wire and out of JavaScript: whatever the bytes, no panic, no foreign answer, typed errors only.
//!
//! `PROPTEST_CASES=1000000 cargo test --release solana::call::tests` runs them long.

use super::reply;
use super::request::Prepared;
use super::{Call, CallOptions};
use crate::observe::NoSink;
use crate::solana::endpoint::slot::Commitment;
use crate::solana::error::{AttemptError, PoolError};
use crate::solana::mark::mark_integers;
use crate::solana::options::PoolOptions;
use crate::solana::pool::Pool;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

const METHODS: [&str; 12] = [
    "getBalance",
    "getAccountInfo",
    "getMultipleAccounts",
    "getTokenAccountsByOwner",
    "getLatestBlockhash",
    "getSignatureStatuses",
    "getTransaction",
    "getBlocks",
    "sendTransaction",
    "simulateTransaction",
    "requestAirdrop",
    "someVendorMethod",
];

/// Any JSON value, numbers of every size included.
fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from)
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(
                "[a-zA-Z\"\\\\\u{7f}é]{0,6}|id|result|error|code|message|slot|context",
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A reply as a node may give it, before anything happens to it.
fn any_reply() -> impl Strategy<Value = (u64, String)> {
    let body = prop_oneof![
        any_json().prop_map(|value| json!({ "result": value })),
        any_json().prop_map(|value| json!({ "result": { "context": { "slot": 5 }, "value": value } })),
        (any::<i32>(), any::<String>(), any_json())
            .prop_map(|(code, message, data)| json!({ "error": { "code": code, "message": message, "data": data } })),
        any_json().prop_map(|error| json!({ "error": error })),
        any_json(),
    ];
    (any::<u64>(), body).prop_map(|(id, mut body)| {
        if let Some(object) = body.as_object_mut() {
            object.insert("id".to_owned(), id.into());
        }
        (id, body.to_string())
    })
}

/// One thing that goes wrong with bytes.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Drop(usize, usize),
    Repeat(usize, usize),
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
}

fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), 0usize..20).prop_map(|(at, length)| Damage::Drop(at, length)),
        (any::<usize>(), 0usize..40).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (any::<usize>(), proptest::collection::vec(any::<u8>(), 0..8))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<usize>(), "[\\[\\]{}\",:0-9eE.+-]{1,6}").prop_map(|(at, text)| Damage::Insert(at, text.into_bytes())),
    ]
}

fn damaged(text: &str, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for damage in damages {
        let place = |at: &usize| at % (bytes.len() + 1);
        match damage {
            Damage::Cut(at) => bytes.truncate(place(at)),
            Damage::Drop(at, length) => {
                let (start, end) = (place(at), (place(at) + length).min(bytes.len()));
                bytes.drain(start..end);
            }
            Damage::Repeat(at, length) => {
                let (start, end) = (place(at), (place(at) + length).min(bytes.len()));
                let copy = bytes[start..end].to_vec();
                bytes.splice(end..end, copy);
            }
            Damage::Flip(at, bits) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Damage::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
        }
    }
    bytes
}

/// JSON as a tree, members that nobody looks at may hold bytes that are no text. `None` when a number is beyond a double: it is JSON, but no tree of serde's.
fn parsed(json: &[u8]) -> Result<Option<Value>, TestCaseError> {
    match serde_json::from_str(&String::from_utf8_lossy(json)) {
        Ok(tree) => Ok(Some(tree)),
        Err(error) if error.to_string().starts_with("number out of range") => Ok(None),
        Err(_) => Err(TestCaseError::fail("no JSON was accepted")),
    }
}

/// What must hold of any bytes read as the reply to `id`.
fn check_read(bytes: Vec<u8>, id: u64) -> Result<(), TestCaseError> {
    let body = Bytes::from(bytes);
    let read = reply::read(&body, id);
    match &read {
        Ok(_) | Err(AttemptError::Rpc(_)) => {
            if let Some(whole) = parsed(&body)? {
                check_accepted(read, &whole, id)?;
            }
        }
        Err(AttemptError::Garbled { .. }) => {}
        Err(other) => return Err(TestCaseError::fail(format!("another error: {other:?}"))),
    }
    reply::context_slot(&body);
    reply::read_error(&body, id);
    Ok(())
}

fn check_accepted(read: Result<Bytes, AttemptError>, whole: &Value, id: u64) -> Result<(), TestCaseError> {
    match read {
        Ok(result) => {
            prop_assert!(whole["id"] == id, "a foreign id was accepted");
            prop_assert!(whole["error"].is_null(), "an error was taken for a result");
            let tree = parsed(&result)?;
            prop_assert_eq!(Some(&whole["result"]), tree.as_ref());
        }
        Err(AttemptError::Rpc(refusal)) => {
            prop_assert!(whole["id"].is_null() || whole["id"] == id, "a foreign error was accepted");
            let tree = parsed(&refusal.body)?;
            prop_assert_eq!(Some(&whole["error"]), tree.as_ref());
        }
        Err(_) => {}
    }
    Ok(())
}

/// Undoes the marks, as the reviver in JavaScript does; numbers that were marked become text of their digits.
fn unmarked(value: Value) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('\u{7f}') {
            Some(rest) if rest.starts_with('\u{7f}') => Value::String(rest.to_owned()),
            Some(digits) => {
                serde_json::from_str(digits).unwrap_or_else(|_| Value::String(format!("bad mark {digits}")))
            }
            None => Value::String(text),
        },
        Value::Array(list) => list.into_iter().map(unmarked).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, unmarked(value))).collect(),
        other => other,
    }
}

proptest! {
    #[test]
    fn replies_that_are_whole_are_understood((id, text) in any_reply()) {
        check_read(text.into_bytes(), id)?;
    }

    #[test]
    fn replies_that_are_damaged_are_noticed_or_still_true((id, text) in any_reply(), damages in proptest::collection::vec(any_damage(), 1..5)) {
        check_read(damaged(&text, &damages), id)?;
    }

    #[test]
    fn bytes_that_are_no_reply_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), id in any::<u64>()) {
        check_read(bytes, id)?;
    }

    #[test]
    fn a_reply_with_another_id_of_any_type_is_nobodys(id in any::<u64>(), other in any_json(), result in any_json()) {
        prop_assume!(other != id);
        let with_result = json!({ "id": other, "result": result }).to_string();
        let refused = matches!(reply::read(&Bytes::from(with_result), id), Err(AttemptError::Garbled { .. }));
        prop_assert!(refused);
        let with_error = json!({ "id": other, "error": { "code": -32602 } }).to_string();
        let read = reply::read(&Bytes::from(with_error), id);
        let refused = matches!(read, Err(AttemptError::Garbled { .. })) || other.is_null();
        prop_assert!(refused, "{read:?}");
    }

    #[test]
    fn a_name_given_twice_is_refused(first in any_json(), second in any_json(), name in "id|result") {
        let text = format!(r#"{{"id":7,"result":1,"{name}":{first},"x":{second}}}"#);
        let refused = matches!(reply::read(&Bytes::from(text), 7), Err(AttemptError::Garbled { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn nesting_has_an_end(depth in 1usize..2_000, closed in any::<bool>(), place in 0usize..4) {
        let deep = "[".repeat(depth) + &if closed { "]".repeat(depth) } else { String::new() };
        let text = match place {
            0 => format!(r#"{{"id":7,"result":{deep}}}"#),
            1 => format!(r#"{{"id":{deep},"result":1}}"#),
            2 => format!(r#"{{"id":7,"error":{{"code":1,"data":{deep}}}}}"#),
            _ => deep,
        };
        let read = reply::read(&Bytes::from(text), 7);
        let refused = matches!(read, Err(AttemptError::Garbled { .. }));
        prop_assert_eq!(refused, !closed || !matches!(place, 0 | 2) || depth > if place == 0 { 511 } else { 510 });
    }

    #[test]
    fn marks_say_what_the_text_said(value in any_json()) {
        let text = value.to_string();
        let marked: Value = serde_json::from_str(&mark_integers(&text)).map_err(|_| TestCaseError::fail("no JSON any more"))?;
        prop_assert_eq!(unmarked(marked), serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn marking_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\",:\\\\\u{7f}0-9eE.+-]{0,60}") {
        mark_integers(&String::from_utf8_lossy(&bytes));
        mark_integers(&text);
    }

    #[test]
    fn any_parameters_stay_what_they_were(method in proptest::sample::select(&METHODS[..]), params in any_json(), padding in "[ \n]{0,2}") {
        let text = format!("{padding}{params}{padding}");
        let Ok(prepared) = Prepared::new(method, &text, Commitment::Processed) else { return Ok(()) };
        let sent: Value = serde_json::from_slice(&prepared.params).map_err(|_| TestCaseError::fail("no JSON is sent"))?;
        let given: Value = serde_json::from_str(&text).unwrap();
        if let (Some(sent), Some(given)) = (sent.as_array(), given.as_array()) {
            prop_assert!(sent.len() >= given.len());
            for (index, (sent, given)) in sent.iter().zip(given).enumerate() {
                let grown = sent.as_object().zip(given.as_object()).is_some_and(|(sent, given)| given.iter().all(|(name, value)| sent.get(name) == Some(value)));
                prop_assert!(sent == given || grown || given.is_null(), "parameter {index}: {given} became {sent}");
            }
        }
        let body: Value = serde_json::from_slice(&prepared.body(7)).unwrap();
        prop_assert_eq!(&body["id"], &Value::from(7));
        prop_assert_eq!(&body["params"], &sent);
    }

    #[test]
    fn requests_of_any_shape_are_refused_or_taken(text in any_json(), damages in proptest::collection::vec(any_damage(), 0..3), mark in any::<bool>()) {
        let request = json!({ "id": text, "jsonrpc": "2.0", "method": "getBalance", "params": text });
        for whole in [text.to_string(), request.to_string(), json!([request, request]).to_string()] {
            let answered = with_pool(async |pool| {
                pool.fetch(&String::from_utf8_lossy(&damaged(&whole, &damages)), mark, CallOptions::default()).await
            });
            // Nobody can answer: what is no request is refused, what is one finds no endpoint. An empty array needs none.
            let fits = match &answered {
                Err(PoolError::Argument { .. } | PoolError::NoEndpoint) => true,
                Ok(text) => text == "[]",
                Err(_) => false,
            };
            prop_assert!(fits, "{answered:?}");
        }
    }

    #[test]
    fn names_of_methods_are_names(name in any::<String>()) {
        let answered = with_pool(async |pool| pool.call(Call { method: &name, params: "" }, CallOptions::default()).await);
        let fits = matches!(answered, Err(PoolError::Argument { argument: "method", .. } | PoolError::NoEndpoint));
        prop_assert!(fits);
    }

    #[test]
    fn options_of_any_shape_are_refused_or_taken(value in any_json(), name in "endpoints|cacheConfig|limits|tls|proxy|deadlineMs|commitment") {
        let text = json!({ name: value, "endpoints": [value, { "url": "http://h", "headers": value, "tls": value, "proxy": value }] }).to_string();
        let refused = matches!(PoolOptions::from_json(&text), Ok(_) | Err(PoolError::Config { .. }));
        prop_assert!(refused);
        drop(PoolOptions::from_json(&value.to_string()));
    }
}

#[test]
fn a_million_levels_do_not_overflow_the_stack() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    for text in
        [format!(r#"{{"id":7,"result":{deep}}}"#), format!(r#"{{"id":7,"error":{{"code":1,"data":{deep}}}}}"#), deep]
    {
        let read = reply::read(&Bytes::from(text), 7);
        assert!(matches!(read, Err(AttemptError::Garbled { .. })), "nobody can use it");
    }
}

/// Runs `work` on a pool without endpoints.
fn with_pool<T>(work: impl AsyncFnOnce(Arc<Pool>) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { work(Pool::new(PoolOptions::from_json("{}").unwrap(), Arc::new(NoSink))).await })
}
