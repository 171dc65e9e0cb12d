//! Replies on their way in: paired with the ledger, delivered, swallowed, or the reason to try elsewhere.

use super::{Asked, Machine, Phase, Status, Transition};
use crate::redis::command::{Entry, Flags, Origin, name};
use crate::redis::error::WireError;
use crate::redis::pubsub::{Frame, frame};
use crate::redis::reply::token;
use crate::redis::resp::ProtocolError;
use bytes::{Buf, BytesMut};
use std::time::Duration;
use tokio::time::Instant;

/// How often a command that the server refuses for now is sent again.
const MAX_REFUSALS: u8 = 3;
/// How long commands in flight may still be answered before a demoted server is left.
pub(super) const RECYCLE_PATIENCE: Duration = Duration::from_secs(1);

impl Machine {
    /// Parses what the socket of `generation` received.
    pub(crate) fn received(&mut self, generation: u32, buffer: &mut BytesMut, now: Instant) {
        self.pulse.last_read = now;
        // Replies of an earlier generation, or after the end, are nobody's.
        while self.plan() == super::Plan::Serve(generation) {
            match self.parser.advance(buffer, &mut self.out.tokens) {
                Ok(step) => {
                    buffer.advance(step.consumed);
                    if !step.complete {
                        break;
                    }
                    self.reply(now);
                }
                Err(error) => return self.garbled(error, now),
            }
        }
        if self.pulse.recycle_at.is_some()
            && self.ledger.in_flight() == 0
            && self.plan() == super::Plan::Serve(generation)
        {
            self.lost(now, None);
        }
    }

    /// What was sent is not sent again: its replies may be what cannot be understood.
    fn garbled(&mut self, error: ProtocolError, now: Instant) {
        let error = WireError::Protocol(error);
        let unanswered = self.ledger.abandon_written();
        if !unanswered.is_empty() {
            self.out.discard();
            let failure = self.out.failure(error.clone().into());
            for loss in unanswered {
                self.fail_lost(loss, failure);
            }
        }
        self.lost(now, Some(error));
    }

    fn reply(&mut self, now: Instant) {
        if self.take_frame() {
            return;
        }
        let Some(entry) = self.ledger.answered() else {
            if matches!(self.phase, Phase::Closing { .. }) {
                // The answers of a handshake that was given up.
                return self.out.discard();
            }
            return self.garbled(ProtocolError::Unexpected, now);
        };
        if entry.origin == Origin::User {
            self.ledger.follow(&entry, self.out.reply().error());
            if entry.settled {
                self.out.discard();
            } else {
                self.answer(entry, now);
            }
        } else {
            self.own_answer(&entry, now);
        }
        if let Some(quit) = self.quit.as_mut()
            && quit.until.is_none()
            && self.phase == Phase::Draining
            && !self.ledger.is_blocked()
        {
            quit.until = crate::redis::options::millis(self.options.quit_timeout_ms).map(|timeout| now + timeout);
        }
    }

    /// Lines of MONITOR, messages and confirmations: what is not the reply of the oldest command alone.
    fn take_frame(&mut self) -> bool {
        let reply = self.out.reply();
        if self.monitoring && reply.kind() == token::SIMPLE && reply.bytes().first().is_some_and(u8::is_ascii_digit) {
            self.out.accept_as(&[token::MONITOR, 0]);
            return true;
        }
        let pushed = reply.kind() == token::PUSH;
        if !pushed && self.speaks_resp3 {
            // Messages are pushes there: an array is the reply of a command, whatever it begins with.
            return false;
        }
        // An array that nothing was asked for may be a message too: the answer to SUBSCRIBE need not have been one that counts.
        let waits = self.ledger.front().is_none_or(|entry| entry.flags.has(Flags::SUBSCRIBE));
        if !pushed && (reply.kind() != token::ARRAY || (self.subscriptions.count() == 0 && !waits)) {
            return false;
        }
        let head = self.out.reply().item(1).map_or(&[][..], |(_, _, bytes)| bytes);
        match frame(head) {
            Some(Frame::Message) => self.out.accept_as(&[token::MESSAGE, 0]),
            Some(Frame::Confirmation { set, adds }) => self.confirmed(set, adds),
            // Pushes we did not ask for, such as invalidations, have no listener.
            None if pushed => self.out.discard(),
            None => return false,
        }
        true
    }

    fn confirmed(&mut self, set: usize, adds: bool) {
        let before = self.subscriptions.count_of(set);
        let reply = self.out.reply();
        let channel = reply.item(2).filter(|(kind, ..)| *kind != token::NIL).map(|(_, _, bytes)| bytes.to_vec());
        let count = reply.item(3).map_or(0, |(_, value, _)| value);
        self.out.discard();
        // Servers end subscriptions by themselves, of shard channels that move: that answers no command. They begin none.
        let is_answered = |entry: &&mut Entry| {
            let confirmation = Frame::Confirmation { set, adds };
            entry.flags.has(Flags::SUBSCRIBE) && frame(&name(&entry.bytes).to_ascii_lowercase()) == Some(confirmation)
        };
        let waiting = self.ledger.front().filter(is_answered);
        if adds && waiting.is_none() {
            return;
        }
        if let Some(channel) = channel {
            self.subscriptions.confirm(set, adds, &channel);
        }
        let total = self.subscriptions.count();
        let left = waiting.map(|entry| {
            if entry.left == 0 {
                // UNSUBSCRIBE without arguments is answered once per channel, and once if there is none.
                let channels = i32::try_from(before.max(1)).unwrap_or(i32::MAX);
                entry.left = if entry.due > 0 { entry.due } else { channels };
            }
            entry.left -= 1;
            entry.left
        });
        self.tell_subscribed(total);
        if left != Some(0) {
            return;
        }
        if let Some(entry) = self.ledger.answered().filter(|entry| entry.origin == Origin::User && !entry.settled) {
            self.out.answer_number(entry.seq, token::INT, count);
        }
    }

