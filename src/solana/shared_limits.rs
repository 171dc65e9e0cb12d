//! The limit of one class shared with other processes: asks the store for slots ahead of need and keeps what it lends. The decisions are
//! [`LeasedRate`]'s; here are the task that waits for the store, and the name under which processes meet.
//!
//! Guarantees: nobody who wants to start waits for the store itself; the task ends with its pool, and holds nothing of it.

use crate::retry::{LeaseFuture, LeasedRate, LimitStore};
use crate::solana::pool::Pool;
use crate::solana::queue::Queue;
use sha2::{Digest, Sha256};
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// When to look again at a start that depends on the store; an answer comes in between.
const LOOK: Duration = Duration::from_millis(500);
/// Between two looks of the task, at least.
const LEAST: Duration = Duration::from_millis(1);

/// How a pool shares its limits.
#[derive(Clone)]
pub struct SharedLimits {
    /// Where they are kept.
    pub store: Arc<dyn LimitStore>,
    /// The part of each limit, above 0 and up to 1, that this process uses while the store is away. Default: one part per process last known.
    pub local_share: Option<f64>,
}

/// The slots of one pool and class.
pub(super) struct Leases {
    store: Arc<dyn LimitStore>,
    class: &'static str,
    /// This pool among all that share.
    process: String,
    rate: Mutex<LeasedRate>,
    place: Mutex<Place>,
    /// The task is to look: somebody wants to start.
    wanted: Notify,
    /// Somebody wanted to start who does not wait: a probe, a hedge.
    wish: AtomicBool,
    runs: AtomicBool,
    stop: CancellationToken,
}

/// Which limit it is, and who waits for it.
#[derive(Default)]
struct Place {
    key: Option<String>,
    queue: Weak<Queue>,
}

impl Leases {
    /// Slots of a limit of `per_second` starts of this class. Does nothing before the first start.
    pub(super) fn new(shared: &SharedLimits, class: &'static str, per_second: f64, stop: CancellationToken) -> Self {
        Self {
            store: Arc::clone(&shared.store),
            class,
            process: format!("{:016x}", fastrand::u64(..)),
            rate: Mutex::new(LeasedRate::new(per_second, shared.local_share, fastrand::f64)),
            place: Mutex::default(),
            wanted: Notify::new(),
            wish: AtomicBool::new(false),
            runs: AtomicBool::new(false),
            stop,
        }
    }

    /// Lends to the callers of `queue`, whose endpoints `identities` names.
    pub(super) fn lend_to(&self, queue: &Arc<Queue>, identities: &str) {
        let key = Some(key(identities, self.class)).filter(|_| !identities.is_empty());
        *lock(&self.place) = Place { key, queue: Arc::downgrade(queue) };
    }

    /// Makes a start now, or says when it may be worth another try. Call inside the runtime.
    pub(super) fn start(self: &Arc<Self>, now: Instant) -> Result<(), Instant> {
        let mut rate = lock(&self.rate);
        let started = rate.start(now);
        if started.is_err() || rate.would_ask(now, 0) {
            self.wish.fetch_or(started.is_err(), Ordering::AcqRel);
            if !self.runs.swap(true, Ordering::AcqRel) {
                drop(tokio::spawn(Arc::clone(self).run()));
            }
            self.wanted.notify_one();
        }
        drop(rate);
        started.map_err(|at| at.unwrap_or(now + LOOK))
    }

    /// When the next start may be allowed, as far as is known.
    pub(super) fn next(&self, now: Instant) -> Instant {
        lock(&self.rate).next(now).unwrap_or(now)
    }

    /// How many processes share the limit, once the store has said so, and whether this one keeps to its own share.
    pub(super) fn state(&self) -> (Option<u32>, bool) {
        let rate = lock(&self.rate);
        (rate.processes(), rate.is_alone())
    }

    /// The pool closes.
    pub(super) fn close(&self) {
        self.stop.cancel();
        self.store.close();
    }

    async fn run(self: Arc<Self>) {
        let mut answer: Option<LeaseFuture> = None;
        loop {
            let look = self.look(&mut answer);
            tokio::select! {
                () = self.stop.cancelled() => return,
                lease = async { match &mut answer { Some(answer) => answer.await, None => pending().await } } => {
                    answer = None;
                    let (mut rate, now) = (lock(&self.rate), Instant::now());
                    match lease {
                        Ok(lease) => rate.answered(now, lease),
                        Err(_) => rate.failed(now),
                    }
                }
                () = tokio::time::sleep_until(look) => {}
                () = self.wanted.notified() => continue,
            }
            if let Some(queue) = self.queue() {
                queue.look();
            }
        }
    }

    /// Asks if there is reason to. When to look again.
    fn look(&self, answer: &mut Option<LeaseFuture>) -> Instant {
        // The queue is asked before the rate is locked: it locks them the other way round.
        let mut waiting = self.queue().map_or(0, |queue| queue.waiting());
        if waiting == 0 && self.wish.load(Ordering::Acquire) {
            waiting = 1;
        }
        let key = lock(&self.place).key.clone();
        let (mut rate, now) = (lock(&self.rate), Instant::now());
        if let (None, Some(key)) = (&answer, key)
            && let Some(ask) = rate.ask(now, waiting)
        {
            self.wish.store(false, Ordering::Release);
            *answer = Some(self.store.lease(&key, &self.process, ask));
        }
        rate.next_look(now, waiting).unwrap_or(now + LOOK).max(now + LEAST)
    }

