//! Transactions: begin, commit, abort, and the end of an attempt by its deadline. One attempt is in `attempt`, the verdict on it in `verdict`.
//!
//! TypeScript runs the callback; everything that decides lives here. Guarantees: after an attempt's deadline no operation of it starts and the server is told
//! to kill it.

use super::attempt::{Attempt, Stage};
use super::client::Client;
use super::concern;
use super::dispatch::Reply;
use super::driver::Driver;
use super::error::{self, RETRYABLE_WRITE, UNKNOWN_COMMIT, has};
use super::session::{Entry, Held, Turn};
use crate::error::{ErrorCode, Failure, Phase};
use crate::retry::{Deadline, full_jitter};
use mongodb::bson::raw::RawDocument;
use mongodb::bson::{Bson, Document, doc};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The server's answer when it no longer knows the transaction.
pub(super) const NO_SUCH_TRANSACTION: i32 = 251;
/// How long an operation that was killed may take to come back.
const KILLED_GRACE: Duration = Duration::from_secs(1);
/// How long killing is tried: the server ends a forgotten transaction by itself after this time.
const KILL_FOR: Duration = Duration::from_mins(1);

/// Transactions by how they ended.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) started: AtomicU64,
    pub(super) committed: AtomicU64,
    pub(super) aborted: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) timed_out: AtomicU64,
    /// Operations refused because their attempt was over, and results that came too late.
    pub(super) late: AtomicU64,
}

/// Fails when the attempt is cut, by its deadline or a close; ends untold when it is over otherwise. Carries the attempt's deadline: a blocked event loop does not delay it.
pub(super) async fn watch(client: &Arc<Client>, entry: &Arc<Entry>, attempt: &Arc<Attempt>) -> Result<Reply, Failure> {
    let deadline = attempt.deadline().unwrap_or_else(|| Deadline::after_millis(0));
    tokio::select! {
        () = attempt.ended() => Ok(Reply::Untold),
        () = attempt.cut() => Err(attempt.timeout()),
        () = deadline.passed() => {
            if attempt.advance(Stage::Open, Stage::TimedOut) {
                time_out(client, entry, attempt);
                return Err(attempt.timeout());
            }
            // The commit is under way and knows the deadline itself.
            attempt.ended().await;
            if attempt.stage() == Stage::TimedOut { Err(attempt.timeout()) } else { Ok(Reply::Untold) }
        }
    }
}

/// Ends an attempt whose deadline passed: its place in the queue is taken now, before anyone hears of it.
fn time_out(client: &Arc<Client>, entry: &Arc<Entry>, attempt: &Arc<Attempt>) {
    let turn = entry.turn();
    client.counts().timed_out.fetch_add(1, Ordering::Relaxed);
    attempt.settle_running();
    let (client, entry, attempt) = (Arc::clone(client), Arc::clone(entry), Arc::clone(attempt));
    let background = client.background();
    tokio::spawn(async move {
        stop(&client, &entry, &attempt, turn).await;
        drop(background);
    });
}

/// Ends a transaction on the server without its caller. A running operation is killed there, never dropped: the crate would then send no abort.
pub(super) async fn stop(client: &Arc<Client>, entry: &Arc<Entry>, attempt: &Attempt, turn: Turn) {
    let busy = !turn.is_ready();
    let id = entry.id();
    if let (true, Some(id)) = (busy, &id) {
        kill(client, vec![id.clone()], Deadline::after(KILL_FOR)).await;
    }
    let turn = turn.take();
    tokio::pin!(turn);
    let mut guard = tokio::time::timeout(KILLED_GRACE, &mut turn).await.ok();
    if guard.is_none() {
        entry.drop_detached();
        guard = tokio::time::timeout(KILLED_GRACE, &mut turn).await.ok();
    }
    let mut guard = guard.flatten();
    if let Some(session) = guard.as_mut().and_then(|guard| guard.session.as_mut())
        && attempt.has_begun()
    {
        let _answered = tokio::time::timeout(KILLED_GRACE, session.abort_transaction()).await;
    }
    // The crate hides whether the abort arrived, and an abort may have crossed an operation that was dropped. The session stays ours meanwhile:
    // the kill would hit the next transaction on it.
    if let Some(id) = entry.id().filter(|_| attempt.has_begun()) {
        kill(client, vec![id], Deadline::after(KILL_FOR)).await;
    }
    drop(guard);
    attempt.end_as_timed_out();
}

