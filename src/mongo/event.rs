//! Events of the crate as records for JavaScript, in Node's shapes, and the view of the topology that they add up to.
//!
//! Handlers are fixed when the crate's client is made; whoever listens may come and go. Events hold no credentials; commands that the crate redacts stay so.

use super::pool_event;
use super::trace::Connections;
use crate::error::redact_text;
use crate::observe::{Event, EventSink, Level, NoSink};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::event::command::{CommandEvent, ConnectionInfo};
use mongodb::event::sdam::{SdamEvent, TopologyDescription};
use mongodb::event::{EventHandler, cmap::CmapEvent};
use mongodb::options::ClientOptions;
use mongodb::{ServerInfo, ServerType, TopologyType};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Commands under way whose databases are remembered: more than run at once.
const MAX_UNDER_WAY: usize = 16_384;
/// The wire version from which on secondaries take pipelines that write, and pass their documents to the primary.
const WRITING_SECONDARIES: i64 = 13;
/// What servers take in one command of writes when they do not say.
const WRITE_BATCH: usize = 100_000;

/// What a client knows of its servers, and who listens.
pub(super) struct Watch {
    topology: RwLock<Topology>,
    sink: RwLock<Arc<dyn EventSink>>,
    listening: AtomicBool,
    /// Pool events come several times an operation: they are made only for those who asked for them.
    pools: AtomicBool,
    /// Commands under way, by request.
    under_way: Mutex<HashMap<i32, UnderWay>>,
    /// `maxWriteBatchSize` as the servers said it last.
    write_batch: AtomicUsize,
    /// Connections, counted.
    pub(super) connections: Connections,
}

/// What the events of a command's end say and the crate tells at its start only.
struct UnderWay {
    database: String,
    /// Nobody asked for its answer: what the server says all the same is not shown, as in the Node driver.
    unacknowledged: bool,
}

impl UnderWay {
    fn of(database: &str, command: &Document) -> Self {
        let concern = command.get_document("writeConcern").ok();
        let unacknowledged =
            concern.and_then(|concern| concern.get("w")).and_then(super::read::bson_integer) == Some(0);
        Self { database: database.to_owned(), unacknowledged }
    }
}

/// The last topology that was seen.
struct Topology {
    kind: TopologyType,
    set_name: Option<String>,
    json: Value,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            topology: RwLock::new(Topology { kind: TopologyType::Unknown, set_name: None, json: json!([]) }),
            sink: RwLock::new(Arc::new(NoSink)),
            listening: AtomicBool::new(false),
            pools: AtomicBool::new(false),
            under_way: Mutex::default(),
            write_batch: AtomicUsize::new(WRITE_BATCH),
            connections: Connections::default(),
        }
    }
}

impl Watch {
    /// Sets who listens; `None` for nobody.
    pub(super) fn listen(&self, sink: Option<Arc<dyn EventSink>>) {
        self.listening.store(sink.is_some(), Ordering::Release);
        *self.sink.write().unwrap_or_else(PoisonError::into_inner) = sink.unwrap_or_else(|| Arc::new(NoSink));
    }

    /// Whether events of the pools are wanted.
    pub(super) fn watch_pools(&self, on: bool) {
        self.pools.store(on, Ordering::Release);
    }

    /// Installs the handlers.
    pub(super) fn install(self: &Arc<Self>, options: &mut ClientOptions, monitor_commands: bool) {
        let watch = Arc::clone(self);
        options.cmap_event_handler =
            Some(EventHandler::callback(move |event: CmapEvent| watch.connection_event(&event)));
        let watch = Arc::clone(self);
        options.sdam_event_handler = Some(EventHandler::callback(move |event| watch.topology_event(&event)));
        if monitor_commands {
            let watch = Arc::clone(self);
            options.command_event_handler = Some(EventHandler::callback(move |event| watch.command_event(&event)));
        }
    }

    /// Whether any server has answered yet.
    pub(super) fn has_topology(&self) -> bool {
        self.topology.read().unwrap_or_else(PoisonError::into_inner).kind != TopologyType::Unknown
    }

