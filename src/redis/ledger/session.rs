//! What a server keeps for one connection between commands: an open transaction and watched keys. Both are gone with the connection, so that what
//! relies on them must not run on another one.

use super::Ledger;
use super::loss::Loss;
use crate::redis::command::{Entry, Flags};

/// As far as replies have told.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The group whose MULTI was answered and whose EXEC was not; 0 none.
    pub(super) open: i32,
    /// The group whose MULTI was sent and whose EXEC was not; 0 none.
    pub(super) sent: i32,
    /// Keys are watched.
    pub(super) watching: bool,
    /// Keys were watched by a connection that was lost: the next transaction was to depend on them.
    unguarded: bool,
}

impl Session {
    /// Of a client that goes on where an ended one stopped: `unguarded` if keys were watched by that.
    pub(super) fn after(unguarded: bool) -> Self {
        Self { unguarded, ..Self::default() }
    }

    /// After the connection.
    pub(super) fn lost(&self) -> Self {
        Self { open: 0, sent: 0, watching: false, unguarded: self.unguarded || self.watching }
    }

    /// Whether this command begins the transaction that must not run. It or one that does without the old watch ends the matter.
    fn decides(&mut self, entry: &Entry) -> bool {
        let settles = Flags(Flags::MULTI.0 | Flags::EXEC.0 | Flags::WATCH.0 | Flags::UNWATCH.0);
        let decides = self.unguarded && entry.flags.has(settles);
        self.unguarded &= !decides;
        decides && entry.flags.has(Flags::MULTI)
    }
}

impl Ledger {
    /// Whether keys were watched that no connection watches any more, once this one has gone: the next transaction must not run.
    pub(crate) fn loses_watch(&self) -> bool {
        self.session.lost().unguarded
    }

    /// A command is on its way.
    pub(super) fn follow_sent(&mut self, entry: &Entry) {
        if entry.flags.has(Flags::MULTI) {
            self.session.sent = entry.group;
        } else if entry.flags.has(Flags::EXEC) {
            self.session.sent = 0;
        }
    }

    /// A reply to the user's command came; `error` if it is one.
    pub(crate) fn follow(&mut self, entry: &Entry, error: Option<&[u8]>) {
        let (flags, session) = (entry.flags, &mut self.session);
        if flags.has(Flags::MULTI) && error.is_some() {
            // Refused: one that was open before is the open one still.
            session.sent = session.open;
        } else if flags.has(Flags::MULTI) {
            session.open = entry.group;
        } else if flags.has(Flags::EXEC) {
            session.open = 0;
            // Whatever became of it, nothing is watched any more, unless there was no transaction.
            session.watching &= error.is_some_and(|error| !error.starts_with(b"EXECABORT"));
        } else if flags.has(Flags::WATCH) && error.is_none() {
            session.watching = true;
        } else if flags.has(Flags::UNWATCH) {
            session.watching = false;
        }
    }

    /// Whether this transaction lost its connection, or the keys that it was to depend on; forgets it with its last member.
    pub(crate) fn is_broken(&mut self, entry: &Entry) -> bool {
        if self.session.decides(entry) {
            self.broken.insert(entry.group);
        }
        if self.broken.is_empty() || !self.broken.contains(&entry.group) {
            return false;
        }
        if entry.flags.has(Flags::EXEC) {
            self.broken.remove(&entry.group);
        }
        true
    }

    /// Takes the transaction out of the queue that was to depend on keys whose watch is gone.
    pub(super) fn lose_unguarded(&mut self, losses: &mut Vec<Loss>) {
        let session = &mut self.session;
        let Some(group) = self.queue.iter().find(|entry| session.decides(entry)).map(|entry| entry.group) else {
            return;
        };
        let mut whole = false;
        let queued_bytes = &mut self.queued_bytes;
        self.queue.retain(|entry| {
            if entry.group != group || whole {
                return true;
            }
            whole = entry.flags.has(Flags::EXEC);
            *queued_bytes -= entry.bytes.len();
            losses.push(Loss::of(entry, true, entry.sent_before));
            false
        });
        if !whole {
            self.broken.insert(group);
        }
    }

    /// Takes the members of this command's transaction that wait out of the queue: their numbers, and whether they may have been sent. Those that still
    /// come are refused.
    pub(crate) fn give_up_transaction(&mut self, entry: &Entry) -> Vec<(u32, bool)> {
        let group = entry.group;
        let begins = |other: &Entry| other.group == group && other.flags.has(Flags::MULTI);
        let begun = self.session.open == group || self.flight.iter().chain(&self.queue).chain([entry]).any(begins);
        if group == 0 || !begun {
            return Vec::new();
        }
        if !entry.flags.has(Flags::EXEC) {
            self.broken.insert(group);
        }
        let mut given_up = Vec::new();
        let queued_bytes = &mut self.queued_bytes;
        self.queue.retain(|other| {
            let keeps = other.group != group;
            if !keeps {
                *queued_bytes -= other.bytes.len();
                given_up.push((other.seq, other.sent_before));
            }
            keeps
        });
        given_up
    }

    /// Whether the server keeps this group's transaction open, and nothing that ends it is on its way.
    pub(crate) fn stays_open(&self, group: i32) -> bool {
        let of_group = |entry: &&Entry| entry.group == group;
        let begun =
            self.session.open == group || self.flight.iter().filter(of_group).any(|e| e.flags.has(Flags::MULTI));
        let mut members = self.flight.iter().chain(&self.again).chain(&self.queue).filter(of_group);
        group != 0 && begun && !members.any(|entry| entry.flags.has(Flags::EXEC))
    }
}
