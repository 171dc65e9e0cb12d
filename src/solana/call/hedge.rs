//! A second attempt while the first one still runs: after the method's usual time (a hedge), and when the endpoint is silent.
//!
//! A hedge is for reads that are not heavy, goes to another endpoint after the rolling 95th percentile of the method (20 ms to 1 s), and is at most one call in
//! twenty and a token of the retry budget. A silent endpoint (no answer to anybody for its latency and 500 ms) is taken out as well.

use crate::solana::call::plan::Plan;
use crate::solana::call::request::Prepared;
use crate::solana::endpoint::Endpoint;
use crate::solana::endpoint::breaker::Trip;
use crate::solana::error::AttemptError;
use crate::solana::method::Class;
use crate::solana::options::HedgeOptions;
use crate::solana::pool::Pool;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Without an answer for its latency and this, an endpoint counts as silent.
const SILENCE: Duration = Duration::from_millis(500);
/// How soon to look again when there was no start for another attempt.
const AGAIN: Duration = Duration::from_millis(50);
/// Latencies remembered per method, and how many it takes to know the usual one.
const WINDOW: usize = 256;
const ENOUGH: usize = 50;
/// After so many new ones the percentile is worked out anew.
const REFRESH: usize = 32;
/// Methods that are measured, at most.
const MAX_METHODS: usize = 64;
/// Hedges that may be saved up.
const SAVED: f64 = 10.0;

/// Hedging of one pool.
pub(in crate::solana) struct Hedge {
    options: HedgeOptions,
    state: Mutex<State>,
    begun: AtomicU64,
    won: AtomicU64,
}

#[derive(Default)]
struct State {
    methods: HashMap<String, Usual>,
    saved: f64,
}

/// The usual latency of one method.
#[derive(Default)]
struct Usual {
    latest: Vec<Duration>,
    next: usize,
    p95: Option<Duration>,
}

impl Usual {
    fn observe(&mut self, took: Duration) {
        match self.latest.get_mut(self.next % WINDOW) {
            Some(place) => *place = took,
            None => self.latest.push(took),
        }
        self.next += 1;
        if self.latest.len() >= ENOUGH && self.next.is_multiple_of(REFRESH) {
            let mut sorted = self.latest.clone();
            sorted.sort_unstable();
            self.p95 = sorted.get(sorted.len() * 95 / 100).copied();
        }
    }
}

impl Hedge {
    /// As configured.
    pub(in crate::solana) fn new(options: HedgeOptions) -> Self {
        Self { options, state: Mutex::default(), begun: AtomicU64::new(0), won: AtomicU64::new(0) }
    }

    /// An answer took so long.
    pub(in crate::solana) fn observe(&self, method: &str, took: Duration) {
        if !self.options.on() {
            return;
        }
        let mut state = self.state();
        if let Some(usual) = state.methods.get_mut(method) {
            usual.observe(took);
        } else if state.methods.len() < MAX_METHODS {
            state.methods.entry(method.to_owned()).or_default().observe(took);
        }
    }

    /// A call was made: earns its share of a hedge.
    pub(in crate::solana) fn deposit(&self) {
        if self.options.on() {
            let mut state = self.state();
            state.saved = (state.saved + self.options.max_extra).min(SAVED);
        }
    }

    /// After what time a call of this method is hedged; `None`: not at all, or not yet known.
    fn delay(&self, method: &str) -> Option<Duration> {
        let usual = self.state().methods.get(method)?.p95?;
        Some(usual.clamp(self.options.min_delay, self.options.max_delay.max(self.options.min_delay)))
    }

    fn withdraw(&self) -> bool {
        let mut state = self.state();
        let allowed = state.saved >= 1.0;
        if allowed {
            state.saved -= 1.0;
        }
        allowed
    }

