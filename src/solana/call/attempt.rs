//! The attempts of one call: where each goes, when another is worth it, and what each says about its endpoint.
//!
//! A first attempt on an endpoint that the call has not tried costs no retry budget; after all were tried a back-off and a token are needed. A light read on a
//! silent endpoint is overtaken by an attempt elsewhere, and the first good answer wins. Sends repeat identical bytes and are never overtaken.

use crate::retry::full_jitter;
use crate::solana::call::Progress;
use crate::solana::call::request::Prepared;
use crate::solana::classify::{Again, Health, rule};
use crate::solana::endpoint::breaker::Trip;
use crate::solana::endpoint::selection::{Candidate, Choice, choose};
use crate::solana::endpoint::{Endpoint, Need};
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
/// Without a byte for its latency and this, an endpoint counts as silent.
const SILENCE: Duration = Duration::from_millis(500);
/// What one slot takes, about.
const SLOT: Duration = Duration::from_millis(400);
const SLOT_WAITS: u32 = 3;
const BACKOFF_BASE: Duration = Duration::from_millis(50);
const BACKOFF_CAP: Duration = Duration::from_secs(2);

/// The state of one call's attempts.
struct Plan<'a> {
    pool: &'a Pool,
    call: &'a Prepared,
    progress: &'a Progress,
    started: Instant,
    deadline: Instant,
    begun: u32,
    tried: Vec<Tried>,
    visited: Vec<usize>,
    /// The answer to give when there is nowhere else to ask.
    final_answer: Option<AttemptError>,
    slot_waits: u32,
    wait_slot: bool,
    rounds: u32,
}

/// An attempt under way.
struct Running {
    endpoint: Arc<Endpoint>,
    began: Instant,
    result: Result<Bytes, AttemptError>,
}

/// The attempt that may be overtaken.
struct Latest {
    endpoint: Arc<Endpoint>,
    began: Instant,
    silent_at: Instant,
}

impl Pool {
    /// Tries until there is an answer, a final refusal, or nothing left to try.
    pub(in crate::solana) async fn attempts(
        &self,
        call: &Prepared,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Bytes, PoolError> {
        self.budget.deposit();
        let mut plan = Plan::new(self, call, deadline, progress);
        let mut running = FuturesUnordered::new();
        let mut latest: Option<Latest> = None;
        loop {
            if running.is_empty() {
                let endpoint = plan.next().await?;
                latest = Some(Latest::of(&endpoint));
                running.push(plan.launch(endpoint));
            }
            let silent_at = latest.as_ref().map_or(deadline, |one| one.silent_at);
            tokio::select! {
                Some(done) = running.next() => {
                    if let Some(result) = plan.settle(done) {
                        return result;
                    }
                }
                () = tokio::time::sleep_until(silent_at), if plan.may_overtake() && latest.is_some() => {
                    let overtaker = latest.take().and_then(|one| plan.overtake(one, &mut latest));
                    if let Some(endpoint) = overtaker {
                        latest = Some(Latest::of(&endpoint));
                        running.push(plan.launch(endpoint));
                    }
                }
            }
        }
    }

    /// One request on one endpoint; its outcome is remembered there.
    pub(in crate::solana) async fn attempt(
        &self,
        endpoint: &Endpoint,
        call: &Prepared,
        limit: Duration,
    ) -> Result<Bytes, AttemptError> {
        let _busy = Busy::new(endpoint);
        let Ok(_socket) = endpoint.sockets.acquire().await else {
            return Err(AttemptError::Connect { detail: "pool is closed".to_owned() });
        };
        let began = Instant::now();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let post = endpoint.post(call.body(id), id, call.method.class == Class::Heavy);
        let answer = tokio::time::timeout(limit, post).await.unwrap_or(Err(AttemptError::Timeout { limit }));
        let result = answer.and_then(|result| transaction::check_answer(call, result));
        self.record(endpoint, call, began, &result);
        result
    }

    /// The eligible endpoints for `call`, best first, at most `most`; the least bad one when there is none.
    pub(in crate::solana) fn best_endpoints(&self, call: &Prepared, most: usize) -> Vec<Arc<Endpoint>> {
        let endpoints = self.endpoints.load_full();
        let need = need(self, call);
        let mut candidates: Vec<_> =
            endpoints.iter().enumerate().map(|(index, endpoint)| endpoint.candidate(index, &need)).collect();
        candidates.sort_by(|left, right| {
            (right.eligible, left.tier).cmp(&(left.eligible, right.tier)).then(left.cost.total_cmp(&right.cost))
        });
        let eligible = candidates.iter().filter(|one| one.eligible).count().max(1);
        candidates.iter().take(eligible.min(most)).filter_map(|one| endpoints.get(one.index)).cloned().collect()
    }

    fn record(&self, endpoint: &Endpoint, call: &Prepared, began: Instant, result: &Result<Bytes, AttemptError>) {
        let now = Instant::now();
        let (class, write) = (call.method.class, call.is_send());
        let mut facts = endpoint.facts();
        let health = result.as_ref().err().map_or(Health::Good, |error| rule(error, write).health);
        let unheard = matches!(
            result,
            Err(AttemptError::Connect { .. } | AttemptError::Lost { .. } | AttemptError::Timeout { .. })
        );
        if !unheard {
            facts.last_answer = Some(now);
        }
        if matches!(health, Health::Good | Health::Failed) && class != Class::Heavy {
            facts.latency.observe(now.duration_since(began), now);
        }
        let mut change = None;
        match health {
            Health::Good | Health::Unsupported => {
                facts.end_pause(class);
                change = facts.breaker.succeeded(now).then_some(true);
                if health == Health::Unsupported {
                    facts.mark_unsupported(&call.name, now);
                }
            }
            Health::Failed => {
                facts.failures += 1;
                change = facts.breaker.failed(now, fastrand::f64()).then_some(false);
                if let Err(AttemptError::Http { retry_after: Some(after), .. }) = result {
                    facts.pause(class, Some(*after), now);
                }
            }
            Health::Limited { retry_after } => facts.pause(class, retry_after, now),
            Health::Unusable => {
                facts.failures += 1;
                change = facts.trip(Trip::Unusable, now).then_some(false);
            }
        }
        drop(facts);
        if let Some(up) = change {
            self.report_endpoint(endpoint, up, result.as_ref().err());
        }
        self.harvest_slot(endpoint, call, result);
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
            tried: Vec::new(),
            visited: Vec::new(),
            final_answer: None,
            slot_waits: 0,
            wait_slot: false,
            rounds: 0,
        }
    }

