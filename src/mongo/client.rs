//! One client: its settings, the crate's client made on first use, and everything that is open on it.
//!
//! Opening does no I/O. Closing is in `close`, operations come in through `dispatch`.

use super::change_stream::ChangeStreams;
use super::cursor::Cursors;
use super::driver::Driver;
use super::event::Watch;
use super::numbers::Numbers;
use super::options::{Limits, Settings};
use super::session::{Entry, Sessions, Turn};
use super::transaction::{self, Counts};
use super::write::Lanes;
use super::{body, error, session};
use crate::error::Failure;
use crate::lifecycle::{Registration, State, StateCell};
use crate::observe::EventSink;
use mongodb::bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::bson::{Bson, doc};
use mongodb::options::WriteConcern;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

/// Commits of unknown outcome that are remembered; the oldest is forgotten.
const MAX_PARKED: usize = 256;

/// A MongoDB client.
pub struct Client {
    settings: Settings,
    pub(super) watch: Arc<Watch>,
    pub(super) state: StateCell,
    driver: OnceCell<Arc<Driver>>,
    sessions: Sessions,
    numbers: Numbers,
    lanes: Lanes,
    cursors: Cursors,
    change_streams: ChangeStreams,
    counts: Counts,
    work: Arc<Work>,
    parked: Mutex<VecDeque<(String, Arc<Entry>)>>,
    tokens: AtomicU64,
    /// Its place among what the environment has open, until it has closed.
    registration: Mutex<Option<Registration>>,
    /// Fires when a close begins.
    pub(super) closing: CancellationToken,
    /// Fires when everything that runs must settle.
    pub(super) cut: CancellationToken,
    /// Fires when the client has closed.
    pub(super) gone: CancellationToken,
}

/// Work in flight and work that goes on without a caller.
#[derive(Default)]
pub(super) struct Work {
    running: AtomicU32,
    background: AtomicU32,
    less: Notify,
}

/// One unit of work; counted until dropped.
pub(super) struct Unit {
    work: Arc<Work>,
    in_background: bool,
}

impl Drop for Unit {
    fn drop(&mut self) {
        let counter = if self.in_background { &self.work.background } else { &self.work.running };
        counter.fetch_sub(1, Ordering::AcqRel);
        self.work.less.notify_waiters();
    }
}

impl Client {
    /// Validates the settings; no I/O. `options` is a BSON document with Node's names.
    pub fn open(uri: &str, options: &[u8]) -> Result<Arc<Self>, Failure> {
        let options = body::parse(options.to_vec())?;
        let settings = Settings::parse(uri, &options)?;
        Ok(Arc::new(Self {
            lanes: Lanes::new(settings.limits.max_pool_size),
            settings,
            watch: Arc::default(),
            state: StateCell::default(),
            driver: OnceCell::new(),
            sessions: Sessions::default(),
            numbers: Numbers::default(),
            cursors: Cursors::default(),
            change_streams: ChangeStreams::default(),
            counts: Counts::default(),
            work: Arc::default(),
            parked: Mutex::default(),
            tokens: AtomicU64::new(0),
            registration: Mutex::default(),
            closing: CancellationToken::new(),
            cut: CancellationToken::new(),
            gone: CancellationToken::new(),
        }))
    }

    /// Keeps the client on its environment's list of open things until it has closed.
    pub fn registered(&self, registration: Registration) {
        *self.registration.lock().unwrap_or_else(PoisonError::into_inner) = Some(registration);
    }

    /// It has closed: off the list, then everyone who waits for it hears.
    pub(super) fn leave(&self) {
        self.state.advance(State::Closed);
        let registration = self.registration.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(registration);
        self.gone.cancel();
    }

    /// Resolves when the client has closed, whoever asked for it.
    pub async fn closed(&self) {
        self.gone.cancelled().await;
    }

    /// Sets who hears of events; `None` for nobody.
    pub fn listen(&self, sink: Option<Arc<dyn EventSink>>) {
        self.watch.listen(sink);
    }