    /// Whether the servers are behind a load balancer.
    pub(super) fn is_load_balanced(&self) -> bool {
        self.topology.read().unwrap_or_else(PoisonError::into_inner).kind == TopologyType::LoadBalanced
    }

    /// Whether the servers take numbered writes: a replica set or a sharded cluster.
    pub(super) fn has_retryable_writes(&self) -> bool {
        let topology = self.topology.read().unwrap_or_else(PoisonError::into_inner);
        match topology.kind {
            TopologyType::ReplicaSetNoPrimary
            | TopologyType::ReplicaSetWithPrimary
            | TopologyType::Sharded
            | TopologyType::LoadBalanced => true,
            // A direct connection to a member of a replica set has the type Single.
            _ => topology
                .json
                .as_array()
                .is_some_and(|servers| servers.iter().any(|server| !server["setName"].is_null())),
        }
    }

    /// Whether every server that is known lets a secondary run a pipeline that writes.
    pub(super) fn has_writing_secondaries(&self) -> bool {
        let topology = self.topology.read().unwrap_or_else(PoisonError::into_inner);
        let mut versions = topology
            .json
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|server| server["maxWireVersion"].as_i64())
            .peekable();
        versions.peek().is_some() && versions.all(|version| version >= WRITING_SECONDARIES)
    }

    /// The newest wire version of the servers that take writes, of all servers if there is none of those; `None` while nobody has said one.
    pub(super) fn wire_version(&self) -> Option<i64> {
        let topology = self.topology.read().unwrap_or_else(PoisonError::into_inner);
        let servers = topology.json.as_array().map(Vec::as_slice).unwrap_or_default();
        let writes = |server: &&Value| matches!(server["type"].as_str(), Some("RSPrimary" | "Mongos" | "Standalone"));
        let newest = |servers: &mut dyn Iterator<Item = &Value>| {
            servers.filter_map(|server| server["maxWireVersion"].as_i64()).max()
        };
        newest(&mut servers.iter().filter(writes)).or_else(|| newest(&mut servers.iter()))
    }

    /// How many writes one command may hold.
    pub(super) fn write_batch(&self) -> usize {
        self.write_batch.load(Ordering::Acquire)
    }

    fn note_hello(&self, hello: &Document) {
        let most = hello.get("maxWriteBatchSize").and_then(super::read::bson_integer);
        if let Some(most) = most.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0) {
            self.write_batch.store(most, Ordering::Release);
        }
    }

    /// The topology for `describe()`: type, set name, servers.
    pub(super) fn topology(&self) -> (String, Option<String>, Value) {
        let topology = self.topology.read().unwrap_or_else(PoisonError::into_inner);
        (topology_type(topology.kind).to_owned(), topology.set_name.clone(), topology.json.clone())
    }

    fn emit(&self, name: &'static str, level: Level, data: impl FnOnce() -> Value) {
        if !self.listening.load(Ordering::Acquire) {
            return;
        }
        let sink = Arc::clone(&*self.sink.read().unwrap_or_else(PoisonError::into_inner));
        sink.emit(Event::new(name, level, name).with_text("data", data().to_string()));
    }

    fn connection_event(&self, event: &CmapEvent) {
        self.connections.note(event);
        if self.pools.load(Ordering::Acquire)
            && let Some(name) = pool_event::name(event)
        {
            self.emit(name, Level::Debug, || pool_event::data(event));
        }
    }

    fn topology_event(&self, event: &SdamEvent) {
        match event {
            SdamEvent::TopologyDescriptionChanged(event) => {
                let (servers, description) = topology(&event.new_description);
                *self.topology.write().unwrap_or_else(PoisonError::into_inner) = Topology {
                    kind: event.new_description.topology_type(),
                    set_name: event.new_description.set_name().cloned(),
                    json: servers,
                };
                self.emit("topologyDescriptionChanged", Level::Info, || {
                    let previous = topology(&event.previous_description).1;
                    json!({ "topologyId": event.topology_id.to_hex(), "previousDescription": previous, "newDescription": description })
                });
            }
            SdamEvent::ServerDescriptionChanged(event) => self.emit("serverDescriptionChanged", Level::Info, || {
                json!({
                    "topologyId": event.topology_id.to_hex(), "address": event.address.to_string(),
                    "previousDescription": server(&event.previous_description), "newDescription": server(&event.new_description),
                })
            }),
            SdamEvent::ServerOpening(event) => self.emit("serverOpening", Level::Debug, || {
                json!({ "topologyId": event.topology_id.to_hex(), "address": event.address.to_string() })
            }),
            SdamEvent::ServerClosed(event) => self.emit("serverClosed", Level::Info, || {
                json!({ "topologyId": event.topology_id.to_hex(), "address": event.address.to_string() })
            }),
            SdamEvent::TopologyOpening(event) => {
                self.emit("topologyOpening", Level::Debug, || json!({ "topologyId": event.topology_id.to_hex() }));
            }
            SdamEvent::TopologyClosed(event) => {
                self.emit("topologyClosed", Level::Info, || json!({ "topologyId": event.topology_id.to_hex() }));
            }
            event => self.heartbeat_event(event),
        }
    }

    fn heartbeat_event(&self, event: &SdamEvent) {
        match event {
            SdamEvent::ServerHeartbeatStarted(event) => self.emit("serverHeartbeatStarted", Level::Debug, || {
                json!({ "connectionId": event.server_address.to_string(), "awaited": event.awaited })
            }),
            SdamEvent::ServerHeartbeatSucceeded(event) => {
                self.note_hello(&event.reply);
                self.emit("serverHeartbeatSucceeded", Level::Debug, || {
                    json!({ "connectionId": event.server_address.to_string(), "awaited": event.awaited, "duration": millis(event.duration) })
                });
            }
            SdamEvent::ServerHeartbeatFailed(event) => self.emit("serverHeartbeatFailed", Level::Warn, || {
                let failure = super::error::failure(&event.failure);
                json!({
                    "connectionId": event.server_address.to_string(), "awaited": event.awaited, "duration": millis(event.duration),
                    "failure": { "message": failure.message },
                })
            }),
            _ => {}
        }
    }

    fn command_event(&self, event: &CommandEvent) {
        match event {
            CommandEvent::Started(event) => {
                self.remember(event.request_id, UnderWay::of(&event.db, &event.command));
                self.emit("commandStarted", Level::Debug, || {
                    let about = command_json(&event.connection, event.request_id, &event.command_name, Some(&event.db));
                    with(about, json!({ "commandBson": encoded(&event.command) }))
                });
            }
            CommandEvent::Succeeded(event) => {
                let known = self.forget(event.request_id);
                self.emit("commandSucceeded", Level::Debug, || {
                    let database = known.as_ref().map(|known| known.database.as_str());
                    let about = command_json(&event.connection, event.request_id, &event.command_name, database);
                    let unacknowledged = known.as_ref().is_some_and(|known| known.unacknowledged);
                    let reply = if unacknowledged { encoded(&doc! { "ok": 1 }) } else { encoded(&event.reply) };
                    with(about, json!({ "duration": millis(event.duration), "replyBson": reply }))
                });
            }
            CommandEvent::Failed(event) => {
                let known = self.forget(event.request_id);
                self.emit("commandFailed", Level::Debug, || {
                    let failure = super::error::failure(&event.failure);
                    let database = known.as_ref().map(|known| known.database.as_str());
                    let about = command_json(&event.connection, event.request_id, &event.command_name, database);
                    let failure = json!({ "message": failure.message, "code": failure.server_code });
                    with(about, json!({ "duration": millis(event.duration), "failure": failure }))
                });
            }
            _ => {}
        }
    }

    /// A command whose future is dropped ends without an event: what is left of those is forgotten together.
    fn remember(&self, request: i32, command: UnderWay) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.len() >= MAX_UNDER_WAY {
            under_way.clear();
        }
        under_way.insert(request, command);
    }

    fn forget(&self, request: i32) -> Option<UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&request)
    }
}