    fn limit_of_attempts(&self) -> u32 {
        let options = &self.pool.options;
        let base = if self.call.is_send() { options.send_attempts } else { options.read_attempts };
        base + self.slot_waits
    }

    /// Where the next attempt goes; waits for back-off and limiter. An error ends the call.
    async fn next(&mut self) -> Result<Arc<Endpoint>, PoolError> {
        let mut waited = Duration::ZERO;
        if self.pool.endpoints.load().is_empty() {
            return Err(PoolError::NoEndpoint);
        }
        if self.begun >= self.limit_of_attempts() {
            return Err(self.give_up(false));
        }
        if self.all_visited() {
            if self.final_answer.is_some() {
                return Err(self.give_up(false));
            }
            waited = self.back_off().await?;
        }
        self.report_retry(waited);
        self.pool.take_token(self.call.method.class, self.deadline).await.map_err(|error| self.unless_tried(error))?;
        loop {
            let endpoints = self.pool.endpoints.load_full();
            match self.choose(&endpoints) {
                Choice::Use(index) => {
                    if let Some(endpoint) = endpoints.get(index) {
                        return Ok(self.start(index, endpoint));
                    }
                }
                Choice::Wait(until) if until < self.deadline => tokio::time::sleep_until(until).await,
                Choice::Wait(until) => {
                    let retry_after = until.duration_since(Instant::now());
                    return Err(self.unless_tried(PoolError::LocalLimit { retry_after }));
                }
                Choice::Nobody => return Err(PoolError::NoEndpoint),
            }
        }
    }

    fn start(&mut self, index: usize, endpoint: &Arc<Endpoint>) -> Arc<Endpoint> {
        self.visited.push(index);
        self.begun += 1;
        self.progress.begin_attempt();
        self.pool.last_winner.store(index, Ordering::Relaxed);
        let mut facts = endpoint.facts();
        facts.requests += 1;
        facts.take_start(self.call.method.class, Instant::now());
        drop(facts);
        Arc::clone(endpoint)
    }

