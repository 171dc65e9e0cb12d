//! Exports of the mongo room: one class per client. Converts and calls; the room decides.

use crate::bridge::feed::{Feed, FeedBatch};
use crate::bridge::inbox::Inbox;
use crate::bridge::keyed::KeyedLane;
use crate::bridge::settle::{FailureRecord, Loose, Outcome, Place};
use crate::bridge::value::Checked;
use crate::bridge::wake::JsWaker;
use crate::bridge::{frame, runtime, scope};
use crate::error::Failure;
use crate::mongo::{Client, Reply, Request};
use crate::observe::EventSink;
use napi::Env;
use napi::bindgen_prelude::{Buffer, BufferSlice, Either, Function, Result, Uint8ArraySlice, Uint32ArraySlice};
use napi_derive::napi;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// A MongoDB client, owned by Rust.
#[napi]
pub struct MongoHandle {
    client: Arc<Client>,
    lane: Arc<KeyedLane>,
    inbox: Arc<Inbox>,
    feed: Mutex<Option<Arc<Feed>>>,
}

#[napi]
impl MongoHandle {
    /// Validates and registers; no I/O. `options` is a BSON document with Node's names; `wake` is called when there is something to drain.
    #[napi(catch_unwind, ts_return_type = "MongoHandle | FailureRecord")]
    pub fn open(env: Env, uri: String, options: &[u8], wake: Function<'_, (), ()>) -> Result<Checked<MongoHandle>> {
        let client = match Client::open(&uri, options) {
            Ok(client) => client,
            Err(failure) => return Ok(Either::B(failure.into())),
        };
        let Some(registration) = scope::of(&env)?.registry.register(client.managed()) else {
            return Ok(Either::B(Failure::closed("environment", "closed").into()));
        };
        let lane = KeyedLane::new(JsWaker::new(&wake)?, CancellationToken::new());
        client.registered(registration);
        runtime::spawn(announce(Arc::clone(&client), Arc::clone(&lane)));
        Ok(Either::A(Self { client, lane, inbox: Arc::default(), feed: Mutex::new(None) }))
    }

    /// Takes the frames in `buffer[0, length)`; they are copied before it returns, and started soon after. An id of 0: nobody wants to hear how it ends.
    #[napi(catch_unwind)]
    pub fn submit(&self, buffer: &[u8], length: u32) -> Option<FailureRecord> {
        let frames = frame::written(buffer, length).and_then(|bytes| frame::each(bytes, |_| ()).map(|()| bytes));
        let frames = match frames {
            Ok(frames) => frames,
            Err(failure) => return Some(failure.into()),
        };
        if self.inbox.put(frames) {
            let (client, lane, inbox) = (Arc::clone(&self.client), Arc::clone(&self.lane), Arc::clone(&self.inbox));
            runtime::spawn(async move {
                if take(&inbox, &client, &lane) > 1 {
                    runtime::keep_order();
                }
            });
        }
        None
    }

