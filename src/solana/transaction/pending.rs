//! Transactions on their way: who waits for which signature, what was seen of it, what has to go out again and when. One table for the whole pool, so that ten
//! thousand of them cost ten thousand entries and not as many tasks. Does no I/O: `follow.rs` and `expiry.rs` ask, and write down here what they learn.

use crate::lifecycle::Unconfirmed;
use crate::solana::endpoint::slot::Commitment;
use crate::solana::transaction::status::SignatureStatus;
use crate::solana::transaction::wire::SignedTransaction;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::Instant;

/// How often the bytes go out again, +- 20 %.
const REPEAT: Duration = Duration::from_secs(2);
/// Without a last valid block height, a blockhash is not asked about before this: most transactions have landed by then.
const UNDISTURBED: Duration = Duration::from_secs(5);
/// Repetitions in flight, at most.
const REPEATS: usize = 128;

/// A durable nonce: the transaction lives until the account holds another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::solana) struct Nonce {
    /// The nonce account.
    pub account: String,
    /// The value that the transaction was signed with.
    pub value: String,
}

/// What a follower wants.
pub(in crate::solana) struct Wanted {
    pub signature: String,
    /// The bytes, when they are to be repeated.
    pub transaction: Option<Arc<SignedTransaction>>,
    pub commitment: Commitment,
    pub last_valid: Option<u64>,
    pub nonce: Option<Nonce>,
    pub fanout: usize,
    /// A node that is not past this slot cannot know whether the lifetime is over.
    pub floor: Option<u64>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::solana) enum End {
    Seen(SignatureStatus),
    Expired,
}

/// A signature that nobody has seen, and what decides whether it still can land.
#[derive(Clone)]
pub(in crate::solana) struct Unseen {
    pub signature: Arc<str>,
    pub last_valid: Option<u64>,
    pub nonce: Option<Arc<Nonce>>,
    pub transaction: Option<Arc<SignedTransaction>>,
    pub floor: u64,
}

/// The table.
pub(in crate::solana) struct Pending {
    table: Mutex<Table>,
    idle: Notify,
    /// Permits of repetitions in flight.
    pub(in crate::solana) repeats: Arc<Semaphore>,
    /// The last believed block height of each endpoint.
    pub(in crate::solana) heights: Mutex<HashMap<String, (u64, Instant)>>,
    /// Until when no websocket is tried.
    pub(in crate::solana) deaf_until: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Table {
    entries: BTreeMap<Arc<str>, Entry>,
    due: BTreeSet<(Instant, Arc<str>)>,
    /// Where the next round of statuses begins.
    cursor: Option<Arc<str>>,
    /// Followers of all entries.
    waiting: usize,
    driven: bool,
    next_id: u64,
}

#[derive(Default)]
struct Entry {
    transaction: Option<Arc<SignedTransaction>>,
    followers: Vec<Follower>,
    /// Sends that run without a follower.
    held: u32,
    last_valid: Option<u64>,
    nonce: Option<Arc<Nonce>>,
    fanout: usize,
    floor: Option<u64>,
    ask_from: Option<Instant>,
    seen: Option<SignatureStatus>,
    due: Option<Instant>,
}

struct Follower {
    id: u64,
    commitment: Commitment,
    tell: oneshot::Sender<End>,
}

/// A place in the table. Dropping it ends the following.
pub(in crate::solana) struct Following {
    pending: Arc<Pending>,
    /// Which transaction.
    pub signature: Arc<str>,
    /// What it waits for.
    pub commitment: Commitment,
    id: u64,
    end: oneshot::Receiver<End>,
}

/// A send that runs. Dropping it takes its transaction out of the table, unless it is followed.
pub(in crate::solana) struct Held<'a> {
    pending: &'a Pending,
    signature: Arc<str>,
}

impl Default for Pending {
    fn default() -> Self {
        let repeats = Arc::new(Semaphore::new(REPEATS));
        Self {
            table: Mutex::default(),
            idle: Notify::new(),
            repeats,
            heights: Mutex::default(),
            deaf_until: Mutex::default(),
        }
    }
}

