//! The only exports to JavaScript: convert, call a room, convert. No decisions about domain state.

#![expect(unreachable_pub, reason = "napi exports only what is `pub`, wherever its module is")]

#[cfg(feature = "test-util")]
mod alive_tasks;
mod error;
mod lifecycle;
mod mongo;
mod redis;
mod redis_heartbeat;
mod redis_sentinel;
mod shared_limits;
mod solana;
mod solana_classify;
mod solana_frame;
mod solana_subscription;
