//! The MongoDB room: clients over the published `mongodb` crate, driven by raw commands.
//!
//! Owns connections, sessions, transactions, cursors, retries, deadlines and close. TypeScript encodes and decodes BSON and calls user callbacks.
//! An operation comes in as a [`Request`] and settles once, with a [`Reply`] or a `Failure`; the contract is in `docs/mongo.md`.
//! Does not know that JavaScript exists.

mod attempt;
mod body;
mod bulk;
mod change_stream;
mod client;
mod client_bulk;
mod client_bulk_result;
mod close;
mod command;
mod concern;
mod cursor;
mod dispatch;
mod driver;
mod error;
mod event;
mod handles;
mod numbers;
mod options;
mod pool_event;
#[cfg(test)]
mod properties;
mod read;
mod session;
mod statement;
mod trace;
mod transaction;
mod verdict;
mod write;

pub use client::Client;
pub use dispatch::{Reply, ReplyFuture, Request};

/// The operations, by the numbers of `lib/mongo/opcodes.ts`.
pub mod opcode {
    /// Finds the servers and pings one.
    pub const CONNECT: u16 = 1;
    /// Closes the client; flag 1 cuts what runs.
    pub const CLOSE: u16 = 2;
    /// A query; answers its first batch.
    pub const FIND: u16 = 10;
    /// A query for one document.
    pub const FIND_ONE: u16 = 11;
    /// The next batch of a cursor.
    pub const GET_MORE: u16 = 12;
    /// Closes a cursor.
    pub const CLOSE_CURSOR: u16 = 13;
    /// An aggregation; answers its first batch.
    pub const AGGREGATE: u16 = 14;
    /// Counts by an aggregation.
    pub const COUNT: u16 = 15;
    /// Counts by metadata.
    pub const ESTIMATED_COUNT: u16 = 16;
    /// Distinct values.
    pub const DISTINCT: u16 = 17;
    /// Any command.
    pub const COMMAND: u16 = 18;
    /// Any command that answers a cursor.
    pub const RUN_CURSOR_COMMAND: u16 = 19;
    /// Opens a change stream; answers its first batch.
    pub const WATCH: u16 = 20;
    /// Waits for the next events of a change stream; flag 1 answers after one batch, also an empty one.
    pub const NEXT_CHANGES: u16 = 21;
    /// Closes a change stream.
    pub const CLOSE_CHANGE_STREAM: u16 = 22;
    /// Inserts documents.
    pub const INSERT: u16 = 30;
    /// Updates one.
    pub const UPDATE_ONE: u16 = 31;
    /// Updates many.
    pub const UPDATE_MANY: u16 = 32;
    /// Replaces one.
    pub const REPLACE_ONE: u16 = 33;
    /// Deletes one.
    pub const DELETE_ONE: u16 = 34;
    /// Deletes many.
    pub const DELETE_MANY: u16 = 35;
    /// Updates one and answers it.
    pub const FIND_ONE_AND_UPDATE: u16 = 36;
    /// Replaces one and answers it.
    pub const FIND_ONE_AND_REPLACE: u16 = 37;
    /// Deletes one and answers it.
    pub const FIND_ONE_AND_DELETE: u16 = 38;
    /// Many writes of all kinds.
    pub const BULK_WRITE: u16 = 39;
    /// Many writes of all kinds, on any collections.
    pub const CLIENT_BULK_WRITE: u16 = 40;
    /// Ends a session; aborts its transaction.
    pub const END_SESSION: u16 = 50;
    /// Commits.
    pub const COMMIT: u16 = 51;
    /// Aborts.
    pub const ABORT: u16 = 52;
    /// Settles when an attempt is over, or at its deadline.
    pub const ATTEMPT: u16 = 53;
    /// Ends an attempt with a verdict.
    pub const FINISH: u16 = 54;
    /// Asks again for the outcome of a commit.
    pub const COMMIT_OUTCOME: u16 = 55;
    /// Lets a session see what another has seen.
    pub const ADVANCE_SESSION: u16 = 56;
}
