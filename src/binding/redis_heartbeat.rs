//! The heartbeat of one worker: locks renewed from the I/O thread. Its news are asked for, so that a blocked event loop piles nothing up.

use super::redis::RedisWire;
use crate::bridge::value::{Checked, checked};
use crate::redis::{Heartbeat, LockScript, Locks, News};
use napi_derive::napi;
use std::time::Duration;

/// The locks of one queue and how to renew them.
#[napi(object)]
pub struct HeartbeatOptions {
    /// The script renews all jobs in one call, else one call a job.
    pub batch: bool,
    /// Its text.
    pub source: String,
    /// What stands before a job's id in its keys.
    pub prefix: String,
    /// The key of the set of stalled jobs.
    pub stalled: String,
    /// How long a lock lasts.
    pub lock_ms: u32,
    /// Silence of the event loop after which locks are let go.
    pub max_blocked_ms: u32,
}

/// What has happened since the last beat.
#[napi(object)]
pub struct HeartbeatNews {
    /// Jobs whose locks were renewed.
    pub renewed: Vec<String>,
    /// Jobs whose locks are another's or gone.
    pub refused: Vec<String>,
    /// Jobs that were let go because the event loop was silent.
    pub let_go: Vec<String>,
}

/// Renews the locks of one worker's jobs until `stop`.
#[napi]
pub struct RedisHeartbeat {
    heartbeat: Heartbeat,
}

#[napi]
impl RedisHeartbeat {
    /// A heartbeat on the server of `wire`. No I/O before the first renewal.
    #[napi(catch_unwind, ts_return_type = "RedisHeartbeat | FailureRecord")]
    pub fn open(wire: &RedisWire, options: HeartbeatOptions) -> Checked<RedisHeartbeat> {
        checked(wire.heartbeat(options.into()).map(|heartbeat| Self { heartbeat }))
    }

    /// Renews the lock of job `id` from now on; it was taken `age_ms` ago.
    #[napi(catch_unwind)]
    pub fn track(&self, id: String, token: String, age_ms: u32) {
        self.heartbeat.track(id, token, millis(age_ms));
    }

    /// The job has ended.
    #[napi(catch_unwind)]
    pub fn untrack(&self, id: String) {
        self.heartbeat.untrack(&id);
    }

    /// Jobs whose locks are kept.
    #[napi(catch_unwind, getter)]
    pub fn jobs(&self) -> u32 {
        u32::try_from(self.heartbeat.jobs()).unwrap_or(u32::MAX)
    }

    /// The event loop lives; what happened since the last beat.
    #[napi(catch_unwind)]
    pub fn beat(&self) -> HeartbeatNews {
        self.heartbeat.beat().into()
    }

    /// Renews nothing any more and closes its connection.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        self.heartbeat.stop();
    }
}

fn millis(count: u32) -> Duration {
    Duration::from_millis(u64::from(count))
}

impl From<HeartbeatOptions> for Locks {
    fn from(options: HeartbeatOptions) -> Self {
        Self {
            script: if options.batch { LockScript::Batch } else { LockScript::Single },
            source: options.source,
            prefix: options.prefix,
            stalled: options.stalled,
            lock: millis(options.lock_ms),
            max_blocked: millis(options.max_blocked_ms),
        }
    }
}

impl From<News> for HeartbeatNews {
    fn from(news: News) -> Self {
        Self { renewed: news.renewed, refused: news.refused, let_go: news.let_go }
    }
}
