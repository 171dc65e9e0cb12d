//! Exports of the redis room: one wire per client. Commands go in as RESP bytes, everything comes out as one ordered stream of tokens.

use crate::bridge::lane::Lane;
use crate::bridge::settle::FailureRecord;
use crate::bridge::value::{Checked, bytes, checked, integers};
use crate::bridge::wake::JsWaker;
use crate::bridge::{frame, scope};
use crate::error::Failure;
use crate::lifecycle::CloseSummary;
use crate::redis::reply::{Chunk, Inbox, ReplySink};
use crate::redis::{Client, Heartbeat, Locks, Options, Stats, Transition};
use crate::retry::{Deadline, LimitStore};
use napi::Env;
use napi::bindgen_prelude::{Either, Function, Int32ArraySlice, PromiseRaw, Result, Uint8ArraySlice};
use napi_derive::napi;
use std::sync::Arc;
use std::time::Duration;

/// One Redis client. Its stream ends with `release()`.
#[napi]
pub struct RedisWire {
    pub(super) client: Client,
    stream: Arc<Stream>,
}

struct Stream(Lane<Inbox>);

/// The status after a synchronous call.
#[napi(object)]
pub struct WireTransition {
    /// `wait`, `connecting`, `connect`, `ready`, `close`, `reconnecting`, `end` or `monitoring`.
    pub status: String,
    /// Counts transitions: a status token with an older number is old news.
    pub number: u32,
}

/// A look at a wire.
#[napi(object)]
pub struct WireStats {
    /// The status.
    pub status: String,
    /// Connection epoch.
    pub generation: u32,
    /// Failed attempts since the last success.
    pub retries: u32,
    /// Commands sent without an answer.
    pub in_flight: u32,
    /// Commands that wait to be sent.
    pub queued: u32,
    /// Their bytes.
    pub queued_bytes: f64,
    /// Channels, patterns and shard channels subscribed to.
    pub subscriptions: u32,
    /// Bytes of replies that wait to be drained.
    pub backlog: f64,
    /// The server's address, while connected over TCP.
    pub remote_address: Option<String>,
    /// The server's port.
    pub remote_port: Option<u32>,
}

/// How a close went.
#[napi(object)]
pub struct WireCloseReport {
    /// Commands that were answered while it waited.
    pub drained: u32,
    /// Commands that were cut.
    pub aborted: u32,
}

impl RedisWire {
    /// Locks kept on this client's server.
    pub(super) fn heartbeat(&self, locks: Locks) -> std::result::Result<Heartbeat, Failure> {
        self.client.heartbeat(locks)
    }

    /// Limits kept on this client's server.
    pub(super) fn limit_store(&self, key_prefix: &str) -> Arc<dyn LimitStore> {
        self.client.limit_store(key_prefix)
    }
}

impl ReplySink for Stream {
    fn deliver(&self, chunk: Chunk) {
        self.0.push(|inbox| inbox.push(chunk));
    }

    fn backlog(&self) -> usize {
        self.0.peek(Inbox::bytes)
    }
}

#[napi]
impl RedisWire {
    /// Checks the options and makes a client in `wait`. Does no I/O.
    #[napi(catch_unwind, ts_return_type = "RedisWire | FailureRecord")]
    pub fn open(
        env: Env,
        options_json: String,
        wake: Function<'_, (), ()>,
    ) -> Result<Either<RedisWire, FailureRecord>> {
        let options = match Options::parse(&options_json) {
            Ok(options) => options,
            Err(failure) => return Ok(Either::B(failure.into())),
        };
        let stream = Arc::new(Stream(Lane::new(JsWaker::new(&wake)?)));
        let sink: Arc<dyn ReplySink> = Arc::clone(&stream) as Arc<dyn ReplySink>;
        let client = Client::open(options, sink, &scope::of(&env)?.registry);
        Ok(Either::A(Self { client, stream }))
    }

    /// Takes `commands` encoded commands in `out[0, length)`, eight integers each in `descriptors`. Copies before it returns.
    #[napi(catch_unwind)]
    pub fn flush(&self, out: &[u8], length: u32, descriptors: &[i32], commands: u32) -> Option<FailureRecord> {
        let result = frame::written(out, length)
            .and_then(|out| self.client.flush(out, descriptors, usize::try_from(commands).unwrap_or(usize::MAX)));
        result.err().map(FailureRecord::from)
    }

