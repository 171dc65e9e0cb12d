//! Exponential backoff with a cap and jitter.

use std::time::Duration;

/// `min(base * factor^(attempt - 1), cap)`, then jitter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Delay before the second attempt, without jitter.
    pub base: Duration,
    /// Growth per attempt; 2.0 doubles.
    pub factor: f64,
    /// The longest delay, before jitter.
    pub cap: Duration,
    /// The share of the delay that is random, 0.0 to 1.0. 1.0 is full jitter (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter>).
    pub jitter: f64,
}

impl Backoff {
    /// The delay without jitter after `attempt` failures (from 1).
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.factor.powi(exponent);
        if seconds.is_finite() && seconds < self.cap.as_secs_f64() {
            Duration::from_secs_f64(seconds)
        } else {
            self.cap
        }
    }

    /// The delay after `attempt` failures (from 1); `random` is uniform in 0.0..1.0.
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let ceiling = self.ceiling(attempt);
        let jitter = self.jitter.clamp(0.0, 1.0);
        ceiling.mul_f64(1.0 - jitter + jitter * random.clamp(0.0, 1.0))
    }
}

/// A full-jitter delay: uniform between zero and the capped exponential.
pub fn full_jitter(base: Duration, cap: Duration, attempt: u32) -> Duration {
    Backoff { base, factor: 2.0, cap, jitter: 1.0 }.delay(attempt, fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn never_exceeds_the_cap_and_never_shrinks(attempt in 1u32..10_000, random in 0.0f64..1.0) {
            let backoff = Backoff { base: Duration::from_millis(50), factor: 2.0, cap: Duration::from_secs(2), jitter: 0.2 };
            prop_assert!(backoff.delay(attempt, random) <= backoff.cap);
            prop_assert!(backoff.ceiling(attempt) <= backoff.ceiling(attempt + 1));
            prop_assert!(backoff.delay(attempt, random) >= backoff.ceiling(attempt).mul_f64(0.79));
        }
    }
}
