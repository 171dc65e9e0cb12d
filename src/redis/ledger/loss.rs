//! What becomes of each command when its connection is lost: kept, sent again, or settled.
//!
//! The table is in `docs/redis.md`, "After a lost connection". Order is preserved: what is sent again goes before what waits.

use super::Ledger;
use crate::redis::command::{Entry, Flags, Origin};
use crate::redis::options::Resend;
use std::collections::{HashMap, VecDeque};

/// Groups remembered as broken; the members of an older one have long been refused.
const BROKEN_LIMIT: usize = 4096;

/// How to decide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LossRule {
    /// What is sent again.
    pub resend: Resend,
    /// Whether `safe` sends blocking commands again.
    pub resend_blocking: bool,
}

/// A command settled by the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Its number.
    pub seq: u32,
    /// `Command aborted ..` instead of `Connection is closed.`.
    pub aborted: bool,
    /// Whether the server may have it.
    pub maybe_sent: bool,
    /// QUIT: has what it wanted.
    pub quits: bool,
}

impl Loss {
    pub(super) fn of(entry: &Entry, aborted: bool, maybe_sent: bool) -> Self {
        Self { seq: entry.seq, aborted, maybe_sent, quits: entry.flags.has(Flags::QUIT) }
    }
}

/// What is known of a pipeline or transaction.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a group")]
struct Group {
    /// Its first members were answered already, or settled by a deadline.
    begun: bool,
    written: bool,
    safe: bool,
    multi: bool,
    /// EXEC is there.
    whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Abort,
    Close,
}

impl Ledger {
    /// The connection is gone. Commands that are sent again are at the front of the queue afterwards; the others are settled.
    pub(crate) fn lose(&mut self, rule: LossRule) -> Vec<Loss> {
        if self.broken.len() > BROKEN_LIMIT {
            self.broken.clear();
        }
        let groups = self.groups();
        let fates: HashMap<i32, Fate> = groups.iter().map(|(id, group)| (*id, group_fate(group, rule))).collect();
        for (id, group) in &groups {
            // Members that still come, of a transaction or of a pipeline flushed in parts, must not run without the others.
            if !group.whole && fates.get(id) == Some(&Fate::Abort) {
                self.broken.insert(*id);
            }
        }
        let written = self.written;
        let mut losses = Vec::new();
        let mut kept: VecDeque<Entry> = std::mem::take(&mut self.again);
        for mut entry in std::mem::take(&mut self.flight) {
            if entry.origin != Origin::User || entry.settled {
                continue;
            }
            let written = entry.end <= written;
            let fate = match fates.get(&entry.group).filter(|_| entry.group != 0) {
                Some(fate) => *fate,
                None if written => single_fate(&entry, rule),
                None => Fate::Keep,
            };
            entry.sent_before |= written;
            if fate == Fate::Keep {
                (entry.expires, entry.left, entry.as_eval) = (None, 0, false);
                self.queued_bytes += entry.bytes.len();
                self.watch(entry.deadline);
                kept.push_back(entry);
            } else {
                losses.push(Loss::of(&entry, fate == Fate::Abort, entry.sent_before));
            }
        }
        for entry in std::mem::take(&mut self.queue) {
            if entry.group != 0 && fates.get(&entry.group) == Some(&Fate::Abort) {
                self.queued_bytes -= entry.bytes.len();
                losses.push(Loss::of(&entry, true, entry.sent_before));
            } else {
                kept.push_back(entry);
            }
        }
        self.queue = kept;
        self.session = self.session.lost();
        self.lose_unguarded(&mut losses);
        (self.taken, self.written, self.tombstones, self.tombstoned_at, self.blocked) = (0, 0, 0, None, 0);
        losses
    }

    /// The groups that have members in flight, and the one whose transaction is open.
    fn groups(&self) -> HashMap<i32, Group> {
        let mut groups: HashMap<i32, Group> = HashMap::new();
        if self.session.open != 0 {
            let open = Group { begun: true, written: true, multi: true, ..Group::default() };
            groups.insert(self.session.open, open);
        }
        let grouped = |entry: &&Entry| entry.group != 0 && entry.origin == Origin::User;
        for entry in self.flight.iter().filter(grouped) {
            // The first member in flight tells whether earlier ones were answered.
            let group = groups.entry(entry.group).or_insert_with(|| Group {
                begun: entry.index > 0,
                safe: true,
                ..Group::default()
            });
            group.begun |= entry.settled;
            group.written |= entry.end <= self.written;
            note(group, entry);
        }
        for entry in self.queue.iter().chain(&self.again).filter(grouped) {
            if let Some(group) = groups.get_mut(&entry.group) {
                note(group, entry);
            }
        }
        groups
    }
}

fn note(group: &mut Group, entry: &Entry) {
    group.safe &= entry.flags.is_safe();
    group.whole |= entry.flags.has(Flags::EXEC);
    group.multi |= entry.flags.has(Flags(Flags::MULTI.0 | Flags::EXEC.0));
}

fn group_fate(group: &Group, rule: LossRule) -> Fate {
    let broken = group.begun || (group.multi && !group.whole);
    match rule.resend {
        _ if !group.written => Fate::Keep,
        Resend::None => Fate::Abort,
        _ if broken => Fate::Abort,
        Resend::All => Fate::Keep,
        Resend::Safe if group.safe && !group.multi => Fate::Keep,
        Resend::Safe => Fate::Abort,
    }
}

fn single_fate(entry: &Entry, rule: LossRule) -> Fate {
    let blocking = entry.flags.has(Flags::BLOCKING);
    let again = match rule.resend {
        Resend::All => true,
        Resend::Safe => {
            entry.flags.is_safe() || (blocking && rule.resend_blocking) || entry.flags.has(Flags::SUBSCRIBE)
        }
        Resend::None => false,
    };
    if again && !entry.flags.has(Flags::QUIT) { Fate::Keep } else { Fate::Close }
}
