//! The write lane: writes that keep the server's whole reply and are still sent again safely.
//!
//! The crate drops the reply of a failed insert, and with it `keyPattern`; its typed findAndModify answers only the value. So writes are raw commands, on
//! sessions of our own with our own transaction numbers. One command at a time per lane, as many lanes as writes at once. A write in an explicit session is
//! sent in that session, with the number that comes next there.
//!
//! Guarantees: a retryable write is sent at most twice with the same number, which the server applies once; a lane is never given back to the crate's
//! pool before close: its server session would come with a number below those that the server has seen, and the next write on it would fail (225).

use super::client::Client;
use super::driver::Surroundings;
use super::error::{self, NO_WRITES, RETRYABLE_WRITE};
use super::session::Held;
use crate::error::{ErrorCode, Failure};
use mongodb::bson::Document;
use mongodb::bson::raw::{RawDocumentBuf, cstr};
use mongodb::bson::rawdoc;
use mongodb::error::Error;
use mongodb::options::{ReadPreference, RunCommandOptions, SelectionCriteria};
use mongodb::{ClientSession, Database};
use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lanes per pooled connection: a lane that waits for a connection keeps it busy at once.
const LANES_PER_CONNECTION: usize = 2;

/// One session for writes, and the last number that was used on it.
struct Lane {
    session: ClientSession,
    number: i64,
}

/// The lanes of a client.
pub(super) struct Lanes {
    free: Mutex<VecDeque<Lane>>,
    permits: Arc<Semaphore>,
    limit: usize,
}

impl Lanes {
    /// No lanes yet; twice as many at most as the pool has connections.
    pub(super) fn new(max_pool_size: u32) -> Self {
        let limit = usize::try_from(max_pool_size).unwrap_or(100).saturating_mul(LANES_PER_CONNECTION).clamp(2, 4096);
        Self { free: Mutex::default(), permits: Arc::new(Semaphore::new(limit)), limit }
    }

    fn free(&self) -> MutexGuard<'_, VecDeque<Lane>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Idle ones and busy ones.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.free().len(), self.limit.saturating_sub(self.permits.available_permits()))
    }

    /// Gives all lanes back to the crate. Only before its shutdown.
    pub(super) fn close(&self) {
        self.permits.close();
        let lanes = std::mem::take(&mut *self.free());
        drop(lanes);
    }

    async fn take(&self, around: &Surroundings) -> Result<Borrowed, Failure> {
        around.trace.set_waiting(self.permits.available_permits() == 0);
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        around.trace.set_waiting(false);
        let permit = permit.map_err(|_| error::closed("closed"))?;
        let lane = self.free().pop_back();
        let lane = if let Some(lane) = lane {
            lane
        } else {
            let session = around
                .driver
                .client
                .start_session()
                .causal_consistency(false)
                .await
                .map_err(|found| error::failure(&found))?;
            let number = around.client.numbers().of(&session);
            Lane { session, number }
        };
        Ok(Borrowed { client: Arc::clone(&around.client), lane: Some(lane), suspect: true, _permit: permit })
    }
}

/// A lane in use. Returned when dropped: to the cold end unless its last command was answered, because the server may still be busy with that one.
struct Borrowed {
    client: Arc<Client>,
    lane: Option<Lane>,
    suspect: bool,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let Some(lane) = self.lane.take() else {
            return;
        };
        let lanes = self.client.lanes();
        if lanes.permits.is_closed() {
            return;
        }
        let mut free = lanes.free();
        if self.suspect {
            free.push_front(lane);
        } else {
            free.push_back(lane);
        }
    }
}

/// What is kept of the server's answer to a write command.
pub(super) trait Answer: Sized + Send {
    /// Sends the command once, in a session.
    fn ask(
        database: &Database,
        command: RawDocumentBuf,
        criteria: Option<SelectionCriteria>,
        session: &mut ClientSession,
    ) -> impl Future<Output = Result<Self, Error>> + Send;

    /// The labels of an answer that came as `ok: 1`.
    fn labels(&self) -> Vec<String>;

    /// Fetches the rest of it, in the same session. What goes wrong then is part of the answer: the writes have been done.
    fn complete(self, _session: &mut ClientSession) -> impl Future<Output = Self> + Send {
        std::future::ready(self)
    }
}