    /// The reply of a user's command.
    fn answer(&mut self, entry: Entry, now: Instant) {
        let error = self.out.reply().error().map(<[u8]>::to_vec);
        if let Some(error) = &error
            && self.takes_over(&entry, error, now)
        {
            return;
        }
        let flags = entry.flags;
        let is_queued = self.out.reply().kind() == token::SIMPLE && self.out.reply().bytes() == b"QUEUED";
        if flags.has(Flags::SELECT) && is_queued {
            self.databases.queued = Some(entry.db);
        } else if flags.has(Flags::SELECT) {
            self.selected(entry.db, error.is_none());
        }
        if flags.has(Flags::EXEC) {
            let ran = self.out.reply().kind() == token::ARRAY;
            if !ran {
                // Scripts sent inside were not run, so the server may not know them.
                self.scripts.forget_all();
            }
            if let Some(db) = self.databases.queued.take() {
                self.selected(db, ran);
            }
        }
        self.out.accept(entry.seq);
        if flags.has(Flags::MONITOR) && error.is_none() {
            self.monitoring = true;
            self.set_status(Status::Monitoring, 0);
        }
        if flags.has(Flags::QUIT) {
            self.quit = None;
            // The server closes next; if it does not, we do.
            self.phase = Phase::Closing { until: now + self.disconnect_timeout(), left: 0 };
        }
    }

    fn selected(&mut self, db: u32, done: bool) {
        if !done {
            self.databases.refused(db);
            return self.ledger.move_database(db, self.databases.confirmed);
        }
        if self.databases.confirmed != db {
            self.databases.confirmed = db;
            self.out.control(&[token::SELECTED, i32::try_from(db).unwrap_or(0)]);
        }
    }

    /// Error replies that do not settle the command: scripts to send again, servers to leave, questions to JavaScript.
    fn takes_over(&mut self, entry: &Entry, error: &[u8], now: Instant) -> bool {
        let single = entry.group == 0;
        if entry.as_eval {
            self.scripts.forget(entry.script);
        }
        if error.starts_with(b"NOSCRIPT") {
            self.scripts.forget_all();
            if single && self.scripts.knows(entry.script) && !entry.as_eval {
                self.out.discard();
                self.ledger.enqueue_again(entry.clone());
                return true;
            }
        }
        if self.options.failover
            && is_refusal(error)
            && !self.is_read_only_by_choice(error)
            && self.phase == Phase::Ready
        {
            self.pulse.recycle_at.get_or_insert(now + RECYCLE_PATIENCE);
            if single && entry.refusals < MAX_REFUSALS {
                self.out.discard();
                self.ledger.enqueue_again(Entry { refusals: entry.refusals + 1, ..entry.clone() });
                return true;
            }
        }
        // A connection that is leaving does not come back, whatever it answers to QUIT.
        if self.options.ask_reconnect_on_error && !entry.flags.has(Flags(Flags::CLIENT.0 | Flags::QUIT.0)) {
            let in_transaction = self.ledger.is_in_transaction(entry);
            self.asked.insert(entry.seq, Asked { entry: entry.clone(), in_transaction });
            self.out.accept_as(&[token::ASK_RECONNECT, entry.seq.cast_signed(), 0]);
            return true;
        }
        false
    }

    /// `reconnectOnError` answered: 0 the error stands, 1 reconnect, 2 reconnect and send the command again.
    pub(crate) fn answer_reconnect(&mut self, seq: u32, verdict: i32, now: Instant) -> Transition {
        if let Some(Asked { entry, in_transaction }) = self.asked.remove(&seq) {
            if verdict == 2 {
                if in_transaction {
                    // Out of its transaction it would be another command.
                    self.refuse(seq, WireError::Aborted);
                } else if matches!(self.phase, Phase::Ended) || self.abandoned || self.closing {
                    self.refuse(seq, WireError::Closed { lost: false });
                } else {
                    // Behind what was flushed meanwhile: the answer may have prepared the way, by a DEL for instance.
                    self.ledger.enqueue(Entry { sent_before: true, group: 0, index: 0, ..entry });
                }
            }
            if verdict != 0 && matches!(self.phase, Phase::Ready) {
                // The driver ends it: only the driver knows what was written a moment ago.
                let patience = if self.ledger.in_flight() == 0 { Duration::ZERO } else { RECYCLE_PATIENCE };
                self.pulse.recycle_at.get_or_insert(now + patience);
            }
        }
        self.transition()
    }

    pub(super) fn disconnect_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.options.disconnect_timeout_ms))
    }
}

/// The command did not run: this server cannot or may not run it now.
fn is_refusal(error: &[u8]) -> bool {
    [&b"READONLY "[..], b"MASTERDOWN ", b"LOADING "].iter().any(|prefix| error.starts_with(prefix))
}
