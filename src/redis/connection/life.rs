//! From one connection to the next: connect, disconnect, loss, retry, end.

use super::{Machine, Phase, Status, Transition};
use crate::redis::error::WireError;
use crate::redis::ledger::{Loss, LossRule};
use crate::redis::options::{Retry, millis};
use crate::redis::reply::token;
use crate::redis::resp::Parser;
use crate::retry::Backoff;
use std::time::Duration;
use tokio::time::Instant;

/// The notice that retries were given up.
pub(super) const NOTICE_GAVE_UP: i32 = 1;
/// The notice of something odd that does not matter.
pub(super) const NOTICE_WARNING: i32 = 2;
/// The notice of a blocking command that was not answered in its time; milliseconds since then.
pub(super) const NOTICE_DEAF: i32 = 7;
/// The notice of what the end leaves of a session: 1 if keys were watched, for the client that goes on from here.
const NOTICE_SESSION: i32 = 8;

impl Machine {
    /// Starts an attempt, from `wait`, `close`, `reconnecting` or `end`.
    pub(crate) fn connect(&mut self) -> Transition {
        if matches!(self.phase, Phase::Idle | Phase::Asking | Phase::Backoff { .. } | Phase::Ended) && !self.closing {
            self.by_hand = false;
            self.begin();
        }
        self.transition()
    }

    /// Ends the connection; with `reconnect` the retry policy goes on afterwards.
    pub(crate) fn disconnect(&mut self, reconnect: bool, now: Instant) -> Transition {
        let by_hand = !reconnect;
        match self.phase {
            Phase::Ended => {}
            Phase::Asking | Phase::Backoff { .. } if reconnect => {}
            Phase::Asking | Phase::Backoff { .. } => {
                self.by_hand = true;
                if self.status != Status::Close {
                    self.set_status(Status::Close, 0);
                }
                self.finish();
            }
            Phase::Closing { .. } => self.by_hand |= by_hand,
            // A QUIT may wait behind a blocking command: who disconnects does not want to wait for it.
            Phase::Ready | Phase::Draining | Phase::Handshaking { .. } | Phase::Loading { .. } => {
                let quitting = self.phase == Phase::Draining;
                self.by_hand = by_hand || quitting;
                let until = now + Duration::from_millis(u64::from(self.options.disconnect_timeout_ms));
                // What waits is sent before the end only where it could have been sent anyway.
                let left = if self.is_ready() || quitting { self.ledger.queued() } else { 0 };
                self.phase = Phase::Closing { until, left };
            }
            Phase::Idle | Phase::Opening => {
                self.by_hand = by_hand;
                self.lost(now, None);
            }
        }
        self.transition()
    }

    /// The user's retry strategy answered; negative means stop.
    pub(crate) fn answer_retry(&mut self, generation: u32, delay_ms: i64, now: Instant) -> Transition {
        if self.phase == Phase::Asking && generation == self.generation {
            match u64::try_from(delay_ms) {
                Ok(ms) => self.back_off(Duration::from_millis(ms), now),
                Err(_) => self.finish(),
            }
        }
        self.transition()
    }

    /// Ends for good: nothing connects again, what is unanswered is settled.
    pub(crate) fn shut(&mut self, now: Instant) {
        self.closing = true;
        self.by_hand = true;
        match self.phase {
            Phase::Ended => self.release(),
            Phase::Asking | Phase::Backoff { .. } => {
                self.disconnect(false, now);
            }
            // The driver ends it: only the driver knows what was written a moment ago.
            Phase::Ready | Phase::Draining | Phase::Closing { .. } => {
                self.phase = Phase::Closing { until: now, left: 0 }
            }
            _ => self.lost(now, None),
        }
    }

    /// Replies are not read for now, because nobody fetches them: that is no silence of the server.
    pub(crate) fn paused(&mut self, now: Instant) {
        self.pulse.last_read = now;
    }

