//! Reads and plain commands: find, findOne, aggregate, counts, distinct, `command`, `runCursorCommand`.
//!
//! Each builds its command raw and runs it with the concern, preference and session of the operation; reads are sent once more where the specification allows.

use super::command::{self, AGGREGATE, COUNT, DISTINCT, ESTIMATED_COUNT, FIND};
use super::cursor::{self, Plan};
use super::dispatch::Reply;
use super::driver::Surroundings;
use super::{body, error};
use crate::error::{ErrorCode, Failure};
use bytes::Bytes;
use mongodb::bson::raw::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::bson::{Bson, Document};
use mongodb::options::{RunCommandOptions, SelectionCriteria};

/// `find` and, with `one`, `findOne`.
pub(super) async fn find(around: &mut Surroundings, given: &RawDocument, one: bool) -> Result<Reply, Failure> {
    let options = body::options(given)?;
    let mut command = command::start(cstr!("find"), Some(body::text(given, "coll")?));
    command.append(cstr!("filter"), body::required_document(given, "filter")?);
    command::copy_options(options, FIND, &mut command)?;
    let mut plan = Plan::of(options, around.criteria(options)?)?;
    if one {
        command.append(cstr!("limit"), 1_i64);
        command.append(cstr!("singleBatch"), true);
    } else {
        plan.batch_size = command::paging(options, &mut command)?;
    }
    if body::flag(options, "tailable") == Some(true) {
        plan.retry = false;
    }
    around.add_read_concern(options, &mut command)?;
    let limited = !each_request(options)? && around.add_time_limit(&mut command);
    let (live, batch) =
        cursor::run(around, body::text(given, "db")?, command, &plan).await.map_err(|f| own_limit(f, limited))?;
    if one {
        return Ok(cursor::first_document(&batch)?.map_or(Reply::Nothing, Reply::Bytes));
    }
    Ok(Reply::Bytes(cursor::reply(around, live, &batch)?))
}

/// Whether each request of a cursor has the whole time for itself: the server counts a limit of its own for all of them together.
fn each_request(options: &RawDocument) -> Result<bool, Failure> {
    Ok(body::optional_text(options, "timeoutMode")? == Some("iteration"))
}

/// The server stopped because of the limit that we derived from the operation's deadline: that is the deadline.
pub(super) fn own_limit(failure: Failure, limited: bool) -> Failure {
    const MAX_TIME_EXPIRED: i32 = 50;
    if limited && failure.server_code == Some(MAX_TIME_EXPIRED) {
        let mut timeout = Failure::new(ErrorCode::Timeout, "operation was stopped by the server at its deadline")
            .with_text("kind", "timeout");
        timeout.labels = failure.labels;
        timeout.server_code = failure.server_code;
        timeout.reply = failure.reply;
        timeout.maybe_executed = Some(true);
        return timeout;
    }
    failure
}

/// `aggregate` on a collection, or on a database without `coll`.
pub(super) async fn aggregate(around: &mut Surroundings, given: &RawDocument) -> Result<Reply, Failure> {
    let options = body::options(given)?;
    let pipeline = body::array(given, "pipeline")?;
    let writes = command::pipeline_writes(pipeline);
    let mut command = command::start(cstr!("aggregate"), body::optional_text(given, "coll")?);
    command.append(cstr!("pipeline"), pipeline);
    let batch = body::count(options, "batchSize")?;
    let mut settings = RawDocumentBuf::new();
    if let (Some(size), false) = (batch, writes) {
        settings.append(cstr!("batchSize"), i64::from(size));
    }
    command.append(cstr!("cursor"), settings);
    command::copy_options(options, AGGREGATE, &mut command)?;
    // A pipeline that writes is never sent twice, and runs on the primary unless all servers let a secondary pass it on.
    let on_primary = writes && !around.client.watch.has_writing_secondaries();
    let criteria = if on_primary { None } else { around.criteria(options)? };
    let mut plan = Plan::of(options, criteria)?;
    plan.retry = !writes;
    plan.batch_size = batch.filter(|size| *size > 0);
    around.add_read_concern(options, &mut command)?;
    if writes {
        around.add_write_concern(options, &mut command)?;
    }
    let limited = !each_request(options)? && around.add_time_limit(&mut command);
    let (live, batch) =
        cursor::run(around, body::text(given, "db")?, command, &plan).await.map_err(|f| own_limit(f, limited))?;
    Ok(Reply::Bytes(cursor::reply(around, live, &batch)?))
}