    /// Fills `meta` with settled operations and `space`, from an offset on, with small replies; the values that cross by themselves, if there are any. The layout
    /// is in `src/bridge/settle.rs`.
    #[napi(catch_unwind, ts_return_type = "Array<string | Buffer | FailureRecord> | null")]
    pub fn drain<'env>(
        &self,
        mut meta: Uint32ArraySlice<'env>,
        mut space: Uint8ArraySlice<'env>,
        from: u32,
    ) -> Option<Vec<Loose>> {
        self.lane.drain(Place { meta: &mut meta, space: &mut space, from })
    }

    /// Asks one operation to end.
    #[napi(catch_unwind)]
    pub fn cancel(&self, id: u32) {
        self.catch_up();
        self.lane.cancel(id);
    }

    /// Opens a session under `handle`; no I/O. Every one must be ended by the operation `endSession`.
    #[napi(catch_unwind)]
    pub fn open_session(&self, handle: u32, options: &[u8]) -> Option<FailureRecord> {
        self.client.open_session(handle, options).err().map(FailureRecord::from)
    }

    /// Begins a transaction on a session; no I/O. `behind`: the session has operations that were submitted and have not settled.
    #[napi(catch_unwind)]
    pub fn begin_transaction(&self, handle: u32, options: &[u8], behind: bool) -> Option<FailureRecord> {
        if behind {
            self.catch_up();
        }
        self.client.begin_transaction(handle, options).err().map(FailureRecord::from)
    }

    /// The 16 bytes of a session's id; null before its first operation.
    #[napi(catch_unwind)]
    pub fn session_id<'env>(&self, env: &'env Env, handle: u32) -> Result<Option<BufferSlice<'env>>> {
        self.client.session_id(handle).map(|id| BufferSlice::copy_from(env, id)).transpose()
    }

    /// BSON `{operationTime?, clusterTime?}`; null before the session's first operation and while one runs.
    #[napi(catch_unwind)]
    pub fn session_times(&self, handle: u32) -> Option<Buffer> {
        self.client.session_times(handle).map(Buffer::from)
    }

    /// The client and its servers as JSON, without secrets.
    #[napi(catch_unwind)]
    pub fn describe(&self) -> String {
        self.client.describe()
    }

    /// Counters as JSON.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> String {
        self.catch_up();
        self.client.stats()
    }

    /// Starts the feed of events; an open one is closed.
    #[napi(catch_unwind)]
    pub fn open_feed(&self, wake: Function<'_, (), ()>) -> Result<()> {
        let feed = Arc::new(Feed::new(JsWaker::new(&wake)?));
        self.client.listen(Some(Arc::clone(&feed) as Arc<dyn EventSink>));
        self.set_feed(Some(feed));
        Ok(())
    }

    /// Whether the feed carries events of the connection pools, which come several times an operation.
    #[napi(catch_unwind)]
    pub fn watch_pools(&self, on: bool) {
        self.client.watch_pools(on);
    }

    /// Events that wait; empty without a feed.
    #[napi(catch_unwind)]
    pub fn drain_feed(&self) -> FeedBatch {
        let feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        feed.map_or_else(|| FeedBatch { events: Vec::new(), dropped: 0 }, |feed| feed.drain())
    }

    /// Ends the feed.
    #[napi(catch_unwind)]
    pub fn close_feed(&self) {
        self.client.listen(None);
        self.set_feed(None);
    }

    /// Drops the thread-safe functions; nothing reaches JavaScript afterwards.
    #[napi(catch_unwind)]
    pub fn release(&self) {
        self.close_feed();
        self.lane.close();
    }

    /// Takes what was submitted before this call.
    fn catch_up(&self) {
        let _taken = take(&self.inbox, &self.client, &self.lane);
    }

    fn set_feed(&self, feed: Option<Arc<Feed>>) {
        let before = std::mem::replace(&mut *self.feed.lock().unwrap_or_else(PoisonError::into_inner), feed);
        if let Some(before) = before {
            before.close();
        }
    }
}

/// Starts the operations that wait in the inbox. How many there were.
fn take(inbox: &Inbox, client: &Arc<Client>, lane: &Arc<KeyedLane>) -> usize {
    inbox.take(|frame| {
        let request = Request {
            opcode: frame.opcode,
            flags: frame.flags,
            handle: frame.handle,
            deadline_ms: frame.deadline_ms,
            body: frame.body,
        };
        lane.start(frame.id, |cancel| {
            let operation = client.accept(request, cancel);
            async move { operation.await.map_or_else(|failure| Some(failure.into()), outcome) }
        });
    })
}

/// `None` for what nobody waits for.
fn outcome(reply: Reply) -> Option<Outcome> {
    match reply {
        Reply::Untold => None,
        Reply::Nothing => Some(Outcome::Nothing),
        Reply::Number(number) => Some(Outcome::Number(number)),
        Reply::Text(text) => Some(Outcome::Text(text)),
        Reply::Bytes(bytes) => Some(Outcome::Bytes(bytes)),
    }
}

/// Tells TypeScript when the client has closed, after its last operation settled.
async fn announce(client: Arc<Client>, lane: Arc<KeyedLane>) {
    client.closed().await;
    lane.announce_closed().await;
}
