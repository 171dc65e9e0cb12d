//! Transactions: begin, commit, abort, the verdict on an attempt, its deadline, and commits whose outcome is unknown.
//!
//! TypeScript runs the callback; everything that decides lives here. Guarantees: an attempt ends once; after its deadline no operation of it starts and the
//! server is told to kill it; a commit is never called failed when its outcome is unknown.

use super::client::Client;
use super::dispatch::Reply;
use super::driver::Driver;
use super::error::{self, TRANSIENT, UNKNOWN_COMMIT};
use super::session::{Entry, Held, Turn};
use super::{body, options};
use crate::error::{ErrorCode, Failure, Phase};
use crate::retry::{Deadline, full_jitter};
use mongodb::ClientSession;
use mongodb::bson::raw::RawDocument;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::TransactionOptions;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The server's answer when it no longer knows the transaction.
const NO_SUCH_TRANSACTION: i32 = 251;
/// The commit itself ran out of `maxCommitTimeMS`: repeating it is pointless.
const MAX_TIME_EXPIRED: i32 = 50;
/// How long an operation that was killed may take to come back.
const KILLED_GRACE: Duration = Duration::from_secs(1);
/// How long killing is tried: the server ends a forgotten transaction by itself after this time.
const KILL_FOR: Duration = Duration::from_secs(60);

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

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Operations run in it.
    Open,
    /// Commit or abort is under way.
    Ending,
    /// Its deadline passed.
    TimedOut,
    /// It was committed or aborted.
    Over,
}

/// One run of a transaction, from begin to commit, abort or deadline.
pub(super) struct Attempt {
    options: TransactionOptions,
    deadline: Option<Deadline>,
    timeout: Duration,
    started: Instant,
    stage: Mutex<Stage>,
    /// Fires when it has ended, whatever way.
    over: CancellationToken,
    /// Fires when running operations must settle: at the deadline.
    cut: CancellationToken,
    begun: AtomicBool,
    /// It was cut because the client closes, not by its deadline.
    closed: AtomicBool,
    /// The first answer by which the server aborted the transaction, unless it was transient.
    first_error: Mutex<Option<Failure>>,
}

impl Attempt {
    /// Reads the options of a begin.
    pub(super) fn new(given: &RawDocument) -> Result<Arc<Self>, Failure> {
        let timeout = body::millis(given, "timeoutMS")?.filter(|timeout| !timeout.is_zero());
        Ok(Arc::new(Self {
            options: options::transaction(given)?,
            deadline: timeout.map(Deadline::after),
            timeout: timeout.unwrap_or_default(),
            started: Instant::now(),
            stage: Mutex::new(Stage::Open),
            over: CancellationToken::new(),
            cut: CancellationToken::new(),
            begun: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            first_error: Mutex::new(None),
        }))
    }

    fn stage_cell(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it stands.
    pub(super) fn stage(&self) -> Stage {
        *self.stage_cell()
    }

    /// Whether the server may hold it open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage(), Stage::Open | Stage::Ending)
    }

    fn advance(&self, from: Stage, to: Stage) -> bool {
        let mut stage = self.stage_cell();
        let moved = *stage == from;
        if moved {
            *stage = to;
        }
        moved
    }

    fn end(&self) {
        *self.stage_cell() = Stage::Over;
        self.over.cancel();
    }

    /// Resolves when operations of it must settle although the server has not answered.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }

    /// The failure for what its deadline, or a close, cut.
    pub(super) fn timeout(&self) -> Failure {
        if self.closed.load(Ordering::Acquire) {
            return error::closed("closed").in_phase(Phase::Transaction);
        }
        let mut failure = error::timed_out("transaction", self.timeout).in_phase(Phase::Transaction);
        failure.elapsed_ms = Some(self.started.elapsed().as_secs_f64() * 1000.0);
        failure.maybe_executed = Some(false);
        failure
    }

    /// The failure for an operation that comes after the end.
    pub(super) fn refusal(&self) -> Failure {
        let state = if self.stage() == Stage::TimedOut { "timed-out" } else { "over" };
        Failure::closed("transaction", state).with_text("kind", "closed").in_phase(Phase::Transaction)
    }

