//! The machine behind sentinels.

use super::super::Plan;
use super::harness::{Happened, Harness, READ};
use super::{SECOND, leaves_a_demoted_server};
use crate::redis::error::WireError;
use std::time::Duration;

const MASTER: &str = r#"{"failover":true,"sentinel":{"sentinels":[{}],"name":"m"}}"#;
const REPLICA: &str = r#"{"failover":true,"sentinel":{"sentinels":[{}],"name":"m","role":"slave"}}"#;
const SENTINEL_ERROR: i32 = 3;

#[test]
fn a_server_of_another_role_is_left_and_never_serves() {
    for (options, role) in [(MASTER, "slave"), (REPLICA, "master")] {
        let mut h = Harness::new(options);
        h.server.role = Some(role);
        h.flush(&["GET", "0"], READ);
        h.connect();
        h.exchange();
        assert!(h.machine.wants_shutdown());
        h.machine.socket_ended(h.generation, None, h.now);
        assert!(!h.machine.was_ready_in(h.generation));
        assert_eq!(h.statuses(), ["connecting", "connect", "close", "reconnecting"]);
        assert!(h.events().iter().any(|event| matches!(event, Happened::Notice(SENTINEL_ERROR, _))));
        // Another attempt finds the right one.
        h.server.role = Some(if role == "slave" { "master" } else { "slave" });
        h.advance(SECOND);
        h.open();
        h.exchange();
        assert!(h.machine.was_ready_in(h.generation));
        assert_eq!(h.replies(), [(0, "0".to_owned())]);
    }
}

#[test]
fn the_role_is_asked_for_without_a_ready_check_too() {
    let mut h = Harness::new(r#"{"enableReadyCheck":false,"sentinel":{"sentinels":[{}],"name":"m"}}"#);
    h.server.role = Some("slave");
    h.connect();
    h.exchange();
    assert_eq!(h.commands(), ["CLIENT", "CLIENT", "INFO"]);
    assert!(!h.machine.is_ready());
    // One that may not tell is trusted.
    let mut h = Harness::new(MASTER);
    h.server.refuse = Some(("INFO", "NOPERM no permissions"));
    h.connect();
    h.exchange();
    assert!(h.machine.is_ready());
}

#[test]
fn a_demoted_master_is_left_and_the_refused_write_is_sent_again() {
    let mut h = Harness::new(MASTER);
    h.server.role = Some("master");
    leaves_a_demoted_server(h);
    // A replica refuses writes by right.
    let mut h = Harness::new(REPLICA);
    h.connect();
    h.exchange();
    h.server.refuse = Some(("SET", "READONLY You can't write against a read only replica."));
    h.flush(&["SET", "0"], 0);
    h.exchange();
    assert!(h.machine.is_ready());
    assert_eq!(h.replies().len(), 1);
}

#[test]
fn a_change_of_server_lets_commands_in_flight_be_answered_for_a_moment() {
    let mut h = Harness::new(MASTER);
    h.connect();
    h.exchange();
    h.flush(&["GET", "0"], READ);
    h.pump();
    h.machine.server_changed(h.now);
    h.machine.on_time(h.now);
    h.flush(&["GET", "1"], READ);
    assert_eq!(h.machine.plan(), Plan::Serve(h.generation));
    h.exchange();
    // The last answer frees it; what was not sent waits for the next server.
    assert_eq!(h.replies(), [(0, "0".to_owned())]);
    assert_eq!(h.statuses()[3..], ["close", "reconnecting"]);
    h.advance(SECOND);
    h.open();
    h.exchange();
    assert_eq!(h.replies().len(), 2);
    // One that does not answer is not waited for much longer.
    h.server.mute = true;
    h.flush(&["GET", "2"], READ);
    h.pump();
    h.machine.server_changed(h.now);
    h.advance(Duration::from_millis(900));
    assert_eq!(h.machine.plan(), Plan::Serve(h.generation));
    h.advance(Duration::from_millis(100));
    assert_eq!(h.machine.transition().status.as_str(), "reconnecting");
}

#[test]
fn a_search_that_is_given_up_ends_the_client_and_says_why() {
    let mut h = Harness::new(MASTER);
    h.flush(&["GET", "0"], READ);
    h.machine.connect();
    let Plan::Open(generation) = h.machine.plan() else {
        panic!("it does not open");
    };
    let error = WireError::Unresolved { text: "All sentinels are unreachable.".to_owned(), ends: true };
    h.machine.open_failed(generation, error, h.now);
    // Flushed before JavaScript knew.
    h.flush(&["GET", "1"], READ);
    assert_eq!(h.statuses(), ["connecting", "end"]);
    let unresolved = |seq| (seq, "unresolved".to_owned(), false);
    assert_eq!(h.failures(), [unresolved(0), unresolved(1)]);
    // A new start forgets it.
    h.machine.connect();
    h.machine.disconnect(false, h.now);
    h.flush(&["GET", "2"], READ);
    assert_eq!(h.failures()[2], (2, "closed".to_owned(), false));
    // An attempt that may be repeated is.
    let mut h = Harness::new(MASTER);
    h.machine.connect();
    let error = WireError::Unresolved { text: "All sentinels are unreachable.".to_owned(), ends: false };
    h.machine.open_failed(1, error, h.now);
    assert_eq!(h.statuses(), ["connecting", "close", "reconnecting"]);
}
