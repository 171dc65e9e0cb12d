//! Everything that happens because time passes: deadlines, handshake and quit limits, backoff, heartbeat, silence.

use super::life::NOTICE_DEAF;
use super::{Machine, Phase};
use crate::redis::command::Origin;
use crate::redis::error::{ConnectError, WireError};
use crate::redis::options::millis;
use crate::redis::reply::token;
use tokio::time::Instant;

impl Machine {
    /// Does what is due.
    pub(crate) fn on_time(&mut self, now: Instant) {
        self.expire_commands(now);
        self.expire_phase(now);
        self.expire_quit(now);
        self.beat(now);
    }

    /// When to call [`Machine::on_time`] next.
    pub(crate) fn next_time(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Handshaking { until }
            | Phase::Loading { until }
            | Phase::Closing { until, .. }
            | Phase::Backoff { until } => Some(until),
            _ => None,
        };
        let quit = self.quit.and_then(|quit| quit.until);
        // Only a connection that serves is pinged: on the way out these times would pass again and again.
        let pings = [self.pulse.ping_at, self.pulse.ping_until].map(|at| at.filter(|_| self.phase == Phase::Ready));
        let others = [phase, quit, self.ledger.next_look(), self.pulse.recycle_at, self.silence_ends()];
        others.into_iter().chain(pings).flatten().min()
    }

    fn expire_commands(&mut self, now: Instant) {
        let expiry = self.ledger.expire(now);
        if !expiry.expired.is_empty() {
            let failure = self.out.failure(WireError::Timeout.into());
            for expired in &expiry.expired {
                if expired.blocking {
                    self.out.answer(expired.seq, token::NIL, b"");
                } else {
                    self.out.fail(expired.seq, failure, expired.maybe_sent);
                }
                // One that was sent ends the connection all the same.
                if self.phase != Phase::Draining && self.quit.is_some_and(|quit| quit.seq == expired.seq) {
                    self.quit = None;
                }
            }
            self.forget_selects();
        }
        if let Some(late) = expiry.deaf {
            self.notice(NOTICE_DEAF, u32::try_from(late.as_millis()).unwrap_or(u32::MAX), None);
        }
        if expiry.recycle && matches!(self.phase, Phase::Ready | Phase::Draining | Phase::Closing { .. }) {
            self.lost(now, None);
        }
    }

    fn expire_phase(&mut self, now: Instant) {
        match self.phase {
            Phase::Handshaking { until } if until <= now => {
                self.lost(now, Some(WireError::Connect(ConnectError::timeout())));
            }
            Phase::Loading { until } if until <= now => self.check_again(now),
            Phase::Closing { until, .. } if until <= now => self.lost(now, None),
            Phase::Backoff { until } if until <= now => self.begin(),
            _ => {}
        }
        if self.pulse.recycle_at.is_some_and(|at| at <= now) {
            self.lost(now, None);
        }
    }

    fn expire_quit(&mut self, now: Instant) {
        if self.quit.and_then(|quit| quit.until).is_none_or(|until| until > now) {
            return;
        }
        self.by_hand = true;
        match self.phase {
            Phase::Asking | Phase::Backoff { .. } => {
                self.disconnect(false, now);
            }
            Phase::Ended => {}
            _ => self.lost(now, None),
        }
    }

    /// Heartbeat of an idle connection, and the watch over a silent one.
    fn beat(&mut self, now: Instant) {
        if self.phase != Phase::Ready {
            return;
        }
        if self.pulse.ping_until.is_some_and(|until| until <= now) {
            let limit = millis(self.options.heartbeat_timeout_ms).unwrap_or_default();
            return self.lost(now, Some(WireError::SocketTimeout(limit)));
        }
        if self.silence_ends().is_some_and(|at| at <= now) {
            let limit = millis(self.options.socket_timeout_ms).unwrap_or_default();
            return self.lost(now, Some(WireError::SocketTimeout(limit)));
        }
        let (Some(at), Some(idle)) = (self.pulse.ping_at, millis(self.options.heartbeat_ms)) else {
            return;
        };
        if at > now {
            return;
        }
        let quiet_until = self.pulse.last_read + idle;
        if quiet_until <= now && self.ledger.in_flight() == 0 && self.own.is_empty() && !self.monitoring {
            self.pulse.ping_until = millis(self.options.heartbeat_timeout_ms).map(|timeout| now + timeout);
            self.push_own(Origin::Ping, &[b"ping"]);
        }
        self.pulse.ping_at = Some(if quiet_until > now { quiet_until } else { now + idle });
    }

    /// When a connection with commands in flight has been silent for too long. A blocked server is silent by right.
    fn silence_ends(&self) -> Option<Instant> {
        let limit = millis(self.options.socket_timeout_ms)?;
        let waits = self.phase == Phase::Ready && self.ledger.in_flight() > 0 && !self.ledger.is_blocked();
        waits.then(|| self.pulse.last_read.max(self.pulse.busy_since) + limit)
    }
}
