//! A point in time after which an operation must have settled.

use std::time::Duration;
use tokio::time::Instant;

/// A monotonic deadline. The earliest of several wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// Stands for "no deadline" where one is needed: far enough never to pass, near enough not to overflow a timer.
const FAR: Duration = Duration::from_hours(24 * 365);

impl Deadline {
    /// `after` from now.
    pub fn after(after: Duration) -> Self {
        Self(Instant::now() + after.min(FAR))
    }

    /// `millis` from now; zero means none (a year).
    pub fn after_millis(millis: u32) -> Self {
        if millis == 0 { Self::after(FAR) } else { Self::after(Duration::from_millis(u64::from(millis))) }
    }

    /// The earlier of two.
    #[must_use]
    pub fn earliest(self, other: Self) -> Self {
        self.min(other)
    }

    /// Time left; zero when passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn is_over(self) -> bool {
        self.remaining().is_zero()
    }

    /// Resolves when it passes.
    pub async fn passed(self) {
        tokio::time::sleep_until(self.0).await;
    }
}
