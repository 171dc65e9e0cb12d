//! Options of a pool: the only place where they are validated and where their defaults stand. They arrive as the JSON text of the caller's object.

mod part;

use crate::error::Endpoint as Uri;
use crate::solana::endpoint::slot::Commitment;
use crate::solana::endpoint::wire::{self, WireOptions};
use crate::solana::error::PoolError;
use part::Part;
use serde_json::{Map, Value};
use std::time::Duration;

type Object = Map<String, Value>;

/// How long replies are kept, per kind. Zero switches a kind off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheTtl {
    /// Balances, token balances and parsed token accounts. Default 1000 ms.
    pub balance: Duration,
    /// Blockhashes. Default 2000 ms.
    pub blockhash: Duration,
    /// Accounts. Default 1000 ms.
    pub account: Duration,
    /// Signature statuses. Default 500 ms.
    pub status: Duration,
}

/// One endpoint as configured. Its debug form shows no URL path, query or header.
#[derive(Clone)]
pub struct EndpointOptions {
    /// The whole URL with its secrets.
    pub url: Uri,
    /// Its websocket, with its secrets. Default: the next port, or the same place when the URL names none.
    pub ws_url: Option<Uri>,
    /// The name for logs and metrics. Default: host and port.
    pub name: Option<String>,
    /// Headers of every request, such as `authorization`.
    pub headers: Vec<(String, String)>,
    /// Share of traffic relative to others. Default 1.
    pub weight: f64,
    /// Lower tiers are used first. Default 0.
    pub tier: u32,
    /// Starts a second on this endpoint alone, per class of methods.
    pub limits: Limits,
    /// How it is reached, where that differs from the pool's.
    pub wire: WireOptions,
}

/// Starts a second per class of methods; `None`: no limit of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Reads, the heavy ones included.
    pub read: Option<f64>,
    /// Sends.
    pub send: Option<f64>,
    /// Heavy reads, within `read`.
    pub heavy: Option<f64>,
    /// Websocket requests (subscribe, unsubscribe), ten times as many at once after a rest. Default 10.
    pub subscribe: Option<f64>,
}

impl std::fmt::Debug for EndpointOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointOptions").field("url", &self.url).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Options of a pool.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// May be empty; more can be added later.
    pub endpoints: Vec<EndpointOptions>,
    /// Reads a second, whole pool. Default 100.
    pub reads_per_second: f64,
    /// Sends a second, whole pool, counted apart. Default 10.
    pub sends_per_second: f64,
    /// Lifetimes of cached replies.
    pub ttl: CacheTtl,
    /// For reads without a commitment of their own, and preflight. Default `processed`.
    pub commitment: Commitment,
    /// For a whole call, all attempts included. Default 30 s.
    pub deadline: Duration,
    /// Attempts of a read. Default: 3, or as many as there are endpoints.
    pub read_attempts: Option<u32>,
    /// Attempts of a send, identical bytes each. Default 2.
    pub send_attempts: u32,
    /// Slots a node may be behind the best one. Default 20.
    pub max_slot_lag: u64,
    /// Bytes the cache may hold. Default 64 MiB.
    pub cache_max_bytes: u64,
    /// Calls that may wait per class. Default 10 000.
    pub queue_max: u32,
    /// Requests in flight per endpoint. Default 64.
    pub max_sockets: u32,
    /// How often an endpoint without a fresh slot is asked for one. Default 2 s.
    pub probe_interval: Duration,
    /// How endpoints are reached.
    pub wire: WireOptions,
    /// Heavy reads in flight. Default 25.
    pub heavy_max: u32,
    /// Second attempts of slow reads. Default: on, for at most 5 % of the calls.
    pub hedge: HedgeOptions,
    /// Whether reads see what this pool has sent and confirmed. Default false.
    pub read_your_writes: bool,
}

/// When a read that is not heavy gets a second attempt elsewhere while the first one runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgeOptions {
    /// Share of the calls; 0 switches hedging off. Default 0.05.
    pub max_extra: f64,
    /// Not before this, however fast the method usually is. Default 20 ms.
    pub min_delay: Duration,
    /// Not after this, however slow. Default 1 s.
    pub max_delay: Duration,
}

impl HedgeOptions {
    /// No hedges.
    pub const OFF: Self =
        Self { max_extra: 0.0, min_delay: Duration::from_millis(20), max_delay: Duration::from_secs(1) };

    /// Whether there are any.
    pub fn on(&self) -> bool {
        self.max_extra > 0.0
    }
}

impl Default for HedgeOptions {
    fn default() -> Self {
        Self { max_extra: 0.05, ..Self::OFF }
    }
}

