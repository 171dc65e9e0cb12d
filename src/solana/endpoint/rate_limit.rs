//! Limits on starts: GCRA with a burst of a tenth, so that no sliding second ever holds more than N starts. Pure: time is handed in.
//!
//! A reservation says when a caller may start; callers who cannot wait that long do not reserve.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(50);

/// A limiter of N starts a second. The rate must be above 0.
#[derive(Debug, Clone)]
pub(in crate::solana) struct Gcra {
    interval: Duration,
    /// How far ahead of the steady rate a burst may run.
    tolerance: Duration,
    /// When the next start would be due at the steady rate.
    due: Option<Instant>,
}

impl Gcra {
    /// `per_second` starts in any second.
    pub(in crate::solana) fn new(per_second: f64) -> Self {
        let mut made = Self { interval: Duration::ZERO, tolerance: Duration::ZERO, due: None };
        made.set_rate(per_second);
        made
    }

    /// Another rate from now on; starts already reserved stay counted.
    pub(in crate::solana) fn set_rate(&mut self, per_second: f64) {
        let burst = (per_second / 10.0).floor().max(1.0);
        // A second holds the burst and what the steady rate adds: burst + rate - 1 whole starts.
        self.interval = Duration::from_secs_f64(1.0 / (per_second - burst + 1.0).max(per_second.min(1.0)));
        self.tolerance = self.interval.mul_f64(burst - 1.0);
    }

    /// The time between two starts at the steady rate.
    pub(in crate::solana) fn interval(&self) -> Duration {
        self.interval
    }

    /// `per_second` starts on average, and up to `burst` at once after a rest: for starts that come in crowds.
    pub(in crate::solana) fn set_rate_and_burst(&mut self, per_second: f64, burst: f64) {
        self.interval = Duration::from_secs_f64(1.0 / per_second);
        self.tolerance = self.interval.mul_f64((burst - 1.0).max(0.0));
    }

    /// When the next start would be allowed.
    pub(in crate::solana) fn next(&self, now: Instant) -> Instant {
        self.due.and_then(|due| due.checked_sub(self.tolerance)).map_or(now, |at| at.max(now))
    }

    /// Takes the next start if it is not later than `latest`; otherwise says when it would be.
    pub(in crate::solana) fn reserve(&mut self, now: Instant, latest: Instant) -> Result<Instant, Instant> {
        let at = self.next(now);
        if at > latest {
            return Err(at);
        }
        self.take(at);
        Ok(at)
    }

    /// Counts a start at `at`, which must be allowed.
    pub(in crate::solana) fn take(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.max(at)) + self.interval);
    }

    /// Empties the bucket: the next start is one interval away.
    pub(in crate::solana) fn empty(&mut self, now: Instant) {
        let full = now + self.tolerance + self.interval;
        self.due = Some(self.due.map_or(full, |due| due.max(full)));
    }
}

/// The rates that several pools ask for: the smallest counts.
#[derive(Debug, Default)]
pub(in crate::solana) struct Wanted(Vec<(usize, f64)>);

impl Wanted {
    /// `member` asks for this rate; `None`: for none.
    pub(in crate::solana) fn set(&mut self, member: usize, rate: Option<f64>) {
        self.0.retain(|(other, _)| *other != member);
        self.0.extend(rate.map(|rate| (member, rate)));
    }

    /// The smallest rate.
    pub(in crate::solana) fn least(&self) -> Option<f64> {
        self.0.iter().map(|(_, rate)| *rate).min_by(f64::total_cmp)
    }
}

/// Starts in the last second, counted in steps of 50 ms.
#[derive(Debug, Default)]
pub(in crate::solana) struct Starts {
    steps: VecDeque<(Instant, u32)>,
}

impl Starts {
    /// One more start.
    pub(in crate::solana) fn count(&mut self, now: Instant) {
        match self.steps.back_mut().filter(|(at, _)| now.saturating_duration_since(*at) < STEP) {
            Some((_, count)) => *count += 1,
            None => self.steps.push_back((now, 1)),
        }
        self.forget(now);
    }

