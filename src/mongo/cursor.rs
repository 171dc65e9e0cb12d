//! Cursors: raw batches out of the crate, kept by handle until they are exhausted or closed.
//!
//! Guarantees: a cursor that is dropped is killed on the server; a batch of a session's cursor that was lost to a deadline closes that cursor and says so
//! (the crate would go on with the next batch), while an implicit session's getMore is resumed by the next call.

use super::driver::Surroundings;
use super::handles::Handles;
use super::session::Entry;
use super::{body, error, read};
use crate::error::{ErrorCode, Failure};
use bytes::Bytes;
use futures_util::StreamExt;
use mongodb::bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};
use mongodb::options::{RunCursorCommandOptions, SelectionCriteria};
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor, SessionRawBatchCursor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A cursor on the server.
pub(super) enum Live {
    /// With a session of its own.
    Own(Box<RawBatchCursor>),
    /// With the session that ran the query.
    Session(Box<SessionRawBatchCursor>),
}

/// How a command that answers a cursor is sent.
#[derive(Default)]
pub(super) struct Plan {
    /// Which server.
    pub(super) criteria: Option<SelectionCriteria>,
    /// Documents per later batch.
    pub(super) batch_size: Option<u32>,
    /// How long a getMore of a tailable cursor waits.
    pub(super) max_await: Option<Duration>,
    /// The comment of getMore.
    pub(super) comment: Option<mongodb::bson::Bson>,
    /// Whether it is a read that may be sent twice.
    pub(super) retry: bool,
}

impl Plan {
    /// The part that comes from a body's options.
    pub(super) fn of(options: &RawDocument, criteria: Option<SelectionCriteria>) -> Result<Self, Failure> {
        let comment = body::field(options, "comment").and_then(|comment| mongodb::bson::Bson::try_from(comment).ok());
        Ok(Self {
            criteria,
            batch_size: None,
            max_await: body::millis(options, "maxAwaitTimeMS")?,
            comment,
            retry: true,
        })
    }

    fn options(&self) -> RunCursorCommandOptions {
        let mut options = RunCursorCommandOptions::default();
        options.selection_criteria.clone_from(&self.criteria);
        options.batch_size = self.batch_size;
        options.max_time = self.max_await;
        options.comment.clone_from(&self.comment);
        options
    }
}

/// The cursors of a client.
#[derive(Default)]
pub(super) struct Cursors {
    open: Mutex<Open>,
}

type Open = Handles<Arc<tokio::sync::Mutex<Place>>>;

struct Place {
    live: Option<Live>,
    /// Whose it is, if it is not its own.
    session: Option<Arc<Entry>>,
    /// Set while a session's getMore runs: still set afterwards means that it was dropped with its batch.
    interrupted: bool,
}

impl Cursors {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, live: Live, session: Option<Arc<Entry>>) -> u32 {
        let place = Place { live: Some(live), session, interrupted: false };
        let mut open = self.open();
        open.keep(Arc::new(tokio::sync::Mutex::new(place)))
    }

    /// Forgets a cursor; the last holder's drop kills it on the server.
    pub(super) fn close(&self, handle: u32) {
        let place = self.open().places.remove(&handle);
        drop(place);
    }

    /// Forgets those of a session that ends.
    pub(super) fn close_of(&self, session: &Arc<Entry>) {
        let mut gone = Vec::new();
        self.open().places.retain(|_, place| {
            let own = place
                .try_lock()
                .is_ok_and(|place| place.session.as_ref().is_some_and(|entry| Arc::ptr_eq(entry, session)));
            if own {
                gone.push(Arc::clone(place));
            }
            !own
        });
        drop(gone);
    }

    /// Forgets all.
    pub(super) fn close_all(&self) {
        let places = std::mem::take(&mut self.open().places);
        drop(places);
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open().places.len()
    }
}

/// Runs a command that answers a cursor; sends a read once more after what the retryable reads specification lists.
pub(super) async fn run(
    around: &mut Surroundings,
    database: &str,
    command: RawDocumentBuf,
    plan: &Plan,
) -> Result<(Live, RawBatch), Failure> {
    let retry = plan.retry && around.client.limits().retry_reads && !around.in_transaction();
    let again = retry.then(|| command.clone());
    match send(around, database, command, plan).await {
        Err(first) if again.is_some() && error::is_retryable_read(&first) => {
            let second = send(around, database, again.unwrap_or_default(), plan).await;
            second.map_err(|second| error::failure(&error::more_telling(first, second)))
        }
        other => other.map_err(|found| error::failure(&found)),
    }
}

