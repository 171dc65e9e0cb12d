//! Peak-EWMA latency: follows a slow answer at once, forgets it over ten seconds.

use std::time::Duration;
use tokio::time::Instant;

const DECAY: Duration = Duration::from_secs(10);

/// The smoothed latency of one endpoint; `None` until something was measured.
#[derive(Debug, Default)]
pub(in crate::solana) struct Latency {
    smoothed: Option<(f64, Instant)>,
}

impl Latency {
    /// Takes one measurement (also the time a failed attempt took).
    pub(in crate::solana) fn observe(&mut self, took: Duration, now: Instant) {
        let took = took.as_secs_f64();
        self.smoothed = Some(match self.smoothed {
            Some((old, at)) if took < old => {
                let keep = (-now.duration_since(at).as_secs_f64() / DECAY.as_secs_f64()).exp();
                (old * keep + took * (1.0 - keep), now)
            }
            _ => (took, now),
        });
    }

    /// Something took at least this long: raises, never lowers.
    pub(in crate::solana) fn at_least(&mut self, took: Duration, now: Instant) {
        if self.get().is_none_or(|known| took > known) {
            self.observe(took, now);
        }
    }

    /// The smoothed latency.
    pub(in crate::solana) fn get(&self) -> Option<Duration> {
        self.smoothed.map(|(seconds, _)| Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::Latency;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn jumps_up_at_once_and_comes_down_slowly() {
        let (mut latency, now) = (Latency::default(), Instant::now());
        assert_eq!(latency.get(), None);
        latency.observe(Duration::from_millis(20), now);
        latency.observe(Duration::from_secs(1), now);
        assert_eq!(latency.get(), Some(Duration::from_secs(1)));
        latency.observe(Duration::from_millis(20), now + Duration::from_secs(1));
        assert!(latency.get().unwrap() > Duration::from_millis(800));
        latency.at_least(Duration::from_millis(1), now + Duration::from_secs(2));
        assert!(latency.get().unwrap() > Duration::from_millis(800));
        latency.observe(Duration::from_millis(20), now + Duration::from_mins(1));
        assert!(latency.get().unwrap() < Duration::from_millis(40));
    }
}
