//! Which endpoint serves the next attempt. Pure: candidates and randomness are handed in.
//!
//! Among the eligible of the lowest tier: power of two choices by cost, and the last winner stays unless another is 30 % better, so that reads do not flap
//! between nodes at different slots. When nobody is eligible the least bad is used: a wrong judgement must not stop the pool.

use std::time::Duration;
use tokio::time::Instant;

/// How much better another must be to replace the last winner.
const STICKINESS: f64 = 1.3;

/// One endpoint, as the selection sees it.
#[derive(Debug, Clone, Copy)]
pub(in crate::solana) struct Candidate {
    /// Its position in the list it was taken from.
    pub index: usize,
    /// Its number, which it keeps.
    pub number: usize,
    /// Latency x (in flight + 1) / weight, in seconds.
    pub cost: f64,
    /// Lower tiers first.
    pub tier: u32,
    /// Whether it could serve, were it not for its limits.
    pub usable: bool,
    /// Whether it may serve now.
    pub eligible: bool,
    /// Whether it asked for less traffic: then not even as a last resort before this.
    pub limited_until: Option<Instant>,
    /// Until when it asked to be left alone altogether.
    pub paused_until: Option<Instant>,
    /// When its breaker may let a probe through; orders the last resorts.
    pub open_until: Option<Instant>,
}

/// A pause longer than this is not waited for while something else can be tried.
const PATIENCE: Duration = Duration::from_secs(2);

impl Candidate {
    /// Whether it will serve, perhaps after a wait for its limits.
    pub(in crate::solana) fn is_worth_waiting(&self, now: Instant) -> bool {
        self.usable && self.paused_until.is_none_or(|until| until <= now + PATIENCE)
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::solana) enum Choice {
    /// Use this one.
    Use(usize),
    /// All are limited: this one admits a start first, then.
    Later(usize, Instant),
    /// There is no candidate.
    Nobody,
}

/// Chooses among `candidates`; `last` is the last winner, `random` gives uniform integers below its argument.
pub(in crate::solana) fn choose(
    candidates: &[Candidate],
    last: Option<usize>,
    now: Instant,
    mut random: impl FnMut(usize) -> usize,
) -> Choice {
    let Some(tier) = candidates.iter().filter(|one| one.eligible).map(|one| one.tier).min() else {
        return last_resort(candidates, now);
    };
    let eligible: Vec<_> = candidates.iter().filter(|one| one.eligible && one.tier == tier).collect();
    let first = random(eligible.len());
    let second = if eligible.len() > 1 { (first + 1 + random(eligible.len() - 1)) % eligible.len() } else { first };
    let (Some(first), Some(second)) = (eligible.get(first), eligible.get(second)) else {
        return Choice::Nobody;
    };
    let winner = if second.cost < first.cost { second } else { first };
    match eligible.iter().find(|one| Some(one.number) == last) {
        Some(kept) if winner.cost * STICKINESS >= kept.cost => Choice::Use(kept.index),
        _ => Choice::Use(winner.index),
    }
}

fn last_resort(candidates: &[Candidate], now: Instant) -> Choice {
    let free = candidates.iter().filter(|one| one.limited_until.is_none());
    let least_bad = free.min_by(|left, right| left.open_until.cmp(&right.open_until));
    let first = |which: &dyn Fn(&&Candidate) -> bool| {
        let limited = candidates.iter().filter(which);
        limited.filter_map(|one| one.limited_until.map(|until| (until, one.index))).min()
    };
    // One that works is waited for before one that is down is tried, unless it asked to be left alone for long.
    if let Some((until, index)) = first(&|one| one.is_worth_waiting(now)) {
        return Choice::Later(index, until);
    }
    if let Some(least_bad) = least_bad {
        return Choice::Use(least_bad.index);
    }
    first(&|_| true).map_or(Choice::Nobody, |(until, index)| Choice::Later(index, until))
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Choice, choose};
    use std::time::Duration;
    use tokio::time::Instant;

    fn candidate(index: usize, cost: f64) -> Candidate {
        Candidate {
            index,
            number: index,
            cost,
            tier: 0,
            usable: true,
            eligible: true,
            limited_until: None,
            paused_until: None,
            open_until: None,
        }
    }

    #[test]
    fn the_last_winner_stays_until_another_is_clearly_better() {
        let near = [candidate(0, 1.0), candidate(1, 0.9)];
        assert_eq!(choose(&near, Some(0), Instant::now(), |_| 0), Choice::Use(0));
        let far = [candidate(0, 1.0), candidate(1, 0.5)];
        assert_eq!(choose(&far, Some(0), Instant::now(), |_| 0), Choice::Use(1));
    }

    #[test]
    fn a_higher_tier_serves_only_when_the_lower_cannot() {
        let backup = Candidate { tier: 1, ..candidate(1, 0.1) };
        assert_eq!(choose(&[candidate(0, 9.0), backup], None, Instant::now(), |_| 0), Choice::Use(0));
        let down = Candidate { eligible: false, ..candidate(0, 9.0) };
        assert_eq!(choose(&[down, backup], None, Instant::now(), |_| 0), Choice::Use(1));
    }

    #[test]
    fn with_nobody_eligible_the_least_bad_serves_and_limited_ones_are_waited_for() {
        let now = Instant::now();
        let open = |index, seconds| Candidate {
            usable: false,
            eligible: false,
            open_until: Some(now + Duration::from_secs(seconds)),
            ..candidate(index, 1.0)
        };
        assert_eq!(choose(&[open(0, 9), open(1, 3)], None, Instant::now(), |_| 0), Choice::Use(1));
        let until = now + Duration::from_secs(1);
        let limited = Candidate { eligible: false, limited_until: Some(until), ..candidate(0, 1.0) };
        assert_eq!(choose(&[limited], None, Instant::now(), |_| 0), Choice::Later(0, until));
        assert_eq!(
            choose(&[open(1, 3), limited], None, now, |_| 0),
            Choice::Later(0, until),
            "rather than one that is down"
        );
        let paused = Candidate { paused_until: Some(now + Duration::from_secs(20)), ..limited };
        assert_eq!(choose(&[open(1, 3), paused], None, now, |_| 0), Choice::Use(1), "unless it is paused for long");
        assert_eq!(choose(&[], None, Instant::now(), |_| 0), Choice::Nobody);
    }
}
