//! What is different behind sentinels: the role of the server is checked, a change of server is heard of, and JavaScript is told and asked about both.

use super::receive::RECYCLE_PATIENCE;
use super::{Machine, Phase};
use crate::redis::error::WireError;
use crate::redis::reply::token;
use crate::redis::sentinel::Role;
use std::time::Duration;
use tokio::time::Instant;

/// Notices to JavaScript, beside those of `life`.
const NOTICE_SENTINEL_ERROR: i32 = 3;
const NOTICE_SENTINEL_RECONNECTING: i32 = 4;
const NOTICE_FAILOVER_SUBSCRIBED: i32 = 5;
const NOTICE_SENTINELS: i32 = 6;

impl Machine {
    /// A question for JavaScript.
    pub(crate) fn asks(&mut self, id: u32) {
        self.out.control(&[token::QUESTION, id.cast_signed()]);
    }

    /// A round in which no sentinel answered; another one follows.
    pub(crate) fn search_failed(&mut self, error: WireError) {
        self.emit_error(error);
    }

    /// One sentinel was of no use.
    pub(crate) fn sentinel_failed(&mut self, error: WireError) {
        self.notice(NOTICE_SENTINEL_ERROR, 0, Some(error));
    }

    /// A lost sentinel is connected to again after `delay`.
    pub(crate) fn sentinel_reconnecting(&mut self, delay: Duration) {
        self.notice(NOTICE_SENTINEL_RECONNECTING, u32::try_from(delay.as_millis()).unwrap_or(u32::MAX), None);
    }

    /// All sentinels that can be listened to are.
    pub(crate) fn failover_subscribed(&mut self) {
        self.notice(NOTICE_FAILOVER_SUBSCRIBED, 0, None);
    }

    /// More sentinels are known.
    pub(crate) fn sentinels_learnt(&mut self) {
        self.notice(NOTICE_SENTINELS, 0, None);
    }

    /// Another server has taken over: commands in flight may still be answered for a moment, then this one is left.
    pub(crate) fn server_changed(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Ready | Phase::Handshaking { .. } | Phase::Loading { .. }) {
            let patience = if self.ledger.in_flight() == 0 { Duration::ZERO } else { RECYCLE_PATIENCE };
            self.pulse.recycle_at.get_or_insert(now + patience);
        }
    }

    /// Whether sentinels were asked for another kind of server.
    pub(super) fn is_other_role(&self, role: &str) -> bool {
        self.options.sentinel.as_ref().is_some_and(|sentinel| sentinel.role.as_str() != role)
    }

    /// Leaves a server whose role is not what sentinels were asked for; the retry policy goes on.
    pub(super) fn leave_other_role(&mut self, role: &str, now: Instant) {
        let wanted = self.options.sentinel.as_ref().map_or("", |sentinel| sentinel.role.as_str());
        let text = format!("role invalid, expected {wanted}, but got {role}");
        self.sentinel_failed(WireError::Sentinel(text));
        self.disconnect(true, now);
    }

    /// A replica that was asked for refuses writes by right.
    pub(super) fn is_read_only_by_choice(&self, error: &[u8]) -> bool {
        let replica = self.options.sentinel.as_ref().is_some_and(|sentinel| sentinel.role == Role::Slave);
        replica && error.starts_with(b"READONLY ")
    }
}
