//! Exports of the solana room for subscriptions. What arrives waits in Rust, bounded; JavaScript is told which subscriptions have something and takes it.

use super::solana::SolanaPool;
use crate::bridge::lane::Lane;
use crate::bridge::settle::{FailureRecord, Outcome};
use crate::bridge::wake::JsWaker;
use crate::error::Failure;
use crate::solana::{Item, Kind, Pool, PoolError, SubscribeOptions, Subscription, marked};
use napi::bindgen_prelude::{Function, Result};
use napi_derive::napi;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What `lib/solana/operation.ts` writes for a subscription.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SubscribeArguments {
    kind: Kind,
    params: Box<RawValue>,
    #[serde(default)]
    queue_max: Option<usize>,
    #[serde(default)]
    mark_integers: bool,
}

/// What a frame wants of a subscription.
pub(super) enum SubscriptionWork {
    Subscribe(SubscribeArguments),
    Unsubscribe,
}

/// What waited for one subscription, oldest first.
#[napi(object)]
pub struct SubscriptionBatch {
    /// One letter per text: `n` notification, `g` gap, `e` end.
    pub kinds: String,
    /// JSON texts; empty for an end.
    pub texts: Vec<String>,
    /// Notifications dropped so far because nobody took them.
    pub dropped: f64,
    /// Why it ended, if not by itself.
    pub failure: Option<FailureRecord>,
}

/// The subscriptions of one pool that JavaScript holds, by its own numbers.
pub(super) struct Deliveries {
    arrived: Lane<Vec<u32>>,
    held: Mutex<HashMap<u32, Held>>,
}

#[derive(Clone)]
struct Held {
    subscription: Arc<Subscription>,
    mark_integers: bool,
}

impl Deliveries {
    /// `wake` is called when a subscription has something.
    pub(super) fn new(wake: &Function<'_, (), ()>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { arrived: Lane::new(JsWaker::new(wake)?), held: Mutex::default() }))
    }

    /// Subscribes under `number` and settles when a node has confirmed it.
    pub(super) async fn subscribe(
        self: Arc<Self>,
        pool: Arc<Pool>,
        (number, limit): (u32, Duration),
        how: SubscribeArguments,
        cancel: CancellationToken,
    ) -> std::result::Result<Outcome, Failure> {
        let deliveries = Arc::downgrade(&self);
        let wake = move || {
            if let Some(deliveries) = deliveries.upgrade() {
                deliveries.arrived.push(|arrived| arrived.push(number));
            }
        };
        let options = SubscribeOptions { queue_max: how.queue_max, wake: Some(Box::new(wake)) };
        let subscription = Arc::new(pool.subscribe(how.kind, how.params.get(), options)?);
        let held = Held { subscription: Arc::clone(&subscription), mark_integers: how.mark_integers };
        self.held().insert(number, held);
        tokio::select! {
            ready = subscription.ready(limit) => Ok(ready.map(|()| Outcome::Nothing)?),
            () = cancel.cancelled() => Err(PoolError::Aborted { maybe_executed: false }.into()),
        }
    }

    /// Ends a subscription; settles when no node knows it any more.
    pub(super) async fn unsubscribe(self: Arc<Self>, number: u32) -> std::result::Result<Outcome, Failure> {
        let held = self.held().remove(&number);
        if let Some(held) = held {
            held.subscription.close().await;
        }
        Ok(Outcome::Nothing)
    }

    /// Drops the thread-safe function. What waits can still be taken.
    pub(super) fn close(&self) {
        self.arrived.close();
    }

    fn take(&self, number: u32) -> SubscriptionBatch {
        let held = self.held().get(&number).cloned();
        let mut batch = SubscriptionBatch { kinds: String::new(), texts: Vec::new(), dropped: 0.0, failure: None };
        let Some(held) = held else { return batch };
        let (items, dropped) = held.subscription.take();
        batch.dropped = f64::from(u32::try_from(dropped).unwrap_or(u32::MAX));
        for item in items {
            let (kind, text) = match item {
                Item::Notification(result) => ('n', marked(&result, held.mark_integers)),
                Item::Gap(gap) => ('g', serde_json::to_string(&gap).unwrap_or_default()),
                Item::End(outcome) => {
                    self.held().remove(&number);
                    batch.failure = outcome.err().map(|error| Failure::from(error).into());
                    ('e', String::new())
                }
            };
            batch.kinds.push(kind);
            batch.texts.push(text);
        }
        batch
    }

    fn held(&self) -> MutexGuard<'_, HashMap<u32, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[napi]
impl SolanaPool {
    /// The numbers of subscriptions that have something, since the last call.
    #[napi(catch_unwind)]
    pub fn arrived_subscriptions(&self) -> Vec<u32> {
        self.deliveries.arrived.drain(std::mem::take)
    }

    /// Takes what waits for one subscription.
    #[napi(catch_unwind)]
    pub fn take_subscription(&self, number: u32) -> SubscriptionBatch {
        self.deliveries.take(number)
    }
}

impl SolanaPool {
    /// Starts an operation on the subscription of this number.
    pub(super) fn start_subscription(
        &self,
        id: u32,
        (number, deadline): (u32, Option<Duration>),
        work: SubscriptionWork,
    ) {
        let (pool, deliveries) = (Arc::clone(&self.pool), Arc::clone(&self.deliveries));
        let limit = deadline.unwrap_or(pool.deadline());
        match work {
            SubscriptionWork::Subscribe(how) => {
                self.run(id, |cancel| deliveries.subscribe(pool, (number, limit), how, cancel));
            }
            SubscriptionWork::Unsubscribe => self.run(id, |_| deliveries.unsubscribe(number)),
        }
    }
}