/// Tells the server to kill sessions, with backoff until the deadline. True when the server acknowledged.
pub(super) async fn kill(client: &Arc<Client>, ids: Vec<Document>, deadline: Deadline) -> bool {
    let Some(driver) = client.driver_if_made() else {
        return false;
    };
    let command = doc! { "killSessions": ids.into_iter().map(Bson::Document).collect::<Vec<_>>() };
    for attempt in 1.. {
        let limit = deadline.remaining().min(Duration::from_secs(5));
        let sent = tokio::time::timeout(limit, driver.client.database("admin").run_command(command.clone())).await;
        if matches!(sent, Ok(Ok(_))) {
            return true;
        }
        if deadline.is_over() || client.is_closed() {
            return false;
        }
        tokio::time::sleep(
            full_jitter(Duration::from_millis(20), Duration::from_secs(2), attempt).min(deadline.remaining()),
        )
        .await;
    }
    false
}

/// Waits for the attempt's turn; the deadline may pass meanwhile.
pub(super) async fn turn_of(turn: Turn, entry: &Arc<Entry>, attempt: &Arc<Attempt>) -> Result<Held, Failure> {
    tokio::select! {
        biased;
        () = attempt.cut() => Err(attempt.timeout()),
        guard = turn.take() => {
            let guard = guard.ok_or_else(|| attempt.refusal())?;
            if attempt.advance(Stage::Open, Stage::Ending) {
                return Ok(Held { guard, entry: Arc::clone(entry), attempt: Some(Arc::clone(attempt)) });
            }
            Err(if attempt.stage() == Stage::TimedOut { attempt.timeout() } else { attempt.refusal() })
        }
    }
}

/// `commitTransaction()`: once, with the crate's own retry. After a commit it repeats that commit.
pub(super) async fn commit(
    client: &Arc<Client>,
    entry: &Arc<Entry>,
    attempt: Option<Arc<Attempt>>,
    turn: Turn,
) -> Result<Reply, Failure> {
    let Some(attempt) = attempt else {
        let guard = turn.take().await;
        let mut guard = guard.ok_or_else(|| error::closed("closed"))?;
        let Some(session) = guard.session.as_mut() else {
            return Err(no_transaction());
        };
        return session.commit_transaction().await.map(|()| Reply::Nothing).map_err(|found| error::failure(&found));
    };
    let mut held = turn_of(turn, entry, &attempt).await?;
    let result = commit_once(client, &mut held, &attempt).await;
    let counts = client.counts();
    match &result {
        Ok(()) => counts.committed.fetch_add(1, Ordering::Relaxed),
        Err(failure) if has(failure, UNKNOWN_COMMIT) => counts.unknown.fetch_add(1, Ordering::Relaxed),
        Err(_) => counts.aborted.fetch_add(1, Ordering::Relaxed),
    };
    entry.set_attempt(None);
    attempt.end();
    result.map(|()| Reply::Nothing)
}

fn no_transaction() -> Failure {
    Failure::new(ErrorCode::InvalidArgument, "no transaction started").with_text("kind", "transaction").not_executed()
}

/// Sends the commit, if anything ran in the transaction. Once more, if nothing is heard of it for the socket timeout: repeating a commit is safe.
pub(super) async fn commit_once(client: &Client, held: &mut Held, attempt: &Attempt) -> Result<(), Failure> {
    if !pass(client, held, attempt).await {
        return Ok(());
    }
    let Some(session) = held.session() else {
        return Ok(());
    };
    attempt.commit_is_sent();
    let Some(limit) = client.limits().socket_timeout else {
        return session.commit_transaction().await.map_err(|found| error::failure(&found).in_phase(Phase::Commit));
    };
    for _attempt in 0..2 {
        if let Ok(sent) = tokio::time::timeout(limit, session.commit_transaction()).await {
            return sent.map_err(|found| error::failure(&found).in_phase(Phase::Commit));
        }
    }
    Err(silent_commit(limit))
}

