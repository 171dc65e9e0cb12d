//! Solana RPC: one pool over many endpoints, with limits, breakers, retries and a transaction tracker. Knows no JavaScript.
