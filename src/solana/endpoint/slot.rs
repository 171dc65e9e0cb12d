//! Slots as endpoints report them, for finding nodes that lag or stand still. Pure.
//!
//! A node is judged when it reports: its lag is the distance to the best slot known at that moment, so that an old report does not age into a lag.

use std::time::Duration;

/// What one slot takes, about.
pub(in crate::solana) const SLOT: Duration = Duration::from_millis(400);

/// A slot or height that is this much further than time explains is not believed: some nodes give slots for heights.
pub(in crate::solana) const JUMP: u64 = 600;

/// The furthest that a slot or height can have come `elapsed` after it was `from`, at `per_second`.
pub(in crate::solana) fn reachable(from: u64, elapsed: Duration, per_second: u64) -> u64 {
    from.saturating_add(JUMP).saturating_add(elapsed.as_secs().saturating_mul(per_second))
}

/// A commitment level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Commitment {
    /// Seen by one node.
    #[default]
    Processed,
    /// Voted for.
    Confirmed,
    /// Rooted.
    Finalized,
}

impl Commitment {
    /// From its JSON-RPC text.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "processed" => Some(Self::Processed),
            "confirmed" => Some(Self::Confirmed),
            "finalized" => Some(Self::Finalized),
            _ => None,
        }
    }

    /// Its JSON-RPC text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processed => "processed",
            Self::Confirmed => "confirmed",
            Self::Finalized => "finalized",
        }
    }
}

/// One value per commitment.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::solana) struct PerCommitment<T> {
    processed: T,
    confirmed: T,
    finalized: T,
}

impl<T> PerCommitment<T> {
    /// The value of one.
    pub(in crate::solana) fn get(&self, commitment: Commitment) -> &T {
        match commitment {
            Commitment::Processed => &self.processed,
            Commitment::Confirmed => &self.confirmed,
            Commitment::Finalized => &self.finalized,
        }
    }

    /// The value of one, to change.
    pub(in crate::solana) fn get_mut(&mut self, commitment: Commitment) -> &mut T {
        match commitment {
            Commitment::Processed => &mut self.processed,
            Commitment::Confirmed => &mut self.confirmed,
            Commitment::Finalized => &mut self.finalized,
        }
    }
}

/// The best slot among `reports` (one per endpoint): with three or more the second highest, so that one liar does not exclude the rest.
pub(in crate::solana) fn best(reports: &[u64]) -> Option<u64> {
    let mut sorted = reports.to_vec();
    sorted.sort_unstable_by(|left, right| right.cmp(left));
    sorted.get(usize::from(sorted.len() >= 3)).copied()
}

#[cfg(test)]
mod tests {
    use super::best;

    #[test]
    fn one_liar_among_three_does_not_set_the_best_slot() {
        assert_eq!(best(&[]), None);
        assert_eq!(best(&[5]), Some(5));
        assert_eq!(best(&[5, 9]), Some(9));
        assert_eq!(best(&[5, 1_000_000, 9]), Some(9));
    }
}
