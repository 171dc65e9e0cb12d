//! The mongo room against a real server: operations, the write lane, cursors, deadlines and close.
//!
//! Needs `MOORING_TEST_MONGODB_URI`: a replica set with `enableTestCommands=1`. Transactions are in `mongo/transaction.rs`.

#[cfg(test)]
#[path = "mongo/support.rs"]
mod support;
#[cfg(test)]
#[path = "mongo/transaction.rs"]
mod transaction;

use mongodb::bson::{Bson, Document, doc};
use mooring::error::{ErrorCode, Phase};
use mooring::mongo::{Client, Reply, Request, opcode};
use std::time::{Duration, Instant};
use support::{How, Under, batch, bytes, detail, document, eventually, number, reply_of};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn reads_in_batches_and_closes_the_cursor_at_the_end() {
    let under = Under::start(doc! {}).await;
    let docs: Vec<Document> = (0..5).map(|n| doc! { "_id": n }).collect();
    assert_eq!(under.on(opcode::INSERT, doc! { "docs": docs }, How::default()).await.unwrap(), Reply::Number(5));
    let query = doc! { "filter": {}, "options": { "sort": { "_id": 1 }, "batchSize": 2.0, "readPreference": "primaryPreferred" } };
    let (handle, first) = batch(under.on(opcode::FIND, query, How::default()).await.unwrap());
    assert_eq!(first, [doc! { "_id": 0 }, doc! { "_id": 1 }]);
    let (same, second) = batch(under.call(opcode::GET_MORE, doc! { "cursor": handle }).await.unwrap());
    assert_eq!((same, second.len()), (handle, 2));
    let (end, third) = batch(under.call(opcode::GET_MORE, doc! { "cursor": handle }).await.unwrap());
    assert_eq!((end, third.len()), (0, 1));
    let gone = under.call(opcode::GET_MORE, doc! { "cursor": handle }).await.unwrap_err();
    assert!(detail(&gone, "kind").contains("cursor"), "{gone}");
    assert_eq!(
        under.on(opcode::COUNT, doc! { "filter": { "_id": { "$gte": 2 } } }, How::default()).await.unwrap(),
        Reply::Number(3)
    );
    assert_eq!(under.on(opcode::ESTIMATED_COUNT, doc! {}, How::default()).await.unwrap(), Reply::Number(5));
    let values =
        document(under.on(opcode::DISTINCT, doc! { "filter": {}, "key": "_id" }, How::default()).await.unwrap());
    assert_eq!(values.get_array("values").unwrap().len(), 5);
    let pipeline = doc! { "pipeline": [{ "$group": { "_id": null, "n": { "$sum": 1 } } }] };
    let (_, groups) = batch(under.on(opcode::AGGREGATE, pipeline, How::default()).await.unwrap());
    assert_eq!(groups, [doc! { "_id": null, "n": 5 }]);
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_answer_their_counts() {
    let under = Under::start(doc! {}).await;
    under.insert(doc! { "_id": 1, "n": 1 }, How::default()).await.unwrap();
    let update = doc! { "filter": { "_id": 1 }, "update": { "$inc": { "n": 1 } } };
    let Reply::Bytes(counts) = under.on(opcode::UPDATE_ONE, update, How::default()).await.unwrap() else { panic!() };
    assert_eq!((number(&counts, 0), number(&counts, 4), counts.len()), (1, 1, 8));
    let upsert = doc! { "filter": { "_id": 7 }, "update": { "n": 7 }, "options": { "upsert": 1 } };
    let Reply::Bytes(counts) = under.on(opcode::REPLACE_ONE, upsert, How::default()).await.unwrap() else { panic!() };
    assert_eq!((number(&counts, 0), number(&counts, 4)), (0, 0));
    assert_eq!(support::read(&counts[8..]), doc! { "_id": 7 });
    let modify = doc! { "filter": { "_id": 7 }, "update": { "$set": { "n": 8 } }, "options": { "returnDocument": "after", "projection": { "_id": 0 } } };
    assert_eq!(document(under.on(opcode::FIND_ONE_AND_UPDATE, modify, How::default()).await.unwrap()), doc! { "n": 8 });
    let upsert = doc! { "filter": { "_id": 9 }, "update": { "n": 9 }, "options": { "upsert": true, "includeResultMetadata": true } };
    let reply = document(under.on(opcode::FIND_ONE_AND_REPLACE, upsert, How::default()).await.unwrap());
    assert_eq!(reply.get_document("lastErrorObject").unwrap().get("upserted"), Some(&Bson::Int32(9)));
    let none = under.on(opcode::FIND_ONE_AND_DELETE, doc! { "filter": { "_id": 99 } }, How::default()).await.unwrap();
    assert_eq!(none, Reply::Nothing);
    assert_eq!(under.on(opcode::DELETE_MANY, doc! { "filter": {} }, How::default()).await.unwrap(), Reply::Number(3));
    let wrong =
        under.on(opcode::UPDATE_ONE, doc! { "filter": {}, "update": { "n": 1 } }, How::default()).await.unwrap_err();
    assert_eq!((wrong.code, wrong.maybe_executed), (ErrorCode::InvalidArgument, Some(false)));
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_insert_keeps_its_key_pattern() {
    let under = Under::start(doc! {}).await;
    under.insert(doc! { "_id": 1 }, How::default()).await.unwrap();
    let failure = under.insert(doc! { "_id": 1 }, How::default()).await.unwrap_err();
    assert_eq!(failure.server_code, Some(11000));
    let reply = reply_of(&failure);
    let Some(Bson::Document(error)) = reply.get_array("writeErrors").unwrap().first() else { panic!("{reply}") };
    assert_eq!(error.get_document("keyPattern").unwrap(), &doc! { "_id": 1 });
    assert_eq!(error.get_document("keyValue").unwrap(), &doc! { "_id": 1 });
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_write_maps_indexes_back_and_stops_where_it_should() {
    let under = Under::start(doc! {}).await;
    let ops = doc! { "ops": [
        { "insertOne": { "document": { "_id": 1 } } }, { "insertOne": { "document": { "_id": 1 } } },
        { "updateOne": { "filter": { "_id": 5 }, "update": { "$set": { "a": 1 } }, "upsert": true } }, { "deleteMany": { "filter": { "_id": 1 } } },
    ] };
    let failure = under.on(opcode::BULK_WRITE, ops.clone(), How::default()).await.unwrap_err();
    let reply = reply_of(&failure);
    assert_eq!(reply.get_document("result").unwrap().get("insertedCount"), Some(&Bson::Int64(1)));
    assert_eq!(reply.get_array("writeErrors").unwrap()[0].as_document().unwrap().get("index"), Some(&Bson::Int64(1)));
    assert_eq!(under.stored(doc! { "_id": 5 }).await, 0, "an ordered batch stops at its first error");
    let mut unordered = ops;
    unordered.insert("options", doc! { "ordered": false });
    let failure = under.on(opcode::BULK_WRITE, unordered, How::default()).await.unwrap_err();
    let result = reply_of(&failure).get_document("result").unwrap().clone();
    assert_eq!(result.get_document("upsertedIds").unwrap(), &doc! { "2": 5 });
    assert_eq!(result.get("deletedCount"), Some(&Bson::Int64(1)));
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_sent_again_with_its_number_and_applied_once() {
    let under = Under::start(doc! {}).await;
    under.fail(doc! { "times": 1 }.into(), doc! { "failCommands": ["insert"], "closeConnection": true }).await;
    under.insert(doc! { "_id": 1, "way": "network" }, How::default()).await.unwrap();
    // Executed, then answered with a retryable write concern error inside `ok: 1`.
    let concern = doc! { "code": 91, "errmsg": "shutting down", "errorLabels": ["RetryableWriteError"] };
    let data =
        doc! { "failCommands": ["update"], "writeConcernError": concern, "errorLabels": ["RetryableWriteError"] };
    under.fail(doc! { "times": 1 }.into(), data).await;
    let update = doc! { "filter": { "_id": 1 }, "update": { "$inc": { "n": 1 } } };
    under.on(opcode::UPDATE_ONE, update, How::default()).await.unwrap();
    assert_eq!(under.stored(doc! { "_id": 1, "n": 1 }).await, 1, "applied once");
    under.fail(doc! { "times": 2 }.into(), doc! { "failCommands": ["insert"], "closeConnection": true }).await;
    let failure = under.insert(doc! { "_id": 2 }, How::default()).await.unwrap_err();
    assert_eq!((failure.code, failure.maybe_executed), (ErrorCode::Disconnected, Some(true)));
    assert!(failure.labels.iter().any(|label| label == "RetryableWriteError"));
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_after_a_lost_connection_poison_no_later_transaction() {
    let under = Under::start(doc! {}).await;
    for round in 0..5 {
        under.fail(doc! { "times": 2 }.into(), doc! { "failCommands": ["insert"], "closeConnection": true }).await;
        under.insert(doc! { "lost": round }, How::default()).await.unwrap_err();
        let session = under.session();
        let attempt = under.begin(session, doc! {});
        under.insert(doc! { "kept": round }, session).await.unwrap();
        assert!(under.finish(session, doc! { "threw": false }).await.unwrap().contains("committed"));
        attempt.await.unwrap();
        under.submit(opcode::END_SESSION, &doc! {}, session).await.unwrap();
    }
    assert_eq!(under.stored(doc! { "kept": { "$exists": true } }).await, 5);
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_sent_again_once() {
    let under = Under::start(doc! {}).await;
    under.insert(doc! { "_id": 1 }, How::default()).await.unwrap();
    under.fail(doc! { "times": 1 }.into(), doc! { "failCommands": ["find"], "closeConnection": true }).await;
    let find = doc! { "filter": { "_id": 1 } };
    assert_eq!(document(under.on(opcode::FIND_ONE, find.clone(), How::default()).await.unwrap()), doc! { "_id": 1 });
    under.fail(doc! { "times": 2 }.into(), doc! { "failCommands": ["find"], "errorCode": 262 }).await;
    let failure = under.on(opcode::FIND_ONE, find, How::default()).await.unwrap_err();
    assert_eq!(failure.server_code, Some(262), "{failure:?}");
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extended_json_in_user_data_stays_what_it_is() {
    let under = Under::start(doc! {}).await;
    let value = doc! { "_id": 1, "v": { "$code": "x", "other": 1 }, "w": { "a": { "$date": "2020" } } };
    under.insert(value.clone(), How::default()).await.unwrap();
    assert_eq!(document(under.on(opcode::FIND_ONE, doc! { "filter": {} }, How::default()).await.unwrap()), value);
    let filter = doc! { "filter": { "_id": { "$oid": "65f000000000000000000000" } } };
    let failure = under.on(opcode::FIND_ONE, filter, How::default()).await.unwrap_err();
    assert!(failure.message.contains("$oid"), "the server sees the operator as written: {failure}");
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_of_ten_thousand_levels_is_refused_and_nothing_dies() {
    let under = Under::start(doc! { "monitorCommands": true }).await;
    let mut inner = vec![5, 0, 0, 0, 0];
    for _ in 0..10_000 {
        let mut outer = i32::try_from(inner.len() + 8).unwrap().to_le_bytes().to_vec();
        outer.extend([3, b'a', 0]);
        outer.extend(&inner);
        outer.push(0);
        inner = outer;
    }
    let request = Request { opcode: opcode::FIND, flags: 0, handle: 0, deadline_ms: 0, body: &inner };
    let failure = under.client.accept(request, CancellationToken::new()).await.unwrap_err();
    assert_eq!((failure.code, failure.maybe_executed), (ErrorCode::InvalidArgument, Some(false)));
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_tells_where_the_operation_was_and_whether_it_may_have_run() {
    let under = Under::start(doc! { "maxPoolSize": 1, "waitQueueTimeoutMS": 100 }).await;
    under
        .fail(
            doc! { "times": 1 }.into(),
            doc! { "failCommands": ["insert"], "blockConnection": true, "blockTimeMS": 600 },
        )
        .await;
    let began = Instant::now();
    let slow = tokio::spawn(under.insert(doc! { "_id": 1 }, How::default().within(300)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let starved = under.on(opcode::FIND_ONE, doc! { "filter": {} }, How::default()).await.unwrap_err();
    assert_eq!(
        (starved.code, starved.phase, starved.maybe_executed),
        (ErrorCode::PoolExhausted, Some(Phase::Acquire), Some(false))
    );
    let timeout = slow.await.unwrap().unwrap_err();
    assert_eq!(
        (timeout.code, timeout.phase, timeout.maybe_executed),
        (ErrorCode::Timeout, Some(Phase::Operation), Some(true))
    );
    assert!(began.elapsed() < Duration::from_millis(550), "{:?}", began.elapsed());
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_operation_settles_at_once() {
    let under = Under::start(doc! {}).await;
    under
        .fail(
            doc! { "times": 1 }.into(),
            doc! { "failCommands": ["find"], "blockConnection": true, "blockTimeMS": 500 },
        )
        .await;
    let cancel = CancellationToken::new();
    let body = bytes(&doc! { "db": &under.db, "coll": "c", "filter": {} });
    let request = Request { opcode: opcode::FIND_ONE, flags: 0, handle: 0, deadline_ms: 0, body: &body };
    let running = tokio::spawn(under.client.accept(request, cancel.clone()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    cancel.cancel();
    assert_eq!(running.await.unwrap().unwrap_err().code, ErrorCode::Aborted);
    assert!(began.elapsed() < Duration::from_millis(100));
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_in_flight_are_bounded() {
    let under = Under::start(doc! { "maxInFlight": 2 }).await;
    let first = under.on(opcode::FIND_ONE, doc! { "filter": {} }, How::default());
    let second = under.on(opcode::FIND_ONE, doc! { "filter": {} }, How::default());
    let third = under.on(opcode::FIND_ONE, doc! { "filter": {} }, How::default()).await.unwrap_err();
    assert_eq!((third.code, third.maybe_executed), (ErrorCode::PoolExhausted, Some(false)));
    first.await.unwrap();
    second.await.unwrap();
    under.on(opcode::FIND_ONE, doc! { "filter": {} }, How::default()).await.unwrap();
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_cursor_that_lost_a_batch_says_so() {
    let under = Under::start(doc! {}).await;
    let docs: Vec<Document> = (0..30).map(|n| doc! { "_id": n }).collect();
    under.on(opcode::INSERT, doc! { "docs": docs }, How::default()).await.unwrap();
    let session = under.session();
    let query = doc! { "filter": {}, "options": { "batchSize": 10 } };
    let (handle, _) = batch(under.on(opcode::FIND, query.clone(), session).await.unwrap());
    let (implicit, _) = batch(under.on(opcode::FIND, query, How::default()).await.unwrap());
    under
        .fail(
            doc! { "times": 2 }.into(),
            doc! { "failCommands": ["getMore"], "blockConnection": true, "blockTimeMS": 400 },
        )
        .await;
    let more = |cursor: u32, how: How| under.submit(opcode::GET_MORE, &doc! { "cursor": cursor }, how);
    assert_eq!(more(handle, session.within(100)).await.unwrap_err().code, ErrorCode::Timeout);
    let lost = more(handle, session).await.unwrap_err();
    assert!(lost.message.contains("lost a batch"), "{lost}");
    assert_eq!(more(implicit, How::default().within(100)).await.unwrap_err().code, ErrorCode::Timeout);
    assert_eq!(
        batch(more(implicit, How::default()).await.unwrap()).1[0],
        doc! { "_id": 10 },
        "the same getMore goes on"
    );
    under.submit(opcode::END_SESSION, &doc! {}, session).await.unwrap();
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closes_in_time_with_a_live_cursor_session_and_transaction() {
    let under = Under::start(doc! {}).await;
    let docs: Vec<Document> = (0..30).map(|n| doc! { "_id": n }).collect();
    under.on(opcode::INSERT, doc! { "docs": docs }, How::default()).await.unwrap();
    let session = under.session();
    batch(under.on(opcode::FIND, doc! { "filter": {}, "options": { "batchSize": 2 } }, session).await.unwrap());
    let attempt = under.begin(session, doc! {});
    under.insert(doc! { "_id": 100 }, session).await.unwrap();
    let id = under.client.session_id(session.handle).unwrap();
    assert_eq!(under.held_by(&id).await, 2, "one transaction, one cursor");
    let began = Instant::now();
    under.submit(opcode::CLOSE, &doc! {}, How { deadline_ms: 1000, ..How::default() }).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    assert_eq!(attempt.await.unwrap_err().code, ErrorCode::Closed);
    assert!(
        eventually(Duration::from_secs(1), || async { under.held_by(&id).await == 0 }).await,
        "the server holds nothing"
    );
    assert_eq!(
        under.on(opcode::FIND_ONE, doc! { "filter": {} }, How::default()).await.unwrap_err().code,
        ErrorCode::Closed
    );
    let stats = under.stats();
    assert_eq!((&stats["sessions"]["open"], &stats["cursors"]), (&0.into(), &0.into()));
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_indexes_keep_every_field() {
    let under = Under::start(doc! {}).await;
    let index =
        doc! { "key": { "a": 1 }, "name": "a_1", "unique": true, "partialFilterExpression": { "a": { "$gt": 0 } } };
    let create = doc! { "db": &under.db, "command": { "createIndexes": "c", "indexes": [index.clone()] } };
    under.submit(opcode::COMMAND, &create, How { flags: 1, ..How::default() }).await.unwrap();
    let list = doc! { "db": &under.db, "command": { "listIndexes": "c", "cursor": { "batchSize": 1 } }, "options": { "batchSize": 1 } };
    let (handle, first) =
        batch(under.submit(opcode::RUN_CURSOR_COMMAND, &list, How { flags: 2, ..How::default() }).await.unwrap());
    assert_eq!(first[0].get_str("name").unwrap(), "_id_");
    let (_, second) = batch(under.call(opcode::GET_MORE, doc! { "cursor": handle }).await.unwrap());
    assert_eq!(
        second[0].get_document("partialFilterExpression").unwrap(),
        index.get_document("partialFilterExpression").unwrap()
    );
    let failure =
        under.call(opcode::COMMAND, doc! { "db": &under.db, "command": { "noSuchCommand": 1 } }).await.unwrap_err();
    assert_eq!((failure.code, failure.server_code), (ErrorCode::ServerError, Some(59)));
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_of_its_servers_and_of_commands_when_asked() {
    let client =
        Client::open(&support::uri(), &bytes(&doc! { "monitorCommands": true, "heartbeatFrequencyMS": 500 })).unwrap();
    let heard = std::sync::Arc::new(support::Heard(std::sync::Mutex::default()));
    client.listen(Some(std::sync::Arc::clone(&heard) as std::sync::Arc<dyn mooring::observe::EventSink>));
    let connect = Request { opcode: opcode::CONNECT, flags: 0, handle: 0, deadline_ms: 0, body: &[] };
    client.accept(connect, CancellationToken::new()).await.unwrap();
    let described: serde_json::Value = serde_json::from_str(&client.describe()).unwrap();
    assert_eq!(
        (described["type"].as_str(), described["state"].as_str()),
        (Some("ReplicaSetWithPrimary"), Some("ready"))
    );
    let has = |name: &str| heard.0.lock().unwrap().iter().any(|event| event.contains(&format!("\"event\":\"{name}\"")));
    for name in ["topologyDescriptionChanged", "serverDescriptionChanged", "commandStarted", "commandSucceeded"] {
        assert!(has(name), "{name}");
    }
    assert!(eventually(Duration::from_secs(3), || async { has("serverHeartbeatSucceeded") }).await);
    let close = Request { opcode: opcode::CLOSE, ..connect };
    client.accept(close, CancellationToken::new()).await.unwrap();
    client.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_gives_open_transactions_their_time_and_then_ends_them() {
    let under = Under::start(doc! {}).await;
    let registry = std::sync::Arc::new(mooring::lifecycle::Registry::default());
    under.client.registered(registry.register(under.client.managed()).unwrap());
    let session = under.session();
    let attempt = under.begin(session, doc! {});
    under.insert(doc! { "_id": 1 }, session).await.unwrap();
    let drain = under.client.managed().drain(mooring::retry::Deadline::after(Duration::from_millis(300)));
    let summary = drain.await;
    assert_eq!((summary.drained, summary.aborted), (0, 1));
    assert_eq!(attempt.await.unwrap_err().code, ErrorCode::Closed);
    let id = under.client.session_id(session.handle).unwrap();
    assert!(eventually(Duration::from_secs(1), || async { under.held_by(&id).await == 0 }).await);
    under.close().await;
    assert!(registry.open().is_empty(), "a closed client is off the list");
}

#[tokio::test(flavor = "multi_thread")]
async fn close_settles_what_runs_and_needs_no_server() {
    let under = Under::start(doc! {}).await;
    under
        .fail(
            doc! { "times": 1 }.into(),
            doc! { "failCommands": ["insert"], "blockConnection": true, "blockTimeMS": 1500 },
        )
        .await;
    let running = tokio::spawn(under.insert(doc! { "_id": 1 }, How::default()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    under.submit(opcode::CLOSE, &doc! {}, How { flags: 1, ..How::default() }).await.unwrap();
    let cut = running.await.unwrap().unwrap_err();
    assert_eq!((cut.code, cut.maybe_executed), (ErrorCode::Closed, Some(true)));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let dead = Client::open("mongodb://127.0.0.1:1", &bytes(&doc! { "serverSelectionTimeoutMS": 200 })).unwrap();
    let connect = Request { opcode: opcode::CONNECT, flags: 0, handle: 0, deadline_ms: 0, body: &[] };
    let refused = dead.accept(connect, CancellationToken::new()).await.unwrap_err();
    assert_eq!((refused.code, refused.maybe_executed), (ErrorCode::ConnectFailed, Some(false)));
    let close = Request { opcode: opcode::CLOSE, deadline_ms: 500, ..connect };
    let began = Instant::now();
    dead.accept(close, CancellationToken::new()).await.unwrap();
    dead.accept(close, CancellationToken::new()).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(1600), "{:?}", began.elapsed());
    under.reader.database(&under.db).drop().await.unwrap();
}