/// `countDocuments`: an aggregation, so that it sees what a find sees.
pub(super) async fn count(around: &mut Surroundings, given: &RawDocument) -> Result<Reply, Failure> {
    let options = body::options(given)?;
    let mut pipeline = RawArrayBuf::new();
    let stage = |name, value: RawBsonRef<'_>| {
        let mut stage = RawDocumentBuf::new();
        stage.append(name, value);
        stage
    };
    let filter = body::required_document(given, "filter")?;
    pipeline.push(stage(cstr!("$match"), RawBsonRef::Document(filter)));
    if let Some(skip) = body::count(options, "skip")?.filter(|skip| *skip > 0) {
        pipeline.push(stage(cstr!("$skip"), RawBsonRef::Int64(i64::from(skip))));
    }
    if let Some(limit) = body::count(options, "limit")?.filter(|limit| *limit > 0) {
        pipeline.push(stage(cstr!("$limit"), RawBsonRef::Int64(i64::from(limit))));
    }
    pipeline.push(mongodb::bson::rawdoc! { "$group": { "_id": 1, "n": { "$sum": 1 } } });
    let mut command = command::start(cstr!("aggregate"), Some(body::text(given, "coll")?));
    command.append(cstr!("pipeline"), pipeline);
    command.append(cstr!("cursor"), RawDocumentBuf::new());
    command::copy_options(options, COUNT, &mut command)?;
    around.add_read_concern(options, &mut command)?;
    let plan = Plan::of(options, around.criteria(options)?)?;
    let limited = around.add_time_limit(&mut command);
    let (_, batch) =
        cursor::run(around, body::text(given, "db")?, command, &plan).await.map_err(|f| own_limit(f, limited))?;
    let found = cursor::first_document(&batch)?;
    let number =
        found.as_deref().and_then(|bytes| RawDocument::from_bytes(bytes).ok()).map(|group| body::integer(group, "n"));
    Ok(number_reply(number.transpose()?.flatten().unwrap_or(0)))
}

/// `estimatedDocumentCount`, and the old `count` with its filter.
pub(super) async fn estimated_count(around: &mut Surroundings, given: &RawDocument) -> Result<Reply, Failure> {
    let options = body::options(given)?;
    let mut command = command::start(cstr!("count"), Some(body::text(given, "coll")?));
    if let Some(filter) = body::document(given, "filter")? {
        command.append(cstr!("query"), filter);
    }
    command::copy_options(options, ESTIMATED_COUNT, &mut command)?;
    around.add_read_concern(options, &mut command)?;
    let reply = read(around, given, command).await?;
    let n = reply.get("n").and_then(bson_integer).unwrap_or(0);
    Ok(number_reply(n))
}

/// `distinct`.
pub(super) async fn distinct(around: &mut Surroundings, given: &RawDocument) -> Result<Reply, Failure> {
    let options = body::options(given)?;
    let mut command = command::start(cstr!("distinct"), Some(body::text(given, "coll")?));
    command.append(cstr!("key"), body::text(given, "key")?);
    command.append(cstr!("query"), body::required_document(given, "filter")?);
    command::copy_options(options, DISTINCT, &mut command)?;
    around.add_read_concern(options, &mut command)?;
    let mut reply = read(around, given, command).await?;
    let values = reply.remove("values").unwrap_or_else(|| Bson::Array(Vec::new()));
    encode(&mongodb::bson::doc! { "values": values })
}

