//! What one endpoint admits of one class of methods: the configured rate, the rate learnt from 429s, and the pause it asked for. Pure.
//!
//! A 429 with `Retry-After` empties the bucket until then. One without halves the rate at which starts were made, and from there it grows by 5 % a second
//! (AIMD) up to the configured rate, or to twice what was too much; then it is forgotten. While nothing but 429s come, the rate goes on halving; the first
//! answer brings it back to what was learnt: refusing the excess and refusing everything are not the same.

use crate::solana::endpoint::rate_limit::{Gcra, Starts, Wanted};
use std::time::Duration;
use tokio::time::Instant;

const GROWTH_PER_SECOND: f64 = 1.05;
/// The rate does not fall below two starts a second: an endpoint must be able to show that it works again.
const LEAST_RATE: f64 = 2.0;
/// Nor below this at the first 429: a few calls do not show a rate.
const FIRST_RATE: f64 = 20.0;
/// How often the bucket follows the growing rate.
const STEP: Duration = Duration::from_millis(100);

/// One class on one endpoint.
#[derive(Default)]
pub(in crate::solana) struct Admission {
    wanted: Wanted,
    bucket: Option<Gcra>,
    learnt: Option<Learnt>,
    paused_until: Option<Instant>,
    starts: Starts,
}

#[derive(Debug, Clone, Copy)]
struct Learnt {
    /// The rate at `since`, from where it grows.
    rate: f64,
    since: Instant,
    ceiling: f64,
    /// 429s in a row.
    refusals: i32,
    /// When the last one was counted.
    refused: Instant,
    applied: Instant,
}

impl Learnt {
    fn grown(&self, now: Instant) -> f64 {
        self.rate * GROWTH_PER_SECOND.powf(now.saturating_duration_since(self.since).as_secs_f64())
    }

    fn rate_at(&self, now: Instant) -> f64 {
        if self.refusals > 1 { (self.rate / 2_f64.powi(self.refusals - 1)).max(LEAST_RATE) } else { self.grown(now) }
    }
}

impl Admission {
    /// The pool's handle `member` asks for this rate (`None`: no limit, or it leaves).
    pub(in crate::solana) fn want(&mut self, member: usize, rate: Option<f64>) {
        self.wanted.set(member, rate);
        if self.learnt.is_none() {
            self.apply(self.wanted.least());
        }
    }

    /// The rate in force; `None`: unlimited.
    pub(in crate::solana) fn rate(&mut self, now: Instant) -> Option<f64> {
        self.grow(now);
        self.learnt.map(|learnt| learnt.rate_at(now)).or_else(|| self.wanted.least())
    }

