//! What the tests of the room share: a client under test, an independent reader, fail points for one client only.

use bytes::Bytes;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mooring::error::Failure;
use mooring::mongo::{Client, Reply, ReplyFuture, Request, opcode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

static NAMES: AtomicU32 = AtomicU32::new(0);
/// A server has one `failCommand` at a time: tests take turns.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The server of the tests: the test runner starts it.
pub(crate) fn uri() -> String {
    std::env::var("MOORING_TEST_MONGODB_URI")
        .expect("MOORING_TEST_MONGODB_URI must hold the URI of a MongoDB replica set; `npm test` starts one")
}

/// A client under test with a database and an application name of its own.
pub(crate) struct Under {
    pub(crate) client: Arc<Client>,
    pub(crate) db: String,
    pub(crate) app: String,
    pub(crate) reader: mongodb::Client,
    sessions: AtomicU32,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

impl Under {
    pub(crate) async fn start(options: Document) -> Self {
        let turn = TURN.lock().await;
        let number = NAMES.fetch_add(1, Ordering::SeqCst);
        let app = format!("mooring-test-{}-{number}", std::process::id());
        let mut all = doc! { "appName": &app, "maxPoolSize": 10, "serverSelectionTimeoutMS": 5000 };
        all.extend(options);
        let client = Client::open(&uri(), &bytes(&all)).unwrap();
        let reader = mongodb::Client::with_uri_str(uri()).await.unwrap();
        let db = format!("mooring_test_{}_{number}", std::process::id());
        let under = Self { client, db, app, reader, sessions: AtomicU32::new(0), _turn: turn };
        under.call(opcode::CONNECT, doc! {}).await.unwrap();
        under.heal().await;
        under.reader.database(&under.db).create_collection("c").await.unwrap();
        under
    }

    pub(crate) fn submit(&self, code: u16, body: &Document, how: How) -> ReplyFuture {
        let body = bytes(body);
        let request =
            Request { opcode: code, flags: how.flags, handle: how.handle, deadline_ms: how.deadline_ms, body: &body };
        self.client.accept(request, CancellationToken::new())
    }

    pub(crate) async fn call(&self, code: u16, body: Document) -> Result<Reply, Failure> {
        self.submit(code, &body, How::default()).await
    }

    /// With the test's collection filled in.
    pub(crate) fn on(&self, code: u16, body: Document, how: How) -> ReplyFuture {
        let mut all = doc! { "db": &self.db, "coll": "c" };
        all.extend(body);
        self.submit(code, &all, how)
    }

    pub(crate) fn insert(&self, document: Document, how: How) -> ReplyFuture {
        self.on(opcode::INSERT, doc! { "docs": [document], "options": { "single": true } }, how)
    }

    /// A new session's handle.
    pub(crate) fn session(&self) -> How {
        let handle = self.sessions.fetch_add(1, Ordering::SeqCst) + 1;
        self.client.open_session(handle, &bytes(&doc! {})).unwrap();
        How { handle, ..How::default() }
    }

    pub(crate) fn begin(&self, session: How, options: Document) -> ReplyFuture {
        self.client.begin_transaction(session.handle, &bytes(&options)).unwrap();
        self.submit(opcode::ATTEMPT, &doc! {}, session)
    }

    pub(crate) async fn finish(&self, session: How, said: Document) -> Result<String, Failure> {
        match self.submit(opcode::FINISH, &said, session).await? {
            Reply::Nothing => Ok("committed".to_owned()),
            Reply::Text(text) => Ok(text),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn stats(&self) -> serde_json::Value {
        serde_json::from_str(&self.client.stats()).unwrap()
    }

    /// Documents as another client sees them.
    pub(crate) async fn stored(&self, filter: Document) -> u64 {
        self.reader.database(&self.db).collection::<Document>("c").count_documents(filter).await.unwrap()
    }

    /// Arms `failCommand` for this client alone.
    pub(crate) async fn fail(&self, mode: Bson, data: Document) {
        let mut all = doc! { "appName": &self.app };
        all.extend(data);
        let command = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": all };
        self.reader.database("admin").run_command(command).await.unwrap();
    }

    pub(crate) async fn heal(&self) {
        self.reader
            .database("admin")
            .run_command(doc! { "configureFailPoint": "failCommand", "mode": "off" })
            .await
            .unwrap();
    }

    /// Transactions and cursors that the server holds open for a session.
    pub(crate) async fn held_by(&self, id: &[u8]) -> usize {
        let id = mongodb::bson::Binary { subtype: mongodb::bson::spec::BinarySubtype::Uuid, bytes: id.to_vec() };
        let stages = [
            doc! { "$currentOp": { "allUsers": true, "idleSessions": true, "idleCursors": true } },
            doc! { "$match": { "lsid.id": id, "$or": [{ "transaction.parameters.autocommit": false }, { "cursor": { "$exists": true } }] } },
        ];
        let mut cursor = self.reader.database("admin").aggregate(stages).await.unwrap();
        let mut found = 0;
        while cursor.advance().await.unwrap() {
            found += 1;
        }
        found
    }

    pub(crate) async fn close(&self) {
        let closing = self.submit(opcode::CLOSE, &doc! {}, How { deadline_ms: 2000, ..How::default() });
        closing.await.unwrap();
        self.reader.database(&self.db).drop().await.unwrap();
    }
}

/// The header of a request.
#[derive(Clone, Copy, Default)]
pub(crate) struct How {
    pub(crate) flags: u16,
    pub(crate) handle: u32,
    pub(crate) deadline_ms: u32,
}

impl How {
    pub(crate) fn within(self, deadline_ms: u32) -> Self {
        Self { deadline_ms, ..self }
    }
}

pub(crate) fn bytes(document: &Document) -> Vec<u8> {
    RawDocumentBuf::try_from(document).unwrap().into_bytes()
}

pub(crate) fn document(reply: Reply) -> Document {
    match reply {
        Reply::Bytes(bytes) => read(&bytes),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn read(bytes: &[u8]) -> Document {
    Document::try_from(mongodb::bson::RawDocument::from_bytes(bytes).unwrap()).unwrap()
}

/// Handle and documents of a batch.
pub(crate) fn batch(reply: Reply) -> (u32, Vec<Document>) {
    let Reply::Bytes(bytes) = reply else { panic!("{reply:?}") };
    let (handle, count) = (number(&bytes, 0), number(&bytes, 4));
    let mut rest = &bytes[8..];
    let mut documents = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(number(&Bytes::copy_from_slice(rest), 0)).unwrap();
        documents.push(read(&rest[..length]));
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    (handle, documents)
}

pub(crate) fn number(bytes: &Bytes, at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The server's reply in a failure.
pub(crate) fn reply_of(failure: &Failure) -> Document {
    read(failure.reply.as_deref().expect("failure has no reply"))
}

pub(crate) fn detail(failure: &Failure, name: &str) -> String {
    failure.details.iter().find(|(known, _)| *known == name).map(|(_, value)| format!("{value:?}")).unwrap_or_default()
}

/// Waits until `check` holds, for at most `limit`.
pub(crate) async fn eventually<F: Future<Output = bool>>(limit: Duration, check: impl Fn() -> F) -> bool {
    let end = tokio::time::Instant::now() + limit;
    loop {
        if check().await {
            return true;
        }
        if tokio::time::Instant::now() > end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Keeps events as JSON.
pub(crate) struct Heard(pub(crate) std::sync::Mutex<Vec<String>>);

impl mooring::observe::EventSink for Heard {
    fn emit(&self, event: mooring::observe::Event) {
        self.0.lock().unwrap().push(event.to_json());
    }
}
