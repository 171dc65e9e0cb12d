//! Slots of endpoints and their probes: who lags, who came back.
//!
//! Slots are read out of normal replies; an endpoint without a fresh one is asked. Probes take tokens of the pool's limiter and stop when the
//! pool has been idle for a minute. `getHealth` is not asked: nodes thousands of slots behind were seen answering `ok`.

use crate::solana::call::reply;
use crate::solana::call::request::Prepared;
use crate::solana::endpoint::slot::{Commitment, best};
use crate::solana::endpoint::{Endpoint, Judged};
use crate::solana::error::AttemptError;
use crate::solana::method::Class;
use crate::solana::pool::Pool;
use crate::solana::queue::Priority;
use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const TICK: Duration = Duration::from_millis(100);
const PROBE_LIMIT: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_mins(1);
/// The same slot for this long while another endpoint moves on: frozen.
const FROZEN: Duration = Duration::from_secs(10);
/// What an endpoint reported longer ago than this is not compared with.
const FORGOTTEN: Duration = Duration::from_mins(1);

impl Pool {
    /// Starts the prober unless it runs. Call inside the runtime.
    pub(in crate::solana) fn ensure_prober(self: Arc<Self>) {
        if self.prober_runs.swap(true, Ordering::AcqRel) {
            return;
        }
        drop(tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = tokio::time::sleep(TICK) => {}
                }
                let last = *self.last_use.lock().unwrap_or_else(PoisonError::into_inner);
                if last.is_none_or(|at| at.elapsed() > IDLE) {
                    self.prober_runs.store(false, Ordering::Release);
                    return;
                }
                self.probe_due();
            }
        }));
    }

    fn probe_due(self: &Arc<Self>) {
        let now = Instant::now();
        let endpoints = self.endpoints.load_full();
        for endpoint in endpoints.iter() {
            if !endpoint.is_due(now, self.options.probe_interval, endpoints.len()) {
                continue;
            }
            let (pool, endpoint) = (Arc::clone(self), Arc::clone(endpoint));
            drop(tokio::spawn(async move {
                tokio::select! {
                    () = pool.probe(&endpoint) => {}
                    () = pool.stop.cancelled() => {}
                }
                // A 429 says neither good nor bad: the next tick may probe again after the pause.
                endpoint.facts().breaker.release_probe();
            }));
        }
    }

    /// Asks for the slot. Whether an endpoint is back is asked ahead of the reads that wait, or a busy pool would never learn it; a slot only when a start is
    /// free: the replies of a busy pool tell it anyway.
    async fn probe(&self, endpoint: &Endpoint) {
        let Ok(call) = Prepared::new("getSlot", "", Commitment::Processed) else { return };
        let down = !endpoint.facts().breaker.is_closed();
        let may_start = if down {
            let taken = self.take_token(Class::Read, Priority::Confirm, Instant::now() + PROBE_LIMIT).await;
            taken.is_ok() && endpoint.try_start(Class::Read)
        } else {
            self.start_now(endpoint, Class::Read) || self.start_soon(endpoint, Class::Read).await
        };
        if may_start {
            // What it says is remembered with the attempt.
            drop(self.attempt(endpoint, &call, PROBE_LIMIT).await);
        }
    }

    /// Remembers the slot that a reply tells.
    pub(in crate::solana) fn harvest_slot(
        &self,
        endpoint: &Endpoint,
        call: &Prepared,
        result: &Result<Bytes, AttemptError>,
    ) {
        let slot = match result {
            Ok(result) if call.name == "getSlot" => reply::number(result),
            Ok(result) => reply::context_slot(result),
            Err(AttemptError::Rpc(refusal)) if refusal.code == -32016 => context_slot_of(&refusal.body),
            Err(_) => None,
        };
        let Some(slot) = slot else { return };
        if let (Ok(result), "getLatestBlockhash") = (result, call.name.as_str()) {
            self.remember_blockhash(result, slot);
        }
        let now = Instant::now();
        endpoint.facts().report_slot(call.commitment, slot, now);
        self.judge(endpoint, call.commitment, now);
    }

    /// Compares what an endpoint reported just now with the others: its lag, and whether it stands still while they move.
    fn judge(&self, endpoint: &Endpoint, commitment: Commitment, now: Instant) {
        let report = |one: &Endpoint| {
            let report = *one.facts().slots.get(commitment);
            report.filter(|report| now.saturating_duration_since(report.at) < FORGOTTEN)
        };
        let Some(mine) = report(endpoint) else { return };
        let endpoints = self.endpoints.load();
        let others = endpoints.iter().filter(|other| other.number != endpoint.number);
        let others: Vec<_> = others.filter_map(|other| report(other)).collect();
        let slots: Vec<u64> = others.iter().map(|other| other.slot).chain([mine.slot]).collect();
        let lag = best(&slots).unwrap_or(mine.slot).saturating_sub(mine.slot);
        let mut own = endpoint.own();
        *own.judged.get_mut(commitment) = Some(Judged { lag, at: now });
        if commitment != Commitment::Processed {
            return;
        }
        own.behind = (lag > 0).then(|| own.behind.filter(|at| *at >= mine.since).unwrap_or(now));
        let long = |since: Instant, least: Duration| now.saturating_duration_since(since) >= least;
        // A chain that has just begun to move again has not left it behind.
        let frozen = long(mine.since, FROZEN) && own.behind.is_some_and(|since| long(since, FROZEN / 2));
        let turned = std::mem::replace(&mut own.frozen, frozen) != frozen;
        drop(own);
        if turned {
            self.report_frozen(endpoint, frozen, mine.slot);
        }
    }
}

