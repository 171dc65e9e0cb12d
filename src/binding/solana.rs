//! Exports of the solana room: the pool on the keyed lane, its events on a feed.

use super::lifecycle::UnconfirmedTransaction;
use super::solana_frame::{Work, parse};
use super::solana_subscription::Deliveries;
use crate::bridge::feed::{Feed, FeedBatch};
use crate::bridge::frame::Frame;
use crate::bridge::keyed::KeyedLane;
use crate::bridge::settle::{FailureRecord, Loose, Outcome, Place};
use crate::bridge::value::{Checked, checked};
use crate::bridge::wake::JsWaker;
use crate::bridge::{frame, runtime, scope};
use crate::error::Failure;
use crate::lifecycle::Managed;
use crate::observe::EventSink;
use crate::retry::Deadline;
use crate::solana::{AccountReply, Call, CallOptions, EndpointOptions, Pool, PoolOptions, Priority, SendError};
use bytes::Bytes;
use napi::Env;
use napi::bindgen_prelude::{Function, PromiseRaw, Result, Uint8ArraySlice, Uint32ArraySlice};
use napi_derive::napi;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Flag of a call: a kept reply will do.
const CACHED: u16 = 1;
/// Flag of a whole request: integers come back marked.
const MARKED: u16 = 2;
/// Above the flags: how urgent the call is; 0: by its method.
const PRIORITY_SHIFT: u16 = 8;

/// A pool of RPC endpoints.
#[napi]
pub struct SolanaPool {
    pub(super) pool: Arc<Pool>,
    lane: Arc<KeyedLane>,
    feed: Arc<Feed>,
    pub(super) deliveries: Arc<Deliveries>,
}

/// What closing a pool did.
#[napi(object)]
pub struct SolanaClosed {
    /// Calls that finished by themselves.
    pub drained: u32,
    /// Calls cut at the deadline.
    pub aborted: u32,
    /// Transactions whose end was not known then.
    pub unconfirmed: Vec<UnconfirmedTransaction>,
}

#[napi]
impl SolanaPool {
    /// Opens a pool; the functions are called when there is something to drain: operations, events, subscriptions.
    #[napi(catch_unwind, ts_return_type = "SolanaPool | FailureRecord")]
    pub fn open(
        env: Env,
        options: String,
        wake: Function<'_, (), ()>,
        wake_feed: Function<'_, (), ()>,
        wake_subscriptions: Function<'_, (), ()>,
    ) -> Result<Checked<SolanaPool>> {
        let scope = scope::of(&env)?;
        let options = match PoolOptions::from_json(&options) {
            Ok(options) => options,
            Err(error) => return Ok(checked(Err(error.into()))),
        };
        let feed = Arc::new(Feed::new(JsWaker::new(&wake_feed)?));
        let deliveries = Deliveries::new(&wake_subscriptions)?;
        let pool = Pool::new(options, Arc::clone(&feed) as Arc<dyn EventSink>);
        let lane = KeyedLane::new(JsWaker::new(&wake)?, pool.stop_token());
        let Some(registration) = scope.registry.register(Arc::clone(&pool) as Arc<dyn Managed>) else {
            return Ok(checked(Err(Failure::closed("environment", "closed"))));
        };
        let (watched, watched_lane) = (Arc::clone(&pool), Arc::clone(&lane));
        runtime::spawn(async move {
            watched.closed().await;
            drop(registration);
            watched_lane.announce_closed().await;
        });
        Ok(checked(Ok(SolanaPool { pool, lane, feed, deliveries })))
    }

    /// Starts the operations in `buffer[0, length)`.
    #[napi(catch_unwind)]
    pub fn submit(&self, buffer: &[u8], length: u32) -> Option<FailureRecord> {
        let submitted = frame::written(buffer, length).and_then(|bytes| frame::each(bytes, |frame| self.start(frame)));
        submitted.err().map(FailureRecord::from)
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

    /// Hands events over.
    #[napi(catch_unwind)]
    pub fn drain_feed(&self) -> FeedBatch {
        self.feed.drain()
    }

    /// Asks one operation to end.
    #[napi(catch_unwind)]
    pub fn cancel(&self, id: u32) {
        self.lane.cancel(id);
    }

    /// What the pool says about itself, as JSON text.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> String {
        serde_json::to_string(&self.pool.stats()).unwrap_or_default()
    }

    /// Adds an endpoint (a URL or an object, as JSON text) and returns its name.
    #[napi(catch_unwind, ts_return_type = "string | FailureRecord")]
    pub fn add_endpoint(&self, endpoint: String) -> Checked<String> {
        let value = serde_json::from_str(&endpoint).unwrap_or_default();
        let added = EndpointOptions::from_value(&value).map(|options| self.pool.add_endpoint(&options));
        checked(added.map_err(Failure::from))
    }

    /// Reports transactions on the feed (`rpc.transaction`), or no longer.
    #[napi(catch_unwind)]
    pub fn report_transactions(&self, wanted: bool) {
        self.pool.report_transactions(wanted);
    }

