//! The Redis room against a real server, without JavaScript. Needs `MOORING_TEST_REDIS_URL`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "redis/direct.rs"]
mod direct;
#[path = "redis/limit_store.rs"]
mod limit_store;
#[path = "redis/proxy.rs"]
mod proxy;
#[path = "redis/wire.rs"]
mod wire;

use mooring::lifecycle::Kind;
use mooring::redis::reply::token;
use mooring::retry::Deadline;
use proxy::{Proxy, free_port};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use wire::{Outcome, Wire, pause, server};

const READ: [i32; 4] = [1, 0, 0, -1];
const BLOCK: [i32; 4] = [4, 0, 0, 0];
const READY: i32 = 3;
const END: i32 = 6;

fn failed(kind: &str, maybe_sent: bool) -> Outcome {
    Outcome::Failed(format!("Text({kind:?})"), maybe_sent)
}

fn connected(fields: &str) -> Wire {
    let mut wire = Wire::open(&server(), fields);
    wire.client.connect().unwrap();
    wire.until("ready", |wire| wire.statuses.contains(&READY));
    wire
}

/// A key of this test and this process.
fn key(name: &str) -> String {
    format!("mooring-test:{}:{name}", std::process::id())
}

#[test]
fn answers_every_command_with_its_own_reply() {
    let mut wire = connected("");
    let seqs: Vec<u32> = (0..10_000).map(|n: u32| wire.send(&["ECHO", &n.to_string()])).collect();
    for (n, seq) in seqs.into_iter().enumerate() {
        assert_eq!(wire.outcome(seq), Outcome::Value(n.to_string()));
    }
}

#[test]
fn carries_values_larger_than_any_buffer() {
    let mut wire = connected("");
    let (key, value) = (key("large"), "x".repeat(9_000_000));
    wire.value(&["SET", &key, &value]);
    assert_eq!(wire.value(&["GET", &key]), value);
    wire.value(&["DEL", &key]);
}

#[test]
fn after_a_kill_only_what_is_safe_is_sent_again() {
    let mut other = connected("");
    let (list, counter, read) = (key("kill:list"), key("kill:counter"), key("kill:read"));
    other.value(&["SET", &read, "v"]);
    let mut wire = connected("");
    let id = wire.value(&["CLIENT", "ID"]);
    let blocked = wire.send_as(&["BLPOP", &list, "0"], BLOCK);
    let increment = wire.send(&["INCR", &counter]);
    let get = wire.send_as(&["GET", &read], READ);
    pause(100);
    assert_eq!(other.value(&["CLIENT", "KILL", "ID", &id]), "1");
    assert_eq!(wire.outcome(increment), failed("closed", true));
    wire.until("a second connection", |wire| wire.statuses.iter().filter(|status| **status == READY).count() == 2);
    assert!(!wire.has_settled(blocked));
    other.value(&["RPUSH", &list, "element"]);
    assert_eq!(wire.outcome(blocked), Outcome::Value(format!("{list},element")));
    assert_eq!(wire.outcome(get), Outcome::Value("v".to_owned()));
    assert_eq!(other.value(&["GET", &counter]), "nil");
    other.value(&["DEL", &read]);
}

#[test]
fn a_command_that_timed_out_while_offline_never_runs() {
    let (address, port) = (server(), free_port());
    let counter = key("offline");
    let mut wire = Wire::open(&("127.0.0.1".to_owned(), port), r#""retry":{"kind":"native","baseMs":50,"capMs":50}"#);
    let seqs: Vec<u32> = (0..20).map(|_| wire.send_as(&["INCR", &counter], [0, 200, 0, -1])).collect();
    for seq in seqs {
        assert_eq!(wire.outcome(seq), failed("timeout", false));
    }
    let _proxy = Proxy::start(&address, port);
    wire.until("ready", |wire| wire.statuses.contains(&READY));
    assert_eq!(wire.value(&["GET", &counter]), "nil");
}

#[test]
fn finds_out_that_a_connection_leads_nowhere() {
    let proxy = Proxy::start(&server(), 0);
    let mut wire = Wire::open(&proxy.address, r#""socketTimeoutMs":300,"heartbeatMs":300,"heartbeatTimeoutMs":300"#);
    wire.client.connect().unwrap();
    wire.until("ready", |wire| wire.statuses.contains(&READY));
    let started = Instant::now();
    proxy.swallows.store(true, Ordering::SeqCst);
    let get = wire.send_as(&["ECHO", "back"], READ);
    pause(350);
    proxy.swallows.store(false, Ordering::SeqCst);
    assert_eq!(wire.outcome(get), Outcome::Value("back".to_owned()));
    assert!(started.elapsed() >= Duration::from_millis(300));
    // Idle: only the heartbeat can notice.
    let connections = proxy.accepted.load(Ordering::SeqCst);
    proxy.swallows.store(true, Ordering::SeqCst);
    pause(700);
    proxy.swallows.store(false, Ordering::SeqCst);
    wire.until("another connection", |_| proxy.accepted.load(Ordering::SeqCst) > connections);
}

#[test]
fn a_flapping_connection_settles_everything_once_and_runs_nothing_twice() {
    let proxy = Proxy::start(&server(), 0);
    let counter = key("flapping");
    let mut wire = Wire::open(&proxy.address, r#""retry":{"kind":"native","baseMs":5,"capMs":5}"#);
    wire.client.connect().unwrap();
    let mut seqs = Vec::new();
    for round in 0..40 {
        for _ in 0..50 {
            seqs.push(wire.send(&["INCR", &counter]));
        }
        if round % 4 == 3 {
            pause(15);
            proxy.cut();
        }
    }
    let outcomes: Vec<Outcome> = seqs.iter().map(|seq| wire.outcome(*seq)).collect();
    let answered = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Value(_))).count();
    let maybe = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Failed(_, true))).count();
    assert_eq!(wire.settled(), seqs.len());
    let ran: usize = connected("").value(&["GET", &counter]).parse().unwrap();
    assert!(ran >= answered && ran <= answered + maybe, "{ran} ran; {answered} answered, {maybe} may have run");
    wire.value(&["DEL", &counter]);
}