/// What all events of a command say.
fn command_json(connection: &ConnectionInfo, request: i32, name: &str, database: Option<&str>) -> Value {
    json!({
        "address": connection.address.to_string(), "connectionId": connection.id, "serverConnectionId": connection.server_id,
        "requestId": request, "commandName": name, "databaseName": database,
    })
}

fn with(mut about: Value, others: Value) -> Value {
    if let (Value::Object(about), Value::Object(others)) = (&mut about, others) {
        about.extend(others);
    }
    about
}

/// A command or a reply as base64 of its BSON: the host decodes it with its own classes. It crosses only with `monitorCommands`.
fn encoded(document: &Document) -> Value {
    RawDocumentBuf::try_from(document).map_or(Value::Null, |raw| BASE64.encode(raw.as_bytes()).into())
}

pub(super) fn millis(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

fn topology(description: &TopologyDescription) -> (Value, Value) {
    let mut servers: Vec<_> = description.servers().values().map(server).collect();
    servers.sort_by(|a, b| a["address"].as_str().cmp(&b["address"].as_str()));
    let servers = Value::Array(servers);
    let json = json!({ "type": topology_type(description.topology_type()), "setName": description.set_name(), "servers": servers });
    (servers, json)
}

fn server(info: &ServerInfo<'_>) -> Value {
    json!({
        "address": info.address().to_string(),
        "type": server_type(info.server_type()),
        "setName": info.replica_set_name(),
        "minWireVersion": info.min_wire_version(),
        "maxWireVersion": info.max_wire_version(),
        "roundTripTime": info.average_round_trip_time().map(millis),
        "error": info.error().map(|error| redact_text(&super::error::failure(error).message)),
    })
}

fn topology_type(kind: TopologyType) -> &'static str {
    match kind {
        TopologyType::Single => "Single",
        TopologyType::ReplicaSetNoPrimary => "ReplicaSetNoPrimary",
        TopologyType::ReplicaSetWithPrimary => "ReplicaSetWithPrimary",
        TopologyType::Sharded => "Sharded",
        TopologyType::LoadBalanced => "LoadBalanced",
        _ => "Unknown",
    }
}

