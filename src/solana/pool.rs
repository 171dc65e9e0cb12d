//! The pool: endpoints, limits, cache and lifecycle. Calls are `call.rs` and `attempt.rs`.

use crate::lifecycle::{CloseFuture, CloseSummary, Kind, Managed, State, StateCell};
use crate::observe::EventSink;
use crate::retry::{Budget, BudgetOptions, Deadline};
use crate::solana::call::cache::Cache;
use crate::solana::call::flight::Flights;
use crate::solana::call::floor::Floor;
use crate::solana::call::hedge::Hedge;
use crate::solana::endpoint::Endpoint;
use crate::solana::error::PoolError;
use crate::solana::limit::{Heavy, Limit};
use crate::solana::options::{EndpointOptions, PoolOptions};
use crate::solana::subscription::Hub;
use crate::solana::transaction::pending::Pending;
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Retries, hedges and last resorts together: 15 % of the calls and 3 a second, so that an outage costs at most 1.2 attempts per call from 60 calls a second on.
const RETRIES: BudgetOptions =
    BudgetOptions { ratio: 0.15, floor_per_second: 3.0, initial: 10.0, window: Duration::from_secs(10) };

/// A pool of RPC endpoints.
pub struct Pool {
    pub(super) options: PoolOptions,
    /// Replaced as a whole; calls under way keep the list they chose from.
    pub(super) endpoints: ArcSwap<Vec<Arc<Endpoint>>>,
    pub(super) cache: Cache,
    pub(super) flights: Arc<Flights>,
    /// Transactions that are being sent or followed.
    pub(super) pending: Arc<Pending>,
    /// Whether somebody listens to `rpc.transaction` events.
    pub(super) reports_transactions: AtomicBool,
    pub(super) budget: Budget,
    pub(super) events: Arc<dyn EventSink>,
    pub(super) next_id: AtomicU64,
    /// Number of the endpoint chosen last.
    pub(super) last_winner: AtomicUsize,
    pub(super) hedge: Hedge,
    pub(super) floor: Floor,
    /// Fires when the pool closes.
    pub(super) stop: CancellationToken,
    pub(super) reads: Limit,
    pub(super) sends: Limit,
    pub(super) heavy: Heavy,
    pub(super) prober_runs: AtomicBool,
    pub(super) hub: Hub,
    pub(super) last_use: Mutex<Option<Instant>>,
    /// Held while the list of endpoints is replaced.
    changing: Mutex<()>,
    me: Weak<Self>,
    generation: AtomicU64,
    state: StateCell,
    calls: AtomicU32,
    settled: Notify,
    closed: CancellationToken,
}

/// A call that runs; dropping it ends the count.
pub(super) struct Entered<'a>(&'a Pool);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.0.calls.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.settled.notify_waiters();
        }
    }
}

impl Pool {
    /// A pool with its configured endpoints. Opens no socket and starts no task before the first call.
    pub fn new(options: PoolOptions, events: Arc<dyn EventSink>) -> Arc<Self> {
        let pool = Arc::new_cyclic(|me| Self {
            endpoints: ArcSwap::default(),
            cache: Cache::new(options.cache_max_bytes),
            flights: Arc::default(),
            pending: Arc::default(),
            reports_transactions: AtomicBool::new(false),
            budget: Budget::new(RETRIES),
            events,
            next_id: AtomicU64::new(1),
            last_winner: AtomicUsize::new(0),
            hedge: Hedge::new(options.hedge),
            floor: Floor::default(),
            stop: CancellationToken::new(),
            reads: Limit::new(options.reads_per_second),
            sends: Limit::new(options.sends_per_second),
            heavy: Heavy::new(options.heavy_max),
            prober_runs: AtomicBool::new(false),
            hub: Hub::default(),
            last_use: Mutex::default(),
            changing: Mutex::default(),
            me: Weak::clone(me),
            generation: AtomicU64::new(0),
            state: StateCell::default(),
            calls: AtomicU32::new(0),
            settled: Notify::new(),
            closed: CancellationToken::new(),
            options,
        });
        for endpoint in &pool.options.endpoints {
            pool.add_endpoint(endpoint);
        }
        pool.state.advance(State::Ready);
        pool
    }

    /// Adds an endpoint and returns its name.
    pub fn add_endpoint(&self, options: &EndpointOptions) -> String {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoints = self.endpoints.load();
        let taken: Vec<_> = endpoints.iter().map(|endpoint| endpoint.name.clone()).collect();
        let endpoint = Endpoint::new(options, &self.options.wire, self.options.max_sockets, &taken);
        let name = endpoint.name.clone();
        let mut more = Vec::clone(&endpoints);
        more.push(Arc::new(endpoint));
        self.endpoints.store(Arc::new(more));
        self.join_limits();
        name
    }

