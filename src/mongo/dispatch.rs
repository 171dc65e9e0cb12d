//! One operation's way: admitted, queued on its session, run, and settled once by its result or by what comes first: cancel, deadline, close.
//!
//! What takes part in a transaction is never dropped while the server may still run it: it goes on without its caller and is counted as late.

use super::attempt::{Attempt, Stage};
use super::bulk::Kind;
use super::client::{Client, Unit};
use super::driver::Surroundings;
use super::session::{self, Entry, Held, Turn};
use super::trace::Trace;
use super::transaction;
use super::{body, error, opcode, read, statement, verdict};
use super::{change_stream, client_bulk, cursor};
use crate::error::{ErrorCode, Failure, Phase};
use crate::lifecycle::State;
use crate::retry::Deadline;
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long `close` takes when nobody says.
const DEFAULT_CLOSE: Duration = Duration::from_secs(10);
/// How long a close lets an operation look for a server: one that has found none has sent nothing, and may look for half a minute.
const SELECTION_GRACE: Duration = Duration::from_millis(500);
/// Flag of `close`: cut at once.
const FORCE: u16 = 1;

/// One operation as it comes in.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What to do: see [`opcode`].
    pub opcode: u16,
    /// Bits whose meaning the opcode gives.
    pub flags: u16,
    /// The session's handle; 0 for none.
    pub handle: u32,
    /// Milliseconds that it may take; 0 for the client's defaults.
    pub deadline_ms: u32,
    /// One BSON document, or nothing.
    pub body: &'a [u8],
}

/// How an operation ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Without a value, and nobody waits for it: an attempt that did not end by itself.
    Untold,
    /// Without a value.
    Nothing,
    /// A count.
    Number(u32),
    /// JSON, or a decimal.
    Text(String),
    /// BSON or a layout of the contract.
    Bytes(Bytes),
}

type Outcome = Result<Reply, Failure>;

/// The future of an operation; it settles once and soon after a cancel, its deadline or a close.
pub type ReplyFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Its place in a session's queue.
struct Ticket {
    entry: Arc<Entry>,
    attempt: Option<Arc<Attempt>>,
    /// None for what only watches.
    turn: Option<Turn>,
}

struct Job {
    client: Arc<Client>,
    opcode: u16,
    flags: u16,
    handle: u32,
    body: Vec<u8>,
    deadline: Option<Deadline>,
    trace: Arc<Trace>,
    ticket: Option<Ticket>,
}

impl Client {
    /// Takes one operation. What must happen in the order of submission happens before this returns; the future does the rest. `cancel` asks it to end.
    pub fn accept(self: &Arc<Self>, request: Request<'_>, cancel: CancellationToken) -> ReplyFuture {
        if request.opcode == opcode::CLOSE {
            let limit = if request.flags & FORCE != 0 { Duration::ZERO } else { close_limit(request.deadline_ms) };
            let client = Arc::clone(self);
            return Box::pin(async move {
                client.close_by(Deadline::after(limit)).await;
                Ok(Reply::Nothing)
            });
        }
        match self.prepare(request) {
            Ok((job, unit)) => {
                let limits = Limits::of(&job);
                Box::pin(limits.run(job, unit, cancel))
            }
            Err(failure) => Box::pin(std::future::ready(Err(*failure))),
        }
    }

    fn prepare(self: &Arc<Self>, request: Request<'_>) -> Result<(Job, Option<Unit>), Box<Failure>> {
        let ends_something = matches!(
            request.opcode,
            opcode::END_SESSION
                | opcode::COMMIT
                | opcode::ABORT
                | opcode::FINISH
                | opcode::ATTEMPT
                | opcode::CLOSE_CURSOR
                | opcode::CLOSE_CHANGE_STREAM
        );
        let state = self.state.get();
        if state == State::Closed || (state.refuses_work() && !ends_something) {
            return Err(Box::new(error::closed(state.as_str())));
        }
        // An attempt's watcher waits with the callback; it is no work in flight.
        let unit = match request.opcode {
            opcode::ATTEMPT => None,
            _ => Some(self.admit(ends_something).ok_or_else(|| self.full())?),
        };
        let ticket = if request.handle == 0 { None } else { self.ticket(&request)? };
        let deadline = (request.deadline_ms > 0).then(|| Deadline::after_millis(request.deadline_ms));
        let deadline = deadline.or_else(|| self.limits().timeout.filter(|_| !ends_something).map(Deadline::after));
        let job = Job {
            client: Arc::clone(self),
            opcode: request.opcode,
            flags: request.flags,
            handle: request.handle,
            body: request.body.to_vec(),
            deadline,
            trace: Trace::new(),
            ticket,
        };
        Ok((job, unit))
    }

