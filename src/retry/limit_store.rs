//! A rate limit that several processes share: what is asked of the place that keeps it, and what it lends.
//!
//! Lent are slots: points in time, evenly spaced over all processes, at which one start each may happen. A store that only counted could not say when: four
//! processes that use their counts late or at once would add up to bursts.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// How late a slot may be used, on the store's clock. The spacing pays for it, see [`spacing`].
pub const LATENESS: Duration = Duration::from_millis(120);
/// How old a slot may be when it is lent: what nobody used lately may start at once.
pub const BACKLOG: Duration = Duration::from_millis(40);

/// The distance between two slots of a limit of `per_second` starts, which must be above 0.
///
/// A start happens at its slot or up to [`LATENESS`] later, so the starts of one second have their slots within a second and that much: at this distance no
/// more than the limit.
pub fn spacing(per_second: f64) -> Duration {
    Duration::from_secs_f64((1.0 + LATENESS.as_secs_f64()) / per_second)
}

/// What a process asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The distance between slots that this process' limit wants. Of the distances of all living processes the largest holds.
    pub interval: Duration,
    /// Starts that wait. At least one slot is lent if this is not 0; the others come with the next asks, so that each process gets its turn.
    pub need: u32,
    /// Starts that will soon come: lent only from what nobody used.
    pub soon: u32,
    /// The stretch of slots that one process may take.
    pub cover: Duration,
}

/// Slots lent to a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lease {
    /// When the first slot is, in seconds from the moment the store answered; slots nobody used yet are in the past.
    pub first: f64,
    /// The distance between them.
    pub interval: Duration,
    /// How many; 0 is an answer too.
    pub count: u32,
    /// Processes that asked lately, this one included.
    pub processes: u32,
}

/// The store is away, or says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("limit store is unavailable")]
pub struct Unavailable;

/// The future of a lease. Ends within about a second, by an answer or without.
pub type LeaseFuture = Pin<Box<dyn Future<Output = Result<Lease, Unavailable>> + Send>>;

/// A place that keeps limits for several processes.
pub trait LimitStore: Send + Sync {
    /// Asks for slots of the limit `key` on behalf of `process`. Also counts the process, whatever it asks for.
    fn lease(&self, key: &str, process: &str, ask: Ask) -> LeaseFuture;
    /// Lets go of every connection; every later lease is [`Unavailable`].
    fn close(&self);
}