async fn send(
    around: &mut Surroundings,
    database: &str,
    command: RawDocumentBuf,
    plan: &Plan,
) -> Result<(Live, RawBatch), mongodb::error::Error> {
    let database = around.driver.database(database);
    let action = database.run_raw_cursor_command(command).with_options(plan.options());
    let (live, first) = if let Some(session) = around.session() {
        let mut cursor = action.session(&mut *session).batch().await?;
        let first = cursor.stream(session).next().await;
        (Live::Session(Box::new(cursor)), first)
    } else {
        let mut cursor = action.batch().await?;
        let first = cursor.next().await;
        (Live::Own(Box::new(cursor)), first)
    };
    match first {
        Some(batch) => Ok((live, batch?)),
        None => Err(mongodb::error::Error::custom("cursor has no first batch")),
    }
}

/// Keeps the cursor unless it is exhausted and lays its batch out: handle, count, documents.
pub(super) fn reply(around: &Surroundings, live: Live, batch: &RawBatch) -> Result<Bytes, Failure> {
    if is_exhausted(batch) {
        return lay_out(0, batch);
    }
    let handle = around.client.cursors().keep(live, around.held.as_ref().map(|held| Arc::clone(&held.entry)));
    lay_out(handle, batch)
}

/// The next batch of a cursor.
pub(super) async fn get_more(around: &mut Surroundings, handle: u32) -> Result<Bytes, Failure> {
    let client = Arc::clone(&around.client);
    let place = client.cursors().open().places.get(&handle).cloned();
    let Some(place) = place else {
        return Err(gone(handle, "is closed"));
    };
    let mut place = place.lock().await;
    if place.interrupted {
        client.cursors().close(handle);
        return Err(gone(handle, "lost a batch to a deadline and was closed"));
    }
    let Place { live, interrupted, .. } = &mut *place;
    let next = match (live, around.session()) {
        (Some(Live::Own(cursor)), _) => cursor.next().await,
        (Some(Live::Session(_)), None) => return Err(gone(handle, "belongs to a session that has ended")),
        (Some(Live::Session(cursor)), Some(session)) => {
            *interrupted = true;
            let next = cursor.stream(session).next().await;
            *interrupted = false;
            next
        }
        (None, _) => None,
    };
    match next {
        Some(Ok(batch)) => {
            if is_exhausted(&batch) {
                client.cursors().close(handle);
                lay_out(0, &batch)
            } else {
                lay_out(handle, &batch)
            }
        }
        Some(Err(found)) => {
            client.cursors().close(handle);
            Err(read::own_limit(error::failure(&found), around.deadline.is_some()))
        }
        None => {
            client.cursors().close(handle);
            Ok(Bytes::from_static(&[0; 8]))
        }
    }
}

fn gone(handle: u32, what: &str) -> Failure {
    Failure::new(ErrorCode::InvalidArgument, format!("cursor {handle} {what}"))
        .with_text("argument", "cursor")
        .with_text("kind", "cursor")
        .not_executed()
}

/// The crate keeps this to itself: a cursor is exhausted when the reply's id is 0.
pub(super) fn is_exhausted(batch: &RawBatch) -> bool {
    let id = batch
        .as_raw_document()
        .get_document("cursor")
        .ok()
        .and_then(|cursor| body::integer(cursor, "id").ok().flatten());
    id == Some(0)
}

pub(super) fn lay_out(handle: u32, batch: &RawBatch) -> Result<Bytes, Failure> {
    let documents = batch.doc_slices().map_err(|found| error::failure(&found))?;
    let mut out = Vec::with_capacity(documents.as_bytes().len().saturating_add(8));
    out.extend(handle.to_le_bytes());
    out.extend([0; 4]);
    let mut count = 0_u32;
    for document in documents {
        match document {
            Ok(RawBsonRef::Document(document)) => out.extend_from_slice(document.as_bytes()),
            _ => {
                return Err(Failure::new(ErrorCode::Protocol, "batch holds something that is not a document")
                    .with_text("kind", "protocol"));
            }
        }
        count = count.saturating_add(1);
    }
    if let Some(place) = out.get_mut(4..8) {
        place.copy_from_slice(&count.to_le_bytes());
    }
    Ok(Bytes::from(out))
}

/// The first document of a batch, for findOne.
pub(super) fn first_document(batch: &RawBatch) -> Result<Option<Bytes>, Failure> {
    let documents = batch.doc_slices().map_err(|found| error::failure(&found))?;
    match documents.into_iter().next() {
        Some(Ok(RawBsonRef::Document(document))) => Ok(Some(Bytes::copy_from_slice(document.as_bytes()))),
        _ => Ok(None),
    }
}
