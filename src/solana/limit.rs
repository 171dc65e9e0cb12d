//! How many calls of a pool may start, and how many may wait for it. Rates are of the whole pool, and of all pools of the process over the same endpoints.

use crate::solana::endpoint::Endpoint;
use crate::solana::endpoint::rate_limit::Starts;
use crate::solana::endpoint::registry::{Member, Registry};
use crate::solana::error::PoolError;
use crate::solana::method::Class;
use crate::solana::pool::Pool;
use crate::solana::queue::{Priority, Queue};
use crate::solana::shared_limits::Leases;
use arc_swap::ArcSwapOption;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// How long a probe waits for a slot.
const SOON: Duration = Duration::from_millis(200);

static READS: Registry<Queue> = Registry::new();
static SENDS: Registry<Queue> = Registry::new();

/// The limit of one class: its queue and what this pool has in it.
pub(super) struct Limit {
    /// This pool among those that share the queue.
    number: usize,
    rate: f64,
    queue: ArcSwapOption<Member<Queue>>,
    /// Its part of a limit that other processes share.
    leases: OnceLock<Arc<Leases>>,
    /// Calls of this pool that wait for their start.
    pub(super) waiting: AtomicU32,
    starts: Mutex<Starts>,
}

/// How many heavy reads run, and wait to run.
pub(super) struct Heavy {
    running: Semaphore,
    pub(super) waiting: AtomicU32,
}

/// One waiting call; dropping it ends the count.
pub(super) struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32, most: u32) -> Result<Self, PoolError> {
        let waiting = Waiting(count);
        if count.fetch_add(1, Ordering::AcqRel) >= most {
            return Err(PoolError::QueueFull { size: most });
        }
        Ok(waiting)
    }
}

impl Limit {
    /// Starts a second, `rate` of them.
    pub(super) fn new(rate: f64) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            rate,
            queue: ArcSwapOption::empty(),
            leases: OnceLock::new(),
            waiting: AtomicU32::new(0),
            starts: Mutex::default(),
        }
    }

    /// Shares the queue of all pools over the endpoints that `key` names.
    fn join(&self, registry: &'static Registry<Queue>, key: &str) {
        let identities = key;
        // A pool without endpoints shares with nobody.
        let key = if key.is_empty() { format!("\n{}", self.number) } else { key.to_owned() };
        let last = self.queue.load_full();
        if let Some(member) = last.as_ref().filter(|member| member.has_key(&key)) {
            return self.lend_to(member, identities);
        }
        let member = match last.as_ref() {
            // Who waits in the old queue comes along, unless others share it.
            Some(member) => member.moved(&key, Queue::new),
            None => registry.join(key, Queue::new),
        };
        let stays = last.as_ref().is_some_and(|last| Arc::ptr_eq(&last.value(), &member.value()));
        member.want(self.number, Some(self.rate));
        self.lend_to(&member, identities);
        if let Some(last) = last.filter(|_| !stays) {
            last.want(self.number, None);
            last.lend(self.number, None);
        }
        self.queue.store(Some(Arc::new(member)));
    }

    /// Shares with other processes from now on.
    pub(super) fn share(&self, leases: Leases) {
        // The first ones stay.
        drop(self.leases.set(Arc::new(leases)));
    }

    fn lend_to(&self, member: &Member<Queue>, identities: &str) {
        if let Some(leases) = self.leases.get() {
            leases.lend_to(&member.value(), identities);
            member.lend(self.number, Some(leases));
        }
    }

    /// Whether other processes share it.
    pub(super) fn leases(&self) -> Option<&Arc<Leases>> {
        self.leases.get()
    }

    fn leave(&self) {
        if let Some(member) = self.queue.swap(None) {
            member.want(self.number, None);
            member.lend(self.number, None);
        }
        if let Some(leases) = self.leases.get() {
            leases.close();
        }
    }

    /// The rate in force: the smallest of those who share it.
    pub(super) fn rate(&self) -> f64 {
        self.queue.load().as_ref().and_then(|member| member.rate()).unwrap_or(self.rate)
    }

    /// Starts in the last second.
    pub(super) fn started(&self) -> u32 {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).in_last_second(Instant::now())
    }

    fn count(&self) {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).count(Instant::now());
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Heavy {
    /// At most so many at once.
    pub(super) fn new(most: u32) -> Self {
        Self { running: Semaphore::new(usize::try_from(most).unwrap_or(usize::MAX)), waiting: AtomicU32::new(0) }
    }
}