impl Endpoint {
    /// Whether it should be asked now: its breaker may close again, or its slot is old and there is another one to compare it with.
    fn is_due(&self, now: Instant, interval: Duration, endpoints: usize) -> bool {
        let mut facts = self.facts();
        if !facts.breaker.is_closed() {
            return facts.breaker.claim_probe(now);
        }
        let paused = facts.paused_until(Class::Read, now).is_some();
        drop(facts);
        let mut own = self.own();
        let recent = |at: Instant| now.saturating_duration_since(at) < interval;
        let fresh = own.judged.get(Commitment::Processed).is_some_and(|judged| recent(judged.at));
        let due = endpoints > 1 && !fresh && !own.last_probe.is_some_and(recent) && !paused;
        if due {
            own.last_probe = Some(now);
        }
        due
    }
}

fn context_slot_of(body: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(body, b"\"contextSlot\":")?;
    reply::number(body.get(at + 14..)?)
}

#[cfg(test)]
mod tests {
    use crate::observe::NoSink;
    use crate::solana::endpoint::slot::Commitment::Processed;
    use crate::solana::options::PoolOptions;
    use crate::solana::pool::Pool;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::Instant;

    fn pool(name: &str, endpoints: usize) -> Arc<Pool> {
        let urls: Vec<_> = (0..endpoints).map(|index| format!("http://{name}-{index}")).collect();
        let options = serde_json::json!({ "endpoints": urls }).to_string();
        Pool::new(PoolOptions::from_json(&options).unwrap(), Arc::new(NoSink))
    }

    /// Endpoint `index` says `slot` at `at`; its lag and whether it is frozen then.
    fn says(pool: &Pool, index: usize, slot: u64, at: Instant) -> (u64, bool) {
        let endpoint = Arc::clone(&pool.endpoints.load()[index]);
        endpoint.facts().report_slot(Processed, slot, at);
        pool.judge(&endpoint, Processed, at);
        let own = endpoint.own();
        (own.judged.get(Processed).unwrap().lag, own.frozen)
    }

    #[test]
    fn one_that_stands_still_while_another_moves_is_frozen_until_it_moves() {
        let (pool, now) = (pool("frozen", 2), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        says(&pool, 0, 100, at(0));
        says(&pool, 1, 100, at(0));
        says(&pool, 1, 112, at(8));
        assert_eq!(says(&pool, 0, 100, at(9)), (12, false), "still, but not for ten seconds yet");
        assert_eq!(says(&pool, 0, 100, at(13)), (12, false), "known to be behind for four seconds only");
        assert_eq!(says(&pool, 0, 100, at(14)), (12, true));
        assert_eq!(says(&pool, 0, 113, at(15)), (0, false));
    }

    #[test]
    fn a_chain_that_stands_still_freezes_nobody_and_one_liar_excludes_nobody() {
        let (pool, now) = (pool("still", 3), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        for index in 0..3 {
            says(&pool, index, 100, at(0));
        }
        for index in 0..3 {
            assert_eq!(says(&pool, index, 100, at(30)), (0, false));
        }
        says(&pool, 2, 1_000_000, at(31));
        assert_eq!(says(&pool, 0, 101, at(31)), (0, false));
        assert_eq!(says(&pool, 1, 70, at(31)), (31, false));
    }
}
