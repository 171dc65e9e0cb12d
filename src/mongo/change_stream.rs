//! Change streams: a raw aggregation whose cursor is kept by handle, and its resumption.
//!
//! Guarantees: after an error that the specification lists the stream goes on behind the last event that was answered, none lost and none twice; a wait that is
//! given up loses no event; closing a stream ends the wait on it at once and kills its cursor on the server.

use super::command::{self, AGGREGATE};
use super::cursor::{self, Live, Plan};
use super::dispatch::Reply;
use super::driver::Surroundings;
use super::handles::Handles;
use super::{body, error};
use crate::error::{ErrorCode, Failure};
use bytes::Bytes;
use futures_util::StreamExt;
use mongodb::bson::raw::{CStr, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::raw_batch_cursor::RawBatch;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Flag of the next events: answer after one batch, also an empty one.
const ONE_BATCH: u16 = 1;
/// The server's answer for a cursor that it does not know.
const CURSOR_NOT_FOUND: i32 = 43;
/// The answer of a stream that has ended: no handle, no events.
const ENDED: [u8; 8] = [0; 8];
/// Where a stream begins; replaced when it is resumed.
const START: [&str; 3] = ["resumeAfter", "startAfter", "startAtOperationTime"];

/// The change streams of a client.
#[derive(Default)]
pub(super) struct ChangeStreams {
    open: Mutex<Open>,
}

type Open = Handles<Arc<Place>>;

struct Place {
    stream: tokio::sync::Mutex<Stream>,
    closed: CancellationToken,
}

struct Stream {
    /// The body of the operation that opened it: what a resumption sends again.
    given: RawDocumentBuf,
    /// None after an error that could not be resumed from, and at the end.
    live: Option<Live>,
    token: Option<RawDocumentBuf>,
    /// Whether an event was answered: a stream that was told `startAfter` begins so again until then.
    answered: bool,
}

impl ChangeStreams {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, stream: Stream) -> u32 {
        let place = Arc::new(Place { stream: tokio::sync::Mutex::new(stream), closed: CancellationToken::new() });
        self.open().keep(place)
    }

    /// Forgets a stream; whoever waits on it hears that it has ended.
    pub(super) fn close(&self, handle: u32) {
        let place = self.open().places.remove(&handle);
        if let Some(place) = place {
            place.closed.cancel();
        }
    }

    /// Forgets all.
    pub(super) fn close_all(&self) {
        let places = std::mem::take(&mut self.open().places);
        for place in places.into_values() {
            place.closed.cancel();
        }
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open().places.len()
    }
}

/// Opens a stream on a collection, on a database without `coll`, on the deployment without `db`; answers its first batch.
pub(super) async fn watch(around: &mut Surroundings, given: &RawDocument) -> Result<Reply, Failure> {
    let mut stream = Stream { given: given.to_owned(), live: None, token: None, answered: false };
    let batch = stream.open(around).await?;
    stream.note(&batch);
    let ended = cursor::is_exhausted(&batch);
    let token = stream.token.clone();
    let handle = if ended { 0 } else { around.client.change_streams().keep(stream) };
    Ok(Reply::Bytes(lay_out(handle, &batch, token.as_deref())?))
}

/// Waits for events; answers a batch of them. An answer without a handle says that the stream has ended.
pub(super) async fn next(around: &mut Surroundings, given: &RawDocument, flags: u16) -> Result<Reply, Failure> {
    let client = Arc::clone(&around.client);
    let handle = body::count(given, "stream")?.unwrap_or(0);
    let place = client.change_streams().open().places.get(&handle).cloned();
    let Some(place) = place else {
        return Ok(Reply::Bytes(Bytes::from_static(&ENDED)));
    };
    let answered = tokio::select! {
        biased;
        () = place.closed.cancelled() => return Ok(Reply::Bytes(Bytes::from_static(&ENDED))),
        answered = answer(around, &place, handle, flags & ONE_BATCH != 0) => answered,
    };
    if answered.as_ref().map_or(true, |bytes| bytes.starts_with(&[0; 4])) {
        client.change_streams().close(handle);
    }
    answered.map(Reply::Bytes)
}

async fn answer(around: &mut Surroundings, place: &Place, handle: u32, one_batch: bool) -> Result<Bytes, Failure> {
    let mut stream = place.stream.lock().await;
    loop {
        let batch = stream.advance(around).await?;
        let Some(batch) = batch else {
            return Ok(Bytes::from_static(&ENDED));
        };
        let has_events = stream.note(&batch);
        let ended = cursor::is_exhausted(&batch);
        if has_events || ended || one_batch {
            return lay_out(if ended { 0 } else { handle }, &batch, stream.token.as_deref());
        }
    }
}