    /// Starts in the second before `now`.
    pub(in crate::solana) fn in_last_second(&mut self, now: Instant) -> u32 {
        self.forget(now);
        self.steps.iter().map(|(_, count)| count).sum()
    }

    fn forget(&mut self, now: Instant) {
        while self.steps.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > SECOND) {
            self.steps.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Gcra, Starts, Wanted};
    use proptest::prelude::*;
    use std::time::Duration;
    use tokio::time::Instant;

    proptest! {
        #[test]
        fn no_sliding_second_holds_more_than_the_limit(limit in 1u32..400, gaps in proptest::collection::vec(0u64..30_000, 1..1500)) {
            let mut limiter = Gcra::new(f64::from(limit));
            let mut now = Instant::now();
            let mut starts = Vec::new();
            for gap in gaps {
                now += Duration::from_micros(gap);
                starts.push(limiter.reserve(now, now + Duration::from_hours(1)).unwrap());
            }
            for (index, start) in starts.iter().enumerate() {
                let inside = starts.iter().skip(index).take_while(|other| **other < *start + Duration::from_millis(999)).count();
                prop_assert!(inside <= limit as usize, "{inside} starts of {limit}");
            }
        }
    }

    #[test]
    fn lets_a_burst_through_and_refuses_what_would_start_too_late() {
        let (mut limiter, now) = (Gcra::new(100.0), Instant::now());
        assert!((0..10).all(|_| limiter.reserve(now, now) == Ok(now)), "a tenth at once");
        let next = limiter.reserve(now, now).unwrap_err();
        assert!(next > now && next < now + Duration::from_millis(12));
        assert_eq!(limiter.reserve(now, now + Duration::from_secs(1)), Ok(next), "a refusal takes nothing");
    }

    #[test]
    fn lets_a_crowd_through_after_a_rest() {
        let (mut limiter, now) = (Gcra::new(10.0), Instant::now());
        limiter.set_rate_and_burst(10.0, 100.0);
        assert_eq!((0..200).filter(|_| limiter.reserve(now, now).is_ok()).count(), 100);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..200).filter(|_| limiter.reserve(later, later).is_ok()).count(), 10);
    }

    #[test]
    fn works_below_one_start_a_second_and_after_a_change_of_rate() {
        let (mut limiter, now) = (Gcra::new(0.5), Instant::now());
        assert_eq!(limiter.reserve(now, now), Ok(now));
        assert_eq!(limiter.next(now), now + Duration::from_secs(2));
        limiter.set_rate(100.0);
        limiter.empty(now + Duration::from_secs(2));
        assert!(limiter.reserve(now + Duration::from_secs(2), now + Duration::from_secs(2)).is_err());
        assert!(limiter.next(now) < now + Duration::from_millis(2012));
    }

    #[test]
    fn the_smallest_rate_of_those_who_are_left_counts() {
        let mut wanted = Wanted::default();
        wanted.set(1, Some(50.0));
        wanted.set(2, Some(20.0));
        wanted.set(3, None);
        assert_eq!(wanted.least(), Some(20.0));
        wanted.set(2, None);
        assert_eq!(wanted.least(), Some(50.0));
        wanted.set(1, None);
        assert_eq!(wanted.least(), None);
    }

    #[test]
    fn counts_the_last_second_and_forgets_the_rest() {
        let (mut starts, now) = (Starts::default(), Instant::now());
        (0..5).for_each(|_| starts.count(now));
        starts.count(now + Duration::from_millis(600));
        assert_eq!(starts.in_last_second(now + Duration::from_millis(900)), 6);
        assert_eq!(starts.in_last_second(now + Duration::from_millis(1100)), 1);
        assert_eq!(starts.in_last_second(now + Duration::from_secs(3)), 0);
    }
}
