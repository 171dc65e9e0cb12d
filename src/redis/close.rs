//! The end of a client: what it waits for, what it cuts, and how a shutdown sees it.
//!
//! Guarantees: a close ends by its deadline and leaves nothing registered; what was in flight is answered if there is time, blocking commands excepted.

use super::client::{Shared, lock};
use super::connection::{Machine, Status};
use crate::lifecycle::{CloseFuture, CloseSummary, Kind, Managed, State};
use crate::retry::Deadline;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a close leaves of its deadline for the connection's own end.
const CLOSE_RESERVE: Duration = Duration::from_millis(20);

impl Shared {
    async fn close(self: Arc<Self>, deadline: Deadline) -> CloseSummary {
        let before = self.with(|machine, _| machine.ledger().unsettled(false));
        let patience = Deadline::after(deadline.remaining().saturating_sub(CLOSE_RESERVE));
        tokio::select! {
            () = self.idle() => {}
            () = patience.passed() => {}
        }
        let (left, aborted) = self.with(|machine, now| {
            let counts = (machine.ledger().unsettled(false), machine.ledger().unsettled(true));
            machine.shut(now);
            counts
        });
        self.wake();
        tokio::select! {
            () = self.over() => {}
            () = deadline.passed() => {}
        }
        drop(lock(&self.registration).take());
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        CloseSummary::of(count(before.saturating_sub(left)), count(aborted))
    }

    /// Resolves when nothing but blocking commands is unanswered, or nothing can be answered any more.
    async fn idle(&self) {
        self.until(|machine| !machine.is_ready() || machine.ledger().unsettled(false) == 0).await;
    }

    async fn over(&self) {
        self.until(Machine::is_over).await;
    }

    async fn until(&self, holds: impl Fn(&Machine) -> bool) {
        loop {
            let mut settled = std::pin::pin!(self.settled.notified());
            settled.as_mut().enable();
            if self.with(|machine, _| holds(machine)) {
                return;
            }
            settled.await;
        }
    }
}

impl Managed for Shared {
    fn kind(&self) -> Kind {
        Kind::Redis
    }

    fn name(&self) -> String {
        self.options.label.clone().unwrap_or_else(|| self.options.endpoint())
    }

    fn state(&self) -> State {
        let status = lock(&self.machine).transition().status;
        match status {
            Status::Wait => State::Idle,
            Status::Ready | Status::Monitoring => State::Ready,
            Status::End => State::Closed,
            _ => State::Opening,
        }
    }

    fn in_flight(&self) -> u32 {
        u32::try_from(lock(&self.machine).ledger().unsettled(true)).unwrap_or(u32::MAX)
    }

    fn drain(&self, _deadline: Deadline) -> CloseFuture {
        Box::pin(std::future::ready(CloseSummary::default()))
    }

    fn close(&self, deadline: Deadline) -> CloseFuture {
        // The future outlives the borrow: it goes through the registry's own handle.
        let this = Weak::clone(&self.this);
        Box::pin(async move {
            match this.upgrade() {
                Some(shared) => shared.close(deadline).await,
                None => CloseSummary::default(),
            }
        })
    }

    fn abandon(&self) {
        lock(&self.machine).abandon();
        self.end_companions();
        drop(lock(&self.registration).take());
        self.wake();
        self.settled.notify_waiters();
    }
}