impl Pool {
    /// The endpoints have changed: shares the limits of those who have the same ones.
    pub(super) fn join_limits(&self) {
        let endpoints = self.endpoints.load();
        let mut identities: Vec<_> = endpoints.iter().map(|endpoint| endpoint.identity.as_str()).collect();
        identities.sort_unstable();
        identities.dedup();
        let key = identities.join("\n\n");
        self.reads.join(&READS, &key);
        self.sends.join(&SENDS, &key);
    }

    /// The pool has closed.
    pub(super) fn leave_limits(&self) {
        self.reads.leave();
        self.sends.leave();
    }

    fn limit(&self, class: Class) -> &Limit {
        if class == Class::Send { &self.sends } else { &self.reads }
    }

    /// A place among those who wait; refused at once when too many do.
    pub(super) fn wait_place(&self, class: Class) -> Result<Waiting<'_>, PoolError> {
        Waiting::new(&self.limit(class).waiting, self.options.queue_max)
    }

    /// Waits for the pool-wide start of one attempt. Refuses at once when it would come after the deadline.
    pub(super) async fn take_token(
        &self,
        class: Class,
        priority: Priority,
        deadline: Instant,
    ) -> Result<(), PoolError> {
        let limit = self.limit(class);
        let queue = limit.queue.load().as_ref().map(|member| member.value());
        let Some(queue) = queue else { return Err(PoolError::Closed { state: "closed" }) };
        queue.start(priority, deadline).await.map_err(too_late)?;
        limit.count();
        Ok(())
    }

    /// Whether the limiter could let a call start before `deadline`; takes nothing.
    pub(super) fn check_token(&self, class: Class, priority: Priority, deadline: Instant) -> Result<(), PoolError> {
        let at = self.limit(class).queue.load().as_ref().map(|member| member.expected(priority));
        at.filter(|at| *at > deadline).map_or(Ok(()), |at| Err(too_late(at)))
    }

    /// Whether no first send waits: repetitions come after them.
    pub(super) fn can_send_now(&self) -> bool {
        self.sends.waiting.load(Ordering::Acquire) == 0
    }

    /// Takes a start only if one is free.
    pub(super) fn take_token_now(&self, class: Class) -> bool {
        let limit = self.limit(class);
        let taken = limit.queue.load().as_ref().is_some_and(|member| member.start_now());
        if taken {
            limit.count();
        }
        taken
    }

    /// As `take_token_now`, from the pool and from `endpoint`.
    pub(super) fn start_now(&self, endpoint: &Endpoint, class: Class) -> bool {
        let now = Instant::now();
        endpoint.facts().next_start(class, now) <= now && self.take_token_now(class) && endpoint.try_start(class)
    }

    /// As `start_now`, for one who may wait a moment when the slots are lent from elsewhere: there is none at hand without traffic.
    pub(super) async fn start_soon(&self, endpoint: &Endpoint, class: Class) -> bool {
        let shared = self.limit(class).leases().is_some();
        if !shared {
            return false;
        }
        let until = Instant::now() + SOON;
        let token = tokio::time::timeout_at(until, self.take_token(class, Priority::Bulk, until));
        token.await.is_ok_and(|taken| taken.is_ok()) && endpoint.try_start(class)
    }

    /// The right to run a heavy read, until it is dropped.
    pub(super) async fn enter_heavy(&self) -> Result<SemaphorePermit<'_>, PoolError> {
        let waiting = Waiting::new(&self.heavy.waiting, self.options.queue_max)?;
        let permit = self.heavy.running.acquire().await;
        drop(waiting);
        permit.map_err(|_| PoolError::Closed { state: "closed" })
    }

    /// How full the fullest queue is, 0 to 1. Producers slow down by it.
    pub fn pressure(&self) -> f64 {
        let waiting = [&self.reads.waiting, &self.sends.waiting, &self.heavy.waiting];
        let most = waiting.into_iter().map(|count| count.load(Ordering::Relaxed)).max().unwrap_or(0);
        (f64::from(most) / f64::from(self.options.queue_max)).min(1.0)
    }
}

fn too_late(at: Instant) -> PoolError {
    let wait = at.saturating_duration_since(Instant::now());
    PoolError::LocalLimit { retry_after: wait.max(Duration::from_millis(1)) }
}
