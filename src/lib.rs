//! mooring: MongoDB, Redis and Solana RPC connections for Node, owned by Rust.
//!
//! The map is `ARCHITECTURE.md`. Rooms `mongo`, `redis` and `solana` own connections; `lifecycle`, `retry`, `observe` and `error` are what they share;
//! only `bridge` and `binding` know that JavaScript exists.

#[cfg(not(loom))]
mod binding;
pub mod bridge;
pub mod error;
pub mod lifecycle;
#[cfg(not(loom))]
pub mod mongo;
pub mod observe;
#[cfg(not(loom))]
pub mod redis;
pub mod retry;
#[cfg(not(loom))]
pub mod solana;

#[cfg(not(loom))]
#[napi_derive::module_init]
fn init() {
    bridge::runtime::install();
}