    /// Until when nothing is admitted, by the endpoint's own wish.
    pub(in crate::solana) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now)
    }

    /// When the next start would be admitted: `now` or later.
    pub(in crate::solana) fn next(&mut self, now: Instant) -> Instant {
        self.grow(now);
        let paused = self.paused_until(now).unwrap_or(now);
        self.bucket.as_ref().map_or(paused, |bucket| bucket.next(now).max(paused))
    }

    /// Counts a start at `at`.
    pub(in crate::solana) fn take(&mut self, at: Instant) {
        if let Some(bucket) = &mut self.bucket {
            bucket.take(at);
        }
        self.starts.count(at);
    }

    /// It asked to be left alone.
    pub(in crate::solana) fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// It said "too many" to an attempt begun at `began`, and not for how long.
    pub(in crate::solana) fn decrease(&mut self, began: Instant, now: Instant) {
        let measured = f64::from(self.starts.in_last_second(now));
        let halved = |rate: f64| (rate / 2.0).max(LEAST_RATE);
        let learnt = match self.learnt {
            // Answers to what was sent before the last decrease say nothing about the rate since.
            Some(last) if began <= last.refused => return,
            Some(last) if last.refusals > 0 => Learnt { refusals: last.refusals.saturating_add(1).min(30), ..last },
            Some(last) => Learnt { rate: halved(last.grown(now)), since: now, refusals: 1, ..last },
            None => {
                let ceiling = self.wanted.least().unwrap_or((measured * 2.0).max(FIRST_RATE * 2.0));
                let rate = halved(measured.max(FIRST_RATE * 2.0).min(ceiling));
                Learnt { rate, since: now, ceiling, refusals: 1, refused: now, applied: now }
            }
        };
        self.learnt = Some(Learnt { refused: now, applied: now, ..learnt });
        self.apply(Some(learnt.rate_at(now)));
        if let Some(bucket) = &mut self.bucket {
            bucket.empty(now);
        }
    }

    /// It served an attempt begun at `began`.
    pub(in crate::solana) fn served(&mut self, began: Instant, now: Instant) {
        let Some(learnt) = self.learnt.as_mut().filter(|learnt| learnt.refusals > 0 && began > learnt.refused) else {
            return;
        };
        learnt.refusals = 0;
        learnt.since = now;
        let rate = learnt.rate;
        self.apply(Some(rate));
    }

    fn grow(&mut self, now: Instant) {
        let Some(learnt) = &mut self.learnt else { return };
        if now.saturating_duration_since(learnt.applied) < STEP {
            return;
        }
        learnt.applied = now;
        let rate = learnt.rate_at(now);
        if rate >= learnt.ceiling {
            self.learnt = None;
            self.apply(self.wanted.least());
        } else {
            self.apply(Some(rate));
        }
    }

    fn apply(&mut self, rate: Option<f64>) {
        match (rate, &mut self.bucket) {
            (None, bucket) => *bucket = None,
            (Some(rate), Some(bucket)) => bucket.set_rate(rate),
            (Some(rate), bucket) => *bucket = Some(Gcra::new(rate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Admission;
    use std::time::Duration;
    use tokio::time::Instant;

    fn near(left: Option<f64>, right: f64) -> bool {
        left.is_some_and(|left| (left - right).abs() < 0.02 * right)
    }

    #[test]
    fn halves_on_429_and_grows_by_five_per_cent_a_second() {
        let (mut admission, now) = (Admission::default(), Instant::now());
        assert_eq!(admission.rate(now), None);
        (0..80).for_each(|_| admission.take(now));
        let later = now + Duration::from_millis(10);
        admission.decrease(now, later);
        assert!(near(admission.rate(later), 40.0));
        assert!(admission.next(later) > later, "the bucket is empty");
        admission.decrease(now, later);
        assert!(near(admission.rate(later), 40.0), "answers to one burst count once");
        assert!(near(admission.rate(later + Duration::from_secs(5)), 40.0 * 1.05_f64.powi(5)));
        assert_eq!(admission.rate(later + Duration::from_mins(1)), None, "forgotten");
    }

    #[test]
    fn refusing_everything_is_asked_rarely_and_one_answer_ends_that() {
        let (mut admission, now) = (Admission::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        (0..10).for_each(|_| admission.take(now));
        (1..9).for_each(|second| admission.decrease(at(second), at(second)));
        assert!(near(admission.rate(at(8)), 2.0));
        admission.served(at(3), at(8));
        assert!(near(admission.rate(at(8)), 2.0), "an answer from before says nothing");
        admission.served(at(9), at(9));
        assert!(near(admission.rate(at(9)), 20.0));
        admission.decrease(at(10), at(10));
        assert!(near(admission.rate(at(10)), 10.5), "half of what it had grown to");
    }

    #[test]
    fn never_grows_beyond_the_configured_rate_and_the_smaller_one_wins() {
        let (mut admission, now) = (Admission::default(), Instant::now());
        admission.want(1, Some(100.0));
        admission.want(2, Some(30.0));
        assert_eq!(admission.rate(now), Some(30.0));
        admission.want(2, None);
        assert_eq!(admission.rate(now), Some(100.0));
        (0..8).for_each(|_| admission.take(now));
        admission.decrease(now, now + Duration::from_millis(1));
        assert!(near(admission.rate(now), 20.0));
        assert_eq!(admission.rate(now + Duration::from_mins(5)), Some(100.0));
    }

    #[test]
    fn a_pause_holds_until_its_end_and_is_never_shortened() {
        let (mut admission, now) = (Admission::default(), Instant::now());
        admission.pause(now + Duration::from_secs(2));
        admission.pause(now + Duration::from_secs(1));
        assert_eq!(admission.next(now), now + Duration::from_secs(2));
        assert_eq!(admission.paused_until(now + Duration::from_secs(2)), None);
    }
}
