//! The one place where a pool meets a Redis client: the limits that it shares are kept on that client's server.

use super::redis::RedisWire;
use super::solana::SolanaPool;
use crate::solana::SharedLimits;
use napi_derive::napi;

#[napi]
impl SolanaPool {
    /// Shares the limits of a pool that has made no call yet with other processes, through the server of `redis`. `local_share` is checked by the caller.
    #[napi(catch_unwind)]
    pub fn share_limits(&self, redis: &RedisWire, key_prefix: String, local_share: Option<f64>) {
        self.pool.share_limits(&SharedLimits { store: redis.limit_store(&key_prefix), local_share });
    }
}
