//! One endpoint of a pool: where it is, how the pool uses it, and its node, which other pools may share. Decides nothing: `selection.rs` and `plan.rs` do.

pub(in crate::solana) mod admission;
pub(in crate::solana) mod breaker;
pub(in crate::solana) mod connect;
mod content;
pub(in crate::solana) mod health;
pub(in crate::solana) mod latency;
pub(in crate::solana) mod node;
mod proxy;
pub(in crate::solana) mod rate_limit;
pub(in crate::solana) mod registry;
mod secrets;
pub(in crate::solana) mod selection;
pub(in crate::solana) mod slot;
pub(in crate::solana) mod transport;
pub(in crate::solana) mod wire;

use crate::solana::endpoint::connect::{Connector, Stream};
use crate::solana::endpoint::node::{Facts, Node, SlotReport, identity, node};
use crate::solana::endpoint::registry::Member;
use crate::solana::endpoint::secrets::{Secrets, percent_decode, user_of};
use crate::solana::endpoint::selection::Candidate;
use crate::solana::endpoint::slot::{Commitment, PerCommitment, SLOT};
use crate::solana::endpoint::transport::{Post, Transport};
use crate::solana::endpoint::wire::WireOptions;
use crate::solana::error::{AttemptError, RpcRefusal};
use crate::solana::method::Class;
use crate::solana::options::{EndpointOptions, Limits};
use base64::Engine;
use bytes::Bytes;
use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The latency assumed of an endpoint that was never measured: it should be tried soon.
const UNKNOWN_LATENCY: Duration = Duration::from_millis(10);

/// One endpoint of one pool.
pub(in crate::solana) struct Endpoint {
    /// Unique in the process: positions change, this does not.
    pub number: usize,
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
    /// What this pool did with it.
    pub counts: Counts,
    /// What makes it the same node as another pool's. Holds secrets.
    pub identity: String,
    url: crate::error::Endpoint,
    weight: f64,
    tier: u32,
    node: Arc<Node>,
    /// While it is there, others who name this node share it.
    membership: Mutex<Option<Member<Node>>>,
    own: Mutex<Own>,
    /// Fires when it is taken out of the pool: what lasts there has to move.
    pub removed: CancellationToken,
    secrets: Secrets,
    connector: Connector,
    transport: Mutex<Option<Transport>>,
}

/// Attempts of one pool on one endpoint since the start.
#[derive(Debug, Default)]
pub(in crate::solana) struct Counts {
    /// Begun, probes and hedges included.
    pub requests: AtomicU64,
    /// Failed.
    pub failures: AtomicU64,
    /// Answered with 429.
    pub limited: AtomicU64,
    /// Begun as hedges.
    pub hedges: AtomicU64,
}

/// What this pool thinks of the endpoint among its own; another pool may have other ones to compare with.
#[derive(Debug, Default)]
pub(in crate::solana) struct Own {
    /// How far behind the best one it was when it last reported.
    pub judged: PerCommitment<Option<Judged>>,
    /// Since when it has been behind the best one without moving.
    pub behind: Option<Instant>,
    /// It reports the same slot for long while others move on.
    pub frozen: bool,
    /// When it was last asked for its slot.
    pub last_probe: Option<Instant>,
}

/// A judgement.
#[derive(Debug, Clone, Copy)]
pub(in crate::solana) struct Judged {
    /// Slots behind.
    pub lag: u64,
    /// When.
    pub at: Instant,
}

impl Endpoint {
    /// An endpoint as configured; `taken` are the names in use, `wire` is what the pool gives to endpoints without their own. Opens no socket.
    pub(in crate::solana) fn new(
        options: &EndpointOptions,
        wire: &WireOptions,
        sockets: u32,
        taken: &[String],
    ) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        // Both were validated with the options.
        let uri: Uri = options.url.expose().parse().unwrap_or_default();
        let base = options.name.clone().unwrap_or_else(|| host_of(&uri));
        let name = (1..).map(|n| if n == 1 { base.clone() } else { format!("{base}#{n}") });
        let name = name.into_iter().find(|name| !taken.contains(name)).unwrap_or(base);
        let ws_uri: Uri =
            options.ws_url.as_ref().map_or_else(|| websocket_of(&uri), |url| url.expose().parse().unwrap_or_default());
        let (number, member) = (NEXT.fetch_add(1, Ordering::Relaxed), node(options));
        member.facts().want(number, options.limits);
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
            secrets,
            number,
            counts: Counts::default(),
            identity: identity(options),
            url: options.url.clone(),
            node: member.value(),
            membership: Mutex::new(Some(member)),
            own: Mutex::default(),
            removed: CancellationToken::new(),
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

