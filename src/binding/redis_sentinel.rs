//! Exports of the redis room for clients behind sentinels: questions to the user's functions, and what was learnt of sentinels.

use super::redis::RedisWire;
use crate::redis::{Address, Question};
use napi_derive::napi;

/// A question that a function of the user's answers.
#[napi(object)]
pub struct WireQuestion {
    /// Name of the option that is the function.
    pub kind: String,
    /// Its argument as JSON.
    pub argument: String,
}

/// Where a sentinel listens.
#[napi(object)]
pub struct WireAddress {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u32,
    /// 4 or 6, if one was asked for.
    pub family: Option<u32>,
}

#[napi]
impl RedisWire {
    /// The question of this number; null when nobody waits for its answer any more.
    #[napi(catch_unwind)]
    pub fn question(&self, id: u32) -> Option<WireQuestion> {
        self.client.question(id).map(WireQuestion::from)
    }

    /// The answer to a question as JSON; none when the function gave nothing of use.
    #[napi(catch_unwind)]
    pub fn answer(&self, id: u32, answer: Option<String>) {
        self.client.answer(id, answer);
    }

    /// The sentinels known by now.
    #[napi(catch_unwind)]
    pub fn sentinels(&self) -> Vec<WireAddress> {
        self.client.sentinels().into_iter().map(WireAddress::from).collect()
    }
}

impl From<Question> for WireQuestion {
    fn from(Question { kind, argument }: Question) -> Self {
        Self { kind: kind.to_owned(), argument }
    }
}

impl From<Address> for WireAddress {
    fn from(Address { host, port, family }: Address) -> Self {
        Self { host, port: u32::from(port), family: family.map(u32::from) }
    }
}
