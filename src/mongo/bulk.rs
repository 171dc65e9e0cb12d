//! Batches of writes: cut into commands that the server takes, and their replies merged with the caller's indexes.
//!
//! Ordered: runs of one kind, stopping at the first write error. Unordered: grouped by kind, all run.

use super::driver::Surroundings;
use super::error;
use super::read::{bson_integer, raw};
use super::statement::{self, Frame};
use crate::error::{ErrorCode, Failure};
use mongodb::bson::raw::{CStr, RawArray, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::bson::{Bson, Document, doc};

/// The server's limit on statements of one command.
const MAX_STATEMENTS: usize = 100_000;
/// The server's limit on a document that is a command.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    InsertOne,
    UpdateOne,
    UpdateMany,
    ReplaceOne,
    DeleteOne,
    DeleteMany,
}

impl Kind {
    /// Whether it may touch more than one document: such writes are not sent again.
    pub(super) fn is_many(self) -> bool {
        matches!(self, Self::UpdateMany | Self::DeleteMany)
    }

    /// The command that carries it, and the field of its statements.
    fn command(self) -> (&'static CStr, &'static CStr) {
        match self {
            Self::InsertOne => (cstr!("insert"), cstr!("documents")),
            Self::UpdateOne | Self::UpdateMany | Self::ReplaceOne => (cstr!("update"), cstr!("updates")),
            Self::DeleteOne | Self::DeleteMany => (cstr!("delete"), cstr!("deletes")),
        }
    }

    /// The order of groups in an unordered batch.
    fn group(self) -> u8 {
        match self {
            Self::InsertOne => 0,
            Self::UpdateOne | Self::UpdateMany | Self::ReplaceOne => 1,
            Self::DeleteOne | Self::DeleteMany => 2,
        }
    }
}

/// One write of a batch.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) kind: Kind,
    /// Its place in the caller's list.
    pub(super) index: u32,
    pub(super) body: RawDocumentBuf,
}

/// What a batch has done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) inserted: i64,
    pub(super) matched: i64,
    pub(super) modified: i64,
    pub(super) deleted: i64,
    pub(super) upserted: Vec<(u32, Bson)>,
    write_errors: Vec<Document>,
    concern_errors: Vec<Document>,
    labels: Vec<String>,
}

impl Tally {
    /// Merges one reply; `indexes` are the caller's indexes of the command's statements.
    pub(super) fn add(&mut self, kind: Kind, reply: &Document, indexes: &[u32]) {
        let n = reply.get("n").and_then(bson_integer).unwrap_or(0);
        let own = |document: &Document| {
            let index =
                document.get("index").and_then(bson_integer).and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
            indexes.get(index).copied().unwrap_or(0)
        };
        let upserted: Vec<_> = documents(reply, "upserted")
            .map(|found| (own(found), found.get("_id").cloned().unwrap_or(Bson::Null)))
            .collect();
        match kind.group() {
            // A server may say anything: no number of its reply ends the process.
            0 => self.inserted = self.inserted.saturating_add(n),
            1 => {
                let matched = n.saturating_sub(i64::try_from(upserted.len()).unwrap_or(0));
                self.matched = self.matched.saturating_add(matched);
                let modified = reply.get("nModified").and_then(bson_integer).unwrap_or(0);
                self.modified = self.modified.saturating_add(modified);
            }
            _ => self.deleted = self.deleted.saturating_add(n),
        }
        self.upserted.extend(upserted);
        for found in documents(reply, "writeErrors") {
            let mut found = found.clone();
            let index = own(&found);
            found.insert("index", i64::from(index));
            self.write_errors.push(found);
        }
        if let Ok(found) = reply.get_document("writeConcernError") {
            self.concern_errors.push(found.clone());
        }
        for label in error::reply_labels(reply) {
            if !self.labels.contains(&label) {
                self.labels.push(label);
            }
        }
    }

    /// Counts as the caller gets them.
    pub(super) fn to_document(&self) -> Document {
        let ids: Document = self.upserted.iter().map(|(index, id)| (index.to_string(), id.clone())).collect();
        doc! {
            "insertedCount": self.inserted, "matchedCount": self.matched, "modifiedCount": self.modified, "deletedCount": self.deleted,
            "upsertedCount": i64::try_from(self.upserted.len()).unwrap_or(i64::MAX), "upsertedIds": ids,
        }
    }