    /// Takes an endpoint out, by its name or whole URL; false when there is none.
    #[napi(catch_unwind)]
    pub fn remove_endpoint(&self, url_or_name: String) -> bool {
        self.pool.remove_endpoint(&url_or_name)
    }

    /// How full the fullest queue is, 0 to 1.
    #[napi(catch_unwind)]
    pub fn pressure(&self) -> f64 {
        self.pool.pressure()
    }

    /// Forgets every kept reply.
    #[napi(catch_unwind)]
    pub fn clear_cache(&self) {
        self.pool.clear_cache();
    }

    /// Refuses new calls, lets those in flight finish for `deadline_ms`, cuts the rest.
    #[napi(catch_unwind, ts_return_type = "Promise<SolanaClosed>")]
    pub fn close<'env>(&self, env: &'env Env, deadline_ms: u32) -> Result<PromiseRaw<'env, SolanaClosed>> {
        let deadline = Deadline::after(Duration::from_millis(u64::from(deadline_ms)));
        let closing = self.pool.close(deadline);
        env.spawn_future(async move {
            let summary = closing.await;
            let unconfirmed = summary.unconfirmed.into_iter().map(UnconfirmedTransaction::from).collect();
            Ok(SolanaClosed { drained: summary.drained, aborted: summary.aborted, unconfirmed })
        })
    }

    /// Drops the thread-safe functions; nothing reaches JavaScript afterwards.
    #[napi(catch_unwind)]
    pub fn release(&self) {
        self.lane.close();
        self.feed.close();
        self.deliveries.close();
    }

    fn start(&self, frame: Frame<'_>) {
        let (id, handle, pool) = (frame.id, frame.handle, Arc::clone(&self.pool));
        let deadline = (frame.deadline_ms > 0).then(|| Duration::from_millis(u64::from(frame.deadline_ms)));
        let (cached, mark) = (frame.flags & CACHED != 0, frame.flags & MARKED != 0);
        let priority = Priority::from_number(frame.flags >> PRIORITY_SHIFT);
        let options = move |cancel: CancellationToken| CallOptions { deadline, cached, priority, cancel };
        match parse(frame) {
            Err(error) => self.lane.settle(id, Failure::from(error).into()),
            Ok(Work::Call { method, params }) => self.run(id, |cancel| async move {
                let call = Call { method: &method, params: &params };
                Ok(text(pool.call(call, options(cancel)).await?))
            }),
            Ok(Work::Accounts(read)) => self.run(id, |cancel| async move {
                Ok(match pool.accounts(&read, options(cancel)).await? {
                    AccountReply::Decoded(block) => Outcome::Bytes(block),
                    AccountReply::Text(result) => text(result),
                })
            }),
            Ok(Work::Fetch(body)) => {
                self.run(
                    id,
                    |cancel| async move { Ok(Outcome::Text(pool.fetch(&body, mark, options(cancel)).await?)) },
                );
            }
            Ok(Work::Balances(keys)) => {
                self.run(id, |cancel| async move { Ok(json(&pool.balances(&keys, options(cancel)).await?)) });
            }
            Ok(Work::Statuses(asked)) => self.run(id, |cancel| async move {
                let history = asked.search_transaction_history;
                Ok(text(pool.signature_statuses(&asked.signatures, history, options(cancel)).await?))
            }),
            Ok(Work::Send(transaction, how)) => self.run(id, |cancel| async move {
                let sent = pool.send(&transaction, &how, options(cancel)).await;
                Ok(Outcome::Text(sent.map_err(|error| SendError::of(&transaction, error))?))
            }),
            Ok(Work::SendRaw(transaction, how)) => self.run(id, |cancel| async move {
                let sent = pool.send_raw(&transaction, &how, options(cancel)).await;
                Ok(Outcome::Text(sent.map_err(|error| SendError::of(&transaction, error))?))
            }),
            Ok(Work::SendAndConfirm(transaction, how)) => self.run(id, |cancel| async move {
                let tracked = pool.send_and_confirm(&transaction, &how, options(cancel)).await;
                Ok(json(&tracked.map_err(|error| SendError::of(&transaction, error))?))
            }),
            Ok(Work::Subscription(work)) => self.start_subscription(id, (handle, deadline), work),
            Ok(Work::Confirm(how)) => {
                self.run(id, |cancel| async move { Ok(json(&pool.confirm(&how, options(cancel)).await?)) });
            }
        }
    }

    pub(super) fn run<F>(&self, id: u32, make: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = std::result::Result<Outcome, Failure>> + Send + 'static,
    {
        self.lane.start(id, |cancel| {
            let work = make(cancel);
            async move { work.await.unwrap_or_else(Outcome::from) }
        });
    }
}

fn text(bytes: Bytes) -> Outcome {
    Outcome::Text(String::from_utf8(bytes.into()).unwrap_or_default())
}

fn json(value: &impl serde::Serialize) -> Outcome {
    Outcome::Text(serde_json::to_string(value).unwrap_or_default())
}
