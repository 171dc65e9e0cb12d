//! A client: what JavaScript's thread, the I/O thread and a shutdown share, and the calls they make.
//!
//! Flushes go through an outbox of their own, so that the JavaScript thread never waits for a driver that is parsing. Guarantees: a call that is a
//! transition sees everything flushed before it.

use super::command::Submission;
use super::connection::{Machine, Plan, Status, Transition};
use super::direct::Direct;
use super::error::WireError;
use super::io;
use super::options::Options;
use super::question::{Question, Questions};
use super::reply::{self, ReplySink};
use super::sentinel::{Address, Sentinels};
use crate::error::Failure;
use crate::lifecycle::{CloseFuture, Managed, Registration, Registry};
use crate::retry::Deadline;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Unfetched replies of one client beyond which its socket is no longer read, and below which it is again.
const BACKLOG_HIGH: usize = 16 * 1024 * 1024;
const BACKLOG_LOW: usize = 4 * 1024 * 1024;
/// Unfetched replies of all clients beyond which those that have more than their share are no longer read.
const BACKLOG_PROCESS: usize = 64 * 1024 * 1024;
const BACKLOG_SHARE: usize = 1024 * 1024;

/// A Redis client.
pub struct Client {
    shared: Arc<Shared>,
    registry: Weak<Registry>,
}

/// What the threads share.
pub(crate) struct Shared {
    pub(crate) options: Arc<Options>,
    pub(super) machine: Mutex<Machine>,
    outbox: Mutex<Vec<Submission>>,
    direct: Mutex<Direct>,
    sink: Arc<dyn ReplySink>,
    wake: Notify,
    /// Something may have settled.
    pub(super) settled: Notify,
    driving: AtomicBool,
    paused: AtomicBool,
    peer: Mutex<Option<SocketAddr>>,
    pub(super) registration: Mutex<Option<Registration>>,
    /// Clients that end with this one.
    companions: Mutex<Vec<Weak<Self>>>,
    pub(super) sentinels: Sentinels,
    pub(super) questions: Questions,
    /// Whose JavaScript answers questions: that of the client this one accompanies, or its own.
    asked: Weak<Self>,
    pub(super) this: Weak<Self>,
}

/// A look at a client.
#[derive(Debug, Clone)]
pub struct Stats {
    /// The status.
    pub status: Status,
    /// Connections tried.
    pub generation: u32,
    /// Failed attempts since the last success.
    pub retries: u32,
    /// Commands sent without an answer.
    pub in_flight: usize,
    /// Commands that wait to be sent.
    pub queued: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Bytes of replies that wait to be fetched.
    pub backlog: usize,
    /// The server's address.
    pub peer: Option<SocketAddr>,
}

impl Client {
    /// A client in `wait`. No I/O. Registers in `registry` while it has something open.
    pub fn open(options: Options, sink: Arc<dyn ReplySink>, registry: &Arc<Registry>) -> Self {
        Self::open_for(options, sink, registry, None)
    }

    fn open_for(
        options: Options,
        sink: Arc<dyn ReplySink>,
        registry: &Arc<Registry>,
        asked: Option<Weak<Shared>>,
    ) -> Self {
        let options = Arc::new(options);
        let shared = Arc::new_cyclic(|this| Shared {
            sentinels: Sentinels::new(&options),
            questions: Questions::default(),
            asked: asked.unwrap_or_else(|| Weak::clone(this)),
            machine: Mutex::new(Machine::new(Arc::clone(&options), fastrand::f64)),
            options,
            outbox: Mutex::default(),
            direct: Mutex::default(),
            sink,
            wake: Notify::new(),
            settled: Notify::new(),
            driving: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            peer: Mutex::default(),
            registration: Mutex::default(),
            companions: Mutex::default(),
            this: Weak::clone(this),
        });
        Self { shared, registry: Arc::downgrade(registry) }
    }

    /// Another client in the same registry, which ends when this one does.
    pub(super) fn companion(&self, options: Options, sink: Arc<dyn ReplySink>) -> Self {
        let registry = self.registry.upgrade().unwrap_or_default();
        let client = Self::open_for(options, sink, &registry, Some(Weak::clone(&self.shared.asked)));
        lock(&self.shared.companions).push(Arc::downgrade(&client.shared));
        // It may have ended already.
        self.shared.with(|_, _| ());
        client
    }

    /// Another client with a life of its own, registered in `registry`; its questions are answered by this one's JavaScript.
    pub(super) fn sibling(&self, options: Options, sink: Arc<dyn ReplySink>, registry: &Arc<Registry>) -> Self {
        Self::open_for(options, sink, registry, Some(Weak::clone(&self.shared.asked)))
    }

