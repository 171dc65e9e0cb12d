//! Redis over our own wire: connection state machine, ledger, I/O thread. Knows no JavaScript.
//!
//! Guarantees: every command settles exactly once; a command that settled is never sent afterwards; replies, failures and statuses of one client leave in
//! one order. Does not decode replies: they cross as tokens, see [`reply`].

mod client;
mod close;
mod command;
mod companion;
mod connection;
mod direct;
mod error;
mod gate;
mod heartbeat;
mod io;
mod ledger;
mod limit_store;
mod options;
mod pubsub;
mod question;
pub mod reply;
mod resp;
mod script;
mod sentinel;
mod socket;
mod tls;

pub use client::{Client, Stats};
pub use command::{Flags, STRIDE};
pub use connection::{Status, Transition};
pub use error::WireError;
pub use heartbeat::{Heartbeat, LockScript, Locks, News};
pub use options::{Options, Resend, Retry};
pub use question::Question;
pub use sentinel::{Address, SentinelOptions};