    /// After every endpoint was tried: a token of the budget and a pause, then all may be tried again.
    async fn back_off(&mut self) -> Result<Duration, PoolError> {
        if !self.pool.budget.withdraw() {
            return Err(self.give_up(true));
        }
        self.rounds += 1;
        let mut delay = full_jitter(BACKOFF_BASE, BACKOFF_CAP, self.rounds);
        if self.wait_slot {
            delay = delay.max(SLOT);
        }
        let now = Instant::now();
        // All limited: there is no point in coming back before the first one is free.
        let free_again = self.candidates(&self.pool.endpoints.load(), &[]).iter().map(|one| one.limited_until).min();
        if let Some(Some(until)) = free_again {
            delay = delay.max(until.duration_since(now));
        }
        if now + delay >= self.deadline {
            return Err(self.give_up(false));
        }
        tokio::time::sleep(delay).await;
        self.visited.clear();
        Ok(delay)
    }

    /// Nothing new to try: all were, or those left are limited while others are not.
    fn all_visited(&self) -> bool {
        let endpoints = self.pool.endpoints.load();
        let fresh = self.candidates(&endpoints, &self.visited);
        if self.visited.is_empty() || fresh.iter().any(|one| one.eligible) {
            return false;
        }
        self.final_answer.is_some() || fresh.iter().all(|one| one.limited_until.is_some())
    }

    fn candidates(&self, endpoints: &[Arc<Endpoint>], without: &[usize]) -> Vec<Candidate> {
        let need = need(self.pool, self.call);
        let others = endpoints.iter().enumerate().filter(|(index, _)| !without.contains(index));
        others.map(|(index, endpoint)| endpoint.candidate(index, &need)).collect()
    }

    fn choose(&self, endpoints: &[Arc<Endpoint>]) -> Choice {
        let candidates = self.candidates(endpoints, &self.visited);
        choose(&candidates, Some(self.pool.last_winner.load(Ordering::Relaxed)), |below| {
            fastrand::usize(..below.max(1))
        })
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
            Ok(result) => return Some(Ok(result)),
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

    fn may_be_on_its_way(&self) -> bool {
        self.call.is_send() && self.tried.iter().any(|one| one.error.maybe_executed())
    }

    fn may_overtake(&self) -> bool {
        self.call.method.class == Class::Read && self.begun < self.limit_of_attempts()
    }

    /// The latest attempt has had no answer for too long. Another endpoint, when one is free; puts `latest` back when it only has to wait longer.
    fn overtake(&mut self, slow: Latest, latest: &mut Option<Latest>) -> Option<Arc<Endpoint>> {
        let now = Instant::now();
        if slow.endpoint.facts().last_answer.is_some_and(|at| at >= slow.began) {
            // It answers others: not silent, only slow.
            *latest = Some(Latest { silent_at: now + SILENCE, ..slow });
            return None;
        }
        let endpoints = self.pool.endpoints.load_full();
        let eligible = self.candidates(&endpoints, &self.visited).iter().any(|one| one.eligible);
        if !eligible || !self.pool.take_token_now(self.call.method.class) {
            return None;
        }
        if slow.endpoint.facts().trip(Trip::Silent, now) {
            self.pool.report_endpoint(
                &slow.endpoint,
                false,
                Some(&AttemptError::Timeout { limit: now.duration_since(slow.began) }),
            );
        }
        let Choice::Use(index) = self.choose(&endpoints) else { return None };
        endpoints.get(index).map(|endpoint| self.start(index, endpoint))
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

fn need<'c>(pool: &Pool, call: &'c Prepared) -> Need<'c> {
    Need {
        method: &call.name,
        class: call.method.class,
        commitment: call.commitment,
        min_slot: call.min_slot,
        max_lag: pool.options.max_slot_lag,
        now: Instant::now(),
    }
}

impl Latest {
    fn of(endpoint: &Arc<Endpoint>) -> Self {
        let began = Instant::now();
        let latency = endpoint.facts().latency.get().unwrap_or_default();
        Self { endpoint: Arc::clone(endpoint), began, silent_at: began + latency + SILENCE }
    }
}

/// Counts an attempt on its endpoint, also when it is dropped half way.
struct Busy<'a>(&'a Endpoint);

impl<'a> Busy<'a> {
    fn new(endpoint: &'a Endpoint) -> Self {
        endpoint.facts().in_flight += 1;
        Self(endpoint)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.facts().in_flight -= 1;
    }
}
