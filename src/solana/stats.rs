//! What a pool says about itself, for `getPoolStats`.

use crate::lifecycle::Managed;
use crate::solana::endpoint::Endpoint;
use crate::solana::endpoint::slot::Commitment;
use crate::solana::method::Class;
use crate::solana::pool::Pool;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// A snapshot of a pool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolStats {
    /// Endpoints.
    pub connections: usize,
    /// Reads that wait for the limiter.
    pub request_queue_length: u32,
    /// Sends that wait for the limiter.
    pub transaction_queue_length: u32,
    /// Read attempts begun in the last second.
    pub request_count: u32,
    /// Send attempts begun in the last second.
    pub transaction_count: u32,
    /// Kept replies.
    pub cache_size: u64,
    /// Hits / lookups since the start; 0 before the first lookup.
    pub cache_hit_rate: f64,
    /// Calls that have not settled.
    pub in_flight: u32,
    /// Retries the budget still allows.
    pub retry_budget: f64,
    /// Subscriptions that have not ended.
    pub subscriptions: usize,
    /// Websockets open or being opened.
    pub websockets: usize,
    /// Notifications dropped because nobody fetched them.
    pub feed_dropped: u64,
    /// How full the fullest queue is, 0 to 1.
    pub pressure: f64,
    /// Heavy reads that wait for one to end.
    pub heavy_queue_length: u32,
    /// Second attempts of slow reads.
    pub hedges: HedgeStats,
    /// The limits in force.
    pub rate_limits: RateLimits,
    /// One entry per endpoint.
    pub endpoints: Vec<EndpointStats>,
}

/// Second attempts of slow reads since the start.
#[derive(Debug, Serialize)]
pub struct HedgeStats {
    /// Begun.
    pub begun: u64,
    /// Answered before the first attempt.
    pub won: u64,
}

/// The limits in force.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimits {
    /// Reads.
    pub max_requests_per_second: f64,
    /// Sends.
    pub max_transactions_per_second: f64,
    /// How they are shared with other processes; null when they are not.
    pub shared: Option<SharedStats>,
}

/// Limits shared with other processes.
#[derive(Debug, Serialize)]
pub struct SharedStats {
    /// Processes that share the limit of reads, this one included; null before the first answer.
    pub processes: Option<u32>,
    /// Whether this process keeps to its own share of the reads, because Redis is away or slow or was until a moment ago.
    pub local: bool,
}

/// One endpoint.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStats {
    /// Its name.
    pub name: String,
    /// Whether normal traffic goes there.
    pub healthy: bool,
    /// Its breaker: `closed`, or `open` while it is taken out.
    pub breaker: &'static str,
    /// Smoothed latency in milliseconds; null before the first answer.
    pub latency_ms: Option<f64>,
    /// Attempts running, those of other pools of the process included.
    pub in_flight: u32,
    /// Attempts so far, of this pool.
    pub requests: u64,
    /// Failed attempts so far.
    pub failures: u64,
    /// Attempts answered with 429 so far.
    pub limited: u64,
    /// Attempts that were hedges.
    pub hedges: u64,
    /// The last processed slot it reported.
    pub slot: Option<u64>,
    /// How far behind the best one it was then.
    pub slot_lag: Option<u64>,
    /// It reports the same slot while others move on.
    pub frozen: bool,
    /// Starts a second in force there, per class.
    pub limits: EndpointLimits,
}

/// Starts a second in force on one endpoint, configured or learnt from 429s; null: unlimited.
#[derive(Debug, Serialize)]
pub struct EndpointLimits {
    /// Reads.
    pub read: Option<f64>,
    /// Sends.
    pub send: Option<f64>,
    /// Heavy reads.
    pub heavy: Option<f64>,
    /// Milliseconds until it wants reads again; 0: now.
    #[serde(rename = "readPausedMs")]
    pub read_paused_ms: f64,
    /// The same for sends.
    #[serde(rename = "sendPausedMs")]
    pub send_paused_ms: f64,
}

impl Pool {
    /// A snapshot.
    pub fn stats(&self) -> PoolStats {
        let (hits, misses) = self.cache.counts();
        let (begun, won) = self.hedge.counts();
        let endpoints = self.endpoints.load();
        let hub = self.hub.stats();
        PoolStats {
            connections: endpoints.len(),
            request_queue_length: self.reads.waiting.load(Ordering::Relaxed),
            transaction_queue_length: self.sends.waiting.load(Ordering::Relaxed),
            request_count: self.reads.started(),
            transaction_count: self.sends.started(),
            cache_size: self.cache.len(),
            cache_hit_rate: ratio(hits, hits + misses),
            in_flight: self.in_flight(),
            retry_budget: self.budget.balance(),
            subscriptions: hub.subscriptions,
            websockets: hub.sockets,
            feed_dropped: hub.dropped,
            pressure: self.pressure(),
            heavy_queue_length: self.heavy.waiting.load(Ordering::Relaxed),
            hedges: HedgeStats { begun, won },
            rate_limits: RateLimits {
                max_requests_per_second: self.reads.rate(),
                max_transactions_per_second: self.sends.rate(),
                shared: self.reads.leases().map(|leases| {
                    let (processes, local) = leases.state();
                    SharedStats { processes, local }
                }),
            },
            endpoints: endpoints.iter().map(|endpoint| endpoint.stats()).collect(),
        }
    }
}

impl Endpoint {
    fn stats(&self) -> EndpointStats {
        let (lag, frozen) = {
            let own = self.own();
            (own.judged.get(Commitment::Processed).map(|judged| judged.lag), own.frozen)
        };
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let now = Instant::now();
        let mut facts = self.facts();
        let paused = |until: Option<Instant>| {
            until.map_or(0.0, |until| until.saturating_duration_since(now).as_secs_f64() * 1000.0)
        };
        let limits = EndpointLimits {
            read_paused_ms: paused(facts.paused_until(Class::Read, now)),
            send_paused_ms: paused(facts.paused_until(Class::Send, now)),
            read: facts.rate(Class::Read, now),
            send: facts.rate(Class::Send, now),
            heavy: facts.rate(Class::Heavy, now),
        };
        let closed = facts.breaker.is_closed();
        EndpointStats {
            name: self.name.clone(),
            healthy: closed && !frozen,
            breaker: if closed { "closed" } else { "open" },
            latency_ms: facts.latency.get().map(|latency| latency.as_secs_f64() * 1000.0),
            in_flight: facts.in_flight,
            requests: count(&self.counts.requests),
            failures: count(&self.counts.failures),
            limited: count(&self.counts.limited),
            hedges: count(&self.counts.hedges),
            slot: facts.slots.get(Commitment::Processed).map(|report| report.slot),
            slot_lag: lag,
            frozen,
            limits,
        }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    let as_float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { as_float(part) / as_float(whole) }
}
