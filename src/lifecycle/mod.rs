//! Lives of things that hold connections: their states, the registry of what is open, and the order and deadline of shutdown.
//!
//! Does no I/O itself: rooms implement [`Managed`]. Registries belong to an environment (see `bridge::scope`).

mod registry;
mod shutdown;
mod state;

pub use registry::{CloseFuture, CloseSummary, Kind, Managed, Registration, Registry, Unconfirmed};
pub use shutdown::{PhaseReport, Shutdown, ShutdownReport};
pub use state::{State, StateCell};