    fn full(&self) -> Box<Failure> {
        let size = self.limits().max_in_flight;
        let failure = Failure::new(ErrorCode::PoolExhausted, format!("client has {size} operations in flight"));
        Box::new(
            failure
                .with_text("kind", "waitQueueTimeout")
                .with_number("size", f64::from(size))
                .in_phase(Phase::Acquire)
                .not_executed(),
        )
    }

    fn ticket(&self, request: &Request<'_>) -> Result<Option<Ticket>, Box<Failure>> {
        let ending = request.opcode == opcode::END_SESSION;
        let found = if ending { self.sessions().remove(request.handle) } else { self.sessions().get(request.handle) };
        let Some(entry) = found else {
            // Ending twice is harmless, in whatever order `catch` and `finally` do it.
            return if ending { Ok(None) } else { Err(Box::new(session::unknown(request.handle))) };
        };
        let controls = matches!(
            request.opcode,
            opcode::END_SESSION | opcode::ATTEMPT | opcode::FINISH | opcode::COMMIT | opcode::ABORT
        );
        let attempt = entry.attempt();
        if !controls && let Some(attempt) = attempt.as_ref().filter(|attempt| attempt.stage() == Stage::TimedOut) {
            self.counts().late.fetch_add(1, Ordering::Relaxed);
            return Err(Box::new(attempt.refusal()));
        }
        let attempt = attempt.filter(|attempt| controls || attempt.is_open());
        let turn = (request.opcode != opcode::ATTEMPT).then(|| entry.turn());
        Ok(Some(Ticket { entry, attempt, turn }))
    }
}

fn close_limit(millis: u32) -> Duration {
    if millis == 0 { DEFAULT_CLOSE } else { Duration::from_millis(u64::from(millis)) }
}

/// What ends an operation beside its own result.
struct Limits {
    client: Arc<Client>,
    deadline: Option<Deadline>,
    wait: Option<Duration>,
    attempt: Option<(Arc<Entry>, Arc<Attempt>)>,
    /// The session of what must not be dropped.
    owner: Option<Arc<Entry>>,
    /// Set for what commits.
    commit: Option<(Arc<Entry>, Arc<Attempt>)>,
    trace: Arc<Trace>,
    in_session: bool,
}

impl Limits {
    fn of(job: &Job) -> Self {
        let limits = job.client.limits();
        let control = job.opcode >= opcode::END_SESSION;
        let joined = job.ticket.as_ref().and_then(|ticket| Some((Arc::clone(&ticket.entry), ticket.attempt.clone()?)));
        let commit = joined.clone().filter(|_| matches!(job.opcode, opcode::COMMIT | opcode::FINISH));
        let attempt = joined.filter(|_| !control);
        let owner =
            job.ticket.as_ref().filter(|_| control || attempt.is_some()).map(|ticket| Arc::clone(&ticket.entry));
        // In a transaction the attempt's own deadline rules: a socket that is given up would leave the transaction open.
        // Waiting for events is no silent socket: each of its getMores is answered within a second or `maxAwaitTimeMS`.
        let waits = job.opcode == opcode::NEXT_CHANGES;
        let socket = limits.socket_timeout.filter(|_| attempt.is_none() && !control && !waits).map(Deadline::after);
        let deadline = match (job.deadline, socket) {
            (Some(own), Some(socket)) => Some(own.earliest(socket)),
            (own, socket) => own.or(socket),
        };
        let wait = limits.wait_queue_timeout.filter(|_| !control);
        Self {
            client: Arc::clone(&job.client),
            deadline,
            wait,
            attempt,
            owner,
            commit,
            trace: Arc::clone(&job.trace),
            in_session: job.ticket.is_some(),
        }
    }

    async fn run(self, job: Job, unit: Option<Unit>, cancel: CancellationToken) -> Outcome {
        let trace = Arc::clone(&self.trace);
        let mut work: ReplyFuture = Box::pin(trace.follow(work(job)));
        let failure = tokio::select! {
            // A close first: after it the crate's pools are gone, and polling an operation that waits for one panics inside the crate.
            biased;
            () = self.client.cut.cancelled() => Self::cut_off(),
            outcome = &mut work => {
                drop(unit);
                return outcome.map_err(|failure| self.describe(failure));
            }
            () = cancel.cancelled() => error::aborted(),
            () = self.closed_without_server() => error::closed("draining"),
            failure = self.first_limit() => failure,
        };
        let failure = self.describe(failure);
        let failure = match &self.commit {
            Some((entry, attempt)) => transaction::cut_commit(&self.client, entry, attempt, failure),
            None => failure,
        };
        self.leave(work, unit);
        Err(failure)
    }