/// Whether the crate has begun the transaction. One without an operation is begun at its end, if that needs no I/O: the crate then ends it without any, and its
/// number counts as the specification wants.
async fn pass(client: &Client, held: &mut Held, attempt: &Attempt) -> bool {
    if attempt.has_begun() {
        return true;
    }
    let Some(driver) = client.driver_if_made().filter(|_| client.watch.has_topology()) else {
        return false;
    };
    let entry = Arc::clone(&held.entry);
    if entry.fill(driver, &mut held.guard).await.is_err() {
        return false;
    }
    match held.session() {
        Some(session) => attempt.begin(session, client.numbers()).await.is_ok(),
        None => false,
    }
}

/// The failure of a commit that was not answered within the socket timeout: it may have been carried out.
fn silent_commit(limit: Duration) -> Failure {
    let message = format!("connection timed out: commit was not answered within {} ms", limit.as_millis());
    let mut failure = Failure::new(ErrorCode::Disconnected, message).with_text("kind", "networkTimeout");
    failure.labels = vec![RETRYABLE_WRITE.to_owned(), UNKNOWN_COMMIT.to_owned()];
    failure.maybe_executed = Some(true);
    failure.in_phase(Phase::Commit)
}

/// What a commit's caller hears when it settles without the server's answer: once sent, the outcome is unknown, never failed.
pub(super) fn cut_commit(client: &Arc<Client>, entry: &Arc<Entry>, attempt: &Attempt, cause: Failure) -> Failure {
    if !attempt.may_be_committed() || attempt.stage() != Stage::Ending {
        return cause;
    }
    client.counts().unknown.fetch_add(1, Ordering::Relaxed);
    entry.set_attempt(None);
    attempt.end();
    super::verdict::unknown_commit(client, entry, cause, 1)
}

/// `abortTransaction()`.
pub(super) async fn abort(
    client: &Arc<Client>,
    entry: &Arc<Entry>,
    attempt: Option<Arc<Attempt>>,
    turn: Turn,
) -> Result<Reply, Failure> {
    let Some(attempt) = attempt else {
        return Err(no_transaction());
    };
    let mut held = turn_of(turn, entry, &attempt).await?;
    abort_held(client, &mut held, &attempt).await;
    Ok(Reply::Nothing)
}

/// Aborts; what the server answers does not matter, the crate hides it too.
pub(super) async fn abort_held(client: &Arc<Client>, held: &mut Held, attempt: &Attempt) {
    if pass(client, held, attempt).await
        && let Some(session) = held.session()
    {
        let _state = session.abort_transaction().await;
    }
    client.counts().aborted.fetch_add(1, Ordering::Relaxed);
    held.entry.set_attempt(None);
    attempt.end();
}

/// What `beginTransaction` refuses and what it sets.
pub(super) fn begin(client: &Client, entry: &Entry, given: &RawDocument) -> Result<(), Failure> {
    if entry.attempt().is_some_and(|attempt| attempt.is_open()) {
        return Err(Failure::new(ErrorCode::InvalidArgument, "transaction already in progress")
            .with_text("kind", "transaction")
            .not_executed());
    }
    let attempt = Attempt::new(given)?;
    let concern = attempt.write_concern().or(client.write_concern());
    if !concern.is_none_or(concern::is_acknowledged) {
        return Err(Failure::new(
            ErrorCode::InvalidArgument,
            "transactions do not support unacknowledged write concerns",
        )
        .with_text("kind", "transaction")
        .with_text("argument", "writeConcern")
        .not_executed());
    }
    entry.set_attempt(Some(attempt));
    client.counts().started.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Prepares a session whose turn has come for one operation: makes it, and begins its transaction with the first.
pub(super) async fn enter(driver: &Driver, mut held: Held, client: &Client) -> Result<Held, Failure> {
    if let Some(attempt) = &held.attempt
        && attempt.stage() != Stage::Open
    {
        client.counts().late.fetch_add(1, Ordering::Relaxed);
        return Err(attempt.refusal());
    }
    let entry = Arc::clone(&held.entry);
    entry.fill(driver, &mut held.guard).await?;
    if let (Some(attempt), Some(session)) = (held.attempt.clone(), held.session()) {
        attempt.begin(session, client.numbers()).await?;
    }
    Ok(held)
}
