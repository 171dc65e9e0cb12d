//! Limits shared through a real server: what its script lends, and what several processes do with it.

use crate::proxy::Proxy;
use crate::wire::{Wire, server};
use mooring::lifecycle::Kind;
use mooring::retry::{Ask, Lease, LeasedRate, LimitStore, Unavailable, spacing};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

fn ask(per_second: f64, need: u32, soon: u32) -> Ask {
    Ask { interval: spacing(per_second), need, soon, cover: Duration::from_millis(100) }
}

/// A limit of this test and this process.
fn limit(name: &str) -> String {
    format!("test-{}-{name}", std::process::id())
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn micros(time: f64) -> f64 {
    (time * 1e6).round()
}

#[test]
fn lends_each_slot_once_and_those_nobody_used_at_once() {
    let wire = Wire::open(&server(), "");
    let (store, key) = (wire.client.limit_store("app:"), limit("slots"));
    run(async {
        let first = store.lease(&key, "a", ask(112.0, 20, 0)).await.unwrap();
        assert_eq!((micros(first.first), first.count, first.processes), (-40_000.0, 10, 1));
        assert_eq!(first.interval, Duration::from_millis(10));
        let second = store.lease(&key, "b", ask(112.0, 20, 5)).await.unwrap();
        assert_eq!((second.count, second.processes), (5, 2), "half of the stretch, since others are at it");
        assert!(micros(second.first) <= 60_000.0 && second.first > 0.0, "right behind the first: {}", second.first);
        let early = store.lease(&key, "a", ask(112.0, 0, 5)).await.unwrap();
        assert_eq!(early.count, 0, "what is only expected takes no turn from those who wait");
    });
    let mut other = Wire::open(&server(), "");
    for what in ["slots", "processes"] {
        let name = format!("app:mooring:limit:{{{key}}}:{what}");
        let left: i64 = other.value(&["PTTL", &name]).parse().unwrap();
        assert!((1..=11_000).contains(&left), "{name} expires in {left} ms");
    }
}

#[test]
fn the_smallest_limit_of_the_living_holds_for_all() {
    let wire = Wire::open(&server(), "");
    let (store, key) = (wire.client.limit_store(""), limit("smallest"));
    run(async {
        assert_eq!(store.lease(&key, "a", ask(11.2, 1, 0)).await.unwrap().interval, Duration::from_millis(100));
        assert_eq!(store.lease(&key, "b", ask(112.0, 1, 0)).await.unwrap().interval, Duration::from_millis(100));
        assert_eq!(store.lease(&key, "c", ask(5.6, 1, 0)).await.unwrap().interval, Duration::from_millis(200));
    });
}

#[test]
fn survives_a_server_that_forgets_its_scripts_and_its_keys() {
    let (wire, mut other) = (Wire::open(&server(), ""), Wire::open(&server(), ""));
    let (store, key) = (wire.client.limit_store(""), limit("forgets"));
    run(async {
        for _ in 0..3 {
            assert_eq!(store.lease(&key, "a", ask(1000.0, 1, 0)).await.map(|lease| lease.count), Ok(1));
            other.value(&["SCRIPT", "FLUSH"]);
        }
        // A timeline far in the future is what a clock that went back leaves.
        let name = format!("mooring:limit:{{{key}}}:slots");
        other.value(&["HSET", &name, "next", "9000000000000000"]);
        let lease = store.lease(&key, "a", ask(1000.0, 1, 0)).await.unwrap();
        assert!(lease.first <= 0.0, "{}", lease.first);
        other.value(&["SET", &name, "not ours"]);
        assert_eq!(store.lease(&key, "a", ask(1000.0, 1, 0)).await, Err(Unavailable));
        other.value(&["DEL", &name]);
    });
}

#[test]
fn ends_with_its_client_and_answers_at_once_then() {
    let wire = Wire::open(&server(), "");
    let (store, key) = (wire.client.limit_store(""), limit("ends"));
    run(async {
        assert!(store.lease(&key, "a", ask(100.0, 1, 0)).await.is_ok());
        assert_eq!(wire.registry.of_kind(Kind::Redis).len(), 1, "one connection of its own; the client has none yet");
        wire.client.shut();
        let before = Instant::now();
        assert_eq!(store.lease(&key, "a", ask(100.0, 1, 0)).await, Err(Unavailable));
        assert!(before.elapsed() < Duration::from_millis(200));
        while !wire.registry.open().is_empty() {
            assert!(before.elapsed() < Duration::from_secs(2), "its connection is still open");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let late = wire.client.limit_store("");
        assert_eq!(late.lease(&key, "a", ask(100.0, 1, 0)).await, Err(Unavailable), "one made after the end");
    });
}

#[test]
fn gives_up_on_a_server_that_does_not_answer_and_comes_back_by_itself() {
    let proxy = Proxy::start(&server(), 0);
    let wire = Wire::open(&proxy.address, r#""heartbeatMs":300,"heartbeatTimeoutMs":300,"socketTimeoutMs":300"#);
    let (store, key) = (wire.client.limit_store(""), limit("hangs"));
    run(async {
        assert!(store.lease(&key, "a", ask(100.0, 1, 0)).await.is_ok());
        proxy.swallows.store(true, Ordering::SeqCst);
        let before = Instant::now();
        assert_eq!(store.lease(&key, "a", ask(100.0, 1, 0)).await, Err(Unavailable));
        assert!(before.elapsed() < Duration::from_millis(1400), "{:?}", before.elapsed());
        proxy.swallows.store(false, Ordering::SeqCst);
        while store.lease(&key, "a", ask(100.0, 1, 0)).await.is_err() {
            assert!(before.elapsed() < Duration::from_secs(8), "does not come back");
        }
    });
}

/// One process under load: starts whenever it may, for `time`.
async fn load(store: Arc<dyn LimitStore>, key: String, name: String, time: Duration, starts: Arc<Mutex<Vec<Instant>>>) {
    let mut rate = LeasedRate::new(100.0, None, || 0.5);
    let end = Instant::now() + time;
    let mut answer: Option<tokio::task::JoinHandle<Result<Lease, Unavailable>>> = None;
    while Instant::now() < end {
        if answer.is_none()
            && let Some(ask) = rate.ask(Instant::now(), 50)
        {
            answer = Some(tokio::spawn(store.lease(&key, &name, ask)));
        }
        if let Some(done) = answer.take_if(|answer| answer.is_finished()) {
            match done.await.unwrap() {
                Ok(lease) => rate.answered(Instant::now(), lease),
                Err(Unavailable) => rate.failed(Instant::now()),
            }
        }
        while rate.start(Instant::now()).is_ok() {
            starts.lock().unwrap().push(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn four_processes_under_load_share_one_limit() {
    let (wires, key): (Vec<_>, _) = ((0..4).map(|_| Wire::open(&server(), "")).collect(), limit("four"));
    let starts = Arc::<Mutex<Vec<Instant>>>::default();
    run(async {
        let loads = wires.iter().enumerate().map(|(n, wire)| {
            let store = wire.client.limit_store("");
            tokio::spawn(load(store, key.clone(), n.to_string(), Duration::from_secs(3), Arc::clone(&starts)))
        });
        for one in loads.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    });
    let starts = starts.lock().unwrap();
    let inside = |start: &Instant| {
        starts.iter().filter(|other| (*start..*start + Duration::from_secs(1)).contains(*other)).count()
    };
    let most = starts.iter().map(inside).max().unwrap();
    assert!(most <= 105, "{most} in a second");
    assert!(starts.len() >= 255, "{} in three seconds", starts.len());
}

#[test]
fn uses_the_credentials_but_not_the_habits_of_its_client() {
    let wire = Wire::open(&server(), r#""monitor":true,"askReconnectOnError":true,"retry":{"kind":"none"},"db":3"#);
    let (store, key) = (wire.client.limit_store(""), limit("habits"));
    run(async { assert!(store.lease(&key, "a", ask(100.0, 1, 0)).await.is_ok()) });
    let mut other = Wire::open(&server(), r#""db":3"#);
    assert_eq!(other.value(&["EXISTS", &format!("mooring:limit:{{{key}}}:slots")]), "1", "in its client's database");
}
