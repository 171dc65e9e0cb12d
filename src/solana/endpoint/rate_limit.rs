//! Limits on starts: GCRA with a burst of a tenth, so that no sliding second ever holds more than N starts. Pure: time is handed in.
//!
//! A reservation says when a caller may start; callers who cannot wait that long do not reserve.

use std::time::Duration;
use tokio::time::Instant;

/// A limiter of N starts a second. The rate must be above 0.
#[derive(Debug)]
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
        let burst = (per_second / 10.0).floor().max(1.0);
        // A second holds the burst and what the steady rate adds: burst + rate - 1 whole starts.
        let interval = Duration::from_secs_f64(1.0 / (per_second - burst + 1.0).max(per_second.min(1.0)));
        Self { interval, tolerance: interval.mul_f64(burst - 1.0), due: None }
    }

    /// `per_second` starts on average, and up to `burst` at once after a rest: for starts that come in crowds.
    pub(in crate::solana) fn with_burst(per_second: f64, burst: f64) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second);
        Self { interval, tolerance: interval.mul_f64((burst - 1.0).max(0.0)), due: None }
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
        self.due = Some(self.due.map_or(now, |due| due.max(now)) + self.interval);
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::Gcra;
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
        let (mut limiter, now) = (Gcra::with_burst(10.0, 100.0), Instant::now());
        assert_eq!((0..200).filter(|_| limiter.reserve(now, now).is_ok()).count(), 100);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..200).filter(|_| limiter.reserve(later, later).is_ok()).count(), 10);
    }

    #[test]
    fn works_below_one_start_a_second() {
        let (mut limiter, now) = (Gcra::new(0.5), Instant::now());
        assert_eq!(limiter.reserve(now, now), Ok(now));
        assert_eq!(limiter.next(now), now + Duration::from_secs(2));
    }
}
