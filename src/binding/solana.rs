//! Exports of the solana room.
