//! Properties of the whole room: whatever bytes come in, an operation settles, with a failure that has a code, and nothing panics.

use super::bulk::{self, Kind, Tally};
use super::{Client, Request, opcode};
use crate::error::ErrorCode;
use mongodb::bson::{Bson, Document, RawDocumentBuf, oid::ObjectId};
use proptest::prelude::*;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Names that operations read, and others.
const NAMES: &[&str] = &[
    "db",
    "coll",
    "options",
    "filter",
    "update",
    "docs",
    "ops",
    "models",
    "namespace",
    "name",
    "verboseResults",
    "pipeline",
    "command",
    "cursor",
    "key",
    "stage",
    "stream",
    "token",
    "maxTimeMS",
    "limit",
    "skip",
    "batchSize",
    "sort",
    "hint",
    "readConcern",
    "writeConcern",
    "readPreference",
    "session",
    "insertOne",
    "updateMany",
    "document",
    "returnDocument",
    "timeoutMode",
    "threw",
    "labels",
    "attempt",
    "x",
];
/// Names of a server's reply to a write.
const REPLY: &[&str] = &[
    "n",
    "nModified",
    "upserted",
    "index",
    "_id",
    "writeErrors",
    "code",
    "errmsg",
    "keyPattern",
    "writeConcernError",
    "errorLabels",
    "ok",
    "value",
    "lastErrorObject",
];

fn value(names: &'static [&'static str]) -> impl Strategy<Value = Bson> {
    let leaf = prop_oneof![
        Just(Bson::Null),
        any::<bool>().prop_map(Bson::Boolean),
        any::<i32>().prop_map(Bson::Int32),
        any::<i64>().prop_map(Bson::Int64),
        any::<f64>().prop_map(Bson::Double),
        "[a-z$.]{0,6}".prop_map(Bson::String),
        Just(Bson::ObjectId(ObjectId::new())),
        Just(Bson::Undefined),
        Just(Bson::MinKey),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Bson::Array),
            prop::collection::vec((prop::sample::select(names), inner), 0..5).prop_map(|fields| Bson::Document(
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

fn document(names: &'static [&'static str]) -> impl Strategy<Value = Document> {
    prop::collection::vec((prop::sample::select(names), value(names)), 0..7)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

const OPCODES: &[u16] = &[
    opcode::FIND,
    opcode::FIND_ONE,
    opcode::GET_MORE,
    opcode::CLOSE_CURSOR,
    opcode::AGGREGATE,
    opcode::COUNT,
    opcode::ESTIMATED_COUNT,
    opcode::DISTINCT,
    opcode::COMMAND,
    opcode::RUN_CURSOR_COMMAND,
    opcode::WATCH,
    opcode::NEXT_CHANGES,
    opcode::CLOSE_CHANGE_STREAM,
    opcode::INSERT,
    opcode::UPDATE_ONE,
    opcode::UPDATE_MANY,
    opcode::REPLACE_ONE,
    opcode::DELETE_ONE,
    opcode::DELETE_MANY,
    opcode::FIND_ONE_AND_UPDATE,
    opcode::FIND_ONE_AND_REPLACE,
    opcode::FIND_ONE_AND_DELETE,
    opcode::BULK_WRITE,
    opcode::CLIENT_BULK_WRITE,
    opcode::END_SESSION,
    opcode::COMMIT,
    opcode::ABORT,
    opcode::ATTEMPT,
    opcode::FINISH,
    opcode::COMMIT_OUTCOME,
    opcode::ADVANCE_SESSION,
    999,
];

/// Runs one operation on a client whose server does not exist; the code of its failure.
fn settle(code: u16, flags: u16, body: &[u8]) -> Option<ErrorCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::open("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=5&connectTimeoutMS=5", &[]).unwrap();
        client.open_session(1, &[]).unwrap();
        let handle = u32::from(code >= opcode::END_SESSION);
        let request = Request { opcode: code, flags, handle, deadline_ms: 50, body };
        let settled =
            tokio::time::timeout(Duration::from_secs(5), client.accept(request, CancellationToken::new())).await;
        settled.expect("an operation settles").err().map(|failure| failure.code)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_settle(code in prop::sample::select(OPCODES), flags in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..80)) {
        if !body.is_empty() && RawDocumentBuf::from_bytes(body.clone()).is_err() {
            prop_assert!(settle(code, flags, &body).is_some());
        }
    }

    #[test]
    fn any_body_settles(code in prop::sample::select(OPCODES), flags in any::<u16>(), body in document(NAMES)) {
        let body = RawDocumentBuf::try_from(&body).unwrap().into_bytes();
        let _settled = settle(code, flags, &body);
    }
}

proptest! {
    #[test]
    fn any_reply_of_the_server_is_counted(reply in document(REPLY), single in any::<bool>()) {
        let mut tally = Tally::default();
        for kind in [Kind::InsertOne, Kind::UpdateOne, Kind::UpdateMany, Kind::ReplaceOne, Kind::DeleteOne, Kind::DeleteMany] {
            tally.add(kind, &reply, &[3, 5, 8]);
        }
        let _concern = bulk::concern_failure(&reply);
        let counts = tally.to_document();
        prop_assert!(counts.contains_key("insertedCount"));
        if reply.get_array("writeErrors").is_ok_and(|errors| errors.iter().any(|error| matches!(error, Bson::Document(_)))) {
            prop_assert_eq!(tally.failure(single).map(|failure| failure.code), Some(ErrorCode::ServerError));
        } else {
            let _failure = tally.failure(single);
        }
    }
}
