//! Options of a client whose server is found by sentinels. Defaults here are neutral; secrets never show in `Debug`.

use crate::error::Failure;
use crate::tls::TlsOptions;
use serde::Deserialize;
use std::collections::HashMap;
use std::fmt;

/// More sentinels than this are not asked.
pub(super) const MOST_SENTINELS: usize = 64;
/// Where sentinels listen.
const SENTINEL_PORT: u16 = 26_379;

/// How to find the server.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SentinelOptions {
    /// Sentinels to ask, first one first. At least one.
    pub sentinels: Vec<Address>,
    /// Name of the master. Not empty.
    pub name: String,
    /// What to connect to. Default master.
    pub role: Role,
    /// ACL user of the sentinels.
    pub username: Option<String>,
    /// Password of the sentinels.
    pub password: Option<String>,
    /// TLS to the sentinels, if given.
    pub tls: Option<TlsOptions>,
    /// Milliseconds for connecting to one sentinel. Default 10000.
    pub connect_timeout_ms: u32,
    /// Milliseconds for one command of a sentinel; 0 as `connect_timeout_ms`. Default 0.
    pub command_timeout_ms: u32,
    /// Learn of further sentinels from those that answer. Default true.
    pub update_sentinels: bool,
    /// Addresses as this process reaches them. Default as they are told.
    pub nat: Nat,
    /// Replicas to prefer, first one first; others at random.
    pub preferred: Preferred,
    /// What to do when no sentinel answers. Default a failed attempt.
    pub retry: Round,
    /// Subscribe to `+switch-master`. Default false.
    pub failover_detector: bool,
    /// When to connect again to a sentinel that is subscribed to. Default after a minute.
    pub reconnect: Reconnect,
    /// Sentinels subscribed to at once. Default 10.
    pub max_connections: u32,
}

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Address {
    /// Host name or address. Default `localhost`.
    pub host: String,
    /// TCP port. Default 26379.
    pub port: u16,
    /// 4, 6 or 0; none as the client's.
    pub family: Option<u8>,
}

/// What a server is to its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Takes writes.
    Master,
    /// Follows a master.
    Slave,
}

impl Role {
    /// As INFO spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Slave => "slave",
        }
    }
}

/// How told addresses become reachable ones.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Nat {
    /// JavaScript answers for each address.
    Ask,
    /// By `host:port`; what is not in it stays as it is.
    Map(HashMap<String, Address>),
}

/// Which replica.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Preferred {
    /// JavaScript picks one of a list.
    Ask,
    /// The first of these that is there.
    List(Vec<Address>),
}

/// What follows a round in which no sentinel answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Round {
    /// JavaScript says when the next one starts.
    Ask,
    /// The next one starts after `min(n * 10, 1000)` ms.
    Native,
    /// The client ends.
    End,
    /// The attempt to connect has failed: the client's own reconnect policy goes on.
    Attempt,
}

/// When to connect again to a sentinel that is subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reconnect {
    /// JavaScript answers for each attempt.
    Ask,
    /// After a minute.
    Native,
    /// Never.
    Never,
}

impl Default for SentinelOptions {
    fn default() -> Self {
        Self {
            sentinels: Vec::new(),
            name: String::new(),
            role: Role::Master,
            username: None,
            password: None,
            tls: None,
            connect_timeout_ms: 10_000,
            command_timeout_ms: 0,
            update_sentinels: true,
            nat: Nat::Map(HashMap::new()),
            preferred: Preferred::List(Vec::new()),
            retry: Round::Attempt,
            failover_detector: false,
            reconnect: Reconnect::Native,
            max_connections: 10,
        }
    }
}

impl Default for Address {
    fn default() -> Self {
        Self { host: "localhost".to_owned(), port: SENTINEL_PORT, family: None }
    }
}

impl Address {
    /// An address without a wish for a family.
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, family: None }
    }

    /// Whether both name the same place.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl SentinelOptions {
    /// Checks what serde cannot.
    pub(crate) fn validate(&self) -> Result<(), Failure> {
        if self.sentinels.is_empty() || self.sentinels.len() > MOST_SENTINELS {
            let message = format!("sentinels must be 1 to {MOST_SENTINELS} addresses");
            return Err(Failure::invalid_config("sentinels", message));
        }
        if self.name.is_empty() {
            return Err(Failure::invalid_config("name", "Requires the name of master."));
        }
        if let Some(tls) = &self.tls
            && tls.cert.is_some() != tls.key.is_some()
        {
            return Err(Failure::invalid_config("sentinelTLS", "sentinelTLS needs cert and key together"));
        }
        Ok(())
    }
}

impl fmt::Debug for SentinelOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentinelOptions")
            .field("name", &self.name)
            .field("sentinels", &self.sentinels)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
