//! Retry policy without I/O: when to try again, how long to wait, and how much retrying the process may do at all.
//!
//! Reads no clock but `tokio::time`, so that paused time drives the tests. Does not know what is being retried.

mod backoff;
mod budget;
mod deadline;
mod leased_rate;
mod limit_store;

pub use backoff::{Backoff, full_jitter};
pub use budget::{Budget, BudgetOptions};
pub use deadline::Deadline;
pub use leased_rate::{LeasedRate, PATIENCE};
pub use limit_store::{Ask, BACKLOG, LATENESS, Lease, LeaseFuture, LimitStore, Unavailable, spacing};
