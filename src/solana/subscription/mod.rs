//! Subscriptions: websockets of the pool's endpoints behind subscriptions that outlive them.
//!
//! Guarantees: a subscription moves to another endpoint when its socket goes, under the same id; what was delivered is not delivered again; slots that nobody
//! watched are told as a gap; accounts and signatures catch up by a read; the end of a signature is never missed. Sockets are opened with the first
//! subscription and closed after the last one. No queue is without a bound, no socket is trusted without a sign of life.

mod book;
mod catch_up;
mod connection;
mod hub;
mod inbox;
mod protocol;
mod receive;
mod seen;
mod socket;
#[cfg(test)]
mod tests;

pub(in crate::solana) use hub::Hub;
pub use inbox::{Gap, Item, Wake};
pub use protocol::Kind;

use crate::solana::call::request::Prepared;
use crate::solana::error::PoolError;
use crate::solana::pool::Pool;
use bytes::Bytes;
use inbox::Inbox;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Notifications that wait for a subscriber, unless it says otherwise.
const QUEUE_MAX: usize = 1024;
/// How long a subscriber that leaves waits for the node to know.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// How a subscription is wanted.
#[derive(Default)]
pub struct SubscribeOptions {
    /// Notifications that may wait; beyond it the oldest are dropped. Default 1024. Signatures are never dropped.
    pub queue_max: Option<usize>,
    /// Called when something arrives in an empty queue. Must not block.
    pub wake: Option<Wake>,
}

/// What the hub is doing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::solana) struct Stats {
    /// Subscriptions that have not ended.
    pub subscriptions: usize,
    /// Websockets.
    pub sockets: usize,
    /// Notifications dropped because nobody fetched them.
    pub dropped: u64,
}

/// The end of a transaction, as a node told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureNotification {
    /// The slot it was told in.
    pub slot: u64,
    /// The transaction's error as JSON text; `None` when it succeeded.
    pub error: Option<String>,
}

/// What the hub and the subscriber share.
struct Core {
    kind: Kind,
    request: Prepared,
    inbox: Inbox,
    /// Fires when a node has confirmed it for the first time.
    confirmed: CancellationToken,
    /// Fires at its end.
    ended: CancellationToken,
    /// Fires when no node knows it any more.
    gone: CancellationToken,
    failure: Mutex<Option<PoolError>>,
}

/// One subscription. Dropping it ends it.
pub struct Subscription {
    pool: Arc<Pool>,
    id: u64,
    core: Arc<Core>,
}

#[derive(Deserialize)]
struct Notification<'a> {
    context: Context,
    #[serde(borrow)]
    value: Value<'a>,
}

#[derive(Deserialize)]
struct Context {
    slot: u64,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow, default)]
    err: Option<&'a RawValue>,
}

impl Core {
    fn end(&self, outcome: Result<(), PoolError>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = outcome.as_ref().err().cloned();
        self.inbox.end(outcome);
        self.ended.cancel();
    }
}

impl Pool {
    /// Subscribes. `params` are the node's, as JSON array text; the pool's commitment is filled in. Connects in the background: see [`Subscription::ready`].
    /// Call inside the runtime.
    pub fn subscribe(
        self: &Arc<Self>,
        kind: Kind,
        params: &str,
        options: SubscribeOptions,
    ) -> Result<Subscription, PoolError> {
        let request = Prepared::new(&kind.subscribe(), params, self.options.commitment)?;
        let running = self.enter()?;
        let core = Arc::new(Core {
            kind,
            request,
            inbox: Inbox::new(options.queue_max.unwrap_or(QUEUE_MAX), options.wake),
            confirmed: CancellationToken::new(),
            ended: CancellationToken::new(),
            gone: CancellationToken::new(),
            failure: Mutex::default(),
        });
        let id = self.join_hub(Arc::clone(&core));
        drop(running);
        Ok(Subscription { pool: Arc::clone(self), id, core })
    }

    /// Waits until a transaction has reached a commitment, by `signatureSubscribe` and a status read when the node has confirmed it, so that one that landed
    /// before is told too. Has no deadline of its own: race it. Dropping the future unsubscribes.
    pub async fn signature_notification(
        self: &Arc<Self>,
        signature: &str,
        commitment: &str,
    ) -> Result<SignatureNotification, PoolError> {
        let params = serde_json::json!([signature, { "commitment": commitment }]).to_string();
        let subscription = self.subscribe(Kind::Signature, &params, SubscribeOptions::default())?;
        while let Some(item) = subscription.next().await {
            match item {
                Item::Notification(result) => {
                    if let Ok(Notification { context, value }) = serde_json::from_slice::<Notification<'_>>(&result) {
                        let error = value.err.map(|raw| raw.get().to_owned()).filter(|text| text != "null");
                        return Ok(SignatureNotification { slot: context.slot, error });
                    }
                }
                Item::Gap(_) => {}
                Item::End(outcome) => outcome?,
            }
        }
        Err(PoolError::Closed { state: "closed" })
    }
}

impl Subscription {
    /// Waits until a node has confirmed it, at most `limit`. An error that ends it is final; after the limit it goes on trying.
    pub async fn ready(&self, limit: Duration) -> Result<(), PoolError> {
        let started = Instant::now();
        tokio::select! {
            biased;
            () = self.core.confirmed.cancelled() => Ok(()),
            () = self.core.ended.cancelled() => {
                let failure = self.core.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
                failure.map_or(Err(PoolError::Aborted { maybe_executed: false }), Err)
            }
            () = tokio::time::sleep(limit) => {
                Err(PoolError::Deadline { elapsed: started.elapsed(), attempts: 0, maybe_executed: false })
            }
        }
    }

    /// The next item; `None` after the end.
    pub async fn next(&self) -> Option<Item> {
        self.core.inbox.next().await
    }

    /// Everything that waits, and how many notifications were dropped so far.
    pub fn take(&self) -> (Vec<Item>, u64) {
        self.core.inbox.take()
    }

    /// Ends it, and waits a few seconds at most until no node knows it any more.
    pub async fn close(&self) {
        self.pool.leave_hub(self.id);
        tokio::select! {
            () = self.core.gone.cancelled() => {}
            () = self.pool.stop.cancelled() => {}
            () = tokio::time::sleep(LEAVE_LIMIT) => {}
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.pool.leave_hub(self.id);
    }
}

/// The texts of a request's parameters.
fn params_of(params: &Bytes) -> Vec<&str> {
    let list: Vec<&RawValue> = serde_json::from_slice(params).unwrap_or_default();
    list.into_iter().map(RawValue::get).collect()
}