    /// Closes its idle sockets; those in use go with the attempts that use them. No attempt can start afterwards, and nothing is shared any more.
    pub(in crate::solana) fn close(&self) {
        self.facts().want(self.number, Limits::default());
        drop(self.membership.lock().unwrap_or_else(PoisonError::into_inner).take());
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

    /// What the process knows about the node.
    pub(in crate::solana) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.node.facts()
    }

    /// What this pool thinks of it.
    pub(in crate::solana) fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is meant by this name or whole URL.
    pub(in crate::solana) fn is(&self, url_or_name: &str) -> bool {
        self.name == url_or_name || self.url.expose() == url_or_name
    }

    /// Takes a start of this class now, if the endpoint admits one.
    pub(in crate::solana) fn try_start(&self, class: Class) -> bool {
        let now = Instant::now();
        self.facts().reserve(class, now, now).is_ok()
    }

    /// How the selection sees it for one call.
    pub(in crate::solana) fn candidate(&self, index: usize, need: &Need<'_>) -> Candidate {
        let fresh = self.is_fresh(need);
        let mut facts = self.facts();
        let latency = facts.latency.get().unwrap_or(UNKNOWN_LATENCY).as_secs_f64();
        let limited_until = Some(facts.next_start(need.class, need.now)).filter(|at| *at > need.now);
        let reaches = facts.slots.get(need.commitment).is_none_or(|report| reaches(&report, need));
        let usable = facts.breaker.is_closed() && facts.serves(need.method, need.now) && fresh && reaches;
        Candidate {
            index,
            number: self.number,
            cost: latency.max(0.0001) * f64::from(facts.in_flight + 1) / self.weight,
            tier: self.tier,
            usable,
            eligible: usable && limited_until.is_none(),
            limited_until,
            paused_until: facts.paused_until(need.class, need.now),
            open_until: facts.breaker.open_until(),
        }
    }

    fn is_fresh(&self, need: &Need<'_>) -> bool {
        let own = self.own();
        !own.frozen && own.judged.get(need.commitment).is_none_or(|judged| judged.lag <= need.max_lag)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.close();
    }
}

/// Whether a node that reported this is now at the slot asked for. It has moved on since, unless it stands still: then its reports say so.
fn reaches(report: &SlotReport, need: &Need<'_>) -> bool {
    let slots = need.now.saturating_duration_since(report.at).as_millis() / SLOT.as_millis().max(1);
    let reached = report.slot.saturating_add(u64::try_from(slots).unwrap_or(u64::MAX));
    need.min_slot.is_none_or(|min| reached >= min)
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
    use super::{Endpoint, Judged, Need, WireOptions};
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
        assert!(made.is("h:1#2") && made.is("http://us%3Aer:p@h:1/SECRET?key=SECRET") && !made.is("h:1"));
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
    fn is_eligible_for_what_it_serves_and_admits() {
        let (made, now) = (endpoint(&json!("http://eligible:1")), Instant::now());
        let need =
            |class| Need { method: "x", class, commitment: Commitment::Processed, min_slot: None, max_lag: 20, now };
        made.facts().limited(Class::Read, Some(Duration::from_secs(1)), now, now);
        assert!(!made.candidate(0, &need(Class::Read)).eligible);
        assert!(!made.candidate(0, &need(Class::Heavy)).eligible);
        assert!(made.candidate(0, &need(Class::Send)).eligible);
        made.facts().mark_unsupported("x", now);
        assert!(!made.candidate(0, &need(Class::Send)).eligible);
    }

    #[test]
    fn is_not_eligible_when_behind_frozen_or_below_the_slot_asked_for() {
        let (made, now) = (endpoint(&json!("http://behind:1")), Instant::now());
        let need = |min_slot, seconds| Need {
            method: "x",
            class: Class::Read,
            commitment: Commitment::Processed,
            min_slot,
            max_lag: 20,
            now: now + Duration::from_secs(seconds),
        };
        made.facts().report_slot(Commitment::Processed, 100, now);
        assert!(made.candidate(0, &need(Some(100), 0)).eligible);
        assert!(!made.candidate(0, &need(Some(101), 0)).eligible);
        assert!(made.candidate(0, &need(Some(101), 1)).eligible, "a second later it has moved on");
        *made.own().judged.get_mut(Commitment::Processed) = Some(Judged { lag: 21, at: now });
        assert!(!made.candidate(0, &need(None, 0)).eligible);
        *made.own().judged.get_mut(Commitment::Processed) = Some(Judged { lag: 20, at: now });
        assert!(made.candidate(0, &need(None, 0)).eligible);
        made.own().frozen = true;
        assert!(!made.candidate(0, &need(None, 0)).eligible);
    }
}