impl Stream {
    /// The next batch, behind a resumption if need be; `None` at the end.
    async fn advance(&mut self, around: &mut Surroundings) -> Result<Option<RawBatch>, Failure> {
        let Some(Live::Own(cursor)) = self.live.as_mut() else {
            return Ok(None);
        };
        match cursor.next().await {
            None => Ok(None),
            Some(Ok(batch)) => Ok(Some(batch)),
            Some(Err(found)) => {
                let failure = error::failure(&found);
                if !is_resumable(&found, &failure) {
                    self.live = None;
                    return Err(failure);
                }
                // The dropped cursor is killed on the server, if it is still there.
                self.live = None;
                self.open(around).await.map(Some)
            }
        }
    }

    /// Sends the aggregation, from where the stream stands.
    async fn open(&mut self, around: &mut Surroundings) -> Result<RawBatch, Failure> {
        let given = &self.given;
        let options = body::options(given)?;
        let database = body::optional_text(given, "db")?;
        let mut pipeline = RawArrayBuf::new();
        let mut first = RawDocumentBuf::new();
        first.append(cstr!("$changeStream"), self.stage(database.is_none())?);
        pipeline.push(first);
        for stage in body::array(given, "pipeline")? {
            let Ok(RawBsonRef::Document(stage)) = stage else {
                return Err(body::invalid("pipeline", "pipeline must be an array of documents"));
            };
            pipeline.push(stage.to_owned());
        }
        let mut command = command::start(cstr!("aggregate"), body::optional_text(given, "coll")?);
        command.append(cstr!("pipeline"), pipeline);
        let batch = body::count(options, "batchSize")?;
        let mut settings = RawDocumentBuf::new();
        if let Some(size) = batch {
            settings.append(cstr!("batchSize"), i64::from(size));
        }
        command.append(cstr!("cursor"), settings);
        command::copy_options(options, AGGREGATE, &mut command)?;
        around.add_read_concern(options, &mut command)?;
        let mut plan = Plan::of(options, around.criteria(options)?)?;
        plan.batch_size = batch.filter(|size| *size > 0);
        let (live, batch) = cursor::run(around, database.unwrap_or("admin"), command, &plan).await?;
        self.live = Some(live);
        Ok(batch)
    }

    /// The stage `$changeStream`, from where the stream stands.
    fn stage(&self, cluster: bool) -> Result<RawDocumentBuf, Failure> {
        let given = body::document(&self.given, "stage")?.unwrap_or_else(|| body::empty());
        let mut stage = RawDocumentBuf::new();
        for element in given {
            let (name, value) = element.map_err(|_| body::invalid("options", "options are not well-formed"))?;
            if self.token.is_none() || !START.contains(&name.as_str()) {
                stage.append(name, value);
            }
        }
        if cluster {
            stage.append(cstr!("allChangesForCluster"), true);
        }
        if let Some(token) = &self.token {
            // After an invalidate event only `startAfter` is allowed, and nothing is lost by it.
            let fresh = !self.answered && body::field(given, "startAfter").is_some();
            let name: &CStr = if fresh { cstr!("startAfter") } else { cstr!("resumeAfter") };
            stage.append(name, token.clone());
        }
        Ok(stage)
    }

    /// Remembers where the stream stands behind `batch`; whether it holds events.
    fn note(&mut self, batch: &RawBatch) -> bool {
        let cursor = batch.as_raw_document().get_document("cursor").ok();
        let behind = cursor.and_then(|cursor| body::document(cursor, "postBatchResumeToken").ok().flatten());
        let last = batch.doc_slices().ok().and_then(|documents| documents.into_iter().filter_map(Result::ok).last());
        let event = match last {
            Some(RawBsonRef::Document(event)) => Some(event),
            _ => None,
        };
        let token = behind.or_else(|| event.and_then(|event| body::document(event, "_id").ok().flatten()));
        if let Some(token) = token {
            self.token = Some(token.to_owned());
        }
        self.answered |= event.is_some();
        event.is_some()
    }
}

/// Whether the specification lets the stream go on after this: a lost connection or server, a lost cursor, or an error that the server marks.
fn is_resumable(found: &mongodb::error::Error, failure: &Failure) -> bool {
    found.contains_label("ResumableChangeStreamError")
        || failure.server_code == Some(CURSOR_NOT_FOUND)
        || failure.code == ErrorCode::Disconnected
}

/// A batch as cursors lay it out, and the resume token behind it.
fn lay_out(handle: u32, batch: &RawBatch, token: Option<&RawDocument>) -> Result<Bytes, Failure> {
    let mut out = Vec::from(cursor::lay_out(handle, batch)?);
    if let Some(token) = token {
        out.extend_from_slice(token.as_bytes());
    }
    Ok(Bytes::from(out))
}