    /// The failure of a batch in which something was refused. `single`: the caller made one write, the error is that write's.
    pub(super) fn failure(&self, single: bool) -> Option<Failure> {
        let first = self.write_errors.first().or(self.concern_errors.first())?;
        let kind = if self.write_errors.is_empty() { "writeConcern" } else { "write" };
        let code = first.get("code").and_then(bson_integer).and_then(|code| i32::try_from(code).ok());
        let message = first.get_str("errmsg").unwrap_or("write failed").to_owned();
        let mut reply = doc! {
            "ok": 1, "n": self.inserted.saturating_add(self.matched).saturating_add(self.deleted), "code": code, "errmsg": &message,
            "writeErrors": self.write_errors.clone(), "writeConcernErrors": self.concern_errors.clone(), "result": self.to_document(),
        };
        if let Some(concern) = self.concern_errors.first() {
            reply.insert("writeConcernError", concern.clone());
        }
        if !self.labels.is_empty() {
            reply.insert("errorLabels", self.labels.clone());
        }
        let reply = raw(&reply).unwrap_or_default();
        let failure = error::from_reply(kind, code, &message, &reply);
        let name = first.get_str("codeName").unwrap_or_default();
        let failure = if name.is_empty() { failure } else { failure.with_text("codeName", name) };
        Some(if single { failure.with_number("writeErrors", 1.0) } else { failure })
    }

    fn stops(&self, ordered: bool) -> bool {
        ordered && !self.write_errors.is_empty()
    }
}

fn documents<'a>(reply: &'a Document, field: &str) -> impl Iterator<Item = &'a Document> {
    let list = reply.get_array(field).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Bson::as_document)
}

/// The failure of a reply that holds a write concern error only: the write was done, its durability is not what was asked for.
pub(super) fn concern_failure(reply: &Document) -> Option<Failure> {
    let concern = reply.get_document("writeConcernError").ok()?;
    let code = concern.get("code").and_then(bson_integer).and_then(|code| i32::try_from(code).ok());
    let message = concern.get_str("errmsg").unwrap_or("write concern failed");
    Some(error::from_reply("writeConcern", code, message, &raw(reply).unwrap_or_default()))
}

/// Inserts a list of documents; small lists go out as the bytes that came in.
pub(super) async fn insert_all(
    around: &mut Surroundings,
    frame: &Frame<'_>,
    list: &RawArray,
) -> Result<Tally, Failure> {
    let mut statements = Vec::new();
    for (index, document) in list.into_iter().enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        match document {
            Ok(RawBsonRef::Document(body)) => statements.push((index, body)),
            _ => return Err(super::body::invalid("docs", format!("document {index} must be a document"))),
        }
    }
    let mut tally = Tally::default();
    if list.as_bytes().len() <= MAX_BYTES && statements.len() <= MAX_STATEMENTS {
        let indexes: Vec<u32> = statements.iter().map(|(index, _)| *index).collect();
        let reply = statement::send(around, frame, (cstr!("insert"), cstr!("documents"), list.into()), true).await;
        let reply = reply.map_err(|failure| with_result(failure, &tally))?;
        tally.add(Kind::InsertOne, &reply, &indexes);
        return Ok(tally);
    }
    let owned =
        statements.into_iter().map(|(index, body)| Statement { kind: Kind::InsertOne, index, body: body.to_owned() });
    run_group(around, frame, owned.collect(), &mut tally).await?;
    Ok(tally)
}

/// Runs a batch.
pub(super) async fn run(
    around: &mut Surroundings,
    frame: &Frame<'_>,
    mut statements: Vec<Statement>,
) -> Result<Tally, Failure> {
    if !frame.ordered {
        statements.sort_by_key(|statement| statement.kind.group());
    }
    let mut tally = Tally::default();
    let mut group: Vec<Statement> = Vec::new();
    for statement in statements {
        let differs = group.last().is_some_and(|last| last.kind.group() != statement.kind.group());
        if differs {
            run_group(around, frame, std::mem::take(&mut group), &mut tally).await?;
            if tally.stops(frame.ordered) {
                return Ok(tally);
            }
        }
        group.push(statement);
    }
    run_group(around, frame, group, &mut tally).await?;
    Ok(tally)
}