const NAMES: [&str; 16] = [
    "endpoints",
    "maxRequestsPerSecond",
    "maxTransactionsPerSecond",
    "cacheConfig",
    "commitment",
    "deadlineMs",
    "readAttempts",
    "sendAttempts",
    "maxSlotLag",
    "cacheMaxBytes",
    "queueMax",
    "maxSocketsPerEndpoint",
    "probeIntervalMs",
    "maxHeavyInFlight",
    "hedge",
    "readYourWrites",
];
const MAX_ENDPOINTS: usize = 256;
const MAX_URL: usize = 4096;
const MAX_MILLIS: f64 = 2_147_483_647.0;

impl PoolOptions {
    /// Reads the caller's object.
    pub fn from_json(text: &str) -> Result<Self, PoolError> {
        let value: Value = serde_json::from_str(text).map_err(|_| bad("options", "options must be an object"))?;
        let object = value.as_object().ok_or_else(|| bad("options", "options must be an object"))?;
        let part = Part::of(object, "");
        part.refuse_unknown(&[&NAMES[..], &wire::NAMES].concat())?;
        Ok(Self {
            endpoints: endpoints(object)?,
            reads_per_second: part.number("maxRequestsPerSecond", (0.01, 1e6), 100.0)?,
            sends_per_second: part.number("maxTransactionsPerSecond", (0.01, 1e6), 10.0)?,
            ttl: cache_ttl(&part)?,
            commitment: commitment(object)?,
            deadline: part.millis("deadlineMs", 1.0, 30_000.0)?,
            read_attempts: present(object, "readAttempts")
                .map(|_| part.integer("readAttempts", (1, 20), 1))
                .transpose()?,
            send_attempts: part.integer("sendAttempts", (1, 20), 2)?,
            max_slot_lag: u64::from(part.integer("maxSlotLag", (1, 1_000_000), 20)?),
            cache_max_bytes: u64::from(part.integer("cacheMaxBytes", (0, u32::MAX), 64 * 1024 * 1024)?),
            queue_max: part.integer("queueMax", (1, 10_000_000), 10_000)?,
            max_sockets: part.integer("maxSocketsPerEndpoint", (1, 10_000), 64)?,
            probe_interval: part.millis("probeIntervalMs", 10.0, 2_000.0)?,
            wire: WireOptions::read(object, "")?,
            heavy_max: part.integer("maxHeavyInFlight", (1, 10_000), 25)?,
            hedge: hedge(&part)?,
            read_your_writes: part.flag("readYourWrites")?.unwrap_or(false),
        })
    }
}

impl EndpointOptions {
    /// Reads a URL, or an object with one.
    pub fn from_value(value: &Value) -> Result<Self, PoolError> {
        let empty = Object::new();
        let (url, object) = match value {
            Value::String(url) => (Some(url.as_str()), &empty),
            Value::Object(object) => (object.get("url").and_then(Value::as_str), object),
            _ => (None, &empty),
        };
        let url = url.ok_or_else(|| bad("endpoints", "endpoint must be a url or an object with a url"))?;
        let own = ["url", "wsUrl", "name", "headers", "weight", "tier", "limits"];
        let part = Part::of(object, "endpoints.");
        part.refuse_unknown(&[&own[..], &wire::NAMES].concat())?;
        let name = match object.get("name") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if !name.is_empty() && name.len() <= 100 => Some(name.clone()),
            Some(_) => return Err(bad("endpoints.name", "endpoint name must be a text of 1 to 100 characters")),
        };
        Ok(Self {
            url: checked_url(url, ["http", "https"], "endpoints")?,
            ws_url: ws_url(object)?,
            name,
            headers: headers(&part)?,
            weight: part.number("weight", (0.001, 1000.0), 1.0)?,
            tier: part.integer("tier", (0, 1000), 0)?,
            limits: limits(&part)?,
            wire: WireOptions::read(object, "endpoints.")?,
        })
    }
}

fn bad(option: &str, message: impl Into<String>) -> PoolError {
    PoolError::Config { option: option.to_owned(), message: message.into() }
}

fn present<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn limits(endpoint: &Part<'_>) -> Result<Limits, PoolError> {
    let Some(limits) = endpoint.part("limits", "endpoints.limits.")? else { return Ok(Limits::default()) };
    limits.refuse_unknown(&["read", "send", "heavy", "subscribe"])?;
    let rate = |name| limits.value(name).map(|_| limits.number(name, (0.01, 1e6), 0.0)).transpose();
    Ok(Limits { read: rate("read")?, send: rate("send")?, heavy: rate("heavy")?, subscribe: rate("subscribe")? })
}

