//! What the pool knows about JSON-RPC methods: class, where the commitment goes, whether equal reads may share one request.
//!
//! Unknown methods pass untouched, as single reads.

/// The traffic class of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// A light read.
    Read,
    /// A read that nodes find expensive: longer limit, never overtaken.
    Heavy,
    /// Changes something; counted by its own limiter.
    Send,
}

/// Which lifetime of the cache belongs to a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Balances, token balances, parsed token accounts.
    Balance,
    /// Blockhashes.
    Blockhash,
    /// Accounts.
    Account,
    /// Signature statuses.
    Status,
}

/// Where a commitment stands in the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommitmentPlace {
    /// Position of the configuration object.
    pub index: usize,
    /// Its field.
    pub field: &'static str,
    /// The node refuses `processed` for this method.
    pub at_least_confirmed: bool,
}

/// One method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Method {
    /// Traffic class.
    pub class: Class,
    /// Where a commitment goes; `None`: never touched.
    pub commitment: Option<CommitmentPlace>,
    /// Whether identical calls in flight may share one request.
    pub shared: bool,
    /// The cache lifetime, for callers who ask for the cache.
    pub lifetime: Option<Lifetime>,
}

const fn place(index: usize) -> CommitmentPlace {
    CommitmentPlace { index, field: "commitment", at_least_confirmed: false }
}

const fn confirmed(index: usize) -> CommitmentPlace {
    CommitmentPlace { at_least_confirmed: true, ..place(index) }
}

const fn read(commitment: Option<CommitmentPlace>) -> Method {
    Method { class: Class::Read, commitment, shared: true, lifetime: None }
}

const fn heavy(commitment: Option<CommitmentPlace>) -> Method {
    Method { class: Class::Heavy, commitment, shared: true, lifetime: None }
}

const fn cached(commitment: Option<CommitmentPlace>, lifetime: Lifetime) -> Method {
    Method { class: Class::Read, commitment, shared: true, lifetime: Some(lifetime) }
}

const fn send(index: usize, field: &'static str) -> Method {
    let commitment = Some(CommitmentPlace { index, field, at_least_confirmed: false });
    Method { class: Class::Send, commitment, shared: false, lifetime: None }
}

/// What is known about `name`.
pub(super) fn method(name: &str) -> Method {
    match name {
        "getBalance" | "getTokenAccountBalance" => cached(Some(place(1)), Lifetime::Balance),
        "getLatestBlockhash" => cached(Some(place(0)), Lifetime::Blockhash),
        "getAccountInfo" | "getMultipleAccounts" => cached(Some(place(1)), Lifetime::Account),
        "getTokenAccountsByOwner" => Method { class: Class::Heavy, ..cached(Some(place(2)), Lifetime::Balance) },
        "getSlot" | "getBlockHeight" | "getEpochInfo" | "getTransactionCount" | "getSupply" | "getVoteAccounts" => {
            read(Some(place(0)))
        }
        "isBlockhashValid" | "getFeeForMessage" | "getTokenSupply" | "getMinimumBalanceForRentExemption" => {
            read(Some(place(1)))
        }
        "getTokenLargestAccounts" | "getProgramAccounts" => heavy(Some(place(1))),
        "getTokenAccountsByDelegate" => heavy(Some(place(2))),
        "getBlock" | "getTransaction" | "getSignaturesForAddress" => heavy(Some(confirmed(1))),
        "getBlocks" | "getBlocksWithLimit" => heavy(Some(confirmed(2))),
        "accountSubscribe" | "programSubscribe" | "signatureSubscribe" | "logsSubscribe" => read(Some(place(1))),
        "getSignatureStatuses" => Method { lifetime: Some(Lifetime::Status), ..read(None) },
        "getHealth"
        | "getVersion"
        | "getGenesisHash"
        | "getIdentity"
        | "getEpochSchedule"
        | "getBlockTime"
        | "getFirstAvailableBlock"
        | "minimumLedgerSlot"
        | "getRecentPrioritizationFees" => read(None),
        "sendTransaction" => send(1, "preflightCommitment"),
        "requestAirdrop" => send(2, "commitment"),
        "simulateTransaction" => Method { shared: false, ..read(Some(place(1))) },
        _ => Method { class: Class::Read, commitment: None, shared: false, lifetime: None },
    }
}