    fn queue(&self) -> Option<Arc<Queue>> {
        lock(&self.place).queue.upgrade()
    }
}

impl Pool {
    /// Shares the limits of reads and sends with every process that has the same endpoints and asks the same store. Once, before the first call.
    pub fn share_limits(&self, shared: &SharedLimits) {
        self.reads.share(Leases::new(shared, "read", self.options.reads_per_second, self.stop.child_token()));
        self.sends.share(Leases::new(shared, "send", self.options.sends_per_second, self.stop.child_token()));
        self.join_limits();
    }
}

/// The name of a limit. A digest: the identities hold URLs with their keys.
fn key(identities: &str, class: &str) -> String {
    format!("{:.32}:{class}", format!("{:x}", Sha256::digest(identities)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, feature = "test-util"))]
mod tests {
    use super::{Leases, SharedLimits, key, lock};
    use crate::retry::{Ask, Lease, LeaseFuture, LimitStore, Unavailable};
    use crate::solana::queue::{Priority, Queue};
    use futures_util::future::join_all;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::time::{Instant, sleep};
    use tokio_util::sync::CancellationToken;

    /// A store with one user: lends what is asked for from now on, after a while, or nothing.
    struct Lender {
        following: Mutex<Instant>,
        delay: Duration,
        away: AtomicBool,
        asks: AtomicU32,
    }

    impl LimitStore for Lender {
        fn lease(&self, _key: &str, _process: &str, ask: Ask) -> LeaseFuture {
            self.asks.fetch_add(1, Ordering::Relaxed);
            if self.away.load(Ordering::Relaxed) {
                return Box::pin(std::future::ready(Err(Unavailable)));
            }
            let (mut following, delay, now) = (lock(&self.following), self.delay, Instant::now());
            let (first, count) = ((*following).max(now), ask.need.min(9));
            *following = first + ask.interval * count;
            let first = (first - now).as_secs_f64();
            Box::pin(async move {
                sleep(delay).await;
                Ok(Lease { first, interval: ask.interval, count, processes: 4 })
            })
        }

        fn close(&self) {}
    }

    fn leased(delay_ms: u64, share: Option<f64>) -> (Arc<Queue>, Arc<Leases>, Arc<Lender>, CancellationToken) {
        let lender = Arc::new(Lender {
            following: Mutex::new(Instant::now()),
            delay: Duration::from_millis(delay_ms),
            away: AtomicBool::new(false),
            asks: AtomicU32::new(0),
        });
        let (queue, stop) = (Arc::new(Queue::new()), CancellationToken::new());
        let shared = SharedLimits { store: Arc::clone(&lender) as Arc<dyn LimitStore>, local_share: share };
        let leases = Arc::new(Leases::new(&shared, "read", 100.0, stop.clone()));
        leases.lend_to(&queue, "http://h/KEY");
        queue.want(1, Some(100.0));
        queue.lend(1, Some(&leases));
        (queue, leases, lender, stop)
    }

    async fn starts(queue: &Arc<Queue>, count: usize) -> Duration {
        let (began, far) = (Instant::now(), Instant::now() + Duration::from_hours(1));
        assert!(join_all((0..count).map(|_| queue.start(Priority::Read, far))).await.iter().all(Result::is_ok));
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn callers_start_at_the_slots_and_blocks_are_asked_for_ahead() {
        let (queue, leases, lender, stop) = leased(2, None);
        let took = starts(&queue, 200).await;
        assert!(took > Duration::from_millis(2150) && took < Duration::from_millis(2350), "{took:?}");
        assert!(
            (20..30).contains(&lender.asks.load(Ordering::Relaxed)),
            "{} asks",
            lender.asks.load(Ordering::Relaxed)
        );
        assert_eq!(leases.state(), (Some(4), false));
        stop.cancel();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(Arc::strong_count(&leases), 2, "the task has ended; the queue and this test are left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_away_costs_no_error_and_leaves_the_local_share() {
        let (queue, leases, lender, _stop) = leased(2, Some(0.1));
        lender.away.store(true, Ordering::Relaxed);
        let took = starts(&queue, 20).await;
        assert!(took > Duration::from_millis(1990) && took < Duration::from_millis(2200), "{took:?}");
        assert_eq!(leases.state(), (None, true));
        let asks = lender.asks.load(Ordering::Relaxed);
        assert!((2..15).contains(&asks), "{asks} asks in two seconds");
        lender.away.store(false, Ordering::Relaxed);
        let took = starts(&queue, 300).await;
        assert!(took < Duration::from_secs(7), "a second of backoff, two within its share, then leases: {took:?}");
        assert_eq!(leases.state(), (Some(4), false));
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_does_not_wait_gets_a_slot_on_the_next_try() {
        let (queue, _leases, _lender, _stop) = leased(2, None);
        assert!(!queue.start_now());
        sleep(Duration::from_millis(10)).await;
        assert!(queue.start_now());
    }

    #[test]
    fn the_key_shows_nothing_of_the_endpoints() {
        let key = key("http://h/SECRET", "read");
        assert!(key.len() == 37 && key.ends_with(":read") && !key.contains("SECRET"), "{key}");
    }
}
