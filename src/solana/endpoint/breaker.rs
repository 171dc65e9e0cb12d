//! The breaker of one endpoint: a pure state machine over failures, with time and randomness handed in.
//!
//! Opens on five failures in a row, on more than half of twenty or more calls in ten seconds, or when told to (silence, a wrong key). Stays open for a second,
//! doubling to thirty; then one probe decides. Does no I/O: `health.rs` probes.

use std::time::Duration;
use tokio::time::Instant;

const FAILURES_IN_A_ROW: u32 = 5;
const WINDOW: Duration = Duration::from_secs(10);
const WINDOW_CALLS: u32 = 20;
const FIRST_OPEN: Duration = Duration::from_secs(1);
const LONGEST_OPEN: Duration = Duration::from_secs(30);
/// For endpoints that cannot serve us at all (key, plan, address).
const FIRST_UNUSABLE: Duration = Duration::from_mins(1);
const LONGEST_UNUSABLE: Duration = Duration::from_mins(10);
/// Healthy for this long: the next opening starts small again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(30);

/// Why a breaker opens at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::solana) enum Trip {
    /// No byte for too long.
    Silent,
    /// The endpoint cannot serve us.
    Unusable,
}

/// The breaker of one endpoint.
#[derive(Debug, Default)]
pub(in crate::solana) struct Breaker {
    open_until: Option<Instant>,
    probing: bool,
    in_a_row: u32,
    window: Option<Instant>,
    calls: u32,
    failures: u32,
    openings: u32,
    closed_at: Option<Instant>,
}

impl Breaker {
    /// Whether normal traffic may go there.
    pub(in crate::solana) fn is_closed(&self) -> bool {
        self.open_until.is_none()
    }

    /// When it may be probed; `None` while closed.
    pub(in crate::solana) fn open_until(&self) -> Option<Instant> {
        self.open_until
    }

    /// Claims the one probe that is due. True: the caller must report its outcome.
    pub(in crate::solana) fn claim_probe(&mut self, now: Instant) -> bool {
        let due = !self.probing && self.open_until.is_some_and(|until| until <= now);
        if due {
            self.probing = true;
        }
        due
    }

    /// The probe ended without a verdict: it may be claimed again.
    pub(in crate::solana) fn release_probe(&mut self) {
        self.probing = false;
    }

    /// A good answer. True when this closed the breaker.
    pub(in crate::solana) fn succeeded(&mut self, now: Instant) -> bool {
        self.in_a_row = 0;
        self.count(now, false);
        let closes = self.open_until.take().is_some();
        self.probing = false;
        if closes {
            self.closed_at = Some(now);
            (self.calls, self.failures, self.window) = (0, 0, None);
        }
        closes
    }

    /// A failure; `random` is uniform in 0.0..1.0. True when this opened the breaker.
    pub(in crate::solana) fn failed(&mut self, now: Instant, random: f64) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.count(now, true);
        if self.open_until.is_some() {
            // A failed probe opens it for longer; a straggler of before does not.
            if self.probing {
                self.open(now, FIRST_OPEN, LONGEST_OPEN, random);
            }
            return false;
        }
        let too_many = self.calls >= WINDOW_CALLS && self.failures * 2 > self.calls;
        if self.in_a_row >= FAILURES_IN_A_ROW || too_many {
            self.open(now, FIRST_OPEN, LONGEST_OPEN, random);
            return true;
        }
        false
    }

    /// Opens at once. True when it was closed.
    pub(in crate::solana) fn trip(&mut self, why: Trip, now: Instant, random: f64) -> bool {
        let was_closed = self.open_until.is_none();
        if was_closed || self.probing {
            let (first, longest) = match why {
                Trip::Silent => (FIRST_OPEN, LONGEST_OPEN),
                Trip::Unusable => (FIRST_UNUSABLE, LONGEST_UNUSABLE),
            };
            self.open(now, first, longest, random);
        }
        was_closed
    }

    fn open(&mut self, now: Instant, first: Duration, longest: Duration, random: f64) {
        let forgiven = self.closed_at.is_some_and(|at| now.duration_since(at) > FORGIVEN_AFTER);
        self.openings = if forgiven { 1 } else { self.openings.saturating_add(1) };
        self.closed_at = None;
        let doubled = first.saturating_mul(1 << (self.openings - 1).min(10));
        // Jitter of +- 20 %, so that many processes do not probe together.
        self.open_until = Some(now + doubled.min(longest).mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0)));
        self.probing = false;
    }

    fn count(&mut self, now: Instant, failed: bool) {
        if self.window.is_none_or(|start| now.duration_since(start) > WINDOW) {
            self.window = Some(now);
            (self.calls, self.failures) = (0, 0);
        }
        self.calls = self.calls.saturating_add(1);
        self.failures = self.failures.saturating_add(u32::from(failed));
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, Trip};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn opens_on_five_failures_in_a_row_and_lets_one_probe_through() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert!((0..4).all(|_| !breaker.failed(now, 0.5)));
        assert!(breaker.failed(now, 0.5));
        assert!(!breaker.is_closed());
        assert!(!breaker.claim_probe(now));
        let later = now + Duration::from_millis(1001);
        assert!(breaker.claim_probe(later));
        assert!(!breaker.claim_probe(later), "one probe at a time");
        assert!(!breaker.failed(later, 0.5));
        assert_eq!(breaker.open_until(), Some(later + Duration::from_secs(2)), "doubled");
        let again = later + Duration::from_secs(2);
        assert!(breaker.claim_probe(again));
        assert!(breaker.succeeded(again));
        assert!(breaker.is_closed());
    }

    #[test]
    fn opens_when_more_than_half_of_twenty_calls_fail() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for round in 1..=6 {
            breaker.succeeded(now);
            assert!(!breaker.failed(now, 0.5) && !breaker.failed(now, 0.5), "{} calls", round * 3);
        }
        breaker.succeeded(now);
        assert!(breaker.failed(now, 0.5), "the twentieth call");
    }

    #[test]
    fn a_silent_endpoint_opens_at_once_and_never_for_more_than_the_limit() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        assert!(breaker.trip(Trip::Silent, now, 0.5));
        for _ in 0..20 {
            now = breaker.open_until().unwrap();
            assert!(breaker.claim_probe(now));
            breaker.failed(now, 1.0);
        }
        assert!(breaker.open_until().unwrap() - now <= Duration::from_secs(36));
    }
}