/// The reply itself.
impl Answer for Document {
    async fn ask(
        database: &Database,
        command: RawDocumentBuf,
        criteria: Option<SelectionCriteria>,
        session: &mut ClientSession,
    ) -> Result<Self, Error> {
        let mut options = RunCommandOptions::default();
        options.selection_criteria = criteria;
        database.run_raw_command(command).with_options(options).session(session).await
    }

    fn labels(&self) -> Vec<String> {
        error::reply_labels(self)
    }
}

/// Sends a write command and answers the server's reply to `ok: 1`, which may still hold write errors.
pub(super) async fn send<A: Answer>(
    around: &mut Surroundings,
    database: &str,
    mut command: RawDocumentBuf,
    retryable: bool,
) -> Result<A, Failure> {
    let client = Arc::clone(&around.client);
    let target = around.driver.database(database);
    if around.in_transaction() {
        let Some(session) = around.session() else {
            return Err(Failure::new(ErrorCode::Internal, "transaction has no session"));
        };
        // The transaction's preference is one for reads.
        let criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let answer = A::ask(&target, command, criteria, session).await.map_err(|found| error::failure(&found))?;
        return Ok(answer.complete(session).await);
    }
    let numbered = retryable && client.limits().retry_writes && client.takes_numbers(&around.driver).await?;
    let snapshot = around.held.as_ref().is_some_and(Held::is_snapshot);
    let seen = around.held.as_ref().and_then(Held::causal_time);
    if let Some(session) = around.session() {
        if let Some(time) = seen {
            command.append(cstr!("readConcern"), rawdoc! { "afterClusterTime": time });
        }
        // Such a session has no transactions, and the server takes no write in it.
        let number = if numbered && !snapshot {
            Some(client.numbers().take(session).await.map_err(|found| error::failure(&found))?)
        } else {
            None
        };
        return send_on(session, &target, command, number).await.map_err(|unsent| unsent.failure);
    }
    let mut borrowed = client.lanes().take(around).await?;
    let Some(lane) = borrowed.lane.as_mut() else {
        return Err(Failure::new(ErrorCode::Internal, "lane is missing"));
    };
    lane.number += i64::from(numbered);
    let result = send_on(&mut lane.session, &target, command, numbered.then_some(lane.number)).await;
    borrowed.suspect = !matches!(&result, Ok(_) | Err(Unsent { network: false, .. }));
    result.map_err(|unsent| unsent.failure)
}

struct Unsent {
    failure: Failure,
    network: bool,
}

async fn send_on<A: Answer>(
    session: &mut ClientSession,
    database: &Database,
    command: RawDocumentBuf,
    number: Option<i64>,
) -> Result<A, Unsent> {
    let answer: A = match number {
        Some(number) => send_numbered(session, database, command, number).await?,
        None => A::ask(database, command, None, session).await.map_err(|found| unsent(&found, false))?,
    };
    Ok(answer.complete(session).await)
}

/// Sends a write that the server applies once, and once more where the specification wants it.
async fn send_numbered<A: Answer>(
    session: &mut ClientSession,
    database: &Database,
    mut command: RawDocumentBuf,
    number: i64,
) -> Result<A, Unsent> {
    command.append(cstr!("txnNumber"), number);
    let first = A::ask(database, command.clone(), None, session).await;
    if !wants_retry(&first) {
        return first.map_err(|found| unsent(&found, true));
    }
    let second = A::ask(database, command, None, session).await;
    match (first, second) {
        (Err(first), Err(second)) => Err(unsent(&error::more_telling(first, second), true)),
        (Ok(first), Err(second)) if second.contains_label(NO_WRITES) => Ok(first),
        (_, second) => second.map_err(|found| unsent(&found, true)),
    }
}

fn wants_retry<A: Answer>(result: &Result<A, Error>) -> bool {
    match result {
        // The crate labels no network error of a plain command.
        Err(found) => found.contains_label(RETRYABLE_WRITE) || error::is_network(found),
        Ok(answer) => answer.labels().iter().any(|label| label == RETRYABLE_WRITE),
    }
}

/// `numbered`: the write could be sent again, and can be by the caller.
fn unsent(found: &Error, numbered: bool) -> Unsent {
    let network = error::is_network(found);
    let mut failure = error::failure(found);
    if network && numbered && !failure.labels.iter().any(|label| label == RETRYABLE_WRITE) {
        failure.labels.push(RETRYABLE_WRITE.to_owned());
    }
    Unsent { failure, network }
}
