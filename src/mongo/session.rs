//! Sessions: one `ClientSession` of the crate per session of JavaScript, used by one operation at a time in the order of submission.
//!
//! Guarantees: an opened session is ended exactly once on every path, so that started, ended and open balance; nothing is sent before its first operation.

use super::attempt::Attempt;
use super::driver::Driver;
use super::{body, concern, error};
use crate::error::Failure;
use futures_util::future::{MaybeDone, maybe_done};
use mongodb::ClientSession;
use mongodb::bson::raw::{RawBsonRef, RawDocument};
use mongodb::bson::{Document, Timestamp};
use mongodb::options::SessionOptions;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use tokio::sync::OwnedMutexGuard;

/// The crate's session; `None` before the first operation and after the end.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) session: Option<ClientSession>,
}

type Guard = OwnedMutexGuard<Slot>;
type Lock = Pin<Box<dyn Future<Output = Guard> + Send>>;

/// A place in a session's queue, taken when the operation was submitted.
pub(super) struct Turn(Pin<Box<MaybeDone<Lock>>>);

impl Turn {
    /// Whether the session is free now.
    pub(super) fn is_ready(&self) -> bool {
        matches!(*self.0, MaybeDone::Done(_))
    }

    /// Waits for the turn.
    pub(super) async fn take(mut self) -> Option<Guard> {
        self.0.as_mut().await;
        self.0.as_mut().take_output()
    }
}

/// One session.
pub(super) struct Entry {
    options: SessionOptions,
    slot: Arc<tokio::sync::Mutex<Slot>>,
    /// Readable without the queue: for killing.
    facts: Mutex<Facts>,
}

#[derive(Default)]
struct Facts {
    id: Option<Document>,
    attempt: Option<Arc<Attempt>>,
    /// An operation that nobody waits for any more; aborted only after the server killed it.
    detached: Vec<tokio::task::AbortHandle>,
}

impl Entry {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the queue. The lock is polled once here: tokio's mutex is fair by first poll, and tasks do not start in the order in which they are spawned.
    pub(super) fn turn(&self) -> Turn {
        let lock: Lock = Box::pin(Arc::clone(&self.slot).lock_owned());
        let mut turn = Box::pin(maybe_done(lock));
        let waker = futures_util::task::noop_waker();
        let _queued = turn.as_mut().poll(&mut Context::from_waker(&waker));
        Turn(turn)
    }

    /// The lock itself, for a look without queueing.
    pub(super) fn slot(&self) -> &tokio::sync::Mutex<Slot> {
        &self.slot
    }

    /// The server's id of the session, once it has one.
    pub(super) fn id(&self) -> Option<Document> {
        self.facts().id.clone()
    }

    /// The transaction attempt that was begun last.
    pub(super) fn attempt(&self) -> Option<Arc<Attempt>> {
        self.facts().attempt.clone()
    }

    /// Sets or forgets the attempt.
    pub(super) fn set_attempt(&self, attempt: Option<Arc<Attempt>>) {
        self.facts().attempt = attempt;
    }

    /// Remembers an operation that goes on without a caller.
    pub(super) fn detach(&self, handle: tokio::task::AbortHandle) {
        let mut facts = self.facts();
        facts.detached.retain(|old| !old.is_finished());
        facts.detached.push(handle);
    }

    /// Drops operations that go on without a caller. Only after the server was told to kill them.
    pub(super) fn drop_detached(&self) {
        for handle in self.facts().detached.drain(..) {
            handle.abort();
        }
    }

    /// Whether reads see their own writes.
    fn is_causal(&self) -> bool {
        self.options.causal_consistency.unwrap_or(self.options.snapshot != Some(true))
    }

    /// Makes the crate's session if there is none yet.
    pub(super) async fn fill(&self, driver: &Driver, slot: &mut Slot) -> Result<(), Failure> {
        if slot.session.is_none() {
            let session = driver
                .client
                .start_session()
                .with_options(self.options.clone())
                .await
                .map_err(|found| error::failure(&found))?;
            self.facts().id = Some(session.id().clone());
            slot.session = Some(session);
        }
        Ok(())
    }
}

/// A session whose turn has come.
pub(super) struct Held {
    pub(super) guard: Guard,
    pub(super) entry: Arc<Entry>,
    pub(super) attempt: Option<Arc<Attempt>>,
}

impl Held {
    /// Whether it runs in a transaction.
    pub(super) fn in_transaction(&self) -> bool {
        self.attempt.is_some()
    }

    /// The crate's session.
    pub(super) fn session(&mut self) -> Option<&mut ClientSession> {
        self.guard.session.as_mut()
    }

    /// Whether it reads a snapshot: the crate adds the read concern then.
    pub(super) fn is_snapshot(&self) -> bool {
        self.entry.options.snapshot == Some(true)
    }

    /// The point in time that a read must see.
    pub(super) fn causal_time(&self) -> Option<Timestamp> {
        if !self.entry.is_causal() {
            return None;
        }
        self.guard.session.as_ref().and_then(ClientSession::operation_time)
    }
}

/// How many ended sessions' ids are remembered.
const PAST: usize = 256;