    /// Remembers the first answer that aborted the transaction on the server.
    pub(super) fn note(&self, failure: &Failure) {
        if failure.code == ErrorCode::ServerError && !has(failure, TRANSIENT) {
            let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| failure.clone());
        }
    }

    fn first_error(&self) -> Option<Failure> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts it in the crate with its first operation: begin costs no round trip of its own.
    pub(super) async fn begin(&self, session: &mut ClientSession) -> Result<(), Failure> {
        if self.begun.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let started = session.start_transaction().with_options(self.options.clone()).await;
        started.map_err(|found| {
            self.begun.store(false, Ordering::Release);
            let mut failure = error::failure(&found);
            // As the specification labels a server that could not be selected in a transaction.
            if matches!(failure.code, ErrorCode::ConnectFailed | ErrorCode::Disconnected) && !has(&failure, TRANSIENT) {
                failure.labels.push(TRANSIENT.to_owned());
            }
            failure
        })
    }
}

fn has(failure: &Failure, label: &str) -> bool {
    failure.labels.iter().any(|known| known == label)
}

/// Settles when the attempt is over, or with its timeout. Carries the attempt's deadline: a blocked event loop does not delay it.
pub(super) async fn watch(client: &Arc<Client>, entry: &Arc<Entry>, attempt: &Arc<Attempt>) -> Result<Reply, Failure> {
    let deadline = attempt.deadline.unwrap_or_else(|| Deadline::after_millis(0));
    tokio::select! {
        () = attempt.over.cancelled() => Ok(Reply::Nothing),
        () = attempt.cut.cancelled() => Err(attempt.timeout()),
        () = deadline.passed() => {
            if attempt.advance(Stage::Open, Stage::TimedOut) {
                time_out(client, entry, attempt);
                return Err(attempt.timeout());
            }
            // The commit is under way and knows the deadline itself.
            attempt.over.cancelled().await;
            if attempt.stage() == Stage::TimedOut { Err(attempt.timeout()) } else { Ok(Reply::Nothing) }
        }
    }
}

/// Ends an attempt whose deadline passed: its place in the queue is taken now, before anyone hears of it.
fn time_out(client: &Arc<Client>, entry: &Arc<Entry>, attempt: &Arc<Attempt>) {
    let turn = entry.turn();
    client.counts().timed_out.fetch_add(1, Ordering::Relaxed);
    attempt.cut.cancel();
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
        && attempt.begun.load(Ordering::Acquire)
    {
        let _answered = tokio::time::timeout(KILLED_GRACE, session.abort_transaction()).await;
    }
    // The crate hides whether the abort arrived, and an abort may have crossed an operation that was dropped. The session stays ours meanwhile:
    // the kill would hit the next transaction on it.
    if let Some(id) = entry.id().filter(|_| attempt.begun.load(Ordering::Acquire)) {
        kill(client, vec![id], Deadline::after(KILL_FOR)).await;
    }
    drop(guard);
    attempt.end_as_timed_out();
}

impl Attempt {
    fn end_as_timed_out(&self) {
        *self.stage_cell() = Stage::TimedOut;
        self.over.cancel();
    }

    /// Marks it as cut by a close: running operations settle, new ones are refused.
    pub(super) fn cut_by_close(&self) {
        self.closed.store(true, Ordering::Release);
        self.advance(Stage::Open, Stage::TimedOut);
        self.cut.cancel();
    }
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
        tokio::time::sleep(full_jitter(Duration::from_millis(20), Duration::from_secs(2), attempt).min(deadline.remaining())).await;
    }
    false
}

