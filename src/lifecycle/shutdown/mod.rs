//! One ordered shutdown under one deadline: transactions, RPC, Redis, MongoDB. Things of one kind close together.
//!
//! A second request joins the first. Never fails: what could not be closed in time is in the report.

use crate::lifecycle::registry::{CloseSummary, Kind, Managed, Registry, Unconfirmed};
use crate::retry::Deadline;
use futures_util::future::join_all;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The share of the remaining time that a phase may use; the last one gets all that is left.
const SHARE_OF_REST: f64 = 0.6;

/// How one phase went.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseReport {
    /// `workers` and `queues` (closed in JavaScript), `transactions`, `solana`, `redis` or `mongo`.
    pub name: String,
    /// How long it took.
    pub elapsed: Duration,
    /// Things closed (or drained) in it.
    pub closed: u32,
    /// Operations finished by themselves.
    pub drained: u32,
    /// Operations cut at the deadline.
    pub aborted: u32,
    /// Transactions whose end was not known then.
    pub unconfirmed: Vec<Unconfirmed>,
}

/// What a shutdown did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShutdownReport {
    /// In order.
    pub phases: Vec<PhaseReport>,
    /// From the request to the end.
    pub elapsed: Duration,
    /// False when anything was cut or the deadline passed.
    pub clean: bool,
}

/// The shutdown of one environment: at most one runs, later requests share its report.
#[derive(Default)]
pub struct Shutdown {
    running: Mutex<Option<watch::Sender<Option<ShutdownReport>>>>,
}

impl Shutdown {
    /// Asks to lead. True: the caller must end with [`Shutdown::finish`]. False: one is under way, [`Shutdown::join`] it.
    pub fn begin(&self) -> bool {
        let mut running = self.running();
        if running.is_some() {
            return false;
        }
        *running = Some(watch::channel(None).0);
        true
    }

    /// The report of the shutdown under way; an empty clean one when none is.
    pub async fn join(&self) -> ShutdownReport {
        let receiver = self.running().as_ref().map(watch::Sender::subscribe);
        let Some(mut receiver) = receiver else {
            return ShutdownReport { clean: true, ..ShutdownReport::default() };
        };
        let report = receiver.wait_for(Option::is_some).await.map(|report| report.clone().unwrap_or_default());
        report.unwrap_or_default()
    }

    /// Closes everything in `registry` by `deadline` and hands the report to all who joined. `earlier` are the phases that the caller did itself.
    /// Things opened afterwards are closed by the next shutdown.
    pub async fn finish(&self, registry: &Registry, deadline: Deadline, earlier: Vec<PhaseReport>) -> ShutdownReport {
        let report = close_all(registry, deadline, earlier).await;
        let sender = self.running().take();
        if let Some(sender) = sender {
            sender.send_replace(Some(report.clone()));
        }
        report
    }

    fn running(&self) -> MutexGuard<'_, Option<watch::Sender<Option<ShutdownReport>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close_all(registry: &Registry, deadline: Deadline, earlier: Vec<PhaseReport>) -> ShutdownReport {
    let started = Instant::now();
    let before: Duration = earlier.iter().map(|phase| phase.elapsed).sum();
    let mut phases = earlier;
    phases.push(phase("transactions", registry.of_kind(Kind::Mongo), share(deadline), |m, d| m.drain(d)).await);
    for kind in [Kind::Solana, Kind::Redis] {
        phases.push(phase(kind.as_str(), registry.of_kind(kind), share(deadline), |m, d| m.close(d)).await);
    }
    phases.push(phase(Kind::Mongo.as_str(), registry.of_kind(Kind::Mongo), deadline, |m, d| m.close(d)).await);
    let clean = phases.iter().all(|phase| phase.aborted == 0) && !deadline.is_over();
    ShutdownReport { phases, elapsed: before + started.elapsed(), clean }
}

fn share(deadline: Deadline) -> Deadline {
    Deadline::after(deadline.remaining().mul_f64(SHARE_OF_REST))
}

async fn phase(
    name: &'static str,
    things: Vec<Arc<dyn Managed>>,
    deadline: Deadline,
    end: impl Fn(&dyn Managed, Deadline) -> crate::lifecycle::CloseFuture,
) -> PhaseReport {
    let started = Instant::now();
    let closed = u32::try_from(things.len()).unwrap_or(u32::MAX);
    let ends = things.iter().map(|managed| bounded(end(managed.as_ref(), deadline), deadline, managed.in_flight()));
    let total = join_all(ends).await.into_iter().fold(CloseSummary::default(), CloseSummary::plus);
    PhaseReport {
        name: name.to_owned(),
        elapsed: started.elapsed(),
        closed,
        drained: total.drained,
        aborted: total.aborted,
        unconfirmed: total.unconfirmed,
    }
}

/// A close that breaks its promise to end by the deadline must not hold the rest up.
async fn bounded(close: crate::lifecycle::CloseFuture, deadline: Deadline, in_flight: u32) -> CloseSummary {
    tokio::select! {
        summary = close => summary,
        () = tokio::time::sleep(deadline.remaining() + Duration::from_millis(50)) => CloseSummary::of(0, in_flight.max(1)),
    }
}

#[cfg(feature = "test-util")]
#[cfg(test)]
mod tests;
