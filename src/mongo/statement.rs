//! Single writes: insert, update, replace, delete and the findOneAnd family, built raw and sent on the write lane.

use super::bulk::{self, Kind, Statement, Tally};
use super::command::{self, DELETE_STATEMENT, FIND_AND_MODIFY, Field, UPDATE_STATEMENT, WRITE};
use super::dispatch::Reply;
use super::driver::Surroundings;
use super::{body, read, write};
use crate::error::Failure;
use bytes::Bytes;
use mongodb::bson::raw::{CStr, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::bson::{Bson, Document};

/// The parts of a write command beside its statements.
pub(super) struct Frame<'a> {
    pub(super) database: &'a str,
    pub(super) collection: &'a str,
    pub(super) options: &'a RawDocument,
    pub(super) ordered: bool,
}

impl<'a> Frame<'a> {
    /// Reads them from a body.
    pub(super) fn of(given: &'a RawDocument) -> Result<Self, Failure> {
        let options = body::options(given)?;
        let ordered = body::flag(options, "ordered").unwrap_or(true);
        Ok(Self { database: body::text(given, "db")?, collection: body::text(given, "coll")?, options, ordered })
    }
}

/// Builds and sends one write command with its statements under `field`.
pub(super) async fn send(
    around: &mut Surroundings,
    frame: &Frame<'_>,
    (name, field, statements): (&CStr, &CStr, RawBsonRef<'_>),
    retryable: bool,
) -> Result<Document, Failure> {
    let mut command = command::start(name, Some(frame.collection));
    command.append(field, statements);
    command.append(cstr!("ordered"), frame.ordered);
    command::copy_options(frame.options, WRITE, &mut command)?;
    let acknowledged = around.add_write_concern(frame.options, &mut command)?;
    let limited = around.add_time_limit(&mut command);
    let sent = write::send(around, frame.database, command, retryable && acknowledged).await;
    sent.map_err(|failure| read::own_limit(failure, limited))
}

/// `insertOne` and `insertMany`.
pub(super) async fn insert(around: &mut Surroundings, given: &RawDocument) -> Result<Reply, Failure> {
    let frame = Frame::of(given)?;
    let documents = body::array(given, "docs")?;
    if documents.is_empty() {
        return Err(body::invalid("docs", "docs must not be empty"));
    }
    let single = body::flag(frame.options, "single").unwrap_or(false);
    let tally = bulk::insert_all(around, &frame, documents).await?;
    match tally.failure(single) {
        Some(failure) => Err(failure),
        None => Ok(read::number_reply(tally.inserted)),
    }
}

/// `updateOne`, `updateMany`, `replaceOne`.
pub(super) async fn update(around: &mut Surroundings, given: &RawDocument, kind: Kind) -> Result<Reply, Failure> {
    let frame = Frame::of(given)?;
    let statement = update_statement(given, frame.options, "update", kind)?;
    let mut list = RawArrayBuf::new();
    list.push(statement);
    let reply = send(around, &frame, (cstr!("update"), cstr!("updates"), (&list).into()), !kind.is_many()).await?;
    let mut tally = Tally::default();
    tally.add(kind, &reply, &[0]);
    if let Some(failure) = tally.failure(true) {
        return Err(failure);
    }
    let mut out = Vec::with_capacity(64);
    for number in [tally.matched, tally.modified] {
        out.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    }
    if let Some((_, id)) = tally.upserted.pop() {
        out.extend(read::raw(&mongodb::bson::doc! { "_id": id })?.into_bytes());
    }
    Ok(Reply::Bytes(Bytes::from(out)))
}

/// One statement of an update; `field` is where the caller put the update or the replacement.
pub(super) fn update_statement(
    given: &RawDocument,
    options: &RawDocument,
    field: &str,
    kind: Kind,
) -> Result<RawDocumentBuf, Failure> {
    let filter = body::required_document(given, "filter")?;
    let update =
        body::field(given, field).ok_or_else(|| body::invalid(field, format!("{field} must be a document")))?;
    command::check_update(update, kind == Kind::ReplaceOne)?;
    let mut statement = RawDocumentBuf::new();
    statement.append(cstr!("q"), filter);
    statement.append(cstr!("u"), update);
    if kind.is_many() {
        statement.append(cstr!("multi"), true);
    }
    command::copy_options(options, UPDATE_STATEMENT, &mut statement)?;
    Ok(statement)
}

/// `deleteOne`, `deleteMany`.
pub(super) async fn delete(around: &mut Surroundings, given: &RawDocument, kind: Kind) -> Result<Reply, Failure> {
    let frame = Frame::of(given)?;
    let mut list = RawArrayBuf::new();
    list.push(delete_statement(given, frame.options, kind)?);
    let reply = send(around, &frame, (cstr!("delete"), cstr!("deletes"), (&list).into()), !kind.is_many()).await?;
    let mut tally = Tally::default();
    tally.add(kind, &reply, &[0]);
    match tally.failure(true) {
        Some(failure) => Err(failure),
        None => Ok(read::number_reply(tally.deleted)),
    }
}

/// One statement of a delete.
pub(super) fn delete_statement(
    given: &RawDocument,
    options: &RawDocument,
    kind: Kind,
) -> Result<RawDocumentBuf, Failure> {
    let mut statement = RawDocumentBuf::new();
    statement.append(cstr!("q"), body::required_document(given, "filter")?);
    statement.append(cstr!("limit"), i32::from(!kind.is_many()));
    command::copy_options(options, DELETE_STATEMENT, &mut statement)?;
    Ok(statement)
}

/// `findOneAndUpdate`, `findOneAndReplace`, `findOneAndDelete`.
pub(super) async fn find_and_modify(
    around: &mut Surroundings,
    given: &RawDocument,
    kind: Kind,
) -> Result<Reply, Failure> {
    let options = body::options(given)?;
    let mut command = command::start(cstr!("findAndModify"), Some(body::text(given, "coll")?));
    command.append(cstr!("query"), body::required_document(given, "filter")?);
    if kind == Kind::DeleteOne {
        command.append(cstr!("remove"), true);
    } else {
        let update =
            body::field(given, "update").ok_or_else(|| body::invalid("update", "update must be a document"))?;
        command::check_update(update, kind == Kind::ReplaceOne)?;
        command.append(cstr!("update"), update);
        let after = match body::optional_text(options, "returnDocument")? {
            None | Some("before") => false,
            Some("after") => true,
            Some(other) => {
                return Err(body::invalid(
                    "returnDocument",
                    format!("returnDocument must be before or after, got {other}"),
                ));
            }
        };
        command.append(cstr!("new"), after);
    }
    copy(options, FIND_AND_MODIFY, kind, &mut command)?;
    let acknowledged = around.add_write_concern(options, &mut command)?;
    let limited = around.add_time_limit(&mut command);
    let sent = write::send::<Document>(around, body::text(given, "db")?, command, acknowledged).await;
    let mut reply = sent.map_err(|failure| read::own_limit(failure, limited))?;
    if let Some(failure) = bulk::concern_failure(&reply) {
        return Err(failure);
    }
    if !acknowledged {
        // The server answers all the same; the caller asked for no answer.
        return Ok(Reply::Nothing);
    }
    if body::flag(options, "includeResultMetadata").unwrap_or(false) {
        return read::encode(&reply);
    }
    match reply.remove("value") {
        Some(Bson::Document(value)) => read::encode(&value),
        _ => Ok(Reply::Nothing),
    }
}

/// A delete takes neither `upsert` nor what belongs to updates.
fn copy(options: &RawDocument, table: &[Field], kind: Kind, command: &mut RawDocumentBuf) -> Result<(), Failure> {
    const UPDATES_ONLY: [&str; 3] = ["upsert", "arrayFilters", "bypassDocumentValidation"];
    if kind != Kind::DeleteOne {
        return command::copy_options(options, table, command);
    }
    let left: Vec<Field> = table.iter().filter(|(name, ..)| !UPDATES_ONLY.contains(name)).copied().collect();
    command::copy_options(options, &left, command)
}

/// `bulkWrite` on a collection.
pub(super) async fn bulk_write(around: &mut Surroundings, given: &RawDocument) -> Result<Reply, Failure> {
    let frame = Frame::of(given)?;
    let operations = body::array(given, "ops")?;
    let mut statements = Vec::new();
    for (index, operation) in operations.into_iter().enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        match operation {
            Ok(RawBsonRef::Document(operation)) => statements.push(statement(operation, index)?),
            _ => return Err(body::invalid("ops", format!("operation {index} must be a document"))),
        }
    }
    if statements.is_empty() {
        return Err(body::invalid("ops", "ops must not be empty"));
    }
    let tally = bulk::run(around, &frame, statements).await?;
    match tally.failure(false) {
        Some(failure) => Err(failure),
        None => read::encode(&tally.to_document()),
    }
}

fn statement(operation: &RawDocument, index: u32) -> Result<Statement, Failure> {
    let wrong = |what: &str| body::invalid("ops", format!("operation {index} {what}"));
    let Some(Ok((name, RawBsonRef::Document(given)))) = operation.iter().next() else {
        return Err(wrong("must be a document with one field, the operation's name"));
    };
    let (kind, body) = match name.as_str() {
        "insertOne" => (Kind::InsertOne, body::required_document(given, "document")?.to_owned()),
        "updateOne" => (Kind::UpdateOne, update_statement(given, given, "update", Kind::UpdateOne)?),
        "updateMany" => (Kind::UpdateMany, update_statement(given, given, "update", Kind::UpdateMany)?),
        "replaceOne" => (Kind::ReplaceOne, update_statement(given, given, "replacement", Kind::ReplaceOne)?),
        "deleteOne" => (Kind::DeleteOne, delete_statement(given, given, Kind::DeleteOne)?),
        "deleteMany" => (Kind::DeleteMany, delete_statement(given, given, Kind::DeleteMany)?),
        other => return Err(wrong(&format!("has the unknown name {other}"))),
    };
    Ok(Statement { kind, index, body })
}
