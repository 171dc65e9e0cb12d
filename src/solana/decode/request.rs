//! Requests that name accounts by their 32 bytes: base58 costs JavaScript ten times as much as it costs here.

use super::Shape;
use crate::solana::error::PoolError;

const KEY: usize = 32;

/// The methods that take keys as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountMethod {
    /// `getBalance`: a number, always text.
    Balance,
    /// `getAccountInfo`.
    Account,
    /// `getMultipleAccounts`.
    Accounts,
    /// `getProgramAccounts`, a plain list.
    ProgramAccounts,
    /// `getProgramAccounts` with `withContext`.
    ProgramAccountsWithContext,
    /// `getTokenAccountsByOwner`.
    TokenAccountsByOwner,
}

/// One account read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRead {
    /// The method.
    pub(super) method: AccountMethod,
    keys: Vec<u8>,
    rest: String,
}

impl AccountMethod {
    /// The method of a code; `lib/solana/operation.ts` writes them.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Balance,
            1 => Self::Account,
            2 => Self::Accounts,
            3 => Self::ProgramAccounts,
            4 => Self::ProgramAccountsWithContext,
            5 => Self::TokenAccountsByOwner,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Balance => "getBalance",
            Self::Account => "getAccountInfo",
            Self::Accounts => "getMultipleAccounts",
            Self::ProgramAccounts | Self::ProgramAccountsWithContext => "getProgramAccounts",
            Self::TokenAccountsByOwner => "getTokenAccountsByOwner",
        }
    }

    pub(super) fn shape(self) -> Option<Shape> {
        match self {
            Self::Balance => None,
            Self::Account => Some(Shape::One),
            Self::Accounts => Some(Shape::Many),
            Self::ProgramAccounts => Some(Shape::KeyedWithoutContext),
            Self::ProgramAccountsWithContext | Self::TokenAccountsByOwner => Some(Shape::Keyed),
        }
    }
}

impl AccountRead {
    /// A read of `keys`, 32 bytes each; `rest` is the JSON text of further parameters, without brackets, empty for none.
    pub fn new(method: AccountMethod, keys: &[u8], rest: String) -> Result<Self, PoolError> {
        let whole = keys.len().is_multiple_of(KEY);
        if !whole || (method != AccountMethod::Accounts && keys.len() != KEY) {
            return Err(PoolError::Argument { argument: "keys", message: "keys must be 32 bytes each".to_owned() });
        }
        Ok(Self { method, keys: keys.to_vec(), rest })
    }

    /// The parameters as JSON array text. Not made at once, so that the thread that asks does not pay for base58.
    pub(super) fn params(&self) -> String {
        let (keys, _) = self.keys.as_chunks::<KEY>();
        let listed = self.method == AccountMethod::Accounts;
        let mut params = String::with_capacity(keys.len() * 48 + self.rest.len() + 4);
        params.push_str(if listed { "[[" } else { "[" });
        for (index, key) in keys.iter().enumerate() {
            params.push_str(if index == 0 { "\"" } else { ",\"" });
            push_base58(key, &mut params);
            params.push('"');
        }
        if listed {
            params.push(']');
        }
        if !self.rest.is_empty() {
            params.push(',');
            params.push_str(&self.rest);
        }
        params.push(']');
        params
    }
}

fn push_base58(key: &[u8; KEY], out: &mut String) {
    let mut text = [0; 44];
    let length = usize::from(five8::encode_32(key, &mut text));
    out.extend(text.iter().take(length).map(|byte| char::from(*byte)));
}
