//! Generic glue between Rust and JavaScript: lanes, frames, scopes, conversions. Knows napi; knows no MongoDB, Redis or Solana.
//!
//! The contract of a call is in `ARCHITECTURE.md`, "The call contract".

pub(crate) mod feed;
pub(crate) mod frame;
pub(crate) mod gather;
pub(crate) mod inbox;
pub(crate) mod keyed;
pub mod lane;
pub(crate) mod runtime;
pub(crate) mod scope;
pub(crate) mod settle;
mod sync;
pub(crate) mod value;
pub(crate) mod wake;
