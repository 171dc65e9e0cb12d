//! What a `bulkWrite` of the client did: the cursors of its commands read to their end, merged with the caller's indexes.
//!
//! Guarantees: what was done before something failed is told with the failure; no number of a server's reply ends the process.

use super::body;
use super::cursor::is_exhausted;
use super::error;
use super::write::Answer;
use crate::error::{ErrorCode, Failure};
use futures_util::StreamExt;
use mongodb::bson::raw::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::bson::{Bson, RawBson};
use mongodb::error::Error;
use mongodb::options::{RunCursorCommandOptions, SelectionCriteria};
use mongodb::raw_batch_cursor::{RawBatch, SessionRawBatchCursor};
use mongodb::{ClientSession, Database};

/// The answer to one command: its reply, whose cursor holds what became of the single writes, and the batches behind it.
pub(super) struct Results {
    cursor: Option<SessionRawBatchCursor>,
    batches: Vec<RawBatch>,
    failure: Option<Failure>,
}

impl Answer for Results {
    async fn ask(
        database: &Database,
        command: RawDocumentBuf,
        criteria: Option<SelectionCriteria>,
        session: &mut ClientSession,
    ) -> Result<Self, Error> {
        let mut options = RunCursorCommandOptions::default();
        options.selection_criteria = criteria;
        options.comment = body::field(&command, "comment").and_then(|comment| Bson::try_from(comment).ok());
        let action = database.run_raw_cursor_command(command).with_options(options);
        let mut cursor = action.session(&mut *session).batch().await?;
        match cursor.stream(session).next().await {
            Some(first) => Ok(Self { cursor: Some(cursor), batches: vec![first?], failure: None }),
            None => Err(Error::custom("cursor has no first batch")),
        }
    }

    fn labels(&self) -> Vec<String> {
        let labels = self.batches.first().and_then(|reply| reply.as_raw_document().get_array("errorLabels").ok());
        labels.map(error::texts).unwrap_or_default()
    }

    /// Reads the cursor to its end. One that is not is killed when it is dropped.
    async fn complete(mut self, session: &mut ClientSession) -> Self {
        let Some(mut cursor) = self.cursor.take() else {
            return self;
        };
        while !self.batches.last().is_none_or(is_exhausted) {
            match cursor.stream(session).next().await {
                Some(Ok(batch)) => self.batches.push(batch),
                Some(Err(found)) => {
                    self.failure = Some(error::failure(&found));
                    break;
                }
                None => break,
            }
        }
        self
    }
}

/// The fields of a reply that count, and their names in the result.
const COUNTS: [(&str, &mongodb::bson::raw::CStr); 5] = [
    ("nInserted", cstr!("insertedCount")),
    ("nUpserted", cstr!("upsertedCount")),
    ("nMatched", cstr!("matchedCount")),
    ("nModified", cstr!("modifiedCount")),
    ("nDeleted", cstr!("deletedCount")),
];

/// What has been done so far.
pub(super) struct Done {
    ordered: bool,
    verbose: bool,
    /// Operations that were sent before those of the command that is counted now.
    offset: usize,
    counts: [i64; COUNTS.len()],
    results: RawArrayBuf,
    write_errors: RawArrayBuf,
    concern_errors: RawArrayBuf,
    labels: Vec<String>,
    /// Code and message of the first error.
    first: Option<(Option<i32>, String)>,
    refused: bool,
}

impl Done {
    /// Nothing yet.
    pub(super) fn new(ordered: bool, verbose: bool) -> Self {
        Self {
            ordered,
            verbose,
            offset: 0,
            counts: [0; COUNTS.len()],
            results: RawArrayBuf::new(),
            write_errors: RawArrayBuf::new(),
            concern_errors: RawArrayBuf::new(),
            labels: Vec::new(),
            first: None,
            refused: false,
        }
    }

