//! Generic glue between Rust and JavaScript: lanes, frames, scopes, conversions. Knows napi; knows no MongoDB, Redis or Solana.
//!
//! The contract of a call is in `ARCHITECTURE.md`, "The call contract".

#[cfg(not(loom))]
pub(crate) mod feed;
#[cfg(not(loom))]
pub(crate) mod frame;
#[cfg(not(loom))]
pub(crate) mod keyed;
pub mod lane;
#[cfg(not(loom))]
pub(crate) mod runtime;
#[cfg(not(loom))]
pub(crate) mod scope;
#[cfg(not(loom))]
pub(crate) mod settle;
mod sync;
#[cfg(not(loom))]
pub(crate) mod value;
#[cfg(not(loom))]
pub(crate) mod wake;
