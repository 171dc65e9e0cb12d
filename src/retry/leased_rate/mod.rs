//! One process' end of a limit shared through a [`LimitStore`](crate::retry::LimitStore): which starts it may make, when it asks for more slots, and what it
//! does while the store is away. Pure: time, randomness and answers are handed in.
//!
//! Guarantees: with the store there, a start happens at a slot lent to this process or within [`LATENESS`] after it; a slot that is older is worthless. With the
//! store away, or slower than [`PATIENCE`], starts are evenly spaced at the process' own share of the limit. Nobody waits for the store longer than that.

mod demand;
#[cfg(test)]
mod tests;

use crate::retry::limit_store::{Ask, LATENESS, Lease, spacing};
use crate::retry::{Backoff, leased_rate::demand::Demand};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer may take before the share of this process is used.
pub const PATIENCE: Duration = Duration::from_millis(20);
/// The same for the first answer: the connection is being made, and the number of processes is not known.
const FIRST_PATIENCE: Duration = Duration::from_millis(250);
/// A lease covers traffic of this time.
const COVER: Duration = Duration::from_millis(100);
/// More is asked for when the last slot held is less than this ahead.
const LEAD: Duration = Duration::from_millis(50);
/// A process without traffic asks for nothing this often, to be counted.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Starts made without a slot, while the store was slow, are paid from later slots, up to this time's share.
const DEBT: Duration = Duration::from_millis(250);
/// After the store was away, a process stays within its share for as long as it was away, at most this: the others may come back that much later.
const PROBATION: Duration = Duration::from_secs(2);
/// Between two asks of a store that is away.
const RETRY: Backoff =
    Backoff { base: Duration::from_millis(100), factor: 2.0, cap: Duration::from_secs(1), jitter: 0.5 };

/// The starts of one process under a shared limit.
#[derive(Debug)]
pub struct LeasedRate {
    per_second: f64,
    /// The configured part of the limit for this process alone.
    share: Option<f64>,
    random: fn() -> f64,
    blocks: VecDeque<Block>,
    demand: Demand,
    /// Processes, as the store last said.
    processes: Option<u32>,
    /// An ask without an answer.
    asked_at: Option<Instant>,
    last_ask: Option<Instant>,
    last_start: Option<Instant>,
    retry_at: Option<Instant>,
    failures: u32,
    alone: Option<Alone>,
    debt: u32,
}

/// Slots lent by one answer.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// The first that is left, never before its moment on the store's clock.
    first: Instant,
    interval: Duration,
    left: u32,
    /// How long after its time a slot is good.
    good_for: Duration,
}

/// The process keeps to its own share.
#[derive(Debug, Clone, Copy)]
struct Alone {
    since: Instant,
    /// When the store, back again, is relied on.
    until: Option<Instant>,
    interval: Duration,
    /// The next start.
    due: Instant,
}

impl Block {
    fn slot(&self, index: u32) -> Instant {
        self.first + self.interval * index
    }

    fn last(&self) -> Instant {
        self.slot(self.left.saturating_sub(1))
    }

    fn drop_first(&mut self) {
        self.first += self.interval;
        self.left -= 1;
    }
}

impl LeasedRate {
    /// A limit of `per_second` starts, above 0. `share`: the part of it, up to 1, for this process while the store is away; by default one part per process that
    /// the store last knew of. `random` gives uniform numbers in 0.0..1.0.
    pub fn new(per_second: f64, share: Option<f64>, random: fn() -> f64) -> Self {
        Self {
            per_second,
            share,
            random,
            blocks: VecDeque::new(),
            demand: Demand::default(),
            processes: None,
            asked_at: None,
            last_ask: None,
            last_start: None,
            retry_at: None,
            failures: 0,
            alone: None,
            debt: 0,
        }
    }

    /// Whether starts are spaced by the share of this process instead of leased slots.
    pub fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// Processes under this limit, as the store last said.
    pub fn processes(&self) -> Option<u32> {
        self.processes
    }

    /// Makes a start now, or says when one will be allowed; `None`: that depends on the store.
    pub fn start(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        self.settle(now);
        match self.alone {
            Some(alone) if alone.due > now => return Err(Some(alone.due)),
            Some(alone) => {
                self.alone = Some(Alone { due: now + alone.interval, ..alone });
                if self.use_slot(now).is_err() {
                    let most = DEBT.as_secs_f64() / alone.interval.as_secs_f64();
                    self.debt = (self.debt + 1).min(whole(most.ceil()));
                }
            }
            None => self.use_slot(now)?,
        }
        self.demand.count(now);
        self.last_start = Some(now);
        Ok(())
    }

    /// The earliest moment at which a start may be allowed; nothing is taken.
    pub fn next(&mut self, now: Instant) -> Option<Instant> {
        self.settle(now);
        match self.alone {
            Some(alone) => Some(alone.due.max(now)),
            None => self.blocks.front().map(|block| block.first.max(now)),
        }
    }

    /// What to ask the store for now, with so many callers waiting; the answer goes to [`Self::answered`] or [`Self::failed`].
    pub fn ask(&mut self, now: Instant, waiting: u32) -> Option<Ask> {
        self.settle(now);
        if !self.may_ask(now) {
            return None;
        }
        let wants = self.wants(now, waiting);
        let away = self.alone.is_some_and(|alone| alone.until.is_none());
        if wants.is_none() && !away && !self.asked_before(now, HEARTBEAT) {
            return None;
        }
        self.asked_at = Some(now);
        self.last_ask = Some(now);
        let (need, soon) = wants.unwrap_or_default();
        Some(Ask { interval: spacing(self.per_second), need, soon, cover: COVER })
    }