#[test]
fn shakes_a_bounded_number_of_hands_at_once() {
    let proxy = Proxy::start(&server(), 0);
    proxy.swallows.store(true, Ordering::SeqCst);
    let mut wires: Vec<Wire> = (0..20).map(|_| Wire::open(&proxy.address, r#""connectTimeoutMs":1500"#)).collect();
    for wire in &wires {
        wire.client.connect().unwrap();
    }
    pause(500);
    // An eighth is kept for those that renew locks.
    assert_eq!(proxy.accepted.load(Ordering::SeqCst), 7);
    proxy.swallows.store(false, Ordering::SeqCst);
    for wire in &mut wires {
        wire.until("ready", |wire| wire.statuses.contains(&READY));
    }
}

#[test]
fn stops_reading_when_nobody_fetches_and_goes_on_later() {
    let mut wire = connected("");
    let (key, value) = (key("pressure"), "x".repeat(1_000_000));
    wire.value(&["SET", &key, &value]);
    let seqs: Vec<u32> = (0..60).map(|_| wire.send_as(&["GET", &key], READ)).collect();
    pause(1500);
    assert!(wire.backlog() < 20_000_000, "{} bytes wait", wire.backlog());
    for seq in seqs {
        assert!(matches!(wire.outcome(seq), Outcome::Value(text) if text.len() == value.len()));
    }
    wire.value(&["DEL", &key]);
}

#[test]
fn closes_in_time_answers_what_is_in_flight_and_cuts_what_blocks() {
    let mut wire = connected("");
    assert_eq!(wire.registry.of_kind(Kind::Redis).len(), 1);
    let echo = wire.send(&["ECHO", "last"]);
    let blocked = wire.send_as(&["BLPOP", &key("close"), "0"], BLOCK);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = Instant::now();
    let summary = runtime.block_on(async { wire.client.close(Deadline::after(Duration::from_secs(5))).await });
    assert!(started.elapsed() < Duration::from_secs(2), "took {:?}", started.elapsed());
    assert_eq!(summary.aborted, 1);
    assert_eq!(wire.outcome(echo), Outcome::Value("last".to_owned()));
    assert!(matches!(wire.outcome(blocked), Outcome::Failed(..)));
    assert_eq!(wire.statuses.last(), Some(&END));
    assert_eq!(wire.others.last(), Some(&token::RELEASED));
    assert!(wire.registry.open().is_empty(), "no longer listed");
    assert_eq!(wire.call(&["PING"]), failed("closed", false));
}

#[test]
fn closes_in_time_when_the_server_is_gone() {
    let mut wire = Wire::open(&("127.0.0.1".to_owned(), free_port()), "");
    let waiting = wire.send(&["PING"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = Instant::now();
    runtime.block_on(async { wire.client.close(Deadline::after(Duration::from_millis(500))).await });
    assert!(started.elapsed() < Duration::from_millis(700));
    assert_eq!(wire.outcome(waiting), failed("closed", false));
}

#[test]
fn subscribes_again_after_a_kill() {
    let (mut wire, mut other) = (connected(""), connected(""));
    let channel = key("channel");
    let id = wire.value(&["CLIENT", "ID"]);
    let subscribed = wire.send_as(&["SUBSCRIBE", &channel], [32, 0, 0, -1]);
    assert_eq!(wire.outcome(subscribed), Outcome::Value("1".to_owned()));
    other.value(&["CLIENT", "KILL", "ID", &id]);
    let end = Instant::now() + Duration::from_secs(5);
    while other.value(&["PUBLISH", &channel, "hello"]) == "0" {
        assert!(Instant::now() < end, "nobody subscribed again");
        pause(20);
    }
    wire.until("the message", |wire| wire.others.contains(&token::MESSAGE));
}

#[test]
fn speaks_resp3_and_warns_of_a_password_that_nobody_wants() {
    let mut wire = connected(r#""protocol":3"#);
    let key = key("hash");
    wire.value(&["HSET", &key, "f", "v"]);
    assert_eq!(wire.value(&["HGETALL", &key]), "f,v");
    wire.value(&["DEL", &key]);
    let warned = connected(r#""password":"unneeded""#);
    assert!(warned.others.contains(&token::NOTICE));
}
