//! Natively decoded account reads: the reply is parsed and its base64 decoded away from the JavaScript thread.
//!
//! Guarantees: what is decoded equals what web3.js makes of the same reply, number for number and byte for byte. A reply of any other shape is handed on as it
//! was received, for the caller to judge: this room never guesses. `layout.rs` says how accounts cross, `lib/solana/decode.ts` reads them.

mod layout;
mod request;
mod wire;

use crate::solana::call::{Call, CallOptions};
use crate::solana::error::PoolError;
use crate::solana::pool::Pool;
use bytes::Bytes;
use std::sync::Arc;

pub use request::{AccountMethod, AccountRead};

/// What an account read gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountReply {
    /// Accounts in the layout of `layout.rs`.
    Decoded(Bytes),
    /// The text of the `result`: it holds no accounts, or not in the shape a node gives them.
    Text(Bytes),
}

/// How accounts stand in a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `{context, value: account | null}`
    One,
    /// `{context, value: (account | null)[]}`
    Many,
    /// `{context, value: {pubkey, account}[]}`
    Keyed,
    /// `{pubkey, account}[]`
    KeyedWithoutContext,
}

impl Pool {
    /// Reads accounts.
    pub async fn accounts(
        self: &Arc<Self>,
        read: &AccountRead,
        options: CallOptions,
    ) -> Result<AccountReply, PoolError> {
        let result = self.call(Call { method: read.method.name(), params: &read.params() }, options).await?;
        let decoded = read.method.shape().and_then(|shape| decode(shape, &result));
        Ok(decoded.map_or(AccountReply::Text(result), AccountReply::Decoded))
    }
}

/// The accounts of a result; `None` when it is not of this shape.
fn decode(shape: Shape, result: &[u8]) -> Option<Bytes> {
    let found = wire::read(shape, result)?;
    layout::write(&found).map(Bytes::from)
}

#[cfg(test)]
mod tests;