    /// Resolves when the client closes while the operation has no server. One of a session may wait for its turn instead: that is drained.
    async fn closed_without_server(&self) {
        self.client.closing.cancelled().await;
        tokio::time::sleep(SELECTION_GRACE).await;
        if self.in_session || self.trace.phase() != Phase::SelectServer {
            std::future::pending::<()>().await;
        }
    }

    /// The operation settles without its result. What takes part in a transaction, or ends one, goes on: dropped, it would leave the transaction open.
    /// Anything else is dropped, and the crate closes its connection.
    fn leave(&self, work: ReplyFuture, unit: Option<Unit>) {
        let Some(entry) = self.owner.as_ref().filter(|_| !self.client.is_cut()) else {
            return;
        };
        drop(unit);
        let background = self.client.background();
        let (client, counts) = (Arc::clone(&self.client), self.attempt.is_some());
        let task = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = client.cut.cancelled() => {}
                _late = work => {}
            }
            client.counts().late.fetch_add(u64::from(counts), Ordering::Relaxed);
            drop(background);
        });
        entry.detach(task.abort_handle());
    }

    /// Resolves with whatever comes first; arms only the timers that are wanted.
    async fn first_limit(&self) -> Failure {
        let cut = async {
            match &self.attempt {
                Some((_, attempt)) => {
                    attempt.cut().await;
                    attempt.timeout()
                }
                None => std::future::pending().await,
            }
        };
        let deadline = async {
            match self.deadline {
                Some(deadline) => deadline.passed().await,
                None => std::future::pending().await,
            }
        };
        let wait = async {
            match self.wait {
                Some(limit) => self.trace.waited_too_long(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            failure = cut => failure,
            () = deadline => error::timed_out("operation", self.trace.elapsed()),
            () = wait => self.waited(),
        }
    }

    /// The client closed under it; the trace tells whether it was sent.
    fn cut_off() -> Failure {
        let mut failure = error::closed("closed");
        failure.maybe_executed = None;
        failure
    }

    fn waited(&self) -> Failure {
        let waited = self.wait.unwrap_or_default().as_millis();
        let failure = Failure::new(ErrorCode::PoolExhausted, format!("no connection became free within {waited} ms"));
        failure.with_text("kind", "waitQueueTimeout").in_phase(Phase::Acquire)
    }

    fn describe(&self, failure: Failure) -> Failure {
        if let Some((_, attempt)) = &self.attempt {
            attempt.note(&failure);
        }
        self.trace.describe(failure)
    }
}

/// The operation itself.
async fn work(mut job: Job) -> Outcome {
    let given = body::parse(std::mem::take(&mut job.body))?;
    let client = Arc::clone(&job.client);
    if job.opcode >= opcode::END_SESSION {
        return control(&client, job, &given).await;
    }
    let driver = client.driver().await?;
    let held = match job.ticket {
        Some(Ticket { entry, attempt, turn }) => {
            let guard = take(turn).await?;
            Some(transaction::enter(driver, Held { guard, entry, attempt }, &client).await?)
        }
        None => None,
    };
    let mut around = Surroundings {
        client: Arc::clone(&client),
        driver: Arc::clone(driver),
        trace: job.trace,
        held,
        deadline: job.deadline,
    };
    run(&mut around, &given, (job.opcode, job.flags)).await
}

async fn run(around: &mut Surroundings, given: &mongodb::bson::RawDocumentBuf, (code, flags): (u16, u16)) -> Outcome {
    match code {
        opcode::CONNECT => {
            let client = Arc::clone(&around.client);
            client.connect().await.map(|()| Reply::Nothing)
        }
        opcode::FIND => read::find(around, given, false).await,
        opcode::FIND_ONE => read::find(around, given, true).await,
        opcode::GET_MORE => {
            let handle = body::count(given, "cursor")?.unwrap_or(0);
            cursor::get_more(around, handle).await.map(Reply::Bytes)
        }
        opcode::CLOSE_CURSOR => {
            around.client.cursors().close(body::count(given, "cursor")?.unwrap_or(0));
            Ok(Reply::Nothing)
        }
        opcode::WATCH => change_stream::watch(around, given).await,
        opcode::NEXT_CHANGES => change_stream::next(around, given, flags).await,
        opcode::CLOSE_CHANGE_STREAM => {
            around.client.change_streams().close(body::count(given, "stream")?.unwrap_or(0));
            Ok(Reply::Nothing)
        }
        opcode::AGGREGATE => read::aggregate(around, given).await,
        opcode::COUNT => read::count(around, given).await,
        opcode::ESTIMATED_COUNT => read::estimated_count(around, given).await,
        opcode::DISTINCT => read::distinct(around, given).await,
        opcode::COMMAND => read::command(around, given, flags).await,
        opcode::RUN_CURSOR_COMMAND => read::cursor_command(around, given, flags).await,
        opcode::INSERT => statement::insert(around, given).await,
        opcode::UPDATE_ONE => statement::update(around, given, Kind::UpdateOne).await,
        opcode::UPDATE_MANY => statement::update(around, given, Kind::UpdateMany).await,
        opcode::REPLACE_ONE => statement::update(around, given, Kind::ReplaceOne).await,
        opcode::DELETE_ONE => statement::delete(around, given, Kind::DeleteOne).await,
        opcode::DELETE_MANY => statement::delete(around, given, Kind::DeleteMany).await,
        opcode::FIND_ONE_AND_UPDATE => statement::find_and_modify(around, given, Kind::UpdateOne).await,
        opcode::FIND_ONE_AND_REPLACE => statement::find_and_modify(around, given, Kind::ReplaceOne).await,
        opcode::FIND_ONE_AND_DELETE => statement::find_and_modify(around, given, Kind::DeleteOne).await,
        opcode::BULK_WRITE => statement::bulk_write(around, given).await,
        opcode::CLIENT_BULK_WRITE => client_bulk::run(around, given).await,
        other => Err(Failure::new(ErrorCode::Internal, format!("opcode {other} does not exist")).not_executed()),
    }
}

/// Waits for an operation's turn on its session.
async fn take(turn: Option<Turn>) -> Result<tokio::sync::OwnedMutexGuard<session::Slot>, Failure> {
    match turn {
        Some(turn) => turn.take().await.ok_or_else(|| error::closed("closed")),
        None => Err(error::closed("closed")),
    }
}

/// Operations on sessions and transactions.
async fn control(client: &Arc<Client>, job: Job, given: &mongodb::bson::RawDocumentBuf) -> Outcome {
    if job.opcode == opcode::COMMIT_OUTCOME {
        return verdict::outcome(client, given).await;
    }
    let Some(Ticket { entry, attempt, turn }) = job.ticket else {
        return if job.opcode == opcode::END_SESSION { Ok(Reply::Nothing) } else { Err(session::unknown(job.handle)) };
    };
    if job.opcode == opcode::ATTEMPT {
        return match attempt {
            Some(attempt) => transaction::watch(client, &entry, &attempt).await,
            None => Ok(Reply::Untold),
        };
    }
    let turn = turn.ok_or_else(|| error::closed("closed"))?;
    match job.opcode {
        opcode::END_SESSION => end_session(client, entry, attempt, turn).await,
        opcode::COMMIT => transaction::commit(client, &entry, attempt, turn).await,
        opcode::ABORT => transaction::abort(client, &entry, attempt, turn).await,
        opcode::FINISH => verdict::finish(client, &entry, (attempt, turn), given).await,
        opcode::ADVANCE_SESSION => client.advance_session(&entry, turn, given).await.map(|()| Reply::Nothing),
        other => Err(Failure::new(ErrorCode::Internal, format!("opcode {other} does not exist")).not_executed()),
    }
}

/// Ends a session: aborts what is open, then gives the server session back, exactly once.
async fn end_session(client: &Arc<Client>, entry: Arc<Entry>, attempt: Option<Arc<Attempt>>, turn: Turn) -> Outcome {
    if client.is_parked(&entry) {
        // Its commit's outcome is still to be asked for.
        return Ok(Reply::Nothing);
    }
    let guard = turn.take().await.ok_or_else(|| error::closed("closed"))?;
    let mut held = Held { guard, entry, attempt };
    if let Some(attempt) = held.attempt.clone().filter(|attempt| attempt.is_open()) {
        transaction::abort_held(client, &mut held, &attempt).await;
    }
    // Its cursors can answer nothing any more.
    client.cursors().close_of(&held.entry);
    drop(held.guard.session.take());
    Ok(Reply::Nothing)
}
