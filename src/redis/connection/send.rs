//! Commands on their way out: accepted, refused, held, and handed to the writer in order.

use super::{Databases, Machine, Phase, Quit};
use crate::redis::command::{Entry, Flags, Origin, Submission, arguments};
use crate::redis::error::WireError;
use crate::redis::options::millis;
use crate::redis::reply::token;
use std::time::Duration;
use tokio::time::Instant;

/// The writer is given about this much at once.
const WRITE_BYTES: usize = 64 * 1024;
/// Beyond this much waiting, a ready connection counts as offline for new commands.
const WRITE_HIGH: usize = 16 * 1024 * 1024;

impl Machine {
    /// Takes what a flush handed over.
    pub(crate) fn ingest(&mut self, submission: Submission, now: Instant) {
        let first = self.next_seq;
        for entry in submission.entries(first) {
            self.next_seq = entry.seq.wrapping_add(1);
            if self.phase == Phase::Idle && !self.closing {
                self.begin();
            }
            self.admit(entry, now);
        }
    }

    fn admit(&mut self, mut entry: Entry, now: Instant) {
        if self.phase == Phase::Ended || self.closing {
            if entry.flags.has(Flags::QUIT) {
                // Called before JavaScript knew of the end.
                return self.out.answer(entry.seq, token::SIMPLE, b"OK");
            }
            let error = self.unresolved.clone().unwrap_or(WireError::Closed { lost: false });
            return self.refuse(entry.seq, error);
        }
        if self.ledger.is_broken(&entry) {
            return self.refuse(entry.seq, WireError::Aborted);
        }
        let ready = self.is_ready();
        if entry.flags.has(Flags::QUIT) && !ready && self.ledger.queued() + self.ledger.in_flight() == 0 {
            self.disconnect(false, now);
            return self.out.answer(entry.seq, token::SIMPLE, b"OK");
        }
        let early =
            entry.flags.has(Flags::LOADING) && matches!(self.phase, Phase::Handshaking { .. } | Phase::Loading { .. });
        if !ready && !early && !self.options.enable_offline_queue {
            return self.refuse(entry.seq, WireError::OfflineDisabled);
        }
        if (!ready || self.ledger.queued_bytes() > WRITE_HIGH) && self.is_full() {
            return self.refuse_full(&entry, now);
        }
        if entry.flags.has(Flags::SELECT) {
            self.databases.expected = database_of(&entry).unwrap_or(self.databases.expected);
        }
        entry.db = self.databases.expected;
        if entry.flags.has(Flags::QUIT) {
            self.quit = Some(Quit { seq: entry.seq, until: if ready { None } else { self.quit_until(now) } });
        }
        if !ready && entry.flags.has(Flags(Flags::BLOCKING.0 | Flags::MAY_BLOCK.0)) {
            entry.expires = millis(self.options.blocking_timeout_ms).map(|wait| now + wait);
        }
        self.ledger.enqueue(entry);
    }

    /// A transaction that does not fit is refused as a whole: without its EXEC it would swallow what comes after it.
    fn refuse_full(&mut self, entry: &Entry, now: Instant) {
        let failure = self.out.failure(WireError::OfflineFull(self.ledger.queued()).into());
        for (seq, maybe_sent) in self.ledger.give_up_transaction(entry) {
            self.out.fail(seq, failure, maybe_sent);
        }
        self.out.fail(entry.seq, failure, false);
        self.forget_selects();
        if self.ledger.stays_open(entry.group) {
            self.pulse.recycle_at.get_or_insert(now);
        }
    }

    /// Commands were settled without a reply: what comes next belongs where it would have been without a SELECT among them.
    pub(super) fn forget_selects(&mut self) {
        let known = self.ledger.last_database().or(self.databases.queued);
        self.databases.expected = known.unwrap_or(self.databases.confirmed);
    }

    fn is_full(&self) -> bool {
        let (most, bytes) = (self.options.offline_queue_max, self.options.offline_queue_max_bytes);
        (most > 0 && self.ledger.queued() >= most) || self.ledger.queued_bytes() >= bytes
    }

