//! Accounts as nodes write them. Strict: fields that web3.js does not know, escapes in texts, numbers that are none, or a missing field make the reply one that
//! is not decoded here. Nothing is copied; numbers keep their text until they are read, because `u64` does not fit a double.

use super::Shape;
use crate::solana::object::{Object, given};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What a result holds.
pub(super) struct Found<'a> {
    /// The `context` object as text; empty without one.
    pub(super) context: &'a str,
    /// The accounts in order.
    pub(super) rows: Vec<Row<'a>>,
}

/// One place of a result.
pub(super) struct Row<'a> {
    /// The account's key, where the result names it.
    pub(super) pubkey: Option<&'a str>,
    /// The account; `None` when it does not exist.
    pub(super) account: Option<Account<'a>>,
}

/// One account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account<'a> {
    #[serde(borrow)]
    data: (&'a str, &'a str),
    pub(super) executable: bool,
    #[serde(borrow)]
    lamports: &'a RawValue,
    pub(super) owner: &'a str,
    #[serde(borrow, rename = "rentEpoch")]
    rent_epoch: &'a RawValue,
    #[serde(borrow, default, deserialize_with = "given")]
    space: Option<&'a RawValue>,
}

/// The numbers of an account as JavaScript would read them.
pub(super) struct Numbers {
    pub(super) lamports: f64,
    pub(super) rent_epoch: f64,
    /// NaN when the node did not say.
    pub(super) space: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
struct WithContext<'a, T> {
    #[serde(borrow)]
    context: &'a RawValue,
    #[serde(deserialize_with = "present")]
    value: T,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyedAccount<'a> {
    #[serde(borrow)]
    account: Object<Account<'a>>,
    pubkey: &'a str,
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    slot: &'a RawValue,
}

impl<'a> Account<'a> {
    /// The account's bytes as base64; `None` in any other encoding.
    pub(super) fn base64(&self) -> Option<&'a str> {
        let (text, encoding) = self.data;
        (encoding == "base64").then_some(text)
    }

    /// Its numbers; `None` when one is none.
    pub(super) fn numbers(&self) -> Option<Numbers> {
        let space = self.space.map_or(Some(f64::NAN), number)?;
        Some(Numbers { lamports: number(self.lamports)?, rent_epoch: number(self.rent_epoch)?, space })
    }
}

/// Reads a result; `None` when it is of another shape.
pub(super) fn read(shape: Shape, result: &[u8]) -> Option<Found<'_>> {
    match shape {
        Shape::One => {
            let (context, one) = with_context::<Option<Object<Account<'_>>>>(result)?;
            Some(Found { context, rows: vec![plain(one)] })
        }
        Shape::Many => {
            let (context, many) = with_context::<Vec<Option<Object<Account<'_>>>>>(result)?;
            Some(Found { context, rows: many.into_iter().map(plain).collect() })
        }
        Shape::Keyed => {
            let (context, many) = with_context::<Vec<Object<KeyedAccount<'_>>>>(result)?;
            Some(Found { context, rows: many.into_iter().map(keyed).collect() })
        }
        Shape::KeyedWithoutContext => {
            let many: Vec<Object<KeyedAccount<'_>>> = serde_json::from_slice(result).ok()?;
            Some(Found { context: "", rows: many.into_iter().map(keyed).collect() })
        }
    }
}

fn with_context<'a, T: Deserialize<'a>>(result: &'a [u8]) -> Option<(&'a str, T)> {
    let Object(WithContext { context, value }) = serde_json::from_slice::<Object<WithContext<'a, T>>>(result).ok()?;
    let Object(head) = serde_json::from_str::<Object<Context<'_>>>(context.get()).ok()?;
    number(head.slot)?;
    Some((context.get(), value))
}

fn plain(account: Option<Object<Account<'_>>>) -> Row<'_> {
    Row { pubkey: None, account: account.map(|Object(account)| account) }
}

fn keyed(Object(one): Object<KeyedAccount<'_>>) -> Row<'_> {
    Row { pubkey: Some(one.pubkey), account: Some(one.account.0) }
}

/// A number as `JSON.parse` reads it: the nearest double.
fn number(raw: &RawValue) -> Option<f64> {
    let text = raw.get();
    if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Not optional, whatever its type: a missing `value` is no `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(deserializer)
}
