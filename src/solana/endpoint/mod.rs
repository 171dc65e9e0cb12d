//! One endpoint of a pool: where it is and what is known about it. Decides nothing: `selection.rs` and `attempt.rs` read and write it.

pub(in crate::solana) mod breaker;
pub(in crate::solana) mod connect;
mod content;
pub(in crate::solana) mod health;
pub(in crate::solana) mod latency;
mod proxy;
pub(in crate::solana) mod rate_limit;
mod secrets;
pub(in crate::solana) mod selection;
pub(in crate::solana) mod slot;
pub(in crate::solana) mod transport;
pub(in crate::solana) mod wire;

use crate::solana::endpoint::breaker::{Breaker, Trip};
use crate::solana::endpoint::connect::{Connector, Stream};
use crate::solana::endpoint::latency::Latency;
use crate::solana::endpoint::rate_limit::Gcra;
use crate::solana::endpoint::secrets::{Secrets, percent_decode};
use crate::solana::endpoint::selection::Candidate;
use crate::solana::endpoint::slot::{Commitment, PerCommitment};
use crate::solana::endpoint::transport::{Post, Transport};
use crate::solana::endpoint::wire::WireOptions;
use crate::solana::error::{AttemptError, RpcRefusal};
use crate::solana::method::Class;
use crate::solana::options::EndpointOptions;
use base64::Engine;
use bytes::Bytes;
use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// For how long a method that a node does not serve is not asked for there.
const UNSUPPORTED_FOR: Duration = Duration::from_mins(10);
/// Without a `Retry-After`: doubles per 429 in a row up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// The latency assumed of an endpoint that was never measured: it should be tried soon.
const UNKNOWN_LATENCY: Duration = Duration::from_millis(10);
/// Websocket requests that may come at once, in seconds' worth: a lost socket takes up to a hundred subscriptions with it.
const SUBSCRIBE_BURST: f64 = 10.0;
/// Methods remembered as unsupported, at most.
const MAX_UNSUPPORTED: usize = 64;

/// One endpoint.
pub(in crate::solana) struct Endpoint {
    /// For logs and metrics; no secrets.
    pub name: String,
    /// With its secrets.
    pub uri: Uri,
    /// Headers of every request.
    pub headers: HeaderMap,
    /// Where its websocket is, with its secrets.
    pub ws_uri: Uri,
    /// Headers of its websocket's handshake.
    pub ws_headers: HeaderMap,
    /// Requests in flight, at most.
    pub sockets: Semaphore,
    weight: f64,
    tier: u32,
    facts: Mutex<Facts>,
    secrets: Secrets,
    connector: Connector,
    transport: Mutex<Option<Transport>>,
}

/// What is known about an endpoint.
#[derive(Default)]
pub(in crate::solana) struct Facts {
    /// Its breaker.
    pub breaker: Breaker,
    /// Its latency.
    pub latency: Latency,
    /// The last slot it reported and its distance to the best one then.
    pub slots: PerCommitment<Option<SlotReport>>,
    /// Attempts running.
    pub in_flight: u32,
    /// Attempts ever.
    pub requests: u64,
    /// Failed attempts ever.
    pub failures: u64,
    /// When the last byte came from it.
    pub last_answer: Option<Instant>,
    /// When it was last asked for its slot.
    pub last_probe: Option<Instant>,
    read_pause: Pause,
    send_pause: Pause,
    read_limit: Option<Gcra>,
    send_limit: Option<Gcra>,
    subscribes: Option<Gcra>,
    unsupported: HashMap<String, Instant>,
}

/// A slot as reported.
#[derive(Debug, Clone, Copy)]
pub(in crate::solana) struct SlotReport {
    /// The slot.
    pub slot: u64,
    /// How far behind the best one it was.
    pub lag: u64,
    /// When.
    pub at: Instant,
}

#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    in_a_row: u32,
}

impl Endpoint {
    /// An endpoint as configured; `taken` are the names in use, `wire` is what the pool gives to endpoints without their own. Opens no socket.
    pub(in crate::solana) fn new(
        options: &EndpointOptions,
        wire: &WireOptions,
        sockets: u32,
        taken: &[String],
    ) -> Self {
        // Both were validated with the options.
        let uri: Uri = options.url.expose().parse().unwrap_or_default();
        let base = options.name.clone().unwrap_or_else(|| host_of(&uri));
        let name = (1..).map(|n| if n == 1 { base.clone() } else { format!("{base}#{n}") });
        let name = name.into_iter().find(|name| !taken.contains(name)).unwrap_or(base);
        let ws_uri: Uri =
            options.ws_url.as_ref().map_or_else(|| websocket_of(&uri), |url| url.expose().parse().unwrap_or_default());
        let limit = |rate: Option<f64>| rate.map(Gcra::new);
        let facts = Facts {
            read_limit: limit(options.reads_per_second),
            send_limit: limit(options.sends_per_second),
            subscribes: Some(Gcra::with_burst(
                options.subscribes_per_second,
                options.subscribes_per_second * SUBSCRIBE_BURST,
            )),
            ..Facts::default()
        };
        let wire = options.wire.or(wire);
        let own_headers = options.headers.iter().map(|(_, value)| value.as_str());
        let secrets = Secrets::new(&[&uri, &ws_uri], own_headers, wire.proxy_users());
        let (ws_headers, ws_uri) = (headers(options, &ws_uri), without_user(&ws_uri));
        let (headers, uri) = (headers(options, &uri), without_user(&uri));
        let sockets = usize::try_from(sockets).unwrap_or(usize::MAX);
        let connector = Connector::new(&uri, &wire);
        Self {
            name,
            transport: Mutex::new(Some(Transport::new(connector.clone(), sockets))),
            connector,
            headers,
            uri,
            ws_headers,
            ws_uri,
            sockets: Semaphore::new(sockets),
            weight: options.weight,
            tier: options.tier,
            facts: Mutex::new(facts),
            secrets,
        }
    }