fn server_type(kind: ServerType) -> &'static str {
    match kind {
        ServerType::Standalone => "Standalone",
        ServerType::Mongos => "Mongos",
        ServerType::RsPrimary => "RSPrimary",
        ServerType::RsSecondary => "RSSecondary",
        ServerType::RsArbiter => "RSArbiter",
        ServerType::RsOther => "RSOther",
        ServerType::RsGhost => "RSGhost",
        ServerType::LoadBalancer => "LoadBalancer",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::Watch;
    use crate::observe::{Event, EventSink};
    use mongodb::bson::oid::ObjectId;
    use std::sync::{Arc, Mutex};

    struct Keep(Mutex<Vec<String>>);
    impl EventSink for Keep {
        fn emit(&self, event: Event) {
            self.0.lock().unwrap().push(event.to_json());
        }
    }

    #[test]
    fn emits_only_while_somebody_listens() {
        let watch = Watch::default();
        let keep = Arc::new(Keep(Mutex::default()));
        let data = || serde_json::json!({ "topologyId": ObjectId::new().to_hex() });
        watch.emit("topologyOpening", crate::observe::Level::Debug, data);
        watch.listen(Some(Arc::clone(&keep) as Arc<dyn EventSink>));
        watch.emit("topologyOpening", crate::observe::Level::Debug, data);
        watch.listen(None);
        watch.emit("topologyOpening", crate::observe::Level::Debug, data);
        let seen = keep.0.lock().unwrap();
        assert_eq!(seen.len(), 1);
        assert!(seen[0].contains("topologyOpening"));
        assert!(!watch.has_retryable_writes());
    }
}
