//! Close: refuse, drain, kill what is open on the server, give everything back, shut the crate's client down. Always ends by its deadline.
//!
//! The crate's own shutdown waits for ever for live cursors and sessions, and after an immediate one nothing can be killed any more: hence the order.

use super::client::Client;
use super::session::Entry;
use super::transaction;
use crate::lifecycle::{CloseFuture, CloseSummary, Kind, Managed, State};
use crate::retry::Deadline;
use std::sync::Arc;
use std::time::Duration;

/// Kept back from the drain, at most, for killing, giving back and shutting down.
const RESERVE: Duration = Duration::from_secs(1);
/// The most that a kill gets, and the least, also in a forced close: the server must not keep transactions.
const KILL_LIMIT: Duration = Duration::from_millis(500);
const KILL_LEAST: Duration = Duration::from_millis(100);
/// What the crate gets to notice that everything was given up.
const LAST_WORD: Duration = Duration::from_millis(50);
/// An attempt of the crate to shut down gets a few round trips; there are more attempts than a pool has connections by default (100).
const ATTEMPT_LIMIT: Duration = Duration::from_millis(500);
const ATTEMPTS: u32 = 120;

/// A share of what is left until the deadline.
fn share(deadline: Deadline, of: f64) -> Duration {
    deadline.remaining().mul_f64(of)
}

fn kill_limit(deadline: Deadline) -> Duration {
    share(deadline, 0.5).clamp(KILL_LEAST, KILL_LIMIT)
}

impl Client {
    /// Closes by the deadline. Idempotent: a second call waits for the first.
    pub(super) async fn close_by(self: &Arc<Self>, deadline: Deadline) -> CloseSummary {
        let was_idle = self.state.get() == State::Idle;
        if !self.state.advance(State::Draining) {
            self.gone.cancelled().await;
            return CloseSummary::default();
        }
        self.closing.cancel();
        // They wait for events that may never come.
        self.change_streams().close_all();
        let running = self.running();
        let drain = deadline.remaining().saturating_sub(RESERVE.min(share(deadline, 0.4)));
        let drained = tokio::time::timeout(drain, self.idle(false)).await.is_ok();
        let left = if drained { 0 } else { self.running() };
        if !was_idle || self.driver_if_made().is_some() {
            self.give_up_transactions(deadline).await;
        }
        self.cut.cancel();
        let _settled = tokio::time::timeout(share(deadline, 0.2).clamp(LAST_WORD, KILL_LEAST), self.idle(false)).await;
        self.cursors().close_all();
        self.change_streams().close_all();
        self.unpark_all();
        self.drop_sessions();
        self.lanes().close();
        self.shut_down(deadline).await;
        self.leave();
        CloseSummary::of(running.saturating_sub(left), left)
    }

    /// Ends transactions that are still open: cut, killed on the server, aborted.
    async fn give_up_transactions(self: &Arc<Self>, deadline: Deadline) {
        let open = self.sessions().in_transaction();
        let mut ids = Vec::new();
        for entry in &open {
            if let Some(attempt) = entry.attempt() {
                attempt.cut_by_close();
                ids.extend(entry.id());
            }
        }
        if !ids.is_empty() {
            transaction::kill(self, ids, Deadline::after(kill_limit(deadline))).await;
        }
        // Deadlines that passed just now are killed in the background.
        let _ended = tokio::time::timeout(kill_limit(deadline), self.idle(true)).await;
    }

    fn drop_sessions(&self) {
        for entry in self.sessions().remove_all() {
            release(&entry);
        }
    }

    /// Ends the crate's client. It stops its monitors and closes its connections only after it told the server to forget the sessions in its pool, and that may
    /// wait for ever on a connection that lost its place in the stream. So what the deadline leaves undone goes on when nobody waits for it any more.
    async fn shut_down(&self, deadline: Deadline) {
        let Some(driver) = self.driver_if_made() else {
            return;
        };
        let regular = share(deadline, 0.7).max(LAST_WORD);
        if tokio::time::timeout(regular, driver.client.clone().shutdown()).await.is_err() {
            let ended = tokio::spawn(insist(driver.client.clone()));
            let _bounded = tokio::time::timeout(deadline.remaining().max(LAST_WORD), ended).await;
        }
    }
}

/// Shuts down without waiting for anything. An attempt that is given up takes the connection that it waited on along; the next one uses another.
async fn insist(client: mongodb::Client) {
    for _ in 0..ATTEMPTS {
        if tokio::time::timeout(ATTEMPT_LIMIT, client.clone().shutdown().immediate(true)).await.is_ok() {
            return;
        }
    }
}

fn release(entry: &Arc<Entry>) {
    entry.drop_detached();
    if let Ok(mut slot) = entry.slot().try_lock() {
        drop(slot.session.take());
    }
}

/// A client as its environment's registry sees it.
pub(super) struct Handle(pub(super) Arc<Client>);

impl Client {
    /// What the environment's registry holds.
    pub fn managed(self: &Arc<Self>) -> Arc<dyn Managed> {
        Arc::new(Handle(Arc::clone(self)))
    }
}

impl Managed for Handle {
    fn kind(&self) -> Kind {
        Kind::Mongo
    }

    fn name(&self) -> String {
        self.0.name_of().to_owned()
    }

    fn state(&self) -> State {
        self.0.state.get()
    }

    fn in_flight(&self) -> u32 {
        self.0.running()
    }

    fn drain(&self, deadline: Deadline) -> CloseFuture {
        let client = Arc::clone(&self.0);
        Box::pin(async move {
            let before = count(client.sessions().in_transaction().len());
            while !client.sessions().in_transaction().is_empty() && !deadline.is_over() {
                tokio::time::sleep(Duration::from_millis(5).min(deadline.remaining())).await;
            }
            let left = count(client.sessions().in_transaction().len());
            if left > 0 {
                client.give_up_transactions(deadline).await;
            }
            CloseSummary::of(before.saturating_sub(left), left)
        })
    }

    fn close(&self, deadline: Deadline) -> CloseFuture {
        let client = Arc::clone(&self.0);
        Box::pin(async move { client.close_by(deadline).await })
    }

    fn abandon(&self) {
        self.0.listen(None);
        self.0.cut.cancel();
        self.0.leave();
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
