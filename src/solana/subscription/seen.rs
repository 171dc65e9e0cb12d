//! What a subscription has delivered, so that nothing is delivered twice: after a move the new node repeats what the old one said. Pure.

use crate::solana::subscription::protocol::{Identity, Kind};
use std::collections::{HashSet, VecDeque};

/// Identities kept per feed; a node repeats the newest only.
const KEPT: usize = 256;

/// What was delivered.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The newest slot and its value.
    newest: Option<(u64, u64)>,
    order: VecDeque<u64>,
    keys: HashSet<u64>,
}

impl Seen {
    /// The newest slot delivered.
    pub(super) fn newest(&self) -> Option<u64> {
        self.newest.map(|(slot, _)| slot)
    }

    /// The value that goes with it.
    pub(super) fn last_value(&self) -> Option<u64> {
        self.newest.map(|(_, value)| value)
    }

    /// Whether this is news; then it counts as delivered.
    pub(super) fn admit(&mut self, kind: Kind, identity: &Identity) -> bool {
        let news = match kind {
            // An older state of an account is no news. The same slot may bring several states.
            Kind::Account => self.newest.is_none_or(|newest| {
                identity.slot > newest.0 || (identity.slot == newest.0 && identity.value != newest.1)
            }),
            // The node itself says each of these once; the second is a repetition.
            Kind::Signature => self.keys.insert(u64::from(identity.is_last)),
            Kind::Program => self.remember(identity.key ^ identity.value),
            Kind::Logs | Kind::Slot | Kind::Root => self.remember(identity.key),
        };
        if news && self.newest.is_none_or(|(slot, _)| identity.slot >= slot) {
            self.newest = Some((identity.slot, identity.value));
        }
        news
    }

    fn remember(&mut self, key: u64) -> bool {
        if !self.keys.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Seen};
    use crate::solana::subscription::protocol::{Identity, Kind};

    fn identity(slot: u64, key: u64, value: u64) -> Identity {
        Identity { slot, key, value, is_last: true }
    }

    #[test]
    fn an_account_never_goes_back_and_never_repeats() {
        let mut seen = Seen::default();
        assert!(seen.admit(Kind::Account, &identity(5, 5, 1)));
        assert!(!seen.admit(Kind::Account, &identity(5, 5, 1)));
        assert!(seen.admit(Kind::Account, &identity(5, 5, 2)), "two states in one slot");
        assert!(!seen.admit(Kind::Account, &identity(4, 4, 3)), "older");
        assert!(seen.admit(Kind::Account, &identity(6, 6, 2)), "touched again");
        assert_eq!((seen.newest(), seen.last_value()), (Some(6), Some(2)));
    }

    #[test]
    fn a_feed_knows_what_it_said_in_any_order() {
        let mut seen = Seen::default();
        assert!(seen.admit(Kind::Logs, &identity(5, 51, 0)));
        assert!(seen.admit(Kind::Logs, &identity(5, 52, 0)));
        assert!(seen.admit(Kind::Logs, &identity(4, 41, 0)), "late, but never said");
        assert!(!seen.admit(Kind::Logs, &identity(5, 51, 0)));
        assert_eq!(seen.newest(), Some(5));
        (0..1000).for_each(|key| assert!(seen.admit(Kind::Slot, &identity(6, 1000 + key, 0))));
        assert!(seen.keys.len() <= KEPT, "bounded");
    }

    #[test]
    fn a_signature_ends_once() {
        let mut seen = Seen::default();
        assert!(seen.admit(Kind::Signature, &Identity { is_last: false, ..identity(5, 5, 9) }));
        assert!(seen.admit(Kind::Signature, &identity(5, 5, 1)));
        assert!(!seen.admit(Kind::Signature, &identity(7, 7, 1)), "the same end, seen by another node later");
    }
}
