//! The attempts of one call: where each goes, and when another is worth it.
//!
//! A first attempt on an eligible endpoint that the call has not tried costs no retry budget. When none is left, another attempt needs a token of the budget,
//! and a back-off once all were tried. A light read that takes too long gets a second attempt elsewhere (`hedge.rs`), and the first good answer wins. Sends
//! repeat identical bytes and are never overtaken.

use crate::retry::full_jitter;
use crate::solana::call::Progress;
use crate::solana::call::attempt::need;
use crate::solana::call::hedge::Patience;
use crate::solana::call::request::Prepared;
use crate::solana::classify::{Again, rule};
use crate::solana::endpoint::Endpoint;
use crate::solana::endpoint::selection::{Candidate, Choice, choose};
use crate::solana::endpoint::slot::SLOT;
use crate::solana::error::{AttemptError, PoolError, Tried};
use crate::solana::method::Class;
use crate::solana::pool::Pool;
use crate::solana::transaction;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// The least time an attempt of a light read gets; grows to four times the endpoint's latency.
const READ_LIMIT: Duration = Duration::from_secs(1);
const HEAVY_LIMIT: Duration = Duration::from_secs(10);
const SEND_LIMIT: Duration = Duration::from_secs(5);
const SLOT_WAITS: u32 = 3;
/// Attempts of a read, or as many as there are endpoints.
const READ_ATTEMPTS: u32 = 3;
/// How often a call without a token of the budget waits for an endpoint to come back.
const POOR_WAITS: u32 = 3;
const BACKOFF_BASE: Duration = Duration::from_millis(50);
const BACKOFF_CAP: Duration = Duration::from_secs(2);

/// The state of one call's attempts.
pub(in crate::solana) struct Plan<'a> {
    pub(super) pool: &'a Pool,
    pub(super) call: &'a Prepared,
    progress: &'a Progress,
    started: Instant,
    deadline: Instant,
    begun: u32,
    /// Attempts begun beside another one after the method's usual time.
    pub(super) hedges: u32,
    tried: Vec<Tried>,
    /// Numbers of the endpoints tried in this round.
    visited: Vec<usize>,
    /// The answer to give when there is nowhere else to ask.
    final_answer: Option<AttemptError>,
    slot_waits: u32,
    wait_slot: bool,
    rounds: u32,
    poor_waits: u32,
}

/// An attempt under way.
struct Running {
    endpoint: Arc<Endpoint>,
    began: Instant,
    result: Result<Bytes, AttemptError>,
}

/// What is left to try without a back-off.
enum Left {
    /// An endpoint as good as any, perhaps after a moment.
    Eligible,
    /// Only some that would not be asked normally.
    LastResort,
    Nothing,
}

impl Pool {
    /// Tries until there is an answer, a final refusal, or nothing left to try.
    pub(in crate::solana) async fn attempts(
        &self,
        call: &Prepared,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Bytes, PoolError> {
        let _heavy = if call.method.class == Class::Heavy { Some(self.enter_heavy().await?) } else { None };
        self.budget.deposit();
        self.hedge.deposit();
        let mut plan = Plan::new(self, call, deadline, progress);
        let mut running = FuturesUnordered::new();
        let mut patience = Patience::none();
        loop {
            if running.is_empty() {
                let endpoint = plan.next().await?;
                patience.begin(self, call, &endpoint, false);
                running.push(plan.launch(endpoint));
            }
            let until = patience.until();
            tokio::select! {
                Some(done) = running.next() => {
                    let hedged = patience.ended(done.endpoint.number);
                    if let Some(result) = plan.settle(done) {
                        if result.is_ok() {
                            patience.lost(self, hedged);
                        }
                        return result;
                    }
                }
                () = tokio::time::sleep_until(until.unwrap_or(deadline)), if until.is_some() => {
                    let begun = plan.hedges;
                    if let Some(endpoint) = patience.end(&mut plan) {
                        patience.begin(self, call, &endpoint, plan.hedges > begun);
                        running.push(plan.launch(endpoint));
                    }
                }
            }
        }
    }
}

impl<'a> Plan<'a> {
    fn new(pool: &'a Pool, call: &'a Prepared, deadline: Instant, progress: &'a Progress) -> Self {
        Self {
            pool,
            call,
            progress,
            started: Instant::now(),
            deadline,
            begun: 0,
            hedges: 0,
            tried: Vec::new(),
            visited: Vec::new(),
            final_answer: None,
            slot_waits: 0,
            wait_slot: false,
            rounds: 0,
            poor_waits: 0,
        }
    }

