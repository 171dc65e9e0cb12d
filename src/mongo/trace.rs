//! What one operation has done so far: known from pool events, which the crate emits inside the operation's own future.
//!
//! Answers in which phase it is and whether the server may have executed it. Knows nothing of operations that run outside [`Trace::follow`].

use crate::error::{Failure, Phase};
use mongodb::event::cmap::CmapEvent;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

tokio::task_local! {
    static CURRENT: Arc<Trace>;
}

/// The record of one operation.
#[derive(Debug)]
pub(super) struct Trace {
    started: Instant,
    waiting: AtomicBool,
    began_waiting: Notify,
    checked_out: AtomicU32,
    address: Mutex<Option<String>>,
}

impl Trace {
    /// A record that starts now.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            waiting: AtomicBool::new(false),
            began_waiting: Notify::new(),
            checked_out: AtomicU32::new(0),
            address: Mutex::new(None),
        })
    }

    /// Runs a future whose pool events belong to this record.
    pub(super) fn follow<F: Future>(self: &Arc<Self>, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(Arc::clone(self), future)
    }

    /// Connections it got: attempts that may have reached the server.
    pub(super) fn attempts(&self) -> u32 {
        self.checked_out.load(Ordering::Acquire)
    }

    /// Since it began.
    pub(super) fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    /// Where it is.
    pub(super) fn phase(&self) -> Phase {
        if self.waiting.load(Ordering::Acquire) {
            Phase::Acquire
        } else if self.attempts() > 0 {
            Phase::Operation
        } else {
            Phase::SelectServer
        }
    }

    /// Marks a wait that the pool does not see: for a free lane.
    pub(super) fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Release);
        if waiting {
            self.began_waiting.notify_one();
        }
    }

    /// Resolves when it has waited for a connection for `limit` without a break.
    pub(super) async fn waited_too_long(&self, limit: std::time::Duration) {
        loop {
            self.began_waiting.notified().await;
            let before = self.attempts();
            tokio::time::sleep(limit).await;
            if self.phase() == Phase::Acquire && self.attempts() == before {
                return;
            }
        }
    }

    /// Adds what is known to a failure.
    pub(super) fn describe(&self, mut failure: Failure) -> Failure {
        failure.elapsed_ms.get_or_insert(self.started.elapsed().as_secs_f64() * 1000.0);
        failure.attempts.get_or_insert(self.attempts());
        failure.phase.get_or_insert(self.phase());
        failure.maybe_executed.get_or_insert(self.attempts() > 0);
        let address = self.address.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match address {
            Some(address) => failure.with_text("address", address),
            None => failure,
        }
    }

    fn note(&self, event: &CmapEvent) {
        match event {
            CmapEvent::ConnectionCheckoutStarted(_) => self.set_waiting(true),
            CmapEvent::ConnectionCheckoutFailed(_) => self.set_waiting(false),
            CmapEvent::ConnectionCheckedOut(event) => {
                self.set_waiting(false);
                self.checked_out.fetch_add(1, Ordering::AcqRel);
                *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(event.address.to_string());
            }
            _ => {}
        }
    }
}

/// Connections of a client, counted from the same events.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: AtomicI64,
    in_use: AtomicI64,
}

impl Connections {
    /// Open ones and those checked out.
    pub(super) fn counts(&self) -> (i64, i64) {
        (self.open.load(Ordering::Relaxed).max(0), self.in_use.load(Ordering::Relaxed).max(0))
    }

    /// Takes an event of the pool: counts it and gives it to the operation in whose future it was emitted.
    pub(super) fn note(&self, event: &CmapEvent) {
        match event {
            CmapEvent::ConnectionCreated(_) => self.open.fetch_add(1, Ordering::Relaxed),
            CmapEvent::ConnectionClosed(_) => self.open.fetch_sub(1, Ordering::Relaxed),
            CmapEvent::ConnectionCheckedOut(_) => self.in_use.fetch_add(1, Ordering::Relaxed),
            CmapEvent::ConnectionCheckedIn(_) => self.in_use.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        let _outside = CURRENT.try_with(|trace| trace.note(event));
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;
    use crate::error::{ErrorCode, Failure, Phase};

    #[test]
    fn says_that_nothing_was_executed_before_a_connection_was_had() {
        let trace = Trace::new();
        assert_eq!(trace.phase(), Phase::SelectServer);
        trace.set_waiting(true);
        let failure = trace.describe(Failure::new(ErrorCode::Timeout, "x"));
        assert_eq!(failure.phase, Some(Phase::Acquire));
        assert_eq!(failure.maybe_executed, Some(false));
        assert_eq!(failure.attempts, Some(0));
    }
}
