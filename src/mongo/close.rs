//! Close: refuse, drain, kill what is open on the server, give everything back, shut the crate's client down. Always ends by its deadline.
//!
//! The crate's own shutdown waits for ever for live cursors and sessions, and after an immediate one nothing can be killed any more: hence the order.

use super::client::Client;
use super::session::Entry;
use super::transaction;
use crate::lifecycle::{CloseFuture, CloseSummary, Kind, Managed, State};
use crate::retry::Deadline;
use mongodb::bson::{Bson, Document, doc};
use std::sync::Arc;
use std::time::Duration;

/// Kept back from the drain, at most, for killing, giving back and shutting down.
const RESERVE: Duration = Duration::from_secs(1);
/// The most that a kill gets, and the least, also in a forced close: the server must not keep transactions.
const KILL_LIMIT: Duration = Duration::from_millis(500);
const KILL_LEAST: Duration = Duration::from_millis(100);
/// Sessions of the crate's own come back to its pool a moment after their operation: a few more than ever ran at once.
const SPARE_SESSIONS: usize = 16;
/// The most that one command ends.
const MOST_ENDED: usize = 10_000;
/// What the crate gets to notice that everything was given up.
const LAST_WORD: Duration = Duration::from_millis(50);

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
        let mut ids = self.lanes().ids();
        ids.extend(self.drop_sessions());
        self.lanes().close();
        self.end_sessions(ids, deadline).await;
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

    /// Drops all sessions; their ids.
    fn drop_sessions(&self) -> Vec<Document> {
        let entries = self.sessions().remove_all();
        entries.iter().for_each(release);
        entries.iter().filter_map(|entry| entry.id()).collect()
    }

    /// Tells the server to forget the sessions that were used; else it keeps them for half an hour. The crate does so only for a client that is dropped, not for
    /// one that is shut down, and shows nobody which sessions its pool holds: they are taken out of it, as many as it can hold.
    async fn end_sessions(&self, mut ids: Vec<Document>, deadline: Deadline) {
        let Some(driver) = self.driver_if_made().filter(|_| self.watch.has_topology()) else {
            return;
        };
        let limit = share(deadline, 0.3).min(KILL_LIMIT);
        if limit.is_zero() {
            return;
        }
        let ended = async {
            let mut pooled = Vec::new();
            for _ in 0..self.own_sessions_at_most().saturating_add(SPARE_SESSIONS).min(MOST_ENDED) {
                match driver.client.start_session().causal_consistency(false).await {
                    Ok(session) => pooled.push(session),
                    Err(_) => break,
                }
            }
            ids.extend(pooled.iter().map(|session| session.id().clone()));
            // On one of them: a session of its own would be one more to end.
            if let Some(session) = pooled.first_mut() {
                let command = doc! { "endSessions": ids.into_iter().map(Bson::Document).collect::<Vec<_>>() };
                let _answered = driver.client.database("admin").run_command(command).session(session).await;
            }
        };
        let _bounded = tokio::time::timeout(limit, ended).await;
    }

    async fn shut_down(&self, deadline: Deadline) {
        let Some(driver) = self.driver_if_made() else {
            return;
        };
        let regular = share(deadline, 0.7).max(LAST_WORD);
        if tokio::time::timeout(regular, driver.client.clone().shutdown()).await.is_err() {
            let rest = deadline.remaining().max(LAST_WORD);
            let _bounded = tokio::time::timeout(rest, driver.client.clone().shutdown().immediate(true)).await;
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
