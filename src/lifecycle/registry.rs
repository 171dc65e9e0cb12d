//! What an environment has open. The truth lives here, not in TypeScript modules, which Jest resets.

use super::State;
use crate::retry::Deadline;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What kind of thing is open; also the order of closing, see `shutdown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An RPC pool.
    Solana,
    /// A Redis client.
    Redis,
    /// A MongoDB client.
    Mongo,
}

impl Kind {
    /// The room's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Solana => "solana",
            Self::Redis => "redis",
            Self::Mongo => "mongo",
        }
    }
}

/// A transaction whose end was not known when its pool closed. The same bytes may be sent again at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconfirmed {
    /// Its signature.
    pub signature: String,
    /// Its bytes; `None` when only the signature was followed.
    pub bytes: Option<Vec<u8>>,
}

/// How closing one thing went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloseSummary {
    /// Operations that finished by themselves while draining.
    pub drained: u32,
    /// Operations that were cut at the deadline.
    pub aborted: u32,
    /// Transactions that were still followed or being sent then.
    pub unconfirmed: Vec<Unconfirmed>,
}

impl CloseSummary {
    /// A summary of operations alone.
    pub fn of(drained: u32, aborted: u32) -> Self {
        Self { drained, aborted, unconfirmed: Vec::new() }
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.drained = self.drained.saturating_add(other.drained);
        self.aborted = self.aborted.saturating_add(other.aborted);
        self.unconfirmed.extend(other.unconfirmed);
        self
    }
}

/// The future of a close; never fails, always ends by its deadline.
pub type CloseFuture = Pin<Box<dyn Future<Output = CloseSummary> + Send>>;

/// Something that holds connections.
pub trait Managed: Send + Sync {
    /// Its kind.
    fn kind(&self) -> Kind;
    /// A name for reports, without secrets.
    fn name(&self) -> String;
    /// Its state.
    fn state(&self) -> State;
    /// Operations in flight, for reports.
    fn in_flight(&self) -> u32;
    /// Finishes work that must end before others close (transactions), up to the deadline. Does not close.
    fn drain(&self, deadline: Deadline) -> CloseFuture;
    /// Drains and closes by the deadline. Idempotent, joins a close under way.
    fn close(&self, deadline: Deadline) -> CloseFuture;
    /// Gives up at once, without waiting and without calling JavaScript: the environment is going away.
    fn abandon(&self);
}

/// The open things of one environment.
#[derive(Default)]
pub struct Registry {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    next: u64,
    open: BTreeMap<u64, Arc<dyn Managed>>,
    gone: bool,
}

/// Keeps something registered; dropping it removes the entry.
pub struct Registration {
    registry: Weak<Registry>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.lock().open.remove(&self.id);
        }
    }
}

impl Registry {
    /// Adds something open. `None` when the environment is already going away: the caller must not open it.
    pub fn register(self: &Arc<Self>, managed: Arc<dyn Managed>) -> Option<Registration> {
        let mut entries = self.lock();
        if entries.gone {
            return None;
        }
        entries.next += 1;
        let id = entries.next;
        entries.open.insert(id, managed);
        Some(Registration { registry: Arc::downgrade(self), id })
    }

    /// What is open, oldest first. Something that has closed but is not yet removed does not count.
    pub fn open(&self) -> Vec<Arc<dyn Managed>> {
        let all: Vec<_> = self.lock().open.values().cloned().collect();
        all.into_iter().filter(|managed| managed.state() != State::Closed).collect()
    }

    /// What is open of one kind, oldest first.
    pub fn of_kind(&self, kind: Kind) -> Vec<Arc<dyn Managed>> {
        self.open().into_iter().filter(|managed| managed.kind() == kind).collect()
    }

    /// The environment goes away: abandons everything and refuses new entries.
    pub fn abandon(&self) {
        let open = {
            let mut entries = self.lock();
            entries.gone = true;
            std::mem::take(&mut entries.open)
        };
        for managed in open.values() {
            managed.abandon();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
