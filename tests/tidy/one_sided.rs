//! Leaves that exist on one side only, because the other side owns nothing of theirs. Add a line with the leaf; names are `snake_case`.

/// Leaves that pair under two names.
pub(crate) const ALIASES: &[(&str, &str)] = &[("error", "errors")];

/// `(feature, leaf)` under `src/` only.
pub(crate) const RUST_ONLY: &[(&str, &str)] = &[
    ("error", "code"),
    ("error", "redact"),
    ("observe", "event"),
    ("observe", "stats"),
    ("lifecycle", "state"),
    ("lifecycle", "registry"),
    ("lifecycle", "plan"),
    ("mongo", "options"),
    ("mongo", "write"),
    ("mongo", "command"),
    ("mongo", "event"),
    ("redis", "options"),
    ("redis", "io"),
    ("redis", "connection"),
    ("redis", "ledger"),
    ("redis", "resp"),
    ("redis", "reconnect"),
    ("redis", "blocking"),
    ("redis", "tls"),
    ("solana", "options"),
    ("solana", "endpoint"),
    ("solana", "health"),
    ("solana", "rate_limit"),
    ("solana", "cache"),
    ("solana", "request"),
    ("solana", "classify"),
    ("solana", "decode"),
    ("solana", "transaction"),
    ("solana", "rpc_sender"),
];

/// `(feature, leaf)` under `lib/` only: shapes of the API, codecs and entries.
pub(crate) const TYPESCRIPT_ONLY: &[(&str, &str)] = &[
    ("error", "from_failure"),
    ("error", "mooring_error"),
    ("observe", "channels"),
    ("observe", "metrics"),
    ("lifecycle", "open_things"),
    ("lifecycle", "signals"),
    ("mongo", "host"),
    ("mongo", "mongoose"),
    ("redis", "encode"),
    ("redis", "pipeline"),
    ("redis", "stream"),
    ("redis", "ioredis"),
    ("redis", "bullmq"),
    ("redis", "bullmq_register"),
    ("redis", "bull"),
    ("solana", "connection"),
    ("solana", "web3"),
    ("solana", "kit"),
];