    /// Posts `body`, whose id is `id`, and reads the result out of the reply. Errors hold none of the endpoint's secrets.
    pub(in crate::solana) async fn post(&self, body: Bytes, id: u64, compress: bool) -> Result<Bytes, AttemptError> {
        let transport = self.transport.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(transport) = transport else {
            return Err(AttemptError::Connect { detail: "pool is closed".to_owned() });
        };
        let post = Post { uri: &self.uri, headers: &self.headers, body, compress };
        let answer = transport.post(post).await.and_then(|answer| answer.understand(id));
        answer.map_err(|error| self.secrets.cut_error(error))
    }

    /// Closes its idle sockets; those in use go with the attempts that use them. No attempt can start afterwards.
    pub(in crate::solana) fn close(&self) {
        drop(self.transport.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Opens a connection to its websocket, for a handshake over it: through its proxy and with its TLS settings, within ten seconds. It is the caller's to
    /// close. The error holds none of the endpoint's secrets.
    pub(in crate::solana) async fn open_websocket(&self) -> Result<TokioIo<Stream>, AttemptError> {
        self.connector.open(&self.ws_uri).await.map_err(|error| self.secrets.cut_error(error))
    }

    /// A node's error without the endpoint's secrets.
    pub(in crate::solana) fn cut_refusal(&self, refusal: RpcRefusal) -> RpcRefusal {
        self.secrets.cut_refusal(refusal)
    }

    /// A text of a server without the endpoint's secrets.
    pub(in crate::solana) fn cut_secrets<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.secrets.cut(text)
    }

    /// What is known.
    pub(in crate::solana) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the selection sees it for one call.
    pub(in crate::solana) fn candidate(&self, index: usize, need: &Need<'_>) -> Candidate {
        let facts = self.facts();
        let latency = facts.latency.get().unwrap_or(UNKNOWN_LATENCY).as_secs_f64();
        let limited_until = facts.limited_until(need.class, need.now);
        let supported = facts.unsupported.get(need.method).is_none_or(|until| *until <= need.now);
        let fresh = facts
            .slots
            .get(need.commitment)
            .is_none_or(|report| report.lag <= need.max_lag && need.min_slot.is_none_or(|min| report.slot >= min));
        Candidate {
            index,
            cost: latency.max(0.0001) * f64::from(facts.in_flight + 1) / self.weight,
            tier: self.tier,
            eligible: facts.breaker.is_closed() && limited_until.is_none() && supported && fresh,
            limited_until,
            open_until: facts.breaker.open_until(),
        }
    }
}

/// What one call needs of an endpoint.
pub(in crate::solana) struct Need<'a> {
    /// Method name.
    pub method: &'a str,
    /// Its class.
    pub class: Class,
    /// Its commitment.
    pub commitment: Commitment,
    /// The slot asked for.
    pub min_slot: Option<u64>,
    /// Slots a node may be behind.
    pub max_lag: u64,
    /// The time.
    pub now: Instant,
}

impl Facts {
    /// Until when it wants no traffic of this class.
    fn limited_until(&self, class: Class, now: Instant) -> Option<Instant> {
        let (pause, limit) = match class {
            Class::Send => (&self.send_pause, &self.send_limit),
            Class::Read | Class::Heavy => (&self.read_pause, &self.read_limit),
        };
        let next = limit.as_ref().map(|limit| limit.next(now)).filter(|next| *next > now);
        pause.until.filter(|until| *until > now).max(next)
    }

    /// Whether it wants no reads at the moment.
    pub(in crate::solana) fn is_paused(&self, now: Instant) -> bool {
        self.limited_until(Class::Read, now).is_some()
    }

    /// Takes a start from its own limit.
    pub(in crate::solana) fn take_start(&mut self, class: Class, now: Instant) {
        let limit = match class {
            Class::Send => self.send_limit.as_mut(),
            Class::Read | Class::Heavy => self.read_limit.as_mut(),
        };
        if let Some(limit) = limit {
            // Chosen as a last resort it may start late: the bucket then remembers it.
            let _ = limit.reserve(now, now);
        }
    }