    /// Fills `meta` and `blob` with what has happened: the number of integers, 0 for nothing, -1 when `meta[0]` integers and `meta[1]` bytes are needed.
    #[napi(catch_unwind)]
    pub fn drain(&self, mut meta: Int32ArraySlice<'_>, mut blob: Uint8ArraySlice<'_>) -> i32 {
        let (meta, blob) = (integers(&mut meta), bytes(&mut blob));
        let count = self.stream.0.drain(|inbox| inbox.drain(meta, blob));
        self.client.fetched();
        count
    }

    /// A failure that tokens of the last drain speak of.
    #[napi(catch_unwind)]
    pub fn failure(&self, id: i32) -> Option<FailureRecord> {
        self.stream.0.peek(|inbox| inbox.failure(id).cloned()).map(FailureRecord::from)
    }

    /// Connects, unless it is connecting or connected.
    #[napi(catch_unwind, ts_return_type = "WireTransition | FailureRecord")]
    pub fn connect(&self) -> Checked<WireTransition> {
        checked(self.client.connect().map(WireTransition::from))
    }

    /// Ends the connection; with `reconnect` the retry policy goes on afterwards.
    #[napi(catch_unwind, ts_return_type = "WireTransition | FailureRecord")]
    pub fn disconnect(&self, reconnect: bool) -> Checked<WireTransition> {
        checked(self.client.disconnect(reconnect).map(WireTransition::from))
    }

    /// The answer of the user's retry strategy for this generation; negative stops.
    #[napi(catch_unwind, ts_return_type = "WireTransition | FailureRecord")]
    pub fn answer_retry(&self, generation: u32, delay_ms: i64) -> Checked<WireTransition> {
        checked(self.client.answer_retry(generation, delay_ms).map(WireTransition::from))
    }

    /// The answer of `reconnectOnError`: 0 the error stands, 1 reconnect, 2 reconnect and send again.
    #[napi(catch_unwind, ts_return_type = "WireTransition | FailureRecord")]
    pub fn answer_reconnect_on_error(&self, seq: u32, verdict: i32) -> Checked<WireTransition> {
        checked(self.client.answer_reconnect(seq, verdict).map(WireTransition::from))
    }

    /// Keeps the text of a script; commands name it by `id` (1 and up).
    #[napi(catch_unwind)]
    pub fn register_script(&self, id: i32, source: String) {
        self.client.register_script(id, &source);
    }

    /// The name that the next handshake gives the connection.
    #[napi(catch_unwind)]
    pub fn set_connection_name(&self, name: String) {
        self.client.set_connection_name(name);
    }

    /// The status now.
    #[napi(catch_unwind)]
    pub fn status(&self) -> WireTransition {
        self.client.transition().into()
    }

    /// A look at it.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> WireStats {
        self.client.stats().into()
    }

    /// Ends for good within `deadline_ms`: waits for what is in flight (blocking commands excepted), then settles the rest. Never rejects.
    #[napi(catch_unwind, ts_return_type = "Promise<WireCloseReport>")]
    pub fn close<'env>(&self, env: &'env Env, deadline_ms: u32) -> Result<PromiseRaw<'env, WireCloseReport>> {
        let close = self.client.close(Deadline::after(Duration::from_millis(u64::from(deadline_ms))));
        env.spawn_future(async move { Ok(WireCloseReport::from(close.await)) })
    }

    /// Drops the wake function and whatever is still open.
    #[napi(catch_unwind)]
    pub fn release(&self) {
        self.client.abandon();
        self.stream.0.close();
    }
}

impl From<Transition> for WireTransition {
    fn from(transition: Transition) -> Self {
        Self { status: transition.status.as_str().to_owned(), number: transition.number }
    }
}

impl From<CloseSummary> for WireCloseReport {
    fn from(summary: CloseSummary) -> Self {
        Self { drained: summary.drained, aborted: summary.aborted }
    }
}

impl From<Stats> for WireStats {
    fn from(stats: Stats) -> Self {
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let bytes = |count: usize| f64::from(small(count));
        Self {
            status: stats.status.as_str().to_owned(),
            generation: stats.generation,
            retries: stats.retries,
            in_flight: small(stats.in_flight),
            queued: small(stats.queued),
            queued_bytes: bytes(stats.queued_bytes),
            subscriptions: small(stats.subscriptions),
            backlog: bytes(stats.backlog),
            remote_address: stats.peer.map(|peer| peer.ip().to_string()),
            remote_port: stats.peer.map(|peer| u32::from(peer.port())),
        }
    }
}