/// Waits for the attempt's turn; the deadline may pass meanwhile.
async fn turn_of(turn: Turn, entry: &Arc<Entry>, attempt: &Arc<Attempt>) -> Result<Held, Failure> {
    tokio::select! {
        biased;
        () = attempt.cut.cancelled() => Err(attempt.timeout()),
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
pub(super) async fn commit(client: &Arc<Client>, entry: &Arc<Entry>, attempt: Option<Arc<Attempt>>, turn: Turn) -> Result<Reply, Failure> {
    let Some(attempt) = attempt else {
        let guard = turn.take().await;
        let mut guard = guard.ok_or_else(|| error::closed("closed"))?;
        let Some(session) = guard.session.as_mut() else {
            return Err(no_transaction());
        };
        return session.commit_transaction().await.map(|()| Reply::Nothing).map_err(|found| error::failure(&found));
    };
    let mut held = turn_of(turn, entry, &attempt).await?;
    let result = commit_once(&mut held, &attempt).await;
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

/// Sends the commit, if anything ran in the transaction.
async fn commit_once(held: &mut Held, attempt: &Attempt) -> Result<(), Failure> {
    if !attempt.begun.load(Ordering::Acquire) {
        return Ok(());
    }
    let Some(session) = held.session() else {
        return Ok(());
    };
    session.commit_transaction().await.map_err(|found| error::failure(&found).in_phase(Phase::Commit))
}

/// `abortTransaction()`.
pub(super) async fn abort(client: &Arc<Client>, entry: &Arc<Entry>, attempt: Option<Arc<Attempt>>, turn: Turn) -> Result<Reply, Failure> {
    let Some(attempt) = attempt else {
        return Err(no_transaction());
    };
    let mut held = turn_of(turn, entry, &attempt).await?;
    abort_held(client, &mut held, &attempt).await;
    Ok(Reply::Nothing)
}

/// Aborts; what the server answers does not matter, the crate hides it too.
pub(super) async fn abort_held(client: &Arc<Client>, held: &mut Held, attempt: &Attempt) {
    if attempt.begun.load(Ordering::Acquire)
        && let Some(session) = held.session()
    {
        let _state = session.abort_transaction().await;
    }
    client.counts().aborted.fetch_add(1, Ordering::Relaxed);
    held.entry.set_attempt(None);
    attempt.end();
}

/// What TypeScript says about an attempt whose callback has ended.
struct Finish {
    threw: bool,
    code: Option<i64>,
    transient: bool,
    rethrown: bool,
    attempt: u32,
    max_retries: Option<u32>,
    retry_delay: Option<Duration>,
    left: Option<Deadline>,
}

impl Finish {
    fn parse(given: &RawDocument) -> Result<Self, Failure> {
        let labels = match body::field(given, "labels") {
            Some(_) => Some(body::array(given, "labels")?),
            None => None,
        };
        let transient = labels.is_some_and(|labels| labels.into_iter().any(|label| label.is_ok_and(|label| label.as_str() == Some(TRANSIENT))));
        let total = body::millis(given, "totalMS")?;
        let elapsed = body::millis(given, "elapsedMS")?.unwrap_or_default();
        Ok(Self {
            threw: body::flag(given, "threw").unwrap_or(false),
            code: body::field(given, "code").and_then(body::as_integer),
            transient,
            rethrown: body::flag(given, "rethrown").unwrap_or(false),
            attempt: body::count(given, "attempt")?.unwrap_or(1).max(1),
            max_retries: body::count(given, "maxRetries")?,
            retry_delay: body::millis(given, "retryDelayMS")?,
            left: total.map(|total| Deadline::after(total.saturating_sub(elapsed))),
        })
    }

    /// Whether the callback may run again, and after which wait.
    fn retry(&self) -> Option<Duration> {
        if self.max_retries.is_some_and(|most| self.attempt > most) {
            return None;
        }
        let wait = self.retry_delay.map_or_else(|| backoff(self.attempt, fastrand::f64()), |delay| delay.saturating_mul(self.attempt));
        match self.left {
            Some(left) if left.remaining() <= wait => None,
            _ => Some(wait),
        }
    }
}

/// The specification's: jitter x min(5 ms x 1.5^(n-1), 500 ms).
fn backoff(attempt: u32, jitter: f64) -> Duration {
    let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let millis = (5.0 * 1.5_f64.powi(exponent)).min(500.0);
    Duration::from_secs_f64(jitter.clamp(0.0, 1.0) * millis / 1000.0)
}

fn verdict(kind: &str) -> Reply {
    Reply::Text(format!("{{\"kind\":\"{kind}\"}}"))
}

fn retry_verdict(wait: Duration) -> Reply {
    Reply::Text(format!("{{\"kind\":\"retry\",\"backoffMs\":{}}}", wait.as_secs_f64() * 1000.0))
}

/// The verdict on an attempt: committed, aborted, again after a wait, or a failure.
pub(super) async fn finish(
    client: &Arc<Client>,
    entry: &Arc<Entry>,
    (attempt, turn): (Option<Arc<Attempt>>, Turn),
    given: &RawDocument,
) -> Result<Reply, Failure> {
    let said = Finish::parse(given)?;
    let Some(attempt) = attempt else {
        // The callback ended the transaction itself.
        return Ok(verdict(if said.threw { "aborted" } else { "committed" }));
    };
    let mut held = match turn_of(turn, entry, &attempt).await {
        Ok(held) => held,
        // The user's own abort or commit was under way.
        Err(failure) if failure.code == ErrorCode::Closed => return Ok(verdict(if said.threw { "aborted" } else { "committed" })),
        Err(failure) => return Err(failure),
    };
    if said.threw {
        abort_held(client, &mut held, &attempt).await;
        drop(held);
        return after_throw(&said, &attempt);
    }
    let result = commit_until(client, held, &attempt, said.left).await;
    entry.set_attempt(None);
    attempt.end();
    match result {
        Ok(()) => Ok(verdict("committed")),
        Err(failure) if failure.code == ErrorCode::UnknownCommit => Err(failure),
        Err(failure) => after_failed_commit(&said, &attempt, failure),
    }
}

fn after_throw(said: &Finish, attempt: &Attempt) -> Result<Reply, Failure> {
    let swallowed = said.code == Some(i64::from(NO_SUCH_TRANSACTION)) && !said.rethrown;
    if swallowed && let Some(first) = attempt.first_error() {
        return Err(swallowed_abort(first));
    }
    match said.retry() {
        Some(wait) if said.transient => Ok(retry_verdict(wait)),
        _ => Ok(verdict("aborted")),
    }
}

fn after_failed_commit(said: &Finish, attempt: &Attempt, failure: Failure) -> Result<Reply, Failure> {
    if failure.server_code == Some(NO_SUCH_TRANSACTION)
        && let Some(first) = attempt.first_error()
    {
        return Err(swallowed_abort(first));
    }
    if !has(&failure, TRANSIENT) {
        return Err(failure);
    }
    match said.retry() {
        Some(wait) => Ok(retry_verdict(wait)),
        None => {
            let mut conflict = failure;
            conflict.code = ErrorCode::Conflict;
            conflict.attempts = Some(said.attempt);
            conflict.maybe_executed = Some(false);
            Err(conflict)
        }
    }
}

/// The callback caught the error by which the server aborted the transaction. Running it again would end the same way.
fn swallowed_abort(first: Failure) -> Failure {
    let message = format!("transaction was aborted by an error that the callback caught: {}", first.message);
    let mut failure = Failure { message, ..first };
    failure.details.push(("swallowed", crate::error::Detail::Flag(true)));
    failure.maybe_executed = Some(false);
    failure
}

/// Commits, again and again while the outcome is unknown, until the earlier of the attempt's deadline and the whole transaction's.
async fn commit_until(client: &Arc<Client>, mut held: Held, attempt: &Arc<Attempt>, total: Option<Deadline>) -> Result<(), Failure> {
    let limit = attempt.deadline.or(total).unwrap_or_else(|| Deadline::after(Duration::from_secs(120)));
    let limit = total.map_or(limit, |total| limit.earliest(total));
    let counts = client.counts();
    let mut tries = 0;
    loop {
        tries += 1;
        let sent = tokio::select! {
            sent = commit_once(&mut held, attempt) => sent,
            () = limit.passed() => Err(Failure::new(ErrorCode::Timeout, "commit was not answered in time").in_phase(Phase::Commit)),
        };
        let failure = match sent {
            Ok(()) => {
                counts.committed.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Err(failure) => failure,
        };
        let unknown = failure.code == ErrorCode::Timeout || has(&failure, UNKNOWN_COMMIT);
        if !unknown {
            counts.aborted.fetch_add(1, Ordering::Relaxed);
            return Err(failure);
        }
        if limit.is_over() || failure.server_code == Some(MAX_TIME_EXPIRED) || client.is_cut() {
            counts.unknown.fetch_add(1, Ordering::Relaxed);
            return Err(unknown_commit(client, &held.entry, failure, tries));
        }
        tokio::time::sleep(full_jitter(Duration::from_millis(5), Duration::from_millis(500), tries).min(limit.remaining())).await;
    }
}

/// The outcome is unknown: the session is parked so that `commitOutcome` can ask again.
fn unknown_commit(client: &Arc<Client>, entry: &Arc<Entry>, cause: Failure, tries: u32) -> Failure {
    let token = client.park(Arc::clone(entry));
    let mut failure = Failure::new(ErrorCode::UnknownCommit, format!("outcome of the commit is unknown after {tries} attempts: {}", cause.message))
        .with_text("kind", "unknownCommit")
        .with_text("commitToken", token)
        .in_phase(Phase::Commit);
    failure.labels = cause.labels;
    failure.server_code = cause.server_code;
    failure.reply = cause.reply;
    failure.attempts = Some(tries);
    failure.maybe_executed = Some(true);
    failure
}

/// Asks again for the outcome of a parked commit. Repeating a commit is safe: the server applies it once.
pub(super) async fn outcome(client: &Arc<Client>, given: &RawDocument) -> Result<Reply, Failure> {
    let token = body::text(given, "token")?;
    let Some(entry) = client.parked(token) else {
        return Err(body::invalid("token", "commit token is not known in this process"));
    };
    let guard = entry.turn().take().await;
    let mut guard = guard.ok_or_else(|| error::closed("closed"))?;
    let Some(session) = guard.session.as_mut() else {
        return Err(body::invalid("token", "session of the commit has ended"));
    };
    match session.commit_transaction().await {
        Ok(()) => {
            client.unpark(token);
            Ok(Reply::Text("committed".to_owned()))
        }
        Err(found) if error::code_of(&found) == Some(NO_SUCH_TRANSACTION) => {
            client.unpark(token);
            Ok(Reply::Text("rolled-back".to_owned()))
        }
        Err(found) => {
            let mut failure = error::failure(&found).with_text("commitToken", token).in_phase(Phase::Commit);
            failure.code = ErrorCode::UnknownCommit;
            failure.maybe_executed = Some(true);
            Err(failure)
        }
    }
}

/// What `beginTransaction` refuses and what it sets.
pub(super) fn begin(client: &Client, entry: &Entry, given: &RawDocument) -> Result<(), Failure> {
    if entry.attempt().is_some_and(|attempt| attempt.is_open()) {
        return Err(Failure::new(ErrorCode::InvalidArgument, "transaction already in progress").with_text("kind", "transaction").not_executed());
    }
    entry.set_attempt(Some(Attempt::new(given)?));
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
        attempt.begin(session).await?;
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Finish, Stage, after_failed_commit, after_throw, backoff};
    use crate::error::{ErrorCode, Failure};
    use crate::mongo::dispatch::Reply;
    use mongodb::bson::rawdoc;
    use std::time::Duration;

    fn server(code: i32, labels: &[&str]) -> Failure {
        let mut failure = Failure::new(ErrorCode::ServerError, "no");
        failure.server_code = Some(code);
        failure.labels = labels.iter().map(|label| (*label).to_owned()).collect();
        failure
    }

    fn text(reply: Reply) -> String {
        match reply {
            Reply::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn retries_a_transient_error_up_to_the_limit_and_no_other() {
        let attempt = Attempt::new(&rawdoc! {}).unwrap();
        let said = |n: i32, label: &str| Finish::parse(&rawdoc! { "threw": true, "labels": [label], "attempt": n, "maxRetries": 3 }).unwrap();
        assert!(text(after_throw(&said(3, "TransientTransactionError"), &attempt).unwrap()).contains("retry"));
        assert!(text(after_throw(&said(4, "TransientTransactionError"), &attempt).unwrap()).contains("aborted"));
        assert!(text(after_throw(&said(1, "Other"), &attempt).unwrap()).contains("aborted"));
    }

    #[test]
    fn a_transient_commit_that_outlives_its_retries_is_a_conflict() {
        let attempt = Attempt::new(&rawdoc! {}).unwrap();
        let said = Finish::parse(&rawdoc! { "threw": false, "attempt": 2, "maxRetries": 1 }).unwrap();
        let failure = after_failed_commit(&said, &attempt, server(112, &["TransientTransactionError"])).unwrap_err();
        assert_eq!((failure.code, failure.attempts), (ErrorCode::Conflict, Some(2)));
        let plain = after_failed_commit(&said, &attempt, server(8, &[])).unwrap_err();
        assert_eq!(plain.code, ErrorCode::ServerError);
    }

    #[test]
    fn names_the_error_that_a_callback_swallowed() {
        let attempt = Attempt::new(&rawdoc! {}).unwrap();
        attempt.note(&server(11000, &[]));
        attempt.note(&server(251, &["TransientTransactionError"]));
        let said = Finish::parse(&rawdoc! { "threw": false }).unwrap();
        let failure = after_failed_commit(&said, &attempt, server(251, &["TransientTransactionError"])).unwrap_err();
        assert_eq!(failure.server_code, Some(11000));
        let thrown = Finish::parse(&rawdoc! { "threw": true, "code": 251, "labels": ["TransientTransactionError"] }).unwrap();
        assert_eq!(after_throw(&thrown, &attempt).unwrap_err().server_code, Some(11000));
    }

    #[test]
    fn an_attempt_ends_once() {
        let attempt = Attempt::new(&rawdoc! { "timeoutMS": 300 }).unwrap();
        assert!(attempt.advance(Stage::Open, Stage::Ending));
        assert!(!attempt.advance(Stage::Open, Stage::TimedOut));
        attempt.end();
        assert!(!attempt.is_open());
        assert_eq!(attempt.timeout().message, "transaction timed out after 300 ms");
    }

    #[test]
    fn waits_by_the_specification() {
        assert_eq!(backoff(1, 1.0), Duration::from_millis(5));
        assert_eq!(backoff(2, 1.0), Duration::from_micros(7500));
        assert_eq!(backoff(1000, 1.0), Duration::from_millis(500));
        assert_eq!(backoff(9, 0.0), Duration::ZERO);
    }
}