    /// Takes an endpoint out, by its name or whole URL; false when there is none. Attempts under way there end as they end.
    pub fn remove_endpoint(&self, url_or_name: &str) -> bool {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoints = self.endpoints.load();
        let rest: Vec<_> = endpoints.iter().filter(|endpoint| !endpoint.is(url_or_name)).cloned().collect();
        let removed = rest.len() < endpoints.len();
        endpoints.iter().filter(|endpoint| endpoint.is(url_or_name)).for_each(|endpoint| endpoint.removed.cancel());
        self.endpoints.store(Arc::new(rest));
        self.join_limits();
        removed
    }

    /// The endpoint of this number, while it is part of the pool.
    pub(super) fn endpoint(&self, number: usize) -> Option<Arc<Endpoint>> {
        self.endpoints.load().iter().find(|endpoint| endpoint.number == number).cloned()
    }

    /// Forgets every kept reply.
    pub fn clear_cache(&self) {
        self.cache.clear();
    }

    /// The time for a whole call, unless it says otherwise.
    pub fn deadline(&self) -> Duration {
        self.options.deadline
    }

    /// Resolves when the pool has closed.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// The token that fires when the pool closes.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Counts the sends of this pool: reads before and after one do not share an answer.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// A send begins or ends.
    pub(super) fn next_generation(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// A call begins.
    pub(super) fn enter(&self) -> Result<Entered<'_>, PoolError> {
        // Counted first, looked at second: a close that begins in between waits for this call or cuts it.
        self.calls.fetch_add(1, Ordering::AcqRel);
        let entered = Entered(self);
        let state = self.state.get();
        if state.refuses_work() {
            return Err(PoolError::Closed { state: state.as_str() });
        }
        *self.last_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        if let Some(pool) = self.me.upgrade() {
            pool.ensure_prober();
        }
        Ok(entered)
    }

    /// Reports every transaction that is sent or followed by an `rpc.transaction` event, from now on or no longer.
    pub fn report_transactions(&self, wanted: bool) {
        self.reports_transactions.store(wanted, Ordering::Relaxed);
    }

    async fn wait_settled(&self) {
        loop {
            let settled = self.settled.notified();
            if self.calls.load(Ordering::Acquire) == 0 {
                return;
            }
            settled.await;
        }
    }

    fn shut(&self) {
        self.stop.cancel();
        self.state.advance(State::Closed);
        self.endpoints.load().iter().for_each(|endpoint| endpoint.close());
        self.leave_limits();
        self.cache.clear();
        self.closed.cancel();
    }

    async fn close_by(&self, deadline: Deadline) -> CloseSummary {
        if !self.state.advance(State::Draining) {
            self.closed.cancelled().await;
            return CloseSummary::default();
        }
        let before = self.calls.load(Ordering::Acquire);
        tokio::select! {
            () = self.wait_settled() => {}
            () = deadline.passed() => {}
            () = self.stop.cancelled() => {}
        }
        let aborted = self.calls.load(Ordering::Acquire);
        let unconfirmed = self.pending.unconfirmed();
        self.stop.cancel();
        self.wait_settled().await;
        self.hub.finished().await;
        self.shut();
        CloseSummary { drained: before.saturating_sub(aborted), aborted, unconfirmed }
    }
}

impl Managed for Pool {
    fn kind(&self) -> Kind {
        Kind::Solana
    }

    fn name(&self) -> String {
        let endpoints = self.endpoints.load();
        let names: Vec<_> = endpoints.iter().take(4).map(|endpoint| endpoint.name.as_str()).collect();
        names.join(",")
    }

    fn state(&self) -> State {
        self.state.get()
    }

    fn in_flight(&self) -> u32 {
        self.calls.load(Ordering::Acquire)
    }

    fn drain(&self, deadline: Deadline) -> CloseFuture {
        let pool = self.me.upgrade();
        Box::pin(async move {
            let Some(pool) = pool else { return CloseSummary::default() };
            let before = pool.in_flight();
            tokio::select! {
                () = pool.wait_settled() => {}
                () = deadline.passed() => {}
            }
            CloseSummary::of(before.saturating_sub(pool.in_flight()), 0)
        })
    }

    fn close(&self, deadline: Deadline) -> CloseFuture {
        let pool = self.me.upgrade();
        Box::pin(async move {
            match pool {
                Some(pool) => pool.close_by(deadline).await,
                None => CloseSummary::default(),
            }
        })
    }

    fn abandon(&self) {
        self.shut();
    }
}