/// One command whose whole reply is wanted, as a read: with the operation's preference, sent once more where that is allowed.
async fn read(
    around: &mut Surroundings,
    given: &RawDocument,
    mut command: RawDocumentBuf,
) -> Result<Document, Failure> {
    let options = body::options(given)?;
    let criteria = around.criteria(options)?;
    let limited = around.add_time_limit(&mut command);
    let retry = around.client.limits().retry_reads && !around.in_transaction();
    let database = body::text(given, "db")?;
    let first = send(around, database, command.clone(), criteria.clone()).await;
    let last = match first {
        Err(first) if retry && error::is_retryable_read(&first) => {
            send(around, database, command, criteria).await.map_err(|second| error::more_telling(first, second))
        }
        other => other,
    };
    last.map_err(|found| own_limit(error::failure(&found), limited))
}

async fn send(
    around: &mut Surroundings,
    database: &str,
    command: RawDocumentBuf,
    criteria: Option<SelectionCriteria>,
) -> Result<Document, mongodb::error::Error> {
    let database = around.driver.database(database);
    let mut options = RunCommandOptions::default();
    options.selection_criteria = criteria;
    let action = database.run_raw_command(command).with_options(options);
    match around.session() {
        Some(session) => action.session(session).await,
        None => action.await,
    }
}

/// Flags of `command` and `runCursorCommand`.
const ADD_WRITE_CONCERN: u16 = 1;
const RETRY_AS_READ: u16 = 2;

/// Any command; its whole reply.
pub(super) async fn command(around: &mut Surroundings, given: &RawDocument, flags: u16) -> Result<Reply, Failure> {
    let options = body::options(given)?;
    let mut command = body::required_document(given, "command")?.to_owned();
    if command.is_empty() {
        return Err(body::invalid("command", "command must not be empty"));
    }
    if flags & ADD_WRITE_CONCERN != 0 && body::field(&command, "writeConcern").is_none() {
        around.add_write_concern(options, &mut command)?;
    }
    let criteria = around.own_criteria(options)?;
    let retry = flags & RETRY_AS_READ != 0 && around.client.limits().retry_reads && !around.in_transaction();
    let database = body::text(given, "db")?;
    let again = retry.then(|| command.clone());
    let reply = match send(around, database, command, criteria.clone()).await {
        Err(first) if again.is_some() && error::is_retryable_read(&first) => {
            let second = send(around, database, again.unwrap_or_default(), criteria).await;
            second.map_err(|second| error::more_telling(first, second))
        }
        other => other,
    };
    encode(&reply.map_err(|found| error::failure(&found))?)
}

/// Any command that answers a cursor.
pub(super) async fn cursor_command(
    around: &mut Surroundings,
    given: &RawDocument,
    flags: u16,
) -> Result<Reply, Failure> {
    let options = body::options(given)?;
    let command = body::required_document(given, "command")?.to_owned();
    if command.is_empty() {
        return Err(body::invalid("command", "command must not be empty"));
    }
    let criteria = around.own_criteria(options)?;
    let mut plan = Plan::of(options, criteria)?;
    plan.max_await = body::millis(options, "maxTimeMS")?;
    plan.batch_size = body::count(options, "batchSize")?.filter(|size| *size > 0);
    plan.retry = flags & RETRY_AS_READ != 0;
    let (live, batch) = cursor::run(around, body::text(given, "db")?, command, &plan).await?;
    Ok(Reply::Bytes(cursor::reply(around, live, &batch)?))
}

/// The integer in a value of a reply.
pub(super) fn bson_integer(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) => body::as_integer(RawBsonRef::Double(*number)),
        _ => None,
    }
}

/// A count; numbers from 2^32 cross as text.
pub(super) fn number_reply(number: i64) -> Reply {
    u32::try_from(number).map_or_else(|_| Reply::Text(number.to_string()), Reply::Number)
}

/// A document as bytes.
pub(super) fn encode(document: &Document) -> Result<Reply, Failure> {
    raw(document).map(|raw| Reply::Bytes(Bytes::from(raw.into_bytes())))
}

/// A document of the crate as raw BSON.
pub(super) fn raw(document: &Document) -> Result<RawDocumentBuf, Failure> {
    RawDocumentBuf::try_from(document).map_err(|found| {
        Failure::new(ErrorCode::Protocol, format!("reply could not be encoded: {found}")).with_text("kind", "bson")
    })
}
