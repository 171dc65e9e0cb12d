//! Frames of a pool's operations: what `lib/solana/operation.ts` writes, read and checked. Opcodes and layouts stand here and there only.

use super::solana_subscription::SubscriptionWork;
use crate::bridge::frame::Frame;
use crate::solana::{AccountMethod, AccountRead, PoolError, SendOptions, SignedTransaction, TrackOptions};
use bytes::Bytes;
use serde::Deserialize;
use std::sync::Arc;

/// Signatures whose statuses are asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StatusesArguments {
    /// Base58 texts.
    pub(super) signatures: Vec<String>,
    /// Whether the node looks further back than its recent slots.
    #[serde(default)]
    pub(super) search_transaction_history: bool,
}

/// A frame, read.
pub(super) enum Work {
    Call { method: String, params: String },
    Accounts(AccountRead),
    Fetch(String),
    Balances(Vec<String>),
    Statuses(StatusesArguments),
    Send(Arc<SignedTransaction>, SendOptions),
    SendAndConfirm(Arc<SignedTransaction>, TrackOptions),
    SendRaw(Arc<SignedTransaction>, TrackOptions),
    Confirm(TrackOptions),
    Subscription(SubscriptionWork),
}

/// Opcodes; `lib/solana/operation.ts` writes them.
pub(super) fn parse(frame: Frame<'_>) -> Result<Work, PoolError> {
    match frame.opcode {
        1 => {
            let (method, params) = split(frame.body)?;
            Ok(Work::Call { method: utf8(method)?, params: utf8(params)? })
        }
        2 => Ok(Work::Fetch(utf8(frame.body)?)),
        3 => Ok(Work::Balances(json(frame.body, "publicKeys")?)),
        4 => Ok(Work::Statuses(json(frame.body, "signatures")?)),
        5 => {
            let (how, bytes) = split(frame.body)?;
            Ok(Work::Send(signed(bytes)?, json(how, "options")?))
        }
        6 => {
            let (how, bytes) = split(frame.body)?;
            let how = json(how, "options")?;
            if bytes.is_empty() {
                return Ok(Work::Confirm(how));
            }
            Ok(Work::SendAndConfirm(signed(bytes)?, how))
        }
        7 => {
            let (how, bytes) = split(frame.body)?;
            Ok(Work::SendRaw(signed(bytes)?, json(how, "options")?))
        }
        16 => {
            let (code, rest) = frame.body.split_first().ok_or_else(|| malformed("body"))?;
            let (keys, rest) = split(rest)?;
            let method = AccountMethod::from_code(*code).ok_or_else(|| malformed("method"))?;
            Ok(Work::Accounts(AccountRead::new(method, keys, utf8(rest)?)?))
        }
        20 => Ok(Work::Subscription(SubscriptionWork::Subscribe(json(frame.body, "params")?))),
        21 => Ok(Work::Subscription(SubscriptionWork::Unsubscribe)),
        _ => Err(malformed("opcode")),
    }
}

fn signed(bytes: &[u8]) -> Result<Arc<SignedTransaction>, PoolError> {
    Ok(Arc::new(SignedTransaction::parse(Bytes::copy_from_slice(bytes))?))
}

/// A body of two parts: `u16` length of the first, the first, the second.
fn split(body: &[u8]) -> Result<(&[u8], &[u8]), PoolError> {
    let parts = body
        .split_first_chunk::<2>()
        .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_le_bytes(*length))));
    parts.ok_or_else(|| malformed("body"))
}

fn utf8(bytes: &[u8]) -> Result<String, PoolError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| malformed("body"))
}

fn json<T: serde::de::DeserializeOwned>(bytes: &[u8], argument: &'static str) -> Result<T, PoolError> {
    // The message of serde names the field and never quotes long input.
    serde_json::from_slice(bytes)
        .map_err(|error| PoolError::Argument { argument, message: format!("{argument}: {error}") })
}

fn malformed(argument: &'static str) -> PoolError {
    PoolError::Argument { argument, message: format!("{argument} is malformed") }
}
