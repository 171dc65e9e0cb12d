//! The ledger: every command that has not been answered, and whether it was given to the network.
//!
//! Entries move `queue` → `flight` → gone. An entry in flight is *written* once its last byte was accepted by the kernel or the TLS writer; until then it
//! counts as not sent. Guarantees: an entry removed here can never be sent; a settled entry in flight (tombstone) is never sent again.
//! Pure: does no I/O, reads no clock.

mod loss;
mod session;
#[cfg(test)]
mod tests;

pub(super) use loss::{Loss, LossRule};

use super::command::{Entry, Flags, Origin};
use session::Session;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// Deadlines are served in steps of this size: one look at the ledger serves all of a step.
const STEP: Duration = Duration::from_millis(10);
/// Settled commands whose replies are still due: beyond this, or this age, the connection is replaced.
const TOMBSTONES: usize = 10_000;
/// Room for this many entries is kept when a burst is over.
const KEEP_ENTRIES: usize = 4096;
const TOMBSTONE_AGE: Duration = Duration::from_mins(1);

/// All unanswered commands of one client.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Refused for now by the server; go before the queue.
    again: VecDeque<Entry>,
    queue: VecDeque<Entry>,
    flight: VecDeque<Entry>,
    queued_bytes: usize,
    /// Stream positions of this connection: handed to the writer, and accepted by the network.
    taken: u64,
    written: u64,
    /// No deadline is before this.
    earliest: Option<Instant>,
    tombstones: usize,
    tombstoned_at: Option<Instant>,
    /// Transactions that lost their connection: members that still come are refused.
    broken: HashSet<i32>,
    session: Session,
    /// Blocking commands in flight.
    blocked: usize,
}

/// A command whose deadline passed.
#[derive(Debug)]
pub(super) struct Expired {
    /// Its number.
    pub seq: u32,
    /// Whether the server may have it.
    pub maybe_sent: bool,
    /// A blocking command: ends with null instead of an error.
    pub blocking: bool,
}

/// What a look at the deadlines found.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// Commands to settle.
    pub expired: Vec<Expired>,
    /// Whether the connection must be replaced: a partly written command or a blocking one expired.
    pub recycle: bool,
    /// How long ago a blocking command that the server has should have been answered: it hears nothing, or nobody hears it.
    pub deaf: Option<Duration>,
}

impl Ledger {
    /// An empty one; `unguarded` if an earlier client watched keys for the transaction that may come.
    pub(super) fn new(unguarded: bool) -> Self {
        Self { session: Session::after(unguarded), ..Self::default() }
    }

    /// Commands that wait to be sent.
    pub(super) fn queued(&self) -> usize {
        self.queue.len() + self.again.len()
    }

    /// Their bytes.
    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Commands sent, or about to be, without an answer.
    pub(super) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// The user's commands in flight and waiting, tombstones not counted; `blocking` ones only if asked for.
    pub(super) fn unsettled(&self, blocking: bool) -> usize {
        let counts = |entry: &&Entry| {
            entry.origin == Origin::User && !entry.settled && (blocking || !entry.flags.has(Flags::BLOCKING))
        };
        self.flight.iter().chain(&self.again).chain(&self.queue).filter(counts).count()
    }