    /// Whether it has, or is on its way to, a connection.
    pub(super) fn is_open(&self) -> bool {
        self.shared.driving.load(Ordering::SeqCst)
    }

    /// What its environment has open; none when that is going away.
    pub(super) fn registry(&self) -> Option<Arc<Registry>> {
        self.registry.upgrade()
    }

    /// Its options.
    pub(super) fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Takes encoded commands. Copies; writes a few that nothing is ahead of, the driver does the rest.
    pub fn flush(&self, out: &[u8], descriptors: &[i32], commands: usize) -> Result<(), Failure> {
        let submission = Submission::new(out, descriptors, commands)?;
        let Some(submission) = self.shared.write_directly(submission, out.len(), commands) else {
            return Ok(());
        };
        let first = {
            let mut outbox = lock(&self.shared.outbox);
            outbox.push(submission);
            outbox.len() == 1
        };
        if !self.shared.driving.load(Ordering::SeqCst) {
            // Nobody else would look: a client in `wait` connects, one at its end refuses.
            return self.act(|_, _| ()).map(|_| ());
        }
        if first {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// Connects, unless it is connecting or connected.
    pub fn connect(&self) -> Result<Transition, Failure> {
        self.act(|machine, _| {
            machine.connect();
        })
    }

    /// Ends the connection, see [`Machine::disconnect`].
    pub fn disconnect(&self, reconnect: bool) -> Result<Transition, Failure> {
        self.act(|machine, now| {
            machine.disconnect(reconnect, now);
        })
    }

    /// The user's retry strategy answered; negative stops.
    pub fn answer_retry(&self, generation: u32, delay_ms: i64) -> Result<Transition, Failure> {
        self.act(|machine, now| {
            machine.answer_retry(generation, delay_ms, now);
        })
    }

    /// `reconnectOnError` answered.
    pub fn answer_reconnect(&self, seq: u32, verdict: i32) -> Result<Transition, Failure> {
        self.act(|machine, now| {
            machine.answer_reconnect(seq, verdict, now);
        })
    }

    /// A question that waits for its answer.
    pub fn question(&self, id: u32) -> Option<Question> {
        self.shared.questions.get(id)
    }

    /// The answer to a question, as JSON; none when the user's function gave nothing of use.
    pub fn answer(&self, id: u32, answer: Option<String>) {
        self.shared.questions.answer(id, answer);
    }

    /// The sentinels known by now, the one that is asked first at the front.
    pub fn sentinels(&self) -> Vec<Address> {
        self.shared.sentinels.in_turn()
    }

    /// Keeps a script's text.
    pub fn register_script(&self, id: i32, source: &str) {
        self.shared.with(|machine, _| machine.register_script(id, source));
    }

    /// The name for the next handshake.
    pub fn set_connection_name(&self, name: String) {
        self.shared.with(|machine, _| machine.set_connection_name(name));
    }

    /// The status now.
    pub fn transition(&self) -> Transition {
        lock(&self.shared.machine).transition()
    }

    /// A look at it.
    pub fn stats(&self) -> Stats {
        self.shared.with(|machine, _| Stats {
            status: machine.transition().status,
            generation: machine.generation(),
            retries: machine.attempts(),
            in_flight: machine.ledger().in_flight(),
            queued: machine.ledger().queued(),
            queued_bytes: machine.ledger().queued_bytes(),
            subscriptions: machine.subscriptions(),
            backlog: self.shared.sink.backlog(),
            peer: *lock(&self.shared.peer),
        })
    }

    /// JavaScript has fetched replies: reading may go on.
    pub fn fetched(&self) {
        if self.shared.paused.load(Ordering::Acquire) && !self.shared.is_paused() {
            self.shared.wake.notify_one();
        }
    }

    /// Ends for good by `deadline`: waits for what is in flight, blocking commands excepted, then settles the rest.
    pub fn close(&self, deadline: Deadline) -> CloseFuture {
        Managed::close(self.shared.as_ref(), deadline)
    }

    /// Ends for good without waiting for anything: what is unanswered is settled.
    pub fn shut(&self) {
        self.shared.shut();
    }

    /// Gives up at once and tells nobody.
    pub fn abandon(&self) {
        Managed::abandon(self.shared.as_ref());
    }

    /// A transition asked for by JavaScript, with a driver to carry it out.
    fn act(&self, transition: impl FnOnce(&mut Machine, Instant)) -> Result<Transition, Failure> {
        let (now, alive) = self.shared.with(|machine, now| {
            transition(machine, now);
            (machine.transition(), machine.is_alive())
        });
        if alive || self.shared.driving.load(Ordering::SeqCst) {
            self.drive()?;
        }
        Ok(now)
    }

    fn drive(&self) -> Result<(), Failure> {
        if self.shared.driving.swap(true, Ordering::SeqCst) {
            self.shared.wake.notify_one();
            return Ok(());
        }
        let managed: Arc<dyn Managed> = Arc::clone(&self.shared) as Arc<dyn Managed>;
        let registration = self.registry.upgrade().and_then(|registry| registry.register(managed));
        let registered = registration.is_some();
        *lock(&self.shared.registration) = registration;
        if registered && io::spawn(io::drive(Arc::clone(&self.shared))) {
            return Ok(());
        }
        self.shared.driving.store(false, Ordering::SeqCst);
        let error = WireError::Internal("no thread for its connections".to_owned());
        self.shared.with(|machine, _| machine.broke(&error));
        Err(Failure::closed("redis client", "closed with its environment"))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Shared {
    /// Runs `act` on the machine with everything flushed so far taken in, and hands over what comes of it.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Machine, Instant) -> R) -> R {
        self.with_locked(lock(&self.machine), act)
    }

    fn with_locked<R>(&self, mut machine: MutexGuard<'_, Machine>, act: impl FnOnce(&mut Machine, Instant) -> R) -> R {
        let now = Instant::now();
        let flushed = std::mem::take(&mut *lock(&self.outbox));
        for submission in flushed {
            machine.ingest(submission, now);
        }
        let result = act(&mut machine, now);
        if let Some(chunk) = machine.take_chunk() {
            // Under the lock: chunks must arrive in order.
            self.sink.deliver(chunk);
            self.settled.notify_waiters();
        }
        let over = machine.is_over();
        drop(machine);
        if over {
            self.end_companions();
        }
        result
    }

    /// Writes what can be written at once, without waiting for anything. Gives back what the driver is to take.
    fn write_directly(&self, submission: Submission, bytes: usize, commands: usize) -> Option<Submission> {
        let Ok(machine) = self.machine.try_lock() else {
            return Some(submission);
        };
        if !self.direct().takes(&machine, bytes, commands) || !lock(&self.outbox).is_empty() {
            return Some(submission);
        }
        let writing = self.with_locked(machine, |machine, now| {
            machine.ingest(submission, now);
            self.direct().begin(machine, now)
        });
        let Some(mut writing) = writing else {
            self.wake.notify_one();
            return None;
        };
        writing.send();
        if self.direct().finish(writing) {
            self.wake.notify_one();
        }
        None
    }

    /// What the driver and this side know of each other's writing. Whoever wants the machine as well locks that first.
    pub(super) fn direct(&self) -> MutexGuard<'_, Direct> {
        lock(&self.direct)
    }

    fn shut(&self) {
        self.with(Machine::shut);
        self.wake.notify_one();
    }

    pub(super) fn end_companions(&self) {
        let companions = std::mem::take(&mut *lock(&self.companions));
        for companion in companions.iter().filter_map(Weak::upgrade) {
            companion.shut();
        }
    }

    /// Whose JavaScript answers questions.
    pub(super) fn asked(&self) -> Option<Arc<Self>> {
        self.asked.upgrade()
    }

    /// Lets the driver look at the machine.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Resolves when the driver is to look at the machine.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Whether reading is suspended because JavaScript does not fetch.
    pub(crate) fn is_paused(&self) -> bool {
        let backlog = self.sink.backlog();
        let crowded = backlog > BACKLOG_SHARE && reply::waiting() > BACKLOG_PROCESS;
        let most = if self.paused.load(Ordering::Acquire) { BACKLOG_LOW } else { BACKLOG_HIGH };
        let paused = crowded || backlog > most;
        self.paused.store(paused, Ordering::Release);
        paused
    }

    pub(crate) fn set_peer(&self, peer: Option<SocketAddr>) {
        *lock(&self.peer) = peer;
    }

    /// The machine is over: lets the driver go, unless something came in between.
    pub(crate) fn driver_may_end(&self) -> bool {
        let registration = lock(&self.registration).take();
        self.driving.store(false, Ordering::SeqCst);
        let over = self.with(|machine, _| machine.plan() == Plan::Over);
        if over || self.driving.swap(true, Ordering::SeqCst) {
            drop(registration);
            return true;
        }
        *lock(&self.registration) = registration;
        false
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