    fn limit_of_attempts(&self) -> u32 {
        let options = &self.pool.options;
        let base = match options.read_attempts {
            _ if self.call.is_send() => options.send_attempts,
            Some(attempts) => attempts,
            // A read must find the one endpoint that works.
            None => READ_ATTEMPTS.max(u32::try_from(self.pool.endpoints.load().len()).unwrap_or(u32::MAX)),
        };
        base + self.slot_waits
    }

    /// Where the next attempt goes; waits for back-off and limiter. An error ends the call.
    async fn next(&mut self) -> Result<Arc<Endpoint>, PoolError> {
        if self.pool.endpoints.load().is_empty() {
            return Err(PoolError::NoEndpoint);
        }
        if self.begun >= self.limit_of_attempts() {
            return Err(self.give_up(false));
        }
        let waited = if self.begun > 0 { self.before_retry().await? } else { Duration::ZERO };
        self.report_retry(waited);
        let (class, pool) = (self.call.method.class, self.pool);
        let waiting = pool.wait_place(class).map_err(|error| self.unless_tried(error))?;
        self.wait_for_pauses().await?;
        let token = pool.take_token(class, self.call.priority, self.deadline).await;
        token.map_err(|error| self.unless_tried(error))?;
        loop {
            let endpoints = pool.endpoints.load_full();
            let (index, latest) = match self.choose(&endpoints) {
                Choice::Use(index) => (index, Instant::now()),
                Choice::Later(index, _) => (index, self.deadline),
                Choice::Nobody => return Err(PoolError::NoEndpoint),
            };
            let Some(endpoint) = endpoints.get(index) else { continue };
            let now = Instant::now();
            let reserved = endpoint.facts().reserve(class, now, latest.max(now));
            match reserved {
                Ok(at) if at <= now => {
                    drop(waiting);
                    return Ok(self.start(endpoint));
                }
                // Everyone has a start of his own: nobody is woken for another's. What has changed since is looked at then.
                Ok(at) => {
                    tokio::time::sleep_until(at).await;
                    if self.is_usable(endpoint) {
                        drop(waiting);
                        return Ok(self.start(endpoint));
                    }
                }
                // Another call was faster; the next choice sees that.
                Err(_) if latest < self.deadline => {}
                Err(at) => {
                    let retry_after = at.saturating_duration_since(now);
                    return Err(self.unless_tried(PoolError::LocalLimit { retry_after }));
                }
            }
        }
    }

    /// A retry: free on an eligible endpoint, else for a token of the budget, and after a back-off when all were tried. Without a token the call waits a
    /// little for an endpoint to become eligible: another call may just find out that it is back.
    async fn before_retry(&mut self) -> Result<Duration, PoolError> {
        let mut waited = Duration::ZERO;
        loop {
            let left = self.left();
            if matches!(left, Left::Eligible) {
                return Ok(waited);
            }
            if self.final_answer.is_some() {
                return Err(self.give_up(false));
            }
            if self.pool.budget.withdraw() {
                return if matches!(left, Left::LastResort) { Ok(waited) } else { Ok(waited + self.back_off().await?) };
            }
            let fresh = self.candidates(&self.pool.endpoints.load(), &self.visited);
            self.poor_waits += 1;
            if fresh.is_empty() || self.poor_waits > POOR_WAITS {
                return Err(self.give_up(true));
            }
            let delay = full_jitter(BACKOFF_BASE, BACKOFF_CAP, self.poor_waits + 1);
            waited += self.pause(delay, &fresh).await?;
        }
    }