fn cache_ttl(pool: &Part<'_>) -> Result<CacheTtl, PoolError> {
    let empty = Object::new();
    let config = pool.part("cacheConfig", "cacheConfig.")?.unwrap_or(Part::of(&empty, ""));
    config.refuse_unknown(&["balanceTTL", "blockhashTTL", "accountInfoTTL", "signatureStatusTTL"])?;
    Ok(CacheTtl {
        balance: config.millis("balanceTTL", 0.0, 1000.0)?,
        blockhash: config.millis("blockhashTTL", 0.0, 2000.0)?,
        account: config.millis("accountInfoTTL", 0.0, 1000.0)?,
        status: config.millis("signatureStatusTTL", 0.0, 500.0)?,
    })
}

fn hedge(pool: &Part<'_>) -> Result<HedgeOptions, PoolError> {
    let default = HedgeOptions::default();
    let settings = match pool.value("hedge") {
        None | Some(Value::Bool(true)) => return Ok(default),
        Some(Value::Bool(false)) => return Ok(HedgeOptions::OFF),
        Some(Value::Object(settings)) => Part::of(settings, "hedge."),
        Some(_) => return Err(bad("hedge", "hedge must be true, false or an object")),
    };
    settings.refuse_unknown(&["maxExtra", "minDelayMs", "maxDelayMs"])?;
    let made = HedgeOptions {
        max_extra: settings.number("maxExtra", (0.0, 0.5), default.max_extra)?,
        min_delay: settings.millis("minDelayMs", 1.0, 20.0)?,
        max_delay: settings.millis("maxDelayMs", 1.0, 1_000.0)?,
    };
    if made.min_delay <= made.max_delay {
        return Ok(made);
    }
    // The one that was given: a default is nobody's mistake.
    let (name, other) = match settings.value("minDelayMs") {
        Some(_) => ("hedge.minDelayMs", "greater than hedge.maxDelayMs"),
        None => ("hedge.maxDelayMs", "less than hedge.minDelayMs"),
    };
    Err(bad(name, format!("{name} must not be {other}: the delays are {:?} and {:?}", made.min_delay, made.max_delay)))
}

fn commitment(object: &Object) -> Result<Commitment, PoolError> {
    let Some(value) = present(object, "commitment") else { return Ok(Commitment::Processed) };
    let parsed = value.as_str().and_then(Commitment::parse);
    parsed.ok_or_else(|| bad("commitment", "commitment must be processed, confirmed or finalized"))
}

fn endpoints(object: &Object) -> Result<Vec<EndpointOptions>, PoolError> {
    let Some(value) = present(object, "endpoints") else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| bad("endpoints", "endpoints must be an array"))?;
    if list.len() > MAX_ENDPOINTS {
        return Err(bad("endpoints", format!("endpoints must not hold more than {MAX_ENDPOINTS} entries")));
    }
    list.iter().map(EndpointOptions::from_value).collect()
}

/// The message never quotes the URL: it may hold a key.
fn checked_url(url: &str, schemes: [&str; 2], option: &str) -> Result<Uri, PoolError> {
    let [plain, secure] = schemes;
    let wrong = || bad(option, format!("endpoint url must be an absolute {plain} or {secure} url"));
    if url.len() > MAX_URL {
        return Err(wrong());
    }
    let uri: hyper::Uri = url.parse().map_err(|_| wrong())?;
    let scheme_fits = uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme));
    if !scheme_fits || uri.host().is_none_or(str::is_empty) {
        return Err(wrong());
    }
    Ok(Uri::new(url))
}

fn ws_url(object: &Object) -> Result<Option<Uri>, PoolError> {
    let Some(value) = present(object, "wsUrl") else { return Ok(None) };
    checked_url(value.as_str().unwrap_or_default(), ["ws", "wss"], "endpoints.wsUrl").map(Some)
}

/// What the protocol itself says about a message: another value would cut it or let the node wait.
const FRAMING: [&str; 7] =
    ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

fn headers(endpoint: &Part<'_>) -> Result<Vec<(String, String)>, PoolError> {
    let Some(headers) = endpoint.part("headers", "endpoints.headers.")? else { return Ok(Vec::new()) };
    let parse = |(name, value): (&String, &Value)| {
        if FRAMING.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(bad("endpoints.headers", "endpoint headers must leave those of the connection to the pool"));
        }
        let text = value.as_str().filter(|text| hyper::header::HeaderValue::from_str(text).is_ok());
        let fits = hyper::header::HeaderName::from_bytes(name.as_bytes()).is_ok();
        match text {
            Some(text) if fits => Ok((name.clone(), text.to_owned())),
            _ => Err(bad("endpoints.headers", "endpoint headers must be valid http header names and texts")),
        }
    };
    headers.object.iter().map(parse).collect()
}

#[cfg(test)]
mod tests;