    /// Whether [`Self::ask`] would ask for slots.
    pub fn would_ask(&self, now: Instant, waiting: u32) -> bool {
        self.may_ask(now) && self.wants(now, waiting).is_some()
    }

    /// The store answered the last ask.
    pub fn answered(&mut self, now: Instant, lease: Lease) {
        let Some(asked_at) = self.asked_at.take() else { return };
        let took = now.duration_since(asked_at);
        self.keep(now, took, lease);
        self.pay_debt();
        if took > self.patience() {
            return self.failed_at(now);
        }
        (self.failures, self.retry_at) = (0, None);
        if let Some(alone) = &mut self.alone {
            alone.until.get_or_insert(now + now.duration_since(alone.since).min(PROBATION));
        } else {
            self.processes = Some(lease.processes.max(1));
        }
    }

    /// The store did not answer the last ask.
    pub fn failed(&mut self, now: Instant) {
        if self.asked_at.take().is_some() {
            self.failed_at(now);
        }
    }

    /// When [`Self::start`] or [`Self::ask`] may say something else, if nothing comes in between.
    pub fn next_look(&self, now: Instant, waiting: u32) -> Option<Instant> {
        let overdue = self.asked_at.map(|at| at + self.patience());
        let back = self.alone.and_then(|alone| alone.until);
        let runs_out = self.last_slot().filter(|_| waiting > 0).and_then(|last| last.checked_sub(LEAD));
        let asks_again = self.retry_at.or(runs_out).or(self.last_ask.map(|at| at + HEARTBEAT));
        let asks_again = asks_again.filter(|_| self.asked_at.is_none());
        [overdue, back, asks_again].into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Takes in what the passing of time has changed.
    fn settle(&mut self, now: Instant) {
        while let Some(block) = self.blocks.front_mut() {
            if block.left == 0 {
                self.blocks.pop_front();
            } else if block.first + block.good_for < now {
                block.drop_first();
            } else {
                break;
            }
        }
        let overdue = self.asked_at.is_some_and(|at| now.duration_since(at) > self.patience());
        if overdue {
            self.go_alone(now);
        } else if self.alone.and_then(|alone| alone.until).is_some_and(|until| until <= now) {
            self.alone = None;
        }
    }

    fn may_ask(&self, now: Instant) -> bool {
        self.asked_at.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Slots for those who wait, and for those who will come soon.
    fn wants(&self, now: Instant, waiting: u32) -> Option<(u32, u32)> {
        if self.last_slot().is_some_and(|last| last > now + LEAD) {
            return None;
        }
        let held = self.blocks.iter().map(|block| block.left).sum();
        let (need, soon) = (waiting.saturating_sub(held), self.soon(now).saturating_sub(held));
        (need > 0 || (soon > held && self.asked_before(now, LEAD))).then_some((need, soon))
    }

    fn use_slot(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        let Some(block) = self.blocks.front_mut() else { return Err(None) };
        if block.first > now {
            return Err(Some(block.first));
        }
        block.drop_first();
        Ok(())
    }

    fn keep(&mut self, now: Instant, took: Duration, lease: Lease) {
        // The store answered some time between ask and now: slots are taken to be as late, and to end as early, as that allows.
        let Some(good_for) = LATENESS.checked_sub(took) else { return };
        let offset = Duration::from_secs_f64(lease.first.abs());
        let first = if lease.first < 0.0 { now.checked_sub(offset) } else { now.checked_add(offset) };
        if let (Some(first), 1..) = (first, lease.count) {
            self.blocks.push_back(Block { first, interval: lease.interval, left: lease.count, good_for });
        }
    }

    fn pay_debt(&mut self) {
        while let (1.., Some(block)) = (self.debt, self.blocks.front_mut()) {
            if block.left == 0 {
                self.blocks.pop_front();
                continue;
            }
            block.drop_first();
            self.debt -= 1;
        }
    }

    fn failed_at(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + RETRY.delay(self.failures, (self.random)()));
        self.go_alone(now);
    }

    fn go_alone(&mut self, now: Instant) {
        if let Some(alone) = &mut self.alone {
            alone.until = None;
            return;
        }
        let share = self.share.unwrap_or_else(|| 1.0 / f64::from(self.processes.unwrap_or(1)));
        let interval = spacing(self.per_second * share);
        let due = self.last_start.map_or(now, |last| now.max(last + interval));
        self.alone = Some(Alone { since: now, until: None, interval, due });
    }

    fn patience(&self) -> Duration {
        if self.processes.is_none() && self.failures == 0 { FIRST_PATIENCE } else { PATIENCE }
    }

    fn last_slot(&self) -> Option<Instant> {
        self.blocks.iter().filter(|block| block.left > 0).map(Block::last).max()
    }

    fn asked_before(&self, now: Instant, ago: Duration) -> bool {
        self.last_ask.is_none_or(|at| now.duration_since(at) >= ago)
    }

    /// Starts to be expected in the time of one lease.
    fn soon(&self, now: Instant) -> u32 {
        whole((self.demand.per_second(now) * COVER.as_secs_f64()).floor())
    }
}

/// A number of starts, from a float that counts them.
fn whole(number: f64) -> u32 {
    // Through text: there is no checked cast. Limits end at a million a second.
    format!("{:.0}", number.clamp(0.0, 1e6)).parse().unwrap_or_default()
}