    /// Sleeps for `delay`, and on while all of `candidates` are limited: there is no point in coming back before the first one is free.
    async fn pause(&mut self, delay: Duration, candidates: &[Candidate]) -> Result<Duration, PoolError> {
        let now = Instant::now();
        let free_again = candidates.iter().map(|one| one.limited_until).min().flatten();
        let delay = free_again.map_or(delay, |until| delay.max(until.saturating_duration_since(now)));
        if now + delay >= self.deadline {
            return Err(self.give_up(false));
        }
        tokio::time::sleep(delay).await;
        Ok(delay)
    }

    fn left(&self) -> Left {
        let fresh = self.candidates(&self.pool.endpoints.load(), &self.visited);
        let now = Instant::now();
        if fresh.iter().any(|one| one.is_worth_waiting(now)) {
            Left::Eligible
        } else if fresh.iter().any(|one| one.limited_until.is_none()) {
            Left::LastResort
        } else {
            Left::Nothing
        }
    }

    /// While all endpoints asked to be left alone: no start of the pool is taken, so that those who wait do not start together afterwards.
    async fn wait_for_pauses(&mut self) -> Result<(), PoolError> {
        loop {
            let candidates = self.candidates(&self.pool.endpoints.load(), &self.visited);
            // One that is not paused is a missing value, and the smallest.
            let Some(until) = candidates.iter().map(|one| one.paused_until).min().flatten() else { return Ok(()) };
            if until > self.deadline {
                let retry_after = until.saturating_duration_since(Instant::now());
                return Err(self.unless_tried(PoolError::LocalLimit { retry_after }));
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// An attempt begins there, and those of other calls stay there.
    pub(super) fn start(&mut self, endpoint: &Arc<Endpoint>) -> Arc<Endpoint> {
        self.pool.last_winner.store(endpoint.number, Ordering::Relaxed);
        self.start_beside(endpoint)
    }

    /// An attempt begins there, for this once.
    pub(super) fn start_beside(&mut self, endpoint: &Arc<Endpoint>) -> Arc<Endpoint> {
        self.visited.push(endpoint.number);
        self.begun += 1;
        self.progress.begin_attempt();
        Arc::clone(endpoint)
    }

    /// After every endpoint was tried: a pause, then all may be tried again.
    async fn back_off(&mut self) -> Result<Duration, PoolError> {
        self.rounds += 1;
        let mut delay = full_jitter(BACKOFF_BASE, BACKOFF_CAP, self.rounds);
        if self.wait_slot {
            delay = delay.max(SLOT);
        }
        let all = self.candidates(&self.pool.endpoints.load(), &[]);
        let waited = self.pause(delay, &all).await?;
        self.visited.clear();
        Ok(waited)
    }

    fn candidates(&self, endpoints: &[Arc<Endpoint>], without: &[usize]) -> Vec<Candidate> {
        let need = need(self.pool, self.call);
        let others = endpoints.iter().enumerate().filter(|(_, endpoint)| !without.contains(&endpoint.number));
        others.map(|(index, endpoint)| endpoint.candidate(index, &need)).collect()
    }

    /// Whether a start that was waited for is good for an attempt: also on one that is out, when all are.
    fn is_usable(&self, endpoint: &Endpoint) -> bool {
        let now = Instant::now();
        let (paused, closed) = {
            let facts = endpoint.facts();
            (facts.paused_until(self.call.method.class, now).is_some(), facts.breaker.is_closed())
        };
        let better = || self.candidates(&self.pool.endpoints.load(), &self.visited).iter().any(|one| one.usable);
        !paused && (closed || !better())
    }

    fn choose(&self, endpoints: &[Arc<Endpoint>]) -> Choice {
        let candidates = self.candidates(endpoints, &self.visited);
        choose(&candidates, Some(self.pool.last_winner.load(Ordering::Relaxed)), Instant::now(), |below| {
            fastrand::usize(..below.max(1))
        })
    }

    /// Another endpoint that could answer at once.
    pub(super) fn eligible_now(&self) -> Option<Arc<Endpoint>> {
        let endpoints = self.pool.endpoints.load_full();
        let mut candidates = self.candidates(&endpoints, &self.visited);
        candidates.retain(|one| one.eligible);
        let Choice::Use(index) = choose(&candidates, None, Instant::now(), |below| fastrand::usize(..below.max(1)))
        else {
            return None;
        };
        endpoints.get(index).cloned()
    }

    fn launch(&self, endpoint: Arc<Endpoint>) -> impl Future<Output = Running> + use<'a> {
        let (pool, call, began) = (self.pool, self.call, Instant::now());
        let latency = endpoint.facts().latency.get().unwrap_or_default();
        let limit = match call.method.class {
            Class::Read => READ_LIMIT.max(latency * 4),
            Class::Heavy => HEAVY_LIMIT,
            Class::Send => SEND_LIMIT,
        };
        async move {
            let result = pool.attempt(&endpoint, call, limit).await;
            Running { endpoint, began, result }
        }
    }

    /// Takes the outcome of one attempt. `Some` ends the call.
    fn settle(&mut self, done: Running) -> Option<Result<Bytes, PoolError>> {
        let error = match done.result {
            Ok(result) => return Some(Ok(self.pool.monotone(self.call, result))),
            Err(error) => error,
        };
        if let Some(landed) = transaction::landed_before(self.call, &error, self.may_be_on_its_way()) {
            return Some(Ok(landed));
        }
        if !error.maybe_executed() && self.tried.iter().all(|one| !one.error.maybe_executed()) {
            self.progress.not_executed();
        }
        let again = rule(&error, self.call.is_send()).again;
        self.tried.push(Tried {
            endpoint: done.endpoint.name.clone(),
            error: error.clone(),
            elapsed: done.began.elapsed(),
        });
        match again {
            Again::Never => return Some(Err(self.refused(error))),
            Again::Once if self.final_answer.is_some() => return Some(Err(self.refused(error))),
            Again::Once => self.final_answer = Some(error),
            Again::Elsewhere => {}
            Again::AfterSlot => {
                self.wait_slot = true;
                self.slot_waits = (self.slot_waits + 1).min(SLOT_WAITS);
            }
        }
        None
    }

    /// Whether the call may have one more attempt while another runs.
    pub(super) fn may_overtake(&self) -> bool {
        self.call.method.class == Class::Read && self.begun < self.limit_of_attempts()
    }

    fn unless_tried(&mut self, error: PoolError) -> PoolError {
        if self.tried.is_empty() { error } else { self.give_up(false) }
    }

    fn give_up(&mut self, budget_spent: bool) -> PoolError {
        if let Some(answer) = self.final_answer.take() {
            return self.refused(answer);
        }
        self.exhausted(budget_spent)
    }

    fn may_be_on_its_way(&self) -> bool {
        self.call.is_send() && self.tried.iter().any(|one| one.error.maybe_executed())
    }

    /// The node's answer is the call's. Not for a send of which an earlier attempt may have got through all the same: then it is not the whole truth.
    fn refused(&mut self, answer: AttemptError) -> PoolError {
        if self.may_be_on_its_way() { self.exhausted(false) } else { PoolError::Refused(answer) }
    }

    fn exhausted(&mut self, budget_spent: bool) -> PoolError {
        let tried = std::mem::take(&mut self.tried);
        self.pool.report_failure(&self.call.name, &tried);
        PoolError::Exhausted { tried, elapsed: self.started.elapsed(), budget_spent }
    }

    fn report_retry(&self, waited: Duration) {
        if let Some(last) = self.tried.last() {
            self.pool.report_retry(last, (self.begun, self.limit_of_attempts()), waited);
        }
    }
}