/// The sessions of a client.
#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<u32, Arc<Entry>>>,
    /// Handles and ids of those that ended last.
    past: Mutex<VecDeque<(u32, Document)>>,
    started: AtomicU64,
    ended: AtomicU64,
}

impl Sessions {
    fn open(&self) -> MutexGuard<'_, HashMap<u32, Arc<Entry>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens one. No I/O.
    pub(super) fn add(&self, handle: u32, given: &RawDocument) -> Result<(), Failure> {
        let mut made = SessionOptions::default();
        made.causal_consistency = body::flag(given, "causalConsistency");
        made.snapshot = body::flag(given, "snapshot");
        made.snapshot_time = match body::field(given, "snapshotTime") {
            None => None,
            Some(RawBsonRef::Timestamp(time)) if made.snapshot == Some(true) => Some(time),
            Some(RawBsonRef::Timestamp(_)) => {
                return Err(body::invalid("snapshotTime", "snapshotTime needs a session with snapshot"));
            }
            Some(_) => return Err(body::invalid("snapshotTime", "snapshotTime must be a Timestamp")),
        };
        made.default_transaction_options =
            body::document(given, "defaultTransactionOptions")?.map(concern::transaction).transpose()?;
        if made.causal_consistency == Some(true) && made.snapshot == Some(true) {
            return Err(body::invalid("causalConsistency", "a snapshot session must not be causally consistent"));
        }
        let mut open = self.open();
        if handle == 0 || open.contains_key(&handle) {
            return Err(body::invalid("handle", format!("session handle {handle} is in use")));
        }
        open.insert(handle, Arc::new(Entry { options: made, slot: Arc::default(), facts: Mutex::default() }));
        self.started.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A session that is open.
    pub(super) fn get(&self, handle: u32) -> Option<Arc<Entry>> {
        self.open().get(&handle).cloned()
    }

    /// Takes a session out; from now on it counts as ended.
    pub(super) fn remove(&self, handle: u32) -> Option<Arc<Entry>> {
        let entry = self.open().remove(&handle)?;
        self.ended.fetch_add(1, Ordering::Relaxed);
        if let Some(id) = entry.id() {
            let mut past = self.past();
            past.truncate(PAST - 1);
            past.push_front((handle, id));
        }
        Some(entry)
    }

    /// The server's id of a session, also of one that has ended lately.
    pub(super) fn id(&self, handle: u32) -> Option<Document> {
        if let Some(entry) = self.get(handle) {
            return entry.id();
        }
        self.past().iter().find(|(known, _)| *known == handle).map(|(_, id)| id.clone())
    }

    fn past(&self) -> MutexGuard<'_, VecDeque<(u32, Document)>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all out.
    pub(super) fn remove_all(&self) -> Vec<Arc<Entry>> {
        let all: Vec<_> = self.open().drain().map(|(_, entry)| entry).collect();
        self.ended.fetch_add(u64::try_from(all.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        all
    }

    /// Those with a transaction that has not ended.
    pub(super) fn in_transaction(&self) -> Vec<Arc<Entry>> {
        self.open().values().filter(|entry| entry.attempt().is_some_and(|attempt| attempt.is_open())).cloned().collect()
    }

    /// Started, ended and open ones.
    pub(super) fn counts(&self) -> (u64, u64, usize) {
        (self.started.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed), self.open().len())
    }
}

/// The failure for a handle that is not open.
pub(super) fn unknown(handle: u32) -> Failure {
    body::invalid("session", format!("session {handle} has ended or was never started"))
}

#[cfg(test)]
mod tests {
    use super::Sessions;
    use mongodb::bson::rawdoc;

    #[tokio::test]
    async fn operations_get_their_turn_in_the_order_of_submission() {
        let sessions = Sessions::default();
        sessions.add(7, &rawdoc! {}).unwrap();
        let entry = sessions.get(7).unwrap();
        let (first, second, third) = (entry.turn(), entry.turn(), entry.turn());
        assert!(first.is_ready() && !second.is_ready() && !third.is_ready());
        let order = std::sync::Mutex::new(Vec::new());
        let work = |name: u8, turn: super::Turn| {
            let order = &order;
            async move {
                let guard = turn.take().await;
                order.lock().unwrap().push(name);
                tokio::task::yield_now().await;
                drop(guard);
            }
        };
        tokio::join!(work(3, third), work(2, second), work(1, first));
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn started_ended_and_open_balance() {
        let sessions = Sessions::default();
        sessions.add(1, &rawdoc! {}).unwrap();
        sessions.add(2, &rawdoc! { "causalConsistency": false }).unwrap();
        assert!(sessions.add(2, &rawdoc! {}).is_err());
        assert!(sessions.add(3, &rawdoc! { "causalConsistency": true, "snapshot": true }).is_err());
        assert!(sessions.remove(1).is_some() && sessions.remove(1).is_none());
        assert_eq!(sessions.counts(), (2, 1, 1));
        assert_eq!(sessions.remove_all().len(), 1);
        assert_eq!(sessions.counts(), (2, 2, 0));
    }
}