impl Pending {
    /// Notes a send that nobody follows, so that a close can name it.
    pub(in crate::solana) fn hold(&self, transaction: &Arc<SignedTransaction>) -> Held<'_> {
        let signature: Arc<str> = transaction.signature.as_str().into();
        let mut table = self.table();
        let entry = table.entries.entry(Arc::clone(&signature)).or_default();
        entry.held += 1;
        entry.transaction.get_or_insert_with(|| Arc::clone(transaction));
        drop(table);
        Held { pending: self, signature }
    }

    /// Takes a place for a follower. True: somebody must drive the table from now on.
    pub(in crate::solana) fn follow(self: &Arc<Self>, wanted: Wanted) -> (Following, bool) {
        let (tell, end) = oneshot::channel();
        let signature: Arc<str> = wanted.signature.into();
        let mut table = self.table();
        let id = table.next_id;
        table.next_id += 1;
        let entry = table.entries.entry(Arc::clone(&signature)).or_default();
        entry.followers.push(Follower { id, commitment: wanted.commitment, tell });
        entry.transaction = wanted.transaction.or_else(|| entry.transaction.take());
        // Two followers may know different things: the later end counts.
        entry.last_valid = entry.last_valid.max(wanted.last_valid);
        entry.nonce = wanted.nonce.map(Arc::new).or_else(|| entry.nonce.take());
        entry.fanout = entry.fanout.max(wanted.fanout);
        entry.floor = entry.floor.max(wanted.floor);
        entry.ask_from.get_or_insert_with(|| Instant::now() + UNDISTURBED);
        table.waiting += 1;
        let start = !std::mem::replace(&mut table.driven, true);
        drop(table);
        (Following { pending: Arc::clone(self), signature, commitment: wanted.commitment, id, end }, start)
    }

    /// Resolves when nobody follows anything any more.
    pub(in crate::solana) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.table().waiting == 0 {
                return;
            }
            idle.await;
        }
    }

    /// How many followers there are.
    pub(in crate::solana) fn waiting(&self) -> usize {
        self.table().waiting
    }

    /// Lets the driver end. False: a follower came in the meantime.
    pub(in crate::solana) fn rest(&self) -> bool {
        let mut table = self.table();
        table.driven = table.waiting > 0;
        !table.driven
    }

    /// The bytes go out again from `at` on.
    pub(in crate::solana) fn repeat_from(&self, signature: &str, at: Instant) {
        let mut table = self.table();
        if let Some((key, entry)) = table.entries.get_key_value(signature)
            && entry.due.is_none()
            && entry.transaction.is_some()
        {
            let key = Arc::clone(key);
            table.schedule(&key, Some(at));
        }
    }

    /// Asks about its lifetime with the next look: a node said that the blockhash is not there.
    pub(in crate::solana) fn doubt(&self, signature: &str) {
        if let Some(entry) = self.table().entries.get_mut(signature) {
            entry.ask_from = Some(Instant::now());
        }
    }

    /// Whether something is due.
    pub(in crate::solana) fn has_due(&self, now: Instant) -> bool {
        self.table().due.first().is_some_and(|(at, _)| *at <= now)
    }

    /// The next bytes to repeat and to how many endpoints; they come again after two seconds. What was seen is not repeated.
    pub(in crate::solana) fn next_due(&self, now: Instant) -> Option<(Arc<SignedTransaction>, usize)> {
        let mut table = self.table();
        loop {
            let (_, signature) = table.due.first().filter(|(at, _)| *at <= now).cloned()?;
            table.schedule(&signature, Some(now + jittered(REPEAT)));
            let entry = table.entries.get(&signature).filter(|entry| entry.seen.is_none());
            if let Some(Some(transaction)) = entry.map(|entry| entry.transaction.as_ref()) {
                return Some((Arc::clone(transaction), entry.map_or(1, |entry| entry.fanout)));
            }
        }
    }

    /// The next signatures to ask for, at most `most`; every one has its turn.
    pub(in crate::solana) fn round(&self, most: usize) -> Vec<Arc<str>> {
        let mut table = self.table();
        let from = table.cursor.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let after = table.entries.range::<Arc<str>, _>((from.clone(), Bound::Unbounded));
        let upto = match from {
            Bound::Excluded(cursor) => {
                Some(table.entries.range::<Arc<str>, _>((Bound::Unbounded, Bound::Included(cursor))))
            }
            _ => None,
        };
        let all = after.chain(upto.into_iter().flatten());
        let followed = all.filter(|(_, entry)| !entry.followers.is_empty()).map(|(signature, _)| Arc::clone(signature));
        let round: Vec<_> = followed.take(most).collect();
        table.cursor = round.last().cloned();
        round
    }

    /// What a look found. Those who have what they wait for are told; what was seen before and is not any more is pending again.
    pub(in crate::solana) fn saw(&self, signature: &str, status: Option<SignatureStatus>) {
        let mut table = self.table();
        let Some(entry) = table.entries.get_mut(signature) else { return };
        entry.seen = status;
        if let Some(status) = entry.seen.clone() {
            table.tell(signature, |follower| follower.commitment <= status.commitment, &End::Seen(status.clone()));
        }
        self.after(table);
    }

    /// It can no longer land.
    pub(in crate::solana) fn expired(&self, signature: &str) {
        let mut table = self.table();
        table.tell(signature, |_| true, &End::Expired);
        self.after(table);
    }

    /// What was last seen of it.
    pub(in crate::solana) fn seen(&self, signature: &str) -> Option<SignatureStatus> {
        self.table().entries.get(signature).and_then(|entry| entry.seen.clone())
    }

    /// All followed ones that nobody has seen and whose lifetime may be over. `best`: the floor of those that have none yet.
    pub(in crate::solana) fn unseen(&self, now: Instant, best: Option<u64>) -> Vec<Unseen> {
        let mut found = Vec::new();
        for (signature, entry) in &mut self.table().entries {
            entry.floor = entry.floor.or(best);
            let quiet = entry.last_valid.is_none() && entry.ask_from.is_some_and(|at| at > now);
            let (false, Some(floor)) = (quiet || entry.seen.is_some() || entry.followers.is_empty(), entry.floor)
            else {
                continue;
            };
            found.push(Unseen {
                signature: Arc::clone(signature),
                last_valid: entry.last_valid,
                nonce: entry.nonce.clone(),
                transaction: entry.transaction.clone(),
                floor,
            });
        }
        found
    }

    /// A node at `slot` said that it is still alive: any node at or past that slot may say that it no longer is.
    pub(in crate::solana) fn alive_at(&self, signature: &str, slot: u64) {
        if let Some(entry) = self.table().entries.get_mut(signature) {
            entry.floor = entry.floor.map(|floor| floor.min(slot));
        }
    }

    /// Everything whose end is not known.
    pub(in crate::solana) fn unconfirmed(&self) -> Vec<Unconfirmed> {
        let table = self.table();
        let bytes = |entry: &Entry| entry.transaction.as_ref().map(|transaction| transaction.bytes.to_vec());
        let all = table.entries.iter();
        all.map(|(signature, entry)| Unconfirmed { signature: signature.to_string(), bytes: bytes(entry) }).collect()
    }

    fn after(&self, table: MutexGuard<'_, Table>) {
        if table.waiting == 0 {
            self.idle.notify_waiters();
        }
        drop(table);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn schedule(&mut self, signature: &Arc<str>, at: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(signature) else { return };
        if let Some(before) = std::mem::replace(&mut entry.due, at) {
            self.due.remove(&(before, Arc::clone(signature)));
        }
        if let Some(at) = at {
            self.due.insert((at, Arc::clone(signature)));
        }
    }

    fn tell(&mut self, signature: &str, whom: impl Fn(&Follower) -> bool, end: &End) {
        let Some(entry) = self.entries.get_mut(signature) else { return };
        let (told, kept): (Vec<_>, Vec<_>) = entry.followers.drain(..).partition(whom);
        entry.followers = kept;
        self.waiting -= told.len();
        for follower in told {
            // Who has gone needs no answer.
            drop(follower.tell.send(end.clone()));
        }
        self.tidy(signature);
    }

    /// Forgets an entry that nobody needs any more.
    fn tidy(&mut self, signature: &str) {
        let Some((key, entry)) = self.entries.get_key_value(signature) else { return };
        if !entry.followers.is_empty() {
            return;
        }
        let (key, held) = (Arc::clone(key), entry.held > 0);
        self.schedule(&key, None);
        if !held {
            self.entries.remove(&key);
        }
    }
}

impl Following {
    /// Its end; never, once the table is gone.
    pub(in crate::solana) async fn end(&mut self) -> End {
        match (&mut self.end).await {
            Ok(end) => end,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut table = self.pending.table();
        if let Some(entry) = table.entries.get_mut(&self.signature) {
            let before = entry.followers.len();
            entry.followers.retain(|follower| follower.id != self.id);
            let gone = before - entry.followers.len();
            table.waiting -= gone;
        }
        table.tidy(&self.signature);
        self.pending.after(table);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut table = self.pending.table();
        if let Some(entry) = table.entries.get_mut(&self.signature) {
            entry.held = entry.held.saturating_sub(1);
        }
        table.tidy(&self.signature);
    }
}

fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.8 + 0.4 * fastrand::f64())
}
