//! The words of the websocket: kinds, requests, and what a message of a node says. Pure; results stay slices of what was received.

use crate::solana::error::RpcRefusal;
use crate::solana::object::Object;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Changes of one account.
    Account,
    /// Changes of the accounts of a program.
    Program,
    /// The end of one transaction. Ends by itself.
    Signature,
    /// Slots as they are processed.
    Slot,
    /// Logs of transactions.
    Logs,
    /// Rooted slots.
    Root,
}

impl Kind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Program => "program",
            Self::Signature => "signature",
            Self::Slot => "slot",
            Self::Logs => "logs",
            Self::Root => "root",
        }
    }

    /// The JSON-RPC method that begins it.
    pub(super) fn subscribe(self) -> String {
        format!("{}Subscribe", self.as_str())
    }

    /// Whether what was missed can be read afterwards.
    pub(super) fn can_catch_up(self) -> bool {
        matches!(self, Self::Account | Self::Signature)
    }
}

/// The request that ends a subscription of a node.
pub(super) fn unsubscribe(kind: Kind, server: u64, id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{}Unsubscribe","params":[{server}]}}"#, kind.as_str())
}

/// One message of a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// The answer to request `id`: the node's number for the subscription, if it is one.
    Reply { id: u64, outcome: Result<Option<u64>, RpcRefusal> },
    /// Something happened in subscription `server`.
    Notice { server: u64, result: Bytes },
    /// Nothing that we asked for.
    Other,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
    subscription: u64,
}

#[derive(Deserialize)]
struct WireError {
    code: i64,
    #[serde(default)]
    message: String,
}

/// Reads a message. What is not understood is `Other`: one bad frame must not end a socket.
pub(super) fn read(text: &Bytes) -> Incoming {
    let Ok(Object(wire)) = serde_json::from_slice::<Object<Wire<'_>>>(text) else { return Incoming::Other };
    if let Some(Params { result, subscription }) = wire.params {
        return Incoming::Notice { server: subscription, result: text.slice_ref(result.get().as_bytes()) };
    }
    let Some(id) = wire.id.and_then(|raw| raw.get().parse().ok()) else { return Incoming::Other };
    let Some(error) = wire.error else {
        return Incoming::Reply { id, outcome: Ok(wire.result.and_then(|raw| raw.get().parse().ok())) };
    };
    let body = text.slice_ref(error.get().as_bytes());
    let WireError { code, message } =
        serde_json::from_slice(&body).unwrap_or(WireError { code: -32603, message: String::new() });
    Incoming::Reply { id, outcome: Err(RpcRefusal { code, message, body }) }
}

/// What tells a notification from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// The slot it speaks of.
    pub slot: u64,
    /// Slot and key (account, signature).
    pub key: u64,
    /// Its value.
    pub value: u64,
    /// Whether it is the last one of a signature.
    pub is_last: bool,
}

#[derive(Deserialize)]
struct Contextual<'a> {
    context: Context,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Context {
    slot: u64,
}

#[derive(Deserialize)]
struct SlotInfo {
    slot: u64,
}

#[derive(Deserialize)]
struct Keyed<'a> {
    #[serde(alias = "signature")]
    pubkey: &'a str,
}

/// The slot of a slot notification.
pub(super) fn slot_of(result: &[u8]) -> Option<u64> {
    serde_json::from_slice::<SlotInfo>(result).ok().map(|info| info.slot)
}

/// The identity of a notification; `None` when it is not one of this kind.
pub(super) fn identify(kind: Kind, result: &[u8]) -> Option<Identity> {
    if matches!(kind, Kind::Slot | Kind::Root) {
        let slot =
            if kind == Kind::Slot { slot_of(result)? } else { std::str::from_utf8(result).ok()?.parse().ok()? };
        return Some(Identity { slot, key: hash(slot, b""), value: 0, is_last: false });
    }
    let Contextual { context: Context { slot }, value } = serde_json::from_slice(result).ok()?;
    let key = match kind {
        Kind::Program | Kind::Logs => serde_json::from_str::<Keyed<'_>>(value.get()).ok()?.pubkey,
        _ => "",
    };
    let text = value.get();
    Some(Identity {
        slot,
        key: hash(slot, key.as_bytes()),
        value: value_hash(text),
        is_last: kind == Kind::Signature && text != "\"receivedSignature\"",
    })
}

/// Tells two values apart.
pub(super) fn value_hash(text: &str) -> u64 {
    hash(0, text.as_bytes())
}

fn hash(slot: u64, key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (slot, key).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{Incoming, Kind, identify, read};
    use bytes::Bytes;
    use proptest::prelude::*;

    #[test]
    fn tells_replies_refusals_and_notifications_apart() {
        let read = |text: &'static str| read(&Bytes::from_static(text.as_bytes()));
        assert_eq!(read(r#"{"jsonrpc":"2.0","result":24,"id":7}"#), Incoming::Reply { id: 7, outcome: Ok(Some(24)) });
        assert_eq!(read(r#"{"jsonrpc":"2.0","result":true,"id":8}"#), Incoming::Reply { id: 8, outcome: Ok(None) });
        let Incoming::Reply { id: 9, outcome: Err(refusal) } =
            read(r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"no"},"id":9}"#)
        else {
            panic!("a refusal");
        };
        assert_eq!((refusal.code, refusal.message.as_str()), (-32602, "no"));
        let notice = read(r#"{"method":"slotNotification","params":{"result":{"slot":5},"subscription":3}}"#);
        assert_eq!(notice, Incoming::Notice { server: 3, result: Bytes::from_static(br#"{"slot":5}"#) });
        assert_eq!(read("pong"), Incoming::Other);
        assert_eq!(read(r#"{"id":"a","result":1}"#), Incoming::Other);
    }

    #[test]
    fn identifies_by_slot_and_key() {
        let of = |kind, text: &str| identify(kind, text.as_bytes());
        let program = r#"{"context":{"slot":9},"value":{"pubkey":"a","account":{"lamports":1}}}"#;
        let other = r#"{"context":{"slot":9},"value":{"pubkey":"b","account":{"lamports":1}}}"#;
        let (first, second) = (of(Kind::Program, program).unwrap(), of(Kind::Program, other).unwrap());
        assert_eq!((first.slot, second.slot), (9, 9));
        assert_ne!(first.key, second.key);
        assert_eq!(of(Kind::Program, program), Some(first));
        let received = r#"{"context":{"slot":9},"value":"receivedSignature"}"#;
        assert!(!of(Kind::Signature, received).unwrap().is_last);
        assert!(of(Kind::Signature, r#"{"context":{"slot":9},"value":{"err":null}}"#).unwrap().is_last);
        assert_eq!(of(Kind::Root, "77").unwrap().slot, 77);
        assert_eq!(of(Kind::Slot, r#"{"parent":1,"root":0,"slot":2}"#).unwrap().slot, 2);
        assert_eq!(of(Kind::Account, "{}"), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            drop(read(&bytes));
            for kind in [Kind::Account, Kind::Program, Kind::Logs, Kind::Signature, Kind::Slot, Kind::Root] {
                identify(kind, &bytes);
            }
        }
    }
}