    /// Whether a blocking command is in flight.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked > 0
    }

    /// Puts a command at the end of the queue.
    pub(super) fn enqueue(&mut self, entry: Entry) {
        self.watch(entry.deadline);
        self.watch(entry.expires);
        self.queued_bytes += entry.bytes.len();
        self.queue.push_back(entry);
    }

    /// A command that the server refused for now: goes before the queue.
    pub(super) fn enqueue_again(&mut self, entry: Entry) {
        self.watch(entry.deadline);
        self.queued_bytes += entry.bytes.len();
        self.again.push_back(entry);
    }

    /// The next command to send. What is sent again was called before the transaction that is on its way, and must not become part of it.
    pub(super) fn next(&self) -> Option<&Entry> {
        let again = if self.session.sent == 0 { self.again.front() } else { None };
        again.or_else(|| self.queue.front())
    }

    /// Takes the next command to send.
    pub(super) fn take(&mut self) -> Option<Entry> {
        let again = if self.session.sent == 0 { self.again.pop_front() } else { None };
        let entry = again.or_else(|| self.queue.pop_front())?;
        shrink(&mut self.queue);
        self.queued_bytes -= entry.bytes.len();
        Some(entry)
    }

    /// A command goes to the writer with `length` bytes.
    pub(super) fn launch(&mut self, mut entry: Entry, length: usize) {
        self.taken += length as u64;
        entry.end = self.taken;
        self.blocked += usize::from(entry.flags.has(Flags::BLOCKING));
        self.watch(entry.deadline);
        self.watch(entry.expires);
        self.follow_sent(&entry);
        self.flight.push_back(entry);
    }

    /// The network accepted `count` bytes.
    pub(super) fn wrote(&mut self, count: usize) {
        self.written += count as u64;
    }

    /// It did not, after all, accept the last `count` of them.
    pub(super) fn unwrote(&mut self, count: usize) {
        self.written = self.written.saturating_sub(count as u64);
    }

    /// The command whose reply is next.
    pub(super) fn front(&mut self) -> Option<&mut Entry> {
        self.flight.front_mut()
    }

    /// The reply of the oldest command came.
    pub(super) fn answered(&mut self) -> Option<Entry> {
        let entry = self.flight.pop_front()?;
        shrink(&mut self.flight);
        self.blocked -= usize::from(entry.flags.has(Flags::BLOCKING));
        if entry.settled {
            self.tombstones = self.tombstones.saturating_sub(1);
            // The age is that of the oldest one left: a server that answers late, but answers, keeps its connection.
            let oldest = self.flight.iter().find(|entry| entry.settled).filter(|_| self.tombstones > 0);
            self.tombstoned_at = oldest.and_then(|entry| entry.deadline.into_iter().chain(entry.expires).min());
        }
        Some(entry)
    }

    /// When to look at the deadlines next.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let tombstones = self.tombstoned_at.map(|at| at + TOMBSTONE_AGE);
        let deadlines = self.earliest.map(|at| at + STEP / 10);
        [tombstones, deadlines].into_iter().flatten().min()
    }

    /// Settles what is overdue. Commands not sent are removed; with one member of an unsent group goes the whole group.
    pub(super) fn expire(&mut self, now: Instant) -> Expiry {
        let mut expiry = Expiry::default();
        if self.tombstones > TOMBSTONES || self.tombstoned_at.is_some_and(|at| at + TOMBSTONE_AGE <= now) {
            expiry.recycle = true;
        }
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return expiry;
        }
        let mut groups = self.expire_waiting(now, &mut expiry);
        groups.extend(self.expire_flight(now, &mut expiry));
        // Whoever was told that a member failed need not end the transaction, and what comes next must not become part of it.
        expiry.recycle |= groups.iter().any(|group| self.stays_open(*group));
        let flying = self.flight.iter().filter(|entry| !entry.settled);
        let unsettled = flying.chain(&self.again).chain(&self.queue);
        self.earliest = unsettled.flat_map(|entry| [entry.deadline, entry.expires]).flatten().min();
        expiry
    }

    fn expire_waiting(&mut self, now: Instant, expiry: &mut Expiry) -> HashSet<i32> {
        let has_passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let is_over = |entry: &Entry| has_passed(entry.deadline) || has_passed(entry.expires);
        let both = || self.again.iter().chain(&self.queue);
        let groups: HashSet<i32> =
            both().filter(|entry| entry.group != 0 && is_over(entry)).map(|entry| entry.group).collect();
        let queued_bytes = &mut self.queued_bytes;
        let mut keep = |entry: &Entry| {
            let over = is_over(entry) || groups.contains(&entry.group);
            if over {
                *queued_bytes -= entry.bytes.len();
                let blocking = has_passed(entry.expires);
                expiry.expired.push(Expired { seq: entry.seq, maybe_sent: entry.sent_before, blocking });
            }
            !over
        };
        self.again.retain(&mut keep);
        self.queue.retain(&mut keep);
        groups
    }

    fn expire_flight(&mut self, now: Instant, expiry: &mut Expiry) -> HashSet<i32> {
        let mut groups = HashSet::new();
        for entry in self.flight.iter_mut().filter(|entry| !entry.settled) {
            let blocking = entry.expires.is_some_and(|at| at <= now);
            if !blocking && entry.deadline.is_none_or(|deadline| deadline > now) {
                continue;
            }
            let written = entry.end <= self.written;
            let maybe_sent = written || entry.sent_before;
            // The late reply of a blocking command would be an element that nobody gets.
            expiry.recycle |= blocking || entry.flags.has(Flags::BLOCKING) || !written;
            if let Some(at) = entry.expires.filter(|at| written && *at <= now) {
                expiry.deaf = expiry.deaf.max(Some(now - at));
            }
            entry.settled = true;
            self.tombstones += 1;
            self.tombstoned_at.get_or_insert(now);
            if entry.origin == Origin::User {
                groups.insert(entry.group);
                expiry.expired.push(Expired { seq: entry.seq, maybe_sent, blocking });
            }
        }
        groups
    }

    /// The connection's replies cannot be understood: settles what was written, so that it is not sent again, and hands out the user's.
    pub(super) fn abandon_written(&mut self) -> Vec<Loss> {
        let written = self.written;
        let unanswered = self.flight.iter_mut().filter(|entry| entry.end <= written && !entry.settled);
        unanswered
            .filter_map(|entry| {
                entry.settled = true;
                (entry.origin == Origin::User).then(|| Loss::of(entry, false, true))
            })
            .collect()
    }

    /// Whether a member of this group stands inside a transaction: what comes next of its group is EXEC or DISCARD, not another MULTI.
    pub(super) fn is_in_transaction(&self, entry: &Entry) -> bool {
        let marks = Flags(Flags::MULTI.0 | Flags::EXEC.0);
        let behind = self.flight.iter().chain(&self.again).chain(&self.queue);
        let next =
            behind.filter(|other| other.group == entry.group && other.flags.has(marks)).map(|other| other.flags).next();
        entry.group != 0 && (entry.flags.has(marks) || next.is_some_and(|flags| flags.has(Flags::EXEC)))
    }

    /// Settles everything: hands out the user's commands.
    pub(super) fn clear(&mut self) -> Vec<Loss> {
        let written = self.written;
        let flight = std::mem::take(&mut self.flight);
        let waiting = std::mem::take(&mut self.again).into_iter().chain(std::mem::take(&mut self.queue));
        let out = flight
            .into_iter()
            .map(|entry| (entry.end <= written || entry.sent_before, entry))
            .chain(waiting.map(|entry| (entry.sent_before, entry)))
            .filter(|(_, entry)| entry.origin == Origin::User && !entry.settled)
            .map(|(maybe_sent, entry)| Loss::of(&entry, false, maybe_sent))
            .collect();
        let (broken, session) = (std::mem::take(&mut self.broken), std::mem::take(&mut self.session));
        *self = Self { broken, session, ..Self::default() };
        out
    }

    /// The database of the last SELECT that may still succeed.
    pub(super) fn last_database(&self) -> Option<u32> {
        let selects = |entry: &&Entry| entry.origin == Origin::User && !entry.settled && entry.flags.has(Flags::SELECT);
        self.flight.iter().chain(&self.again).chain(&self.queue).filter(selects).last().map(|entry| entry.db)
    }

    /// A database that could not be selected: what waits for it runs in the old one.
    pub(super) fn move_database(&mut self, from: u32, to: u32) {
        for entry in self.queue.iter_mut().chain(&mut self.again).chain(&mut self.flight) {
            if entry.db == from && !entry.flags.has(Flags::SELECT) {
                entry.db = to;
            }
        }
    }

    fn watch(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.earliest = Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        }
    }
}

/// Gives back what a burst took, once it is over.
fn shrink(entries: &mut VecDeque<Entry>) {
    if entries.is_empty() && entries.capacity() > KEEP_ENTRIES {
        entries.shrink_to(KEEP_ENTRIES);
    }
}