    /// Takes a start for a subscribe or unsubscribe request, or says when the next one is due.
    pub(in crate::solana) fn take_subscribe(&mut self, now: Instant) -> Result<(), Instant> {
        self.subscribes.as_mut().map_or(Ok(()), |limit| limit.reserve(now, now).map(drop))
    }

    /// A 429 came.
    pub(in crate::solana) fn pause(&mut self, class: Class, retry_after: Option<Duration>, now: Instant) {
        let pause = self.pause_of(class);
        pause.in_a_row = pause.in_a_row.saturating_add(1);
        let doubled = FIRST_PAUSE.saturating_mul(1 << (pause.in_a_row - 1).min(10)).min(LONGEST_PAUSE);
        pause.until = Some(now + retry_after.unwrap_or(doubled));
    }

    /// An answer came that was no 429.
    pub(in crate::solana) fn end_pause(&mut self, class: Class) {
        *self.pause_of(class) = Pause::default();
    }

    fn pause_of(&mut self, class: Class) -> &mut Pause {
        match class {
            Class::Send => &mut self.send_pause,
            Class::Read | Class::Heavy => &mut self.read_pause,
        }
    }

    /// The node does not serve this method.
    pub(in crate::solana) fn mark_unsupported(&mut self, method: &str, now: Instant) {
        self.unsupported.retain(|_, until| *until > now);
        if self.unsupported.len() < MAX_UNSUPPORTED {
            self.unsupported.insert(method.to_owned(), now + UNSUPPORTED_FOR);
        }
    }

    /// Opens the breaker at once. True when it was closed.
    pub(in crate::solana) fn trip(&mut self, why: Trip, now: Instant) -> bool {
        self.breaker.trip(why, now, fastrand::f64())
    }
}

fn host_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("endpoint");
    uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// As web3.js derives it: the next port when one is given, else the same place behind the provider's proxy.
fn websocket_of(uri: &Uri) -> Uri {
    let scheme = if uri.scheme_str() == Some("https") { "wss" } else { "ws" };
    let mut authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    if let Some(port) = uri.port_u16() {
        authority.truncate(authority.len() - port.to_string().len());
        authority.push_str(&port.saturating_add(1).to_string());
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().unwrap_or_default()
}

fn user_of(uri: &Uri) -> Option<&str> {
    uri.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(user, _)| user)
}

/// User info goes into a header; hyper would drop it.
fn headers(options: &EndpointOptions, uri: &Uri) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(user) = user_of(uri) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(percent_decode(user));
        if let Ok(mut value) = HeaderValue::from_str(&format!("Basic {encoded}")) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
    }
    for (name, text) in &options.headers {
        if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(text)) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    headers
}

fn without_user(uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    let host = parts.authority.as_ref().and_then(|authority| authority.as_str().rsplit_once('@').map(|(_, host)| host));
    if let Some(clean) = host.and_then(|host| host.parse().ok()) {
        parts.authority = Some(clean);
    }
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Need, WireOptions};
    use crate::solana::endpoint::slot::Commitment;
    use crate::solana::method::Class;
    use crate::solana::options::EndpointOptions;
    use serde_json::json;
    use std::time::Duration;
    use tokio::time::Instant;

    fn endpoint(value: &serde_json::Value) -> Endpoint {
        let options = EndpointOptions::from_value(value).unwrap();
        Endpoint::new(&options, &WireOptions::default(), 4, &["h:1".to_owned()])
    }

    #[test]
    fn names_itself_by_host_and_moves_user_info_into_a_header() {
        let made = endpoint(&json!("http://us%3Aer:p@h:1/SECRET?key=SECRET"));
        assert_eq!(made.name, "h:1#2");
        assert_eq!(made.uri.to_string(), "http://h:1/SECRET?key=SECRET");
        assert_eq!(made.headers.get("authorization").unwrap().to_str().unwrap(), "Basic dXM6ZXI6cA==");
    }

    #[test]
    fn finds_its_websocket_as_web3_js_does() {
        let of = |value: serde_json::Value| endpoint(&value).ws_uri.to_string();
        assert_eq!(of(json!("http://h:8899")), "ws://h:8900/");
        assert_eq!(of(json!("https://us:er@h/SECRET?key=K")), "wss://h/SECRET?key=K");
        assert_eq!(of(json!({ "url": "http://h:1", "wsUrl": "wss://other/x" })), "wss://other/x");
        assert_eq!(of(json!("http://[::1]:8899")), "ws://[::1]:8900/");
    }

    #[test]
    fn a_paused_class_leaves_the_other_alone() {
        let (made, now) = (endpoint(&json!("http://h:1")), Instant::now());
        let need =
            |class| Need { method: "x", class, commitment: Commitment::Processed, min_slot: None, max_lag: 20, now };
        made.facts().pause(Class::Read, Some(Duration::from_secs(1)), now);
        assert!(!made.candidate(0, &need(Class::Read)).eligible);
        assert!(!made.candidate(0, &need(Class::Heavy)).eligible);
        assert!(made.candidate(0, &need(Class::Send)).eligible);
        made.facts().mark_unsupported("x", now);
        assert!(!made.candidate(0, &need(Class::Send)).eligible);
    }
}
