//! The keyed lane: operations with ids run as tasks of the shared runtime, and each settles exactly once.
//!
//! Also through cancellation, close and panics. Dropping a JavaScript promise cancels nothing; `cancel(id)` does.

use super::gather::{Gather, LIMIT, Wish};
use super::lane::{Lane, Waker};
use super::runtime;
use super::settle::{Completion, Loose, Outcome, Place, drain_into};
use crate::error::{ErrorCode, Failure};
use futures_util::FutureExt;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What operations get to settle once their client has closed; what is left then is settled as closed by `lib/lane.ts`.
const SETTLE_LIMIT: Duration = Duration::from_millis(500);

/// The id of no operation: a completion with it says that the client has closed, and nobody hears of an operation with it.
const NO_ID: u32 = 0;

/// Operations of one client.
pub(crate) struct KeyedLane {
    lane: Lane<VecDeque<Completion>>,
    running: Mutex<HashMap<u32, CancellationToken>>,
    gather: Mutex<Gather>,
    settled: Notify,
    root: CancellationToken,
}

impl KeyedLane {
    /// A lane whose wake-ups go to `waker`. `root` cancels every operation when the client goes away.
    pub(crate) fn new(waker: Box<dyn Waker>, root: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            lane: Lane::new(waker),
            running: Mutex::default(),
            gather: Mutex::default(),
            settled: Notify::new(),
            root,
        })
    }

    /// Runs one operation. `make` gets a token that fires on `cancel(id)` and when the client goes away; the operation must then end soon, by itself. Nobody hears of
    /// one whose id is [`NO_ID`], nor of one that ends with `None`: JavaScript has forgotten it by then.
    pub(crate) fn start<F>(self: &Arc<Self>, id: u32, make: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output: Into<Option<Outcome>>> + Send + 'static,
    {
        let token = self.root.child_token();
        if id != NO_ID {
            self.running().insert(id, token.clone());
        }
        let started = catch_unwind(AssertUnwindSafe(|| AssertUnwindSafe(make(token)).catch_unwind()));
        let future = match started {
            Ok(future) => future,
            Err(panic) => return self.end(id, Some(caught(panic.as_ref()).into())),
        };
        let lane = Arc::clone(self);
        runtime::spawn(async move {
            let outcome = future.await.map_or_else(|panic| Some(caught(panic.as_ref()).into()), Into::into);
            lane.end(id, outcome);
        });
    }

    /// Settles an operation that was refused before it started.
    pub(crate) fn settle(self: &Arc<Self>, id: u32, outcome: Outcome) {
        self.end(id, Some(outcome));
    }

    fn end(self: &Arc<Self>, id: u32, outcome: Option<Outcome>) {
        if id == NO_ID {
            return;
        }
        let Some(outcome) = outcome else {
            self.running().remove(&id);
            return self.settled.notify_waiters();
        };
        // In this order: who sees nothing in flight must find every outcome in the queue.
        self.lane.add(|queue| queue.push_back(Completion { id, outcome }));
        let in_flight = {
            let mut running = self.running();
            running.remove(&id);
            running.len()
        };
        let wish = self.gather().settled(in_flight);
        match wish {
            Wish::Now => self.lane.wake(),
            Wish::Within(batch) => self.wake_late(batch),
            Wish::Filling => {}
        }
        self.settled.notify_waiters();
    }

    fn wake_late(self: &Arc<Self>, batch: u64) {
        let lane = Arc::clone(self);
        runtime::spawn(async move {
            tokio::time::sleep(LIMIT).await;
            let is_due = lane.gather().late(batch);
            if is_due {
                lane.lane.wake();
            }
        });
    }

    /// Waits until every operation has settled, at most `limit`. Whether they have.
    async fn idle(&self, limit: Duration) -> bool {
        let settled = async {
            loop {
                let next = self.settled.notified();
                if self.in_flight() == 0 {
                    return;
                }
                next.await;
            }
        };
        tokio::time::timeout(limit, settled).await.is_ok()
    }

    /// Asks one operation to end; it settles with what its room decides.
    pub(crate) fn cancel(&self, id: u32) {
        let token = self.running().get(&id).cloned();
        if let Some(token) = token {
            token.cancel();
        }
    }

    /// Operations that have not settled.
    pub(crate) fn in_flight(&self) -> u32 {
        u32::try_from(self.running().len()).unwrap_or(u32::MAX)
    }

    /// Hands settled operations to JavaScript.
    pub(crate) fn drain(&self, place: Place<'_, '_>) -> Option<Vec<Loose>> {
        self.lane.drain(|queue| drain_into(queue, place))
    }

    /// Tells TypeScript that the client has closed, once every operation has settled: `lib/lane.ts` disposes its half and releases the client.
    /// Needed because Rust may close it by itself, in a shutdown.
    pub(crate) async fn announce_closed(&self) {
        self.idle(SETTLE_LIMIT).await;
        self.lane.push(|queue| queue.push_back(Completion { id: NO_ID, outcome: Outcome::Nothing }));
    }

    /// Cancels what runs and drops the thread-safe function. After this nothing reaches JavaScript.
    pub(crate) fn close(&self) {
        self.root.cancel();
        self.lane.close();
    }

    fn gather(&self) -> MutexGuard<'_, Gather> {
        self.gather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u32, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caught panic as a failure. The message of a panic is ours, not a secret.
fn caught(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::new(ErrorCode::Internal, format!("operation panicked: {}", text.unwrap_or("no message")))
}

#[cfg(test)]
mod tests {
    use super::{KeyedLane, Outcome, Waker};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio_util::sync::CancellationToken;

    struct Deaf;
    impl Waker for Deaf {
        fn wake(&self) {}
    }

    fn lane_with(ids: &[u32]) -> Arc<KeyedLane> {
        let lane = KeyedLane::new(Box::new(Deaf), CancellationToken::new());
        for id in ids {
            lane.running().insert(*id, CancellationToken::new());
        }
        lane
    }

    #[tokio::test(start_paused = true)]
    async fn is_idle_once_the_last_operation_has_settled() {
        let lane = lane_with(&[1, 2]);
        let waiting = tokio::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.idle(Duration::from_secs(10)).await }
        });
        tokio::task::yield_now().await;
        lane.settle(1, Outcome::Nothing);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        lane.settle(2, Outcome::Nothing);
        assert!(waiting.await.unwrap());
        assert_eq!(lane.lane.drain(|queue| queue.len()), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_waiting_at_the_limit() {
        let lane = lane_with(&[1]);
        assert!(!lane.idle(Duration::from_millis(50)).await);
        assert_eq!(lane.in_flight(), 1);
    }
}