    /// Counts the answer to a command of `size` operations; its failure is that of reading its cursor.
    pub(super) fn add(&mut self, results: Results, size: usize) -> Result<(), Failure> {
        let labels = results.labels();
        self.labels.extend(labels.into_iter().filter(|label| !self.labels.contains(label)).collect::<Vec<_>>());
        for (position, batch) in results.batches.iter().enumerate() {
            let reply = batch.as_raw_document();
            if position == 0 {
                self.add_reply(reply);
            }
            let documents = batch.doc_slices().map_err(|found| error::failure(&found))?;
            for document in documents {
                let Ok(RawBsonRef::Document(document)) = document else {
                    return Err(protocol("result of a write is not a document"));
                };
                self.add_result(document, size)?;
            }
        }
        self.offset = self.offset.saturating_add(size);
        results.failure.map_or(Ok(()), Err)
    }

    fn add_reply(&mut self, reply: &RawDocument) {
        for ((name, _), count) in COUNTS.iter().zip(&mut self.counts) {
            *count = count.saturating_add(number(reply, name));
        }
        if let Some(RawBsonRef::Document(fault)) = body::field(reply, "writeConcernError") {
            let error = self.fault(fault);
            self.concern_errors.push(error);
        }
    }

    fn add_result(&mut self, given: &RawDocument, size: usize) -> Result<(), Failure> {
        let place = usize::try_from(number(given, "idx")).ok().filter(|place| *place < size);
        let Some(place) = place else {
            return Err(protocol("result of a write names an operation that was not sent"));
        };
        let index = i32::try_from(self.offset.saturating_add(place)).unwrap_or(i32::MAX);
        if number(given, "ok") == 1 {
            if self.verbose {
                let mut result = RawDocumentBuf::new();
                result.append(cstr!("index"), index);
                result.append(cstr!("n"), plain(number(given, "n")));
                result.append(cstr!("nModified"), plain(number(given, "nModified")));
                if let Some(RawBsonRef::Document(upserted)) = body::field(given, "upserted") {
                    result.append(cstr!("upserted"), upserted);
                }
                self.results.push(result);
            }
            return Ok(());
        }
        self.refused = true;
        let mut error = self.fault(given);
        error.append(cstr!("index"), index);
        self.write_errors.push(error);
        Ok(())
    }

    /// An error of the server as the result says it.
    fn fault(&mut self, given: &RawDocument) -> RawDocumentBuf {
        let code = i32::try_from(number(given, "code")).ok().filter(|code| *code != 0);
        let message = body::optional_text(given, "errmsg").ok().flatten().unwrap_or("write failed");
        let mut fault = RawDocumentBuf::new();
        if let Some(code) = code {
            fault.append(cstr!("code"), code);
        }
        fault.append(cstr!("message"), message);
        self.first.get_or_insert_with(|| (code, message.to_owned()));
        fault
    }

    /// Whether no further command is sent.
    pub(super) fn stops(&self) -> bool {
        self.ordered && self.refused
    }

    /// Counts, results and errors as the caller gets them.
    pub(super) fn to_raw(&self) -> RawDocumentBuf {
        let mut raw = RawDocumentBuf::new();
        for ((_, name), count) in COUNTS.iter().zip(self.counts) {
            raw.append(name, plain(count));
        }
        raw.append(cstr!("results"), &self.results);
        raw.append(cstr!("writeErrors"), &self.write_errors);
        raw.append(cstr!("writeConcernErrors"), &self.concern_errors);
        raw
    }

    /// The failure of a bulk write all of whose commands were answered.
    pub(super) fn failure(&self) -> Option<Failure> {
        let (code, message) = self.first.as_ref()?;
        let mut reply = RawDocumentBuf::new();
        reply.append(cstr!("ok"), 1);
        let kind = if self.refused { "write" } else { "writeConcern" };
        let mut failure = error::from_reply(kind, *code, message, &reply);
        failure.labels.clone_from(&self.labels);
        reply.append(cstr!("result"), self.to_raw());
        failure.reply = Some(reply.into_bytes());
        Some(failure)
    }