    /// Appends what may be sent now to `buffer`, up to about 64 KiB.
    pub(crate) fn take_output(&mut self, buffer: &mut Vec<u8>, now: Instant) {
        if self.ledger.in_flight() == 0 {
            self.pulse.busy_since = now;
        }
        while let Some(entry) = self.own.pop_front() {
            self.launch_own(entry, buffer);
        }
        while buffer.len() < WRITE_BYTES && self.may_send() {
            self.launch_next(buffer, now);
        }
    }

    /// The network accepted `count` bytes.
    pub(crate) fn wrote(&mut self, count: usize) {
        self.ledger.wrote(count);
    }

    /// It did not, after all, accept the last `count` of them.
    pub(crate) fn unwrote(&mut self, count: usize) {
        self.ledger.unwrote(count);
    }

    /// Whether there is anything to give out.
    pub(crate) fn has_output(&self) -> bool {
        !self.own.is_empty() || self.may_send()
    }

    /// Whether the write side is to be shut once the writer is empty.
    pub(crate) fn wants_shutdown(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. }) && !self.may_send()
    }

    fn may_send(&self) -> bool {
        let open = match self.phase {
            Phase::Ready => self.pulse.recycle_at.is_none(),
            Phase::Closing { left, .. } => left > 0,
            _ => false,
        };
        let limit = self.options.inflight_limit;
        open && self.ledger.next().is_some() && (limit == 0 || self.ledger.in_flight() < limit)
    }

    fn launch_next(&mut self, buffer: &mut Vec<u8>, now: Instant) {
        let Some(mut entry) = self.ledger.take() else {
            return;
        };
        if let Phase::Closing { left, .. } = &mut self.phase {
            *left -= 1;
        }
        if entry.flags.has(Flags::SELECT) {
            self.databases.wire = entry.db;
        } else if entry.db != self.databases.wire {
            let select = self.select(entry.db);
            self.launch_own(select, buffer);
        }
        entry.expires = self.blocking_expiry(&entry, now);
        if entry.flags.has(Flags::QUIT) {
            self.begin_quit(entry.seq, now);
        }
        let bytes = self.scripts.prepare(&mut entry);
        buffer.extend_from_slice(&bytes);
        self.ledger.launch(entry, bytes.len());
    }

    pub(super) fn select(&mut self, db: u32) -> Entry {
        self.databases.wire = db;
        Entry { db, ..Entry::internal(Origin::Select, &[b"select", db.to_string().as_bytes()]) }
    }

    fn launch_own(&mut self, entry: Entry, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&entry.bytes);
        let length = entry.bytes.len();
        self.ledger.launch(entry, length);
    }

    fn begin_quit(&mut self, seq: u32, now: Instant) {
        // The clock starts when no blocking command is ahead.
        let until = if self.ledger.is_blocked() { None } else { self.quit_until(now) };
        self.quit = Some(Quit { seq, until });
        self.by_hand = true;
        if self.phase == Phase::Ready {
            self.phase = Phase::Draining;
        }
    }

    fn blocking_expiry(&self, entry: &Entry, now: Instant) -> Option<Instant> {
        let options = &self.options;
        if !entry.flags.has(Flags::BLOCKING) {
            let guarded = entry.flags.has(Flags::MAY_BLOCK);
            return millis(options.blocking_timeout_ms).filter(|_| guarded).map(|wait| now + wait);
        }
        let grace = u64::from(options.blocking_timeout_grace_ms);
        let own = u64::try_from(entry.blocking_ms).ok().filter(|own| *own > 0);
        let fallback = u64::from(options.blocking_timeout_ms);
        let armed = options.arm_blocking || fallback > 0;
        let wait = match own {
            Some(own) if armed => own + grace,
            None if fallback > 0 => fallback,
            _ => return None,
        };
        Some(now + Duration::from_millis(wait))
    }
}

impl Databases {
    /// The server refused a SELECT, or did not run it: commands behind it run where they were, unless another one came since.
    pub(super) fn refused(&mut self, db: u32) {
        for known in [&mut self.expected, &mut self.wire] {
            if *known == db {
                *known = self.confirmed;
            }
        }
    }
}

fn database_of(entry: &Entry) -> Option<u32> {
    std::str::from_utf8(arguments(&entry.bytes).get(1)?).ok()?.parse().ok()
}