    /// Whether events of the connection pools are among them.
    pub fn watch_pools(&self, on: bool) {
        self.watch.watch_pools(on);
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// The write concern that it was made with.
    pub(super) fn write_concern(&self) -> Option<&WriteConcern> {
        self.settings.connection.write_concern.as_ref()
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(super) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    pub(super) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    pub(super) fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    pub(super) fn change_streams(&self) -> &ChangeStreams {
        &self.change_streams
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.get() == State::Closed
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    pub(super) fn name_of(&self) -> &str {
        &self.settings.name
    }

    /// The crate's client, made now if this is the first use.
    pub(super) async fn driver(&self) -> Result<&Arc<Driver>, Failure> {
        let made = self.driver.get_or_try_init(|| async {
            self.settings.check_files().await?;
            let mut options = self.settings.resolve().await.map_err(|found| error::failure(&found))?;
            self.watch.install(&mut options, self.settings.monitor_commands);
            let made = mongodb::Client::with_options(options).map_err(|found| error::failure(&found))?;
            Ok::<_, Failure>(Arc::new(Driver::new(made)))
        });
        let made = made.await?;
        self.state.advance(State::Opening);
        Ok(made)
    }

    /// The crate's client if there is one.
    pub(super) fn driver_if_made(&self) -> Option<&Arc<Driver>> {
        self.driver.get()
    }

    /// Finds the servers and pings one by the client's read preference.
    pub(super) async fn connect(&self) -> Result<(), Failure> {
        let driver = self.driver().await?;
        let mut options = mongodb::options::RunCommandOptions::default();
        options.selection_criteria.clone_from(&driver.criteria);
        let admin = driver.database("admin");
        let ping = admin.run_command(doc! { "ping": 1 }).with_options(options);
        ping.await.map_err(|found| error::failure(&found))?;
        self.state.advance(State::Ready);
        Ok(())
    }

    /// Whether writes may carry a number. The first write of a client that has not met its servers waits for them.
    pub(super) async fn takes_numbers(&self, driver: &Driver) -> Result<bool, Failure> {
        if !self.watch.has_topology() {
            Self::meet(driver).await?;
        }
        Ok(self.watch.has_retryable_writes())
    }

    /// The wire version of the servers that take writes; `None` behind a load balancer, which says none. Waits for the servers like a first write.
    pub(super) async fn wire_version(&self, driver: &Driver) -> Result<Option<i64>, Failure> {
        if self.watch.wire_version().is_none() && !self.watch.is_load_balanced() {
            Self::meet(driver).await?;
        }
        Ok(self.watch.wire_version())
    }

    async fn meet(driver: &Driver) -> Result<(), Failure> {
        let admin = driver.database("admin");
        admin.run_command(doc! { "ping": 1 }).await.map(|_reply| ()).map_err(|found| error::failure(&found))
    }

    /// Counts one operation; `None` when there are too many. What ends something is always admitted: refusing it would leak.
    pub(super) fn admit(&self, always: bool) -> Option<Unit> {
        let before = self.work.running.fetch_add(1, Ordering::AcqRel);
        let unit = Unit { work: Arc::clone(&self.work), in_background: false };
        (always || before < self.settings.limits.max_in_flight).then_some(unit)
    }

    /// Counts work that goes on without a caller.
    pub(super) fn background(&self) -> Unit {
        self.work.background.fetch_add(1, Ordering::AcqRel);
        Unit { work: Arc::clone(&self.work), in_background: true }
    }

    /// Operations in flight.
    pub(super) fn running(&self) -> u32 {
        self.work.running.load(Ordering::Acquire)
    }

    /// Resolves when nothing runs, in the background neither if `all`.
    pub(super) async fn idle(&self, all: bool) {
        loop {
            let less = self.work.less.notified();
            tokio::pin!(less);
            less.as_mut().enable();
            let background = if all { self.work.background.load(Ordering::Acquire) } else { 0 };
            if self.running() == 0 && background == 0 {
                return;
            }
            less.await;
        }
    }

    fn parking(&self) -> MutexGuard<'_, VecDeque<(String, Arc<Entry>)>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a session whose commit has an unknown outcome; the token finds it again.
    pub(super) fn park(&self, entry: Arc<Entry>) -> String {
        let token = format!("commit-{}-{:016x}", self.tokens.fetch_add(1, Ordering::Relaxed), fastrand::u64(..));
        let mut parked = self.parking();
        if parked.len() == MAX_PARKED {
            parked.pop_front();
        }
        parked.push_back((token.clone(), entry));
        token
    }

    /// A parked session.
    pub(super) fn parked(&self, token: &str) -> Option<Arc<Entry>> {
        self.parking().iter().find(|(known, _)| known == token).map(|(_, entry)| Arc::clone(entry))
    }

    /// Forgets a token.
    pub(super) fn unpark(&self, token: &str) {
        self.parking().retain(|(known, _)| known != token);
    }

    /// Whether a session waits for its outcome.
    pub(super) fn is_parked(&self, entry: &Arc<Entry>) -> bool {
        self.parking().iter().any(|(_, known)| Arc::ptr_eq(known, entry))
    }

    /// Forgets all tokens.
    pub(super) fn unpark_all(&self) {
        let parked = std::mem::take(&mut *self.parking());
        drop(parked);
    }

    /// Opens a session under a handle of the caller's. No I/O.
    pub fn open_session(&self, handle: u32, options: &[u8]) -> Result<(), Failure> {
        if self.state.get().refuses_work() {
            return Err(error::closed(self.state.get().as_str()));
        }
        self.sessions.add(handle, body::parse(options.to_vec())?.as_ref())
    }

    /// Begins a transaction; it is folded into its first operation. No I/O.
    pub fn begin_transaction(&self, handle: u32, options: &[u8]) -> Result<(), Failure> {
        if self.state.get().refuses_work() {
            return Err(error::closed(self.state.get().as_str()));
        }
        let entry = self.sessions.get(handle).ok_or_else(|| session::unknown(handle))?;
        transaction::begin(self, &entry, body::parse(options.to_vec())?.as_ref())
    }

    /// The 16 bytes of the session's id, once its first operation has run; also of one of the 256 sessions that ended last.
    pub fn session_id(&self, handle: u32) -> Option<Vec<u8>> {
        match self.sessions.id(handle)?.get("id")? {
            Bson::Binary(binary) => Some(binary.bytes.clone()),
            _ => None,
        }
    }

    /// What the session has seen: `{operationTime, clusterTime}` as BSON. `None` while it is in use or before its first operation.
    pub fn session_times(&self, handle: u32) -> Option<Vec<u8>> {
        let entry = self.sessions.get(handle)?;
        let guard = entry.slot().try_lock().ok()?;
        let session = guard.session.as_ref()?;
        let mut times = RawDocumentBuf::new();
        if let Some(time) = session.operation_time() {
            times.append(cstr!("operationTime"), time);
        }
        if let Some(time) = session.snapshot_time() {
            times.append(cstr!("snapshotTime"), time);
        }
        if let Some(time) =
            session.cluster_time().and_then(|time| mongodb::bson::serialize_to_raw_document_buf(time).ok())
        {
            times.append(cstr!("clusterTime"), time);
        }
        Some(times.into_bytes())
    }

    /// Lets a session see at least what another has seen; takes what [`Client::session_times`] gives.
    pub(super) async fn advance_session(&self, entry: &Entry, turn: Turn, times: &RawDocument) -> Result<(), Failure> {
        let driver = self.driver().await?;
        let Some(mut guard) = turn.take().await else {
            return Err(error::closed("closed"));
        };
        entry.fill(driver, &mut guard).await?;
        let Some(session) = guard.session.as_mut() else {
            return Ok(());
        };
        if let Some(RawBsonRef::Timestamp(time)) = body::field(times, "operationTime") {
            session.advance_operation_time(time);
        }
        if let Some(time) = body::document(times, "clusterTime")? {
            // The server's own document, signed by it.
            let time = mongodb::bson::deserialize_from_slice(time.as_bytes())
                .map_err(|_| body::invalid("clusterTime", "clusterTime is not one"))?;
            session.advance_cluster_time(&time);
        }
        Ok(())
    }

    /// What is known of the client and its servers, as JSON without secrets.
    pub fn describe(&self) -> String {
        let (kind, set_name, servers) = self.watch.topology();
        let limits = self.limits();
        json!({
            "state": self.state.get().as_str(), "type": kind, "setName": set_name, "servers": servers, "hosts": self.settings.hosts(),
            "dbName": self.settings.database, "uri": self.settings.endpoint.redacted(), "name": self.settings.name,
            "heartbeatFrequencyMS": millis(limits.heartbeat), "serverSelectionTimeoutMS": millis(limits.selection_timeout),
        })
        .to_string()
    }

    /// Counters as JSON.
    pub fn stats(&self) -> String {
        let (started, ended, open) = self.sessions.counts();
        let (idle, busy) = self.lanes.counts();
        let (connections, in_use) = self.watch.connections.counts();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.counts;
        json!({
            "sessions": { "started": started, "ended": ended, "open": open },
            "transactions": {
                "started": count(&counts.started), "committed": count(&counts.committed), "aborted": count(&counts.aborted),
                "unknown": count(&counts.unknown), "timedOut": count(&counts.timed_out),
            },
            "lateOperations": count(&counts.late), "inFlight": self.running(), "cursors": self.cursors.count(),
            "changeStreams": self.change_streams.count(),
            "lanes": { "idle": idle, "busy": busy }, "connections": { "open": connections, "inUse": in_use },
        })
        .to_string()
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