    /// A command failed as a whole: what was done before must not be lost.
    pub(super) fn cut(&self, mut failure: Failure) -> Failure {
        // Node's class for a command that the server refused has a result in any case.
        if self.offset == 0 && failure.code != ErrorCode::ServerError {
            return failure;
        }
        let reply = failure.reply.take().and_then(|bytes| RawDocumentBuf::from_bytes(bytes).ok());
        let mut reply = reply.unwrap_or_default();
        reply.append(cstr!("result"), self.to_raw());
        failure.reply = Some(reply.into_bytes());
        failure
    }
}

fn number(document: &RawDocument, name: &str) -> i64 {
    body::field(document, name).and_then(body::as_integer).unwrap_or(0)
}

/// A count as a number of JavaScript, whatever the flags of the BSON library.
fn plain(count: i64) -> RawBson {
    match i32::try_from(count) {
        Ok(small) => RawBson::Int32(small),
        Err(_) => RawBson::Int64(count),
    }
}

fn protocol(message: &str) -> Failure {
    Failure::new(ErrorCode::Protocol, message).with_text("kind", "protocol")
}

#[cfg(test)]
mod tests {
    use super::Done;
    use crate::error::ErrorCode;
    use mongodb::bson::{RawDocumentBuf, rawdoc};

    #[test]
    fn counts_with_the_callers_indexes() {
        let mut done = Done::new(false, true);
        done.offset = 4;
        done.add_reply(&rawdoc! { "nInserted": 1, "nUpserted": 1_i64, "nMatched": 2.0 });
        done.add_result(&rawdoc! { "ok": 1.0, "idx": 0, "n": 1 }, 3).unwrap();
        done.add_result(&rawdoc! { "ok": 1.0, "idx": 1, "n": 1, "nModified": 0, "upserted": { "_id": 7 } }, 3).unwrap();
        done.add_result(&rawdoc! { "ok": 0.0, "idx": 2, "n": 0, "code": 11000, "errmsg": "E11000" }, 3).unwrap();
        let wanted = rawdoc! {
            "insertedCount": 1, "upsertedCount": 1, "matchedCount": 2, "modifiedCount": 0, "deletedCount": 0,
            "results": [{ "index": 4, "n": 1, "nModified": 0 }, { "index": 5, "n": 1, "nModified": 0, "upserted": { "_id": 7 } }],
            "writeErrors": [{ "code": 11000, "message": "E11000", "index": 6 }],
            "writeConcernErrors": [],
        };
        assert_eq!(done.to_raw(), wanted);
        assert!(!done.stops());
        let failure = done.failure().unwrap();
        assert_eq!((failure.code, failure.server_code), (ErrorCode::ServerError, Some(11000)));
        assert!(done.add_result(&rawdoc! { "ok": 1, "idx": 3 }, 3).is_err());
        assert!(done.add_result(&rawdoc! { "ok": 1, "idx": -1 }, 3).is_err());
    }

    #[test]
    fn a_write_concern_error_ends_nothing_and_is_told() {
        let mut done = Done::new(true, false);
        assert!(done.failure().is_none());
        done.add_reply(&rawdoc! { "nInserted": i64::MAX, "writeConcernError": { "code": 64, "errmsg": "waited" } });
        done.add_reply(&rawdoc! { "nInserted": i64::MAX });
        assert!(!done.stops());
        let reply = RawDocumentBuf::from_bytes(done.failure().unwrap().reply.unwrap()).unwrap();
        let result = reply.get_document("result").unwrap();
        assert_eq!(result.get_i64("insertedCount").unwrap(), i64::MAX);
        assert_eq!(result.get_array("writeConcernErrors").unwrap().into_iter().count(), 1);
    }
}
