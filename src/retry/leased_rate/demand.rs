//! How many starts a second there were lately: a sum that decays. Pure: time is handed in.

use std::time::Duration;
use tokio::time::Instant;

/// How fast the past is forgotten.
const MEMORY: Duration = Duration::from_millis(250);

/// A decaying count of starts.
#[derive(Debug, Default)]
pub(super) struct Demand {
    weight: f64,
    at: Option<Instant>,
}

impl Demand {
    /// One more start.
    pub(super) fn count(&mut self, now: Instant) {
        self.weight = self.remembered(now) + 1.0;
        self.at = Some(now);
    }

    /// Starts a second.
    pub(super) fn per_second(&self, now: Instant) -> f64 {
        self.remembered(now) / MEMORY.as_secs_f64()
    }

    fn remembered(&self, now: Instant) -> f64 {
        let ago = self.at.map_or(Duration::ZERO, |at| now.duration_since(at));
        self.weight * (-ago.as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }
}
