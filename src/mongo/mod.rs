//! MongoDB over the published Rust driver: clients, sessions, transactions, cursors. Knows no JavaScript.
