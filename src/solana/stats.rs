//! What a pool says about itself, for `getPoolStats`.

use crate::lifecycle::Managed;
use crate::solana::endpoint::slot::Commitment;
use crate::solana::pool::{Limit, Pool};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(50);

/// Starts in the last second, counted in steps of 50 ms.
#[derive(Debug, Default)]
pub(super) struct Starts {
    steps: VecDeque<(Instant, u32)>,
}

impl Starts {
    /// One more start.
    pub(super) fn count(&mut self, now: Instant) {
        match self.steps.back_mut().filter(|(at, _)| now.duration_since(*at) < STEP) {
            Some((_, count)) => *count += 1,
            None => self.steps.push_back((now, 1)),
        }
        self.forget(now);
    }

    /// Starts in the second before `now`.
    pub(super) fn in_last_second(&mut self, now: Instant) -> u32 {
        self.forget(now);
        self.steps.iter().map(|(_, count)| count).sum()
    }

    fn forget(&mut self, now: Instant) {
        while self.steps.front().is_some_and(|(at, _)| now.duration_since(*at) > SECOND) {
            self.steps.pop_front();
        }
    }
}

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
    /// The limits in force.
    pub rate_limits: RateLimits,
    /// One entry per endpoint.
    pub endpoints: Vec<EndpointStats>,
}

/// The limits in force.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimits {
    /// Reads.
    pub max_requests_per_second: f64,
    /// Sends.
    pub max_transactions_per_second: f64,
}

/// One endpoint.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStats {
    /// Its name.
    pub name: String,
    /// Whether normal traffic goes there.
    pub healthy: bool,
    /// Smoothed latency in milliseconds; null before the first answer.
    pub latency_ms: Option<f64>,
    /// Attempts running.
    pub in_flight: u32,
    /// Attempts so far.
    pub requests: u64,
    /// Failed attempts so far.
    pub failures: u64,
    /// The last processed slot it reported.
    pub slot: Option<u64>,
    /// How far behind the best one it was then.
    pub slot_lag: Option<u64>,
}

impl Pool {
    /// A snapshot.
    pub fn stats(&self) -> PoolStats {
        let now = Instant::now();
        let started = |limit: &Limit| limit.starts.lock().unwrap_or_else(PoisonError::into_inner).in_last_second(now);
        let (hits, misses) = self.cache.counts();
        let endpoints = self.endpoints.load();
        let hub = self.hub.stats();
        PoolStats {
            connections: endpoints.len(),
            request_queue_length: self.reads.waiting.load(Ordering::Relaxed),
            transaction_queue_length: self.sends.waiting.load(Ordering::Relaxed),
            request_count: started(&self.reads),
            transaction_count: started(&self.sends),
            cache_size: self.cache.len(),
            cache_hit_rate: ratio(hits, hits + misses),
            in_flight: self.in_flight(),
            retry_budget: self.budget.balance(),
            subscriptions: hub.subscriptions,
            websockets: hub.sockets,
            feed_dropped: hub.dropped,
            rate_limits: RateLimits {
                max_requests_per_second: self.options.reads_per_second,
                max_transactions_per_second: self.options.sends_per_second,
            },
            endpoints: endpoints.iter().map(|endpoint| endpoint.stats()).collect(),
        }
    }
}

impl crate::solana::endpoint::Endpoint {
    fn stats(&self) -> EndpointStats {
        let facts = self.facts();
        let report = *facts.slots.get(Commitment::Processed);
        EndpointStats {
            name: self.name.clone(),
            healthy: facts.breaker.is_closed(),
            latency_ms: facts.latency.get().map(|latency| latency.as_secs_f64() * 1000.0),
            in_flight: facts.in_flight,
            requests: facts.requests,
            failures: facts.failures,
            slot: report.map(|report| report.slot),
            slot_lag: report.map(|report| report.lag),
        }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    let as_float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { as_float(part) / as_float(whole) }
}

#[cfg(test)]
mod tests {
    use super::Starts;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn counts_the_last_second_and_forgets_the_rest() {
        let (mut starts, now) = (Starts::default(), Instant::now());
        (0..5).for_each(|_| starts.count(now));
        starts.count(now + Duration::from_millis(600));
        assert_eq!(starts.in_last_second(now + Duration::from_millis(900)), 6);
        assert_eq!(starts.in_last_second(now + Duration::from_millis(1100)), 1);
        assert_eq!(starts.in_last_second(now + Duration::from_secs(3)), 0);
    }
}
