//! mooring: MongoDB, Redis and Solana RPC connections for Node, owned by Rust.
//!
//! The map is `ARCHITECTURE.md`. Rooms `mongo`, `redis` and `solana` own connections; `lifecycle`, `retry`, `tls`, `observe` and `error` are what they
//! share; only `bridge` and `binding` know that JavaScript exists.

mod binding;
pub mod bridge;
pub mod error;
pub mod lifecycle;
pub mod mongo;
pub mod observe;
pub mod redis;
pub mod retry;
pub mod solana;
pub mod tls;

#[napi_derive::module_init]
fn init() {
    bridge::runtime::install();
}
