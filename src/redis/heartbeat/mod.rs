//! Keeps the locks of running jobs while the event loop is blocked: they are renewed from the I/O thread, with the script that the queue library registered.
//!
//! Has a connection of its own, open only while locks need renewing: a shared one may wait behind a reader that does not read. Decides nothing about jobs:
//! what is refused or let go of is told to JavaScript by the next [`Heartbeat::beat`].

mod ask;
mod book;

pub use ask::{LockScript, Locks};
pub use book::News;

use super::client::Client;
use super::companion::own_options;
use super::io;
use super::options::Options;
use super::reply::ReplySink;
use super::sentinel::{Round, SentinelOptions};
use crate::error::Failure;
use crate::lifecycle::{CloseFuture, CloseSummary, Kind, Managed, Registration, Registry, State};
use crate::retry::Deadline;
use ask::{Answers, Asker};
use book::Book;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// A connection without locks to renew is closed after this long.
const IDLE: Duration = Duration::from_secs(30);
/// How long a peer that did not answer a renewal may take to say goodbye.
const DISCONNECT_MS: u32 = 100;

/// Renews the locks of one worker's jobs until it is dropped or stopped.
pub struct Heartbeat {
    beating: Arc<Beating>,
}

/// What the threads share.
struct Beating {
    book: Arc<Mutex<Book>>,
    client: Client,
    asker: Mutex<Asker>,
    wake: Arc<Notify>,
    stopped: AtomicBool,
    registration: Mutex<Option<Registration>>,
    /// The connection comes and goes; what an environment has open is the heartbeat.
    own: Arc<Registry>,
}

impl Client {
    /// A heartbeat with this client's server and options. Connects with the first renewal.
    ///
    /// # Errors
    /// For settings that make no sense, and when the environment is going away.
    pub fn heartbeat(&self, locks: Locks) -> Result<Heartbeat, Failure> {
        locks.check()?;
        let registry = self.registry().ok_or_else(|| Failure::closed("redis client", "closed with its environment"))?;
        let now = Instant::now();
        let book = Arc::new(Mutex::new(Book::new(locks.lock, locks.max_blocked, now, fastrand::f64)));
        let wake = Arc::new(Notify::new());
        let answers = Arc::new(Answers::new(Arc::clone(&book), Arc::clone(&wake)));
        let own = Arc::<Registry>::default();
        let client = self.sibling(options(self.options()), Arc::clone(&answers) as Arc<dyn ReplySink>, &own);
        let asker = Asker::new(locks, answers, &client);
        let (asker, stopped, registration) = (Mutex::new(asker), AtomicBool::new(false), Mutex::default());
        let beating = Arc::new(Beating { book, client, asker, wake, stopped, registration, own });
        let managed = Arc::clone(&beating) as Arc<dyn Managed>;
        *lock(&beating.registration) = registry.register(managed);
        if lock(&beating.registration).is_none() || !io::spawn(drive(Arc::clone(&beating))) {
            beating.stop();
            return Err(Failure::closed("redis client", "closed with its environment"));
        }
        Ok(Heartbeat { beating })
    }
}

/// Options that need no JavaScript where they can do without: its loop may be blocked.
fn options(options: &Options) -> Options {
    let natively = |sentinel: &SentinelOptions| SentinelOptions {
        retry: Round::Attempt,
        failover_detector: false,
        ..sentinel.clone()
    };
    Options {
        offline_queue_max: 0,
        disconnect_timeout_ms: DISCONNECT_MS,
        sentinel: options.sentinel.as_ref().map(natively),
        urgent: true,
        ..own_options(options, "lock heartbeat")
    }
}

impl Heartbeat {
    /// Renews the lock of job `id` from now on; it was taken `age` ago.
    pub fn track(&self, id: String, token: String, age: Duration) {
        if lock(&self.beating.book).track(id, token, age, Instant::now()) {
            self.beating.wake.notify_one();
        }
    }

    /// The job has ended.
    pub fn untrack(&self, id: &str) {
        lock(&self.beating.book).untrack(id, Instant::now());
    }

    /// Jobs whose locks are kept.
    pub fn jobs(&self) -> usize {
        lock(&self.beating.book).len()
    }

    /// The event loop lives; what happened since the last beat.
    pub fn beat(&self) -> News {
        lock(&self.beating.book).beat(Instant::now())
    }

    /// Renews nothing any more and closes its connection.
    pub fn stop(&self) {
        self.beating.stop();
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.beating.stop();
    }
}

/// The life of a heartbeat, on the I/O thread.
async fn drive(beating: Arc<Beating>) {
    let mut empty_since = Instant::now();
    while !beating.stopped.load(Ordering::SeqCst) {
        let now = Instant::now();
        let due = lock(&beating.book).take_due(now);
        if !due.is_empty() {
            lock(&beating.asker).ask(&beating.client, due, now);
        }
        if lock(&beating.book).len() > 0 {
            empty_since = now;
        } else if empty_since + IDLE <= now && beating.client.is_open() {
            // Refused only when the environment is going away, which ends the connection as well.
            drop(beating.client.disconnect(false));
        }
        let idle = beating.client.is_open().then(|| (empty_since + IDLE).max(now + Duration::from_secs(1)));
        let until = lock(&beating.book).next(idle);
        let woken = beating.wake.notified();
        match until {
            Some(until) => tokio::select! { () = woken => {} () = sleep_until(until) => {} },
            None => woken.await,
        }
    }
}

impl Beating {
    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        lock(&self.book).clear();
        self.client.abandon();
        self.wake.notify_one();
        drop(lock(&self.registration).take());
    }
}

impl Managed for Beating {
    fn kind(&self) -> Kind {
        Kind::Redis
    }

    fn name(&self) -> String {
        self.client.options().label.clone().unwrap_or_default()
    }

    fn state(&self) -> State {
        if self.stopped.load(Ordering::SeqCst) {
            State::Closed
        } else if self.own.open().is_empty() {
            State::Idle
        } else {
            State::Ready
        }
    }

    fn in_flight(&self) -> u32 {
        0
    }

    fn drain(&self, _deadline: Deadline) -> CloseFuture {
        Box::pin(std::future::ready(CloseSummary::default()))
    }

    /// Nobody waits for a renewal: it ends at once.
    fn close(&self, _deadline: Deadline) -> CloseFuture {
        self.stop();
        Box::pin(std::future::ready(CloseSummary::default()))
    }

    fn abandon(&self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
