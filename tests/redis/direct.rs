//! Commands that are written in the call that hands them over.

use super::proxy::Proxy;
use super::wire::{Outcome, Wire, pause, server};
use super::{READY, connected, failed, key};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

fn behind(proxy: &Proxy, fields: &str) -> Wire {
    let mut wire = Wire::open(&proxy.address, fields);
    wire.client.connect().unwrap();
    wire.until("ready", |wire| wire.statuses.contains(&READY));
    // The driver writes what comes with the handshake.
    pause(20);
    wire
}

#[test]
fn a_stalled_network_loses_and_reorders_nothing() {
    let proxy = Proxy::start(&server(), 0);
    let mut wire = behind(&proxy, "");
    let list = key("direct");
    let value = "x".repeat(3000);
    let mut seqs = Vec::new();
    for round in 0..3 {
        proxy.stalls.store(true, Ordering::SeqCst);
        pause(210);
        for n in 0..4000 {
            seqs.push(wire.send(&["RPUSH", &list, &format!("{round}:{n}:{value}")]));
        }
        proxy.stalls.store(false, Ordering::SeqCst);
        // And some while it flows again.
        for n in 4000..4100 {
            seqs.push(wire.send(&["RPUSH", &list, &format!("{round}:{n}:{value}")]));
            pause(1);
        }
    }
    for (n, seq) in seqs.iter().enumerate() {
        assert_eq!(wire.outcome(*seq), Outcome::Value((n + 1).to_string()));
    }
    for (index, expected) in [(0, "0:0:"), (4099, "0:4099:"), (4100, "1:0:"), (12_299, "2:4099:")] {
        assert!(wire.value(&["LINDEX", &list, &index.to_string()]).starts_with(expected), "{index}");
    }
    wire.value(&["DEL", &list]);
}

#[test]
fn a_deadline_is_kept_although_the_driver_slept_when_the_command_was_written() {
    let proxy = Proxy::start(&server(), 0);
    let mut wire = behind(&proxy, "");
    proxy.swallows.store(true, Ordering::SeqCst);
    let started = Instant::now();
    let late = wire.send_as(&["ECHO", "late"], [1, 200, 0, -1]);
    assert_eq!(wire.outcome(late), failed("timeout", true));
    assert!((200..1000).contains(&started.elapsed().as_millis()), "after {:?}", started.elapsed());
}

#[test]
fn what_was_written_when_the_connection_broke_may_have_run() {
    let proxy = Proxy::start(&server(), 0);
    let mut wire = behind(&proxy, r#""retry":{"kind":"native","baseMs":5,"capMs":5}"#);
    let counter = key("direct:counter");
    proxy.swallows.store(true, Ordering::SeqCst);
    let seq = wire.send(&["INCR", &counter]);
    pause(50);
    proxy.cut();
    assert_eq!(wire.outcome(seq), failed("closed", true));
    proxy.swallows.store(false, Ordering::SeqCst);
    assert_eq!(wire.value(&["PING"]), "PONG");
    assert_eq!(connected("").value(&["GET", &counter]), "nil");
}

#[test]
fn quit_ends_the_client_behind_what_was_written_before() {
    let mut wire = connected("");
    pause(20);
    let echo = wire.send(&["ECHO", "last"]);
    let quit = wire.send_as(&["QUIT"], [512, 0, 0, -1]);
    assert_eq!(wire.outcome(echo), Outcome::Value("last".to_owned()));
    assert_eq!(wire.outcome(quit), Outcome::Value("OK".to_owned()));
    let started = Instant::now();
    wire.until("end", |wire| wire.statuses.last() == Some(&6));
    assert!(started.elapsed() < Duration::from_secs(1));
}