    /// The environment is gone: nobody is told anything.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
        self.ledger.clear();
        drop(self.out.take());
    }

    /// A defect of ours ended the driver.
    pub(crate) fn broke(&mut self, error: &WireError) {
        self.emit_error(error.clone());
        self.settle_all(error);
        self.finish();
    }

    /// The socket of `generation` could not be opened.
    pub(crate) fn open_failed(&mut self, generation: u32, error: WireError, now: Instant) {
        if self.phase != Phase::Opening || generation != self.generation {
            return;
        }
        if matches!(error, WireError::Unresolved { ends: true, .. }) {
            self.settle_all(&error);
            self.emit_error(error.clone());
            self.unresolved = Some(error);
            return self.finish();
        }
        self.lost(now, Some(error));
    }

    /// The socket of `generation` ended, by itself or with an error.
    pub(crate) fn socket_ended(&mut self, generation: u32, error: Option<WireError>, now: Instant) {
        if self.plan() == super::Plan::Serve(generation) {
            self.lost(now, error);
        }
    }

    pub(super) fn begin(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.phase = Phase::Opening;
        self.unresolved = None;
        self.refused = false;
        self.set_status(Status::Connecting, self.generation);
    }

    /// There is no connection any more: settles what the loss settles and decides how to go on.
    pub(super) fn lost(&mut self, now: Instant, error: Option<WireError>) {
        if let Some(error) = error {
            self.emit_error(error);
        }
        self.forget_connection();
        self.set_status(Status::Close, 0);
        self.settle_losses();
        self.tell_subscribed(0);
        if self.by_hand {
            return self.finish();
        }
        self.attempts = self.attempts.saturating_add(1);
        self.phase = Phase::Asking;
        if self.is_out_of_retries() {
            self.notice(NOTICE_GAVE_UP, self.attempts - 1, None);
            self.attempts -= 1;
            return self.finish();
        }
        match self.options.retry {
            Retry::None => self.finish(),
            Retry::Ask => {
                let attempt = i32::try_from(self.attempts).unwrap_or(i32::MAX);
                self.out.control(&[token::ASK_RETRY, self.generation.cast_signed(), attempt]);
            }
            Retry::Native { base_ms, cap_ms, jitter } => {
                let (base, cap) = (Duration::from_millis(base_ms.into()), Duration::from_millis(cap_ms.into()));
                let backoff = Backoff { base, factor: 2.0, cap, jitter };
                self.back_off(backoff.delay(self.attempts, (self.random)()), now);
            }
        }
    }

    fn is_out_of_retries(&self) -> bool {
        let first = self.ready_generation.is_none();
        let counts = self.options.max_connect_retries_always || first;
        counts && self.options.max_connect_retries.is_some_and(|most| self.attempts > most || (first && self.refused))
    }

    fn back_off(&mut self, delay: Duration, now: Instant) {
        // A year is for ever, and does not overflow a timer.
        let delay = delay.min(Duration::from_hours(24 * 365));
        self.phase = Phase::Backoff { until: now + delay };
        self.set_status(Status::Reconnecting, u32::try_from(delay.as_millis()).unwrap_or(u32::MAX));
        let Some(limit) = self.options.max_retries_per_request else {
            return;
        };
        if self.attempts.is_multiple_of(limit.saturating_add(1)) && self.settle_all(&WireError::MaxRetries(limit)) {
            self.disconnect(false, now);
        }
    }

    fn forget_connection(&mut self) {
        self.out.discard();
        self.parser = Parser::default();
        self.own.clear();
        self.handshake_due = 0;
        self.monitoring = false;
        self.speaks_resp3 = false;
        self.databases.queued = None;
        self.scripts.forget_all();
        (self.pulse.ping_at, self.pulse.ping_until, self.pulse.recycle_at) = (None, None, None);
        if !self.options.auto_resubscribe {
            self.subscriptions = super::Subscriptions::default();
        }
    }

    fn settle_losses(&mut self) {
        let rule = LossRule { resend: self.options.resend, resend_blocking: self.options.resend_blocking };
        let losses = self.ledger.lose(rule);
        if losses.is_empty() {
            return;
        }
        let closed = self.out.failure(WireError::Closed { lost: true }.into());
        let aborted = self.out.failure(WireError::Aborted.into());
        for loss in losses {
            self.fail_lost(loss, if loss.aborted { aborted } else { closed });
        }
        self.forget_selects();
    }

    /// Fails a command whose connection goes; QUIT has what it wanted.
    pub(super) fn fail_lost(&mut self, loss: Loss, failure: i32) {
        if loss.quits {
            self.out.answer(loss.seq, token::SIMPLE, b"OK");
        } else {
            self.out.fail(loss.seq, failure, loss.maybe_sent);
        }
    }

    /// The end: everything is settled, then `end` is told.
    pub(super) fn finish(&mut self) {
        self.settle_all(&WireError::Closed { lost: false });
        self.notice(NOTICE_SESSION, u32::from(self.ledger.loses_watch()), None);
        self.quit = None;
        self.by_hand = false;
        self.phase = Phase::Ended;
        self.set_status(Status::End, 0);
        self.release();
    }

    fn release(&mut self) {
        if self.closing {
            self.out.control(&[token::RELEASED, 0]);
        }
    }

    /// The time that QUIT may take from now.
    pub(super) fn quit_until(&self, now: Instant) -> Option<Instant> {
        millis(self.options.quit_timeout_ms).map(|timeout| now + timeout)
    }
}