/// Runs statements of one command, in as many commands as the server's limits ask for.
async fn run_group(
    around: &mut Surroundings,
    frame: &Frame<'_>,
    group: Vec<Statement>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    for batch in cut(group) {
        let Some(kind) = batch.first().map(|statement| statement.kind) else {
            continue;
        };
        let retryable = !batch.iter().any(|statement| statement.kind.is_many());
        let indexes: Vec<u32> = batch.iter().map(|statement| statement.index).collect();
        let mut list = RawArrayBuf::new();
        for statement in batch {
            list.push(statement.body);
        }
        let (name, field) = kind.command();
        let reply = statement::send(around, frame, (name, field, (&list).into()), retryable).await;
        let reply = reply.map_err(|failure| with_result(failure, tally))?;
        tally.add(kind, &reply, &indexes);
        if tally.stops(frame.ordered) {
            break;
        }
    }
    Ok(())
}

/// A command failed as a whole after others had done their part: what those did must not be lost.
fn with_result(mut failure: Failure, tally: &Tally) -> Failure {
    let reply = failure
        .reply
        .as_deref()
        .and_then(|bytes| RawDocument::from_bytes(bytes).ok())
        .and_then(|reply| Document::try_from(reply).ok());
    let mut reply = reply.unwrap_or_default();
    reply.insert("result", tally.to_document());
    if matches!(failure.code, ErrorCode::ServerError | ErrorCode::Disconnected) {
        failure.reply = raw(&reply).ok().map(RawDocumentBuf::into_bytes);
    }
    failure
}

fn cut(group: Vec<Statement>) -> Vec<Vec<Statement>> {
    let mut batches: Vec<Vec<Statement>> = Vec::new();
    let mut bytes = 0_usize;
    for statement in group {
        // The statement itself and its key in the list.
        let size = statement.body.as_bytes().len().saturating_add(12);
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_STATEMENTS && bytes.saturating_add(size) <= MAX_BYTES => {
                bytes = bytes.saturating_add(size);
                batch.push(statement);
            }
            _ => {
                bytes = size;
                batches.push(vec![statement]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::{Kind, Statement, Tally, cut};
    use crate::error::ErrorCode;
    use mongodb::bson::{RawDocumentBuf, doc, rawdoc};

    fn statement(index: u32, bytes: usize) -> Statement {
        Statement { kind: Kind::InsertOne, index, body: rawdoc! { "x": "y".repeat(bytes) } }
    }

    #[test]
    fn cuts_at_the_servers_limits() {
        assert_eq!(
            cut((0..250_000).map(|index| statement(index, 1)).collect()).iter().map(Vec::len).collect::<Vec<_>>(),
            [100_000, 100_000, 50_000]
        );
        let large = cut((0..5).map(|index| statement(index, 6 * 1024 * 1024)).collect());
        assert_eq!(large.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert!(cut(Vec::new()).is_empty());
    }

    #[test]
    fn maps_indexes_back_and_keeps_the_key_pattern() {
        let mut tally = Tally::default();
        tally.add(Kind::UpdateOne, &doc! { "n": 2, "nModified": 1, "upserted": [{ "index": 1, "_id": 9 }] }, &[4, 6]);
        assert_eq!((tally.matched, tally.modified), (1, 1));
        assert!(tally.failure(true).is_none());
        tally.add(
            Kind::InsertOne,
            &doc! { "n": 1, "writeErrors": [{ "index": 1, "code": 11000, "errmsg": "E11000", "keyPattern": { "a": 1 } }] },
            &[7, 8],
        );
        let failure = tally.failure(false).unwrap();
        assert_eq!((failure.code, failure.server_code), (ErrorCode::ServerError, Some(11000)));
        let reply = RawDocumentBuf::from_bytes(failure.reply.unwrap()).unwrap();
        let text = format!("{:?}", mongodb::bson::Document::try_from(&reply).unwrap());
        assert!(text.contains("keyPattern") && text.contains("Int64(8)"), "{text}");
        assert_eq!(tally.to_document().get_document("upsertedIds").unwrap(), &doc! { "6": 9 });
    }
}