    /// Hedges begun, and those that answered first.
    pub(in crate::solana) fn counts(&self) -> (u64, u64) {
        (self.begun.load(Ordering::Relaxed), self.won.load(Ordering::Relaxed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long one call waits for its attempts before it begins another. The second time it waits half as long, the third a third: several may be silent.
pub(in crate::solana) struct Patience {
    watched: Vec<Watched>,
    overtaken: u32,
}

struct Watched {
    endpoint: Arc<Endpoint>,
    began: Instant,
    hedge: bool,
    hedge_at: Option<Instant>,
    look_at: Option<Instant>,
    /// From when on it is silent.
    silent_at: Instant,
}

impl Patience {
    /// Nothing to wait for yet.
    pub(in crate::solana) fn none() -> Self {
        Self { watched: Vec::new(), overtaken: 0 }
    }

    /// An attempt begins.
    pub(in crate::solana) fn begin(&mut self, pool: &Pool, call: &Prepared, endpoint: &Arc<Endpoint>, hedge: bool) {
        if call.method.class != Class::Read {
            return;
        }
        let began = Instant::now();
        let latency = endpoint.facts().latency.get().unwrap_or_default();
        let first = self.watched.is_empty();
        let hedge_at = pool.hedge.delay(&call.name).filter(|_| first).map(|delay| began + delay);
        let silent_at = began + latency + SILENCE;
        let look_at = Some(began + latency + SILENCE / (self.overtaken + 1));
        self.watched.push(Watched { endpoint: Arc::clone(endpoint), began, hedge, hedge_at, look_at, silent_at });
    }

    /// The attempt on this endpoint has ended. Whether it was a hedge.
    pub(in crate::solana) fn ended(&mut self, number: usize) -> bool {
        let at = self.watched.iter().position(|one| one.endpoint.number == number);
        at.is_some_and(|at| self.watched.swap_remove(at).hedge)
    }

    /// The call has its answer: those that still run were slower, at least by so much.
    pub(in crate::solana) fn lost(&self, pool: &Pool, to_hedge: bool) {
        let now = Instant::now();
        for slower in &self.watched {
            slower.endpoint.facts().latency.at_least(now.saturating_duration_since(slower.began), now);
        }
        if to_hedge {
            pool.hedge.won.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// When there is something to do; `None`: never.
    pub(in crate::solana) fn until(&self) -> Option<Instant> {
        self.watched.iter().flat_map(|one| [one.hedge_at, one.look_at]).flatten().min()
    }

    /// Patience has ended: the endpoint of another attempt, if there is one.
    pub(in crate::solana) fn end(&mut self, plan: &mut Plan<'_>) -> Option<Arc<Endpoint>> {
        let now = Instant::now();
        for one in &mut self.watched {
            if one.hedge_at.take_if(|at| *at <= now).is_some() {
                return plan.hedge();
            }
            if one.look_at.is_none_or(|at| at > now) {
                continue;
            }
            if one.endpoint.facts().last_answer.is_some_and(|at| at >= one.began) {
                // It answers others: not silent, only slow.
                one.look_at = Some(now + SILENCE);
                continue;
            }
            let silent = now >= one.silent_at;
            let other = plan.overtake(&one.endpoint, now.saturating_duration_since(one.began), silent);
            self.overtaken += u32::from(other.is_some());
            one.look_at = match (&other, silent) {
                (_, false) => Some(one.silent_at),
                (None, true) if plan.may_overtake() => Some(now + AGAIN),
                _ => None,
            };
            return other;
        }
        None
    }
}

impl Plan<'_> {
    /// A hedge, if one is allowed and another endpoint is free.
    fn hedge(&mut self) -> Option<Arc<Endpoint>> {
        let hedge = &self.pool.hedge;
        let other = self.eligible_now().filter(|_| self.may_overtake())?;
        if !hedge.withdraw() || !self.pool.budget.withdraw() || !self.pool.start_now(&other, self.call.method.class) {
            return None;
        }
        hedge.begun.fetch_add(1, Ordering::Relaxed);
        self.hedges += 1;
        other.counts.hedges.fetch_add(1, Ordering::Relaxed);
        Some(self.start_beside(&other))
    }

    /// An attempt elsewhere because `slow` has not answered anybody for `age`; it is taken out when that is `silent`.
    fn overtake(&mut self, slow: &Endpoint, age: Duration, silent: bool) -> Option<Arc<Endpoint>> {
        let other = self.eligible_now().filter(|_| self.may_overtake())?;
        if silent && slow.facts().trip(Trip::Silent, Instant::now()) {
            self.pool.report_endpoint(slow, false, Some(&AttemptError::Timeout { limit: age }));
        }
        self.pool.start_now(&other, self.call.method.class).then(|| self.start(&other))
    }
}

#[cfg(test)]
mod tests {
    use super::Hedge;
    use crate::solana::options::HedgeOptions;
    use std::time::Duration;

    #[test]
    fn knows_the_usual_time_within_its_bounds_and_only_after_enough_answers() {
        let hedge = Hedge::new(HedgeOptions::default());
        let observe = |method: &str, count: u64, millis: u64| {
            (0..count).for_each(|_| hedge.observe(method, Duration::from_millis(millis)));
        };
        observe("getBalance", 40, 30);
        assert_eq!(hedge.delay("getBalance"), None);
        observe("getBalance", 200, 30);
        observe("getBalance", 14, 300);
        observe("getBalance", 2, 30);
        assert_eq!(hedge.delay("getBalance"), Some(Duration::from_millis(300)));
        observe("getSlot", 64, 1);
        assert_eq!(hedge.delay("getSlot"), Some(Duration::from_millis(20)));
        observe("getVersion", 64, 5000);
        assert_eq!(hedge.delay("getVersion"), Some(Duration::from_secs(1)));
    }

    #[test]
    fn one_call_in_twenty_earns_a_hedge() {
        let hedge = Hedge::new(HedgeOptions::default());
        (0..100).for_each(|_| hedge.deposit());
        assert_eq!((0..20).filter(|_| hedge.withdraw()).count(), 4, "five, less the rounding");
        let off = Hedge::new(HedgeOptions::OFF);
        off.observe("getSlot", Duration::from_secs(1));
        off.deposit();
        assert!(!off.withdraw() && off.delay("getSlot").is_none());
    }
}
