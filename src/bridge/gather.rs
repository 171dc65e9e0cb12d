//! When to wake JavaScript: at once, or when some more operations have settled.
//!
//! A wake-up costs the JavaScript thread more than fetching a reply does (20 to 30 µs of system calls and callbacks on a small machine), and a server that is
//! busy with many operations answers them one by one. So with many in flight a few outcomes are gathered first: an eighth of what is in flight, which by Little's
//! law takes an eighth of an operation's time, and half of that on average. Whoever waits for the rest of a batch in vain, because what is in flight are change streams for instance,
//! is woken after [`LIMIT`], and the next ones do not wait.

use std::time::Duration;

/// One batch is this part of what is in flight. With fewer than two batches' worth in flight nothing is gathered.
const SHARE: usize = 8;
/// The largest batch: the rest of a wake-up's cost is small by then.
const MOST: usize = 64;
/// What an outcome waits for others at most. A batch of writes at 3,000 a second fills within it.
pub(crate) const LIMIT: Duration = Duration::from_millis(4);
/// Outcomes that are told at once after a batch that did not fill: at first, and at most.
const FIRST_PENALTY: u32 = 64;
const MOST_PENALTY: u32 = 8192;

/// What becomes of the wake-up for an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Wake now.
    Now,
    /// The first of a batch: wake when it is full, at the latest after [`LIMIT`]; tell [`Gather::late`] the number then.
    Within(u64),
    /// Another one of a batch.
    Filling,
}

/// The batch that is being gathered.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    gathered: usize,
    batch: u64,
    at_once: u32,
    penalty: u32,
}

impl Gather {
    /// An outcome is there; so many operations are still in flight.
    pub(crate) fn settled(&mut self, in_flight: usize) -> Wish {
        let enough = (in_flight / SHARE).clamp(1, MOST);
        self.gathered += 1;
        if self.at_once == 0 && self.gathered < enough {
            return if self.gathered == 1 { Wish::Within(self.batch) } else { Wish::Filling };
        }
        if self.gathered > 1 {
            self.penalty = 0;
        }
        self.at_once = self.at_once.saturating_sub(1);
        self.next();
        Wish::Now
    }

    /// The time of batch `batch` is over. Whether to wake for what it has.
    pub(crate) fn late(&mut self, batch: u64) -> bool {
        if batch != self.batch || self.gathered == 0 {
            return false;
        }
        self.penalty = self.penalty.saturating_mul(2).clamp(FIRST_PENALTY, MOST_PENALTY);
        self.at_once = self.penalty;
        self.next();
        true
    }

    fn next(&mut self) {
        self.gathered = 0;
        self.batch = self.batch.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::{Gather, Wish};

    #[test]
    fn few_operations_are_told_one_by_one() {
        let mut gather = Gather::default();
        assert!((0..16).all(|in_flight| gather.settled(in_flight) == Wish::Now));
    }

    #[test]
    fn a_batch_is_an_eighth_of_what_is_in_flight() {
        let mut gather = Gather::default();
        let wishes: Vec<Wish> = (0..8).map(|_| gather.settled(32)).collect();
        assert_eq!(wishes[..4], [Wish::Within(0), Wish::Filling, Wish::Filling, Wish::Now]);
        assert_eq!(wishes[4..], [Wish::Within(1), Wish::Filling, Wish::Filling, Wish::Now]);
        assert!(!gather.late(0), "that batch was told");
    }

    #[test]
    fn what_ends_the_crowd_ends_the_batch() {
        let mut gather = Gather::default();
        assert_eq!(gather.settled(64), Wish::Within(0));
        assert_eq!(gather.settled(0), Wish::Now);
    }

    #[test]
    fn a_batch_that_does_not_fill_is_told_late_and_the_next_ones_at_once() {
        let mut gather = Gather::default();
        assert_eq!(gather.settled(1000), Wish::Within(0));
        assert!(gather.late(0));
        assert!(!gather.late(0), "told once");
        assert!((0..64).all(|_| gather.settled(1000) == Wish::Now));
        assert_eq!(gather.settled(1000), Wish::Within(65));
        assert!(gather.late(65));
        assert!((0..128).all(|_| gather.settled(1000) == Wish::Now), "twice as long as before");
        assert!(matches!(gather.settled(1000), Wish::Within(_)));
    }

    #[test]
    fn a_batch_that_fills_forgives() {
        let mut gather = Gather::default();
        gather.settled(64);
        gather.late(0);
        for _ in 0..64 {
            gather.settled(64);
        }
        for _ in 0..8 {
            gather.settled(64);
        }
        let Wish::Within(batch) = gather.settled(64) else { panic!("expected another batch") };
        assert!(gather.late(batch));
        assert!((0..64).all(|_| gather.settled(64) == Wish::Now));
        assert!(matches!(gather.settled(64), Wish::Within(_)), "as short as the first time");
    }
}
