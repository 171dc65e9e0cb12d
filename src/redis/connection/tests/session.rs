//! What a server keeps for a connection, and what becomes of it when the connection goes: transactions, watched keys, the database.

use super::harness::{Happened, Harness, READ};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MULTI: i32 = 64;
const EXEC: i32 = 128;
const SELECT: i32 = 256;
const WATCH: i32 = 16_384;
const UNWATCH: i32 = 32_768;

fn member(h: &mut Harness, args: &[&str], flags: i32, group: i32, index: i32) {
    h.submit(args, [0, flags, group, index, 0, 0, -1, 1]);
}

fn transaction(h: &mut Harness, group: i32) {
    member(h, &["MULTI"], MULTI, group, 0);
    member(h, &["SET", "k"], 0, group, 1);
    member(h, &["EXEC"], EXEC, group, 2);
}

fn served(options: &str) -> Harness {
    let mut h = Harness::new(options);
    h.connect();
    h.exchange();
    h.server.received.clear();
    h
}

/// Loses the connection and has another one.
fn again(h: &mut Harness) {
    h.machine.socket_ended(h.generation, None, h.now);
    h.advance(SECOND);
    h.open();
    h.exchange();
    h.server.received.clear();
}

fn aborted(seqs: &[u32], maybe: bool) -> Vec<(u32, String, bool)> {
    seqs.iter().map(|seq| (*seq, "aborted".to_owned(), maybe)).collect()
}

#[test]
fn members_that_come_after_the_connection_with_their_multi_is_gone_are_refused() {
    for resend in ["all", "safe", "none"] {
        let mut h = served(&format!(r#"{{"resend":"{resend}"}}"#));
        member(&mut h, &["MULTI"], MULTI, 7, 0);
        h.exchange();
        again(&mut h);
        member(&mut h, &["SET", "k"], 0, 7, 1);
        member(&mut h, &["EXEC"], EXEC, 7, 2);
        h.flush(&["GET", "x"], READ);
        h.exchange();
        assert_eq!(h.failures(), aborted(&[1, 2], false), "{resend}");
        assert_eq!(h.commands(), ["GET"], "{resend}");
    }
}

#[test]
fn members_that_wait_when_the_connection_with_their_multi_goes_are_refused() {
    let mut h = served(r#"{"resend":"all"}"#);
    member(&mut h, &["MULTI"], MULTI, 7, 0);
    h.exchange();
    member(&mut h, &["SET", "k"], 0, 7, 1);
    again(&mut h);
    member(&mut h, &["EXEC"], EXEC, 7, 2);
    h.exchange();
    assert_eq!(h.failures(), aborted(&[1, 2], false));
    assert!(h.commands().is_empty());
}

#[test]
fn an_executed_transaction_leaves_nothing_behind() {
    let mut h = served(r#"{"resend":"all"}"#);
    transaction(&mut h, 7);
    h.exchange();
    again(&mut h);
    member(&mut h, &["SET", "k"], 0, 7, 3);
    h.exchange();
    assert!(h.failures().is_empty());
}

#[test]
fn a_transaction_does_not_run_without_the_watch_that_it_depends_on() {
    for resend in ["all", "safe", "none"] {
        let mut h = served(&format!(r#"{{"resend":"{resend}"}}"#));
        h.flush(&["WATCH", "k"], WATCH);
        h.exchange();
        again(&mut h);
        transaction(&mut h, 7);
        transaction(&mut h, 8);
        h.exchange();
        // Only the first one depended on it.
        assert_eq!(h.failures(), aborted(&[1, 2, 3], false), "{resend}");
        assert_eq!(h.commands(), ["MULTI", "SET", "EXEC"], "{resend}");
    }
}

#[test]
fn a_transaction_that_was_sent_under_a_watch_is_not_sent_again_without_it() {
    let mut h = served(r#"{"resend":"all"}"#);
    h.flush(&["WATCH", "k"], WATCH);
    h.exchange();
    transaction(&mut h, 7);
    h.pump();
    again(&mut h);
    h.exchange();
    assert_eq!(h.failures(), aborted(&[1, 2, 3], true));
    assert!(h.commands().is_empty());
}

#[test]
fn a_new_watch_or_none_frees_the_next_transaction() {
    for (name, flag) in [("WATCH", WATCH), ("UNWATCH", UNWATCH)] {
        let mut h = served("{}");
        h.flush(&["WATCH", "k"], WATCH);
        h.exchange();
        again(&mut h);
        h.flush(&[name, "k"], flag);
        transaction(&mut h, 7);
        h.exchange();
        assert!(h.failures().is_empty(), "{name}");
        assert_eq!(h.commands(), [name, "MULTI", "SET", "EXEC"]);
    }
}

#[test]
fn a_transaction_that_nobody_may_end_goes_with_its_connection() {
    let mut h = served("{}");
    member(&mut h, &["MULTI"], MULTI, 7, 0);
    h.exchange();
    h.server.mute = true;
    h.submit(&["SET", "k"], [0, 0, 7, 1, 100, 0, -1, 1]);
    h.exchange();
    h.advance(SECOND);
    assert_eq!(h.failures(), [(1, "timeout".to_owned(), true)]);
    assert_eq!(h.statuses()[3..], ["close", "reconnecting"]);
}

#[test]
fn a_transaction_that_does_not_fit_into_the_queue_is_refused_as_a_whole() {
    let mut h = Harness::new(r#"{"offlineQueueMax":4}"#);
    h.machine.connect();
    h.flush(&["SET", "a"], 0);
    h.flush(&["SET", "b"], 0);
    transaction(&mut h, 7);
    h.flush(&["SET", "c"], 0);
    let full: Vec<(u32, String, bool)> = [2, 3, 4].map(|seq| (seq, "offlineFull".to_owned(), false)).into();
    assert_eq!(h.failures(), full);
    h.open();
    h.exchange();
    assert_eq!(h.replies().len(), 3);
    assert!(!h.commands().contains(&"MULTI".to_owned()));
}

#[test]
fn a_transaction_whose_rest_does_not_fit_ends_with_its_connection() {
    let mut h = served(r#"{"offlineQueueMax":1,"inflightLimit":1}"#);
    member(&mut h, &["MULTI"], MULTI, 7, 0);
    h.exchange();
    h.machine.disconnect(true, h.now);
    h.flush(&["SET", "a"], 0);
    member(&mut h, &["SET", "b"], 0, 7, 1);
    assert_eq!(h.failures(), [(2, "offlineFull".to_owned(), false)]);
    member(&mut h, &["EXEC"], EXEC, 7, 2);
    again(&mut h);
    assert_eq!(h.failures()[1..], aborted(&[3], false));
}

#[test]
fn a_database_selected_in_a_transaction_that_does_not_run_is_not_selected() {
    let mut h = served("{}");
    member(&mut h, &["MULTI"], MULTI, 7, 0);
    member(&mut h, &["SELECT", "5"], SELECT, 7, 1);
    member(&mut h, &["EXEC"], EXEC, 7, 2);
    h.flush(&["GET", "behind"], READ);
    h.pump();
    h.receive(b"+OK\r\n+QUEUED\r\n*-1\r\n+x\r\n");
    h.server.received.clear();
    h.flush(&["GET", "k"], READ);
    h.pump();
    assert_eq!(h.commands(), ["GET"]);
    h.machine.socket_ended(h.generation, None, h.now);
    h.advance(SECOND);
    h.open();
    h.exchange();
    // Neither is it after a reconnect.
    assert!(!h.commands().contains(&"SELECT".to_owned()));
}

#[test]
fn a_refused_database_does_not_undo_the_next_one() {
    let mut h = served("{}");
    h.flush(&["SELECT", "99"], SELECT);
    h.flush(&["SELECT", "2"], SELECT);
    h.pump();
    h.receive(b"-ERR DB index is out of range\r\n+OK\r\n");
    h.machine.socket_ended(h.generation, None, h.now);
    h.advance(SECOND);
    h.open();
    h.server.received.clear();
    h.exchange();
    assert!(h.server.received.iter().any(|args| args.join(" ") == "SELECT 2"), "{:?}", h.server.received);
}

#[test]
fn a_select_that_was_given_up_selects_nothing() {
    // Not sent in its time.
    let mut h = Harness::new("{}");
    h.machine.connect();
    h.flush_until(&["SELECT", "5"], SELECT, 100);
    h.advance(SECOND);
    h.flush(&["SET", "k"], 0);
    h.open();
    h.exchange();
    assert_eq!(h.failures(), [(0, "timeout".to_owned(), false)]);
    assert!(!h.commands().contains(&"SELECT".to_owned()));
    // Lost with its transaction.
    let mut h = served("{}");
    member(&mut h, &["MULTI"], MULTI, 7, 0);
    member(&mut h, &["SELECT", "5"], SELECT, 7, 1);
    member(&mut h, &["EXEC"], EXEC, 7, 2);
    h.pump();
    h.machine.socket_ended(h.generation, None, h.now);
    h.server.received.clear();
    h.advance(SECOND);
    h.open();
    h.exchange();
    assert!(!h.commands().contains(&"SELECT".to_owned()));
    // An earlier one counts.
    let mut h = Harness::new("{}");
    h.machine.connect();
    h.flush(&["SELECT", "3"], SELECT);
    h.flush_until(&["SELECT", "5"], SELECT, 100);
    h.advance(SECOND);
    h.flush(&["SET", "k"], 0);
    h.open();
    h.exchange();
    let selects: Vec<String> =
        h.server.received.iter().filter(|args| args[0] == "SELECT").map(|args| args[1].clone()).collect();
    assert_eq!(selects.last().map(String::as_str), Some("3"));
}

#[test]
fn on_the_way_out_no_ping_is_waited_for() {
    let mut h = served(r#"{"heartbeatMs":15000,"quitTimeoutMs":0}"#);
    h.flush_blocking(&["BLPOP", "k"], 0);
    h.server.mute = true;
    h.exchange();
    h.flush(&["QUIT"], 512);
    h.exchange();
    h.advance(SECOND * 20);
    assert!(h.machine.next_time().is_none_or(|at| at > h.now), "a driver would turn without a pause");
}

#[test]
fn a_server_that_repeats_a_password_in_its_error_is_not_quoted() {
    for options in [r#"{"password":"S3CR3T"}"#, r#"{"password":"S3CR3T","protocol":3}"#] {
        let mut h = Harness::new(options);
        let name = if options.contains("protocol") { "HELLO" } else { "AUTH" };
        h.server.refuse = Some((name, "ERR unknown command `X`, with args beginning with: `S3CR`, "));
        h.flush(&["GET", "0"], READ);
        h.connect();
        h.exchange();
        let texts: Vec<String> = h.texts();
        assert!(texts.iter().any(|text| text == "ERR unknown command `X`"), "{texts:?}");
        assert!(!texts.concat().contains("S3CR"));
        assert!(h.events().iter().any(|event| matches!(event, Happened::Error(_))));
    }
}

#[test]
fn a_script_that_is_sent_again_does_not_become_part_of_a_transaction() {
    for ends in [true, false] {
        let mut h = Harness::new("{}");
        h.machine.register_script(7, "return 1");
        h.connect();
        h.exchange();
        h.script(&["EVALSHA", "0", "0"], 7);
        h.exchange();
        h.server.received.clear();
        h.server.refuse = Some(("EVALSHA", "NOSCRIPT No matching script"));
        h.script(&["EVALSHA", "1", "0"], 7);
        member(&mut h, &["MULTI"], MULTI, 7, 0);
        h.exchange();
        if ends {
            // Refused, it ends nothing.
            h.server.refuse = Some(("MULTI", "ERR MULTI calls can not be nested"));
            member(&mut h, &["MULTI"], MULTI, 8, 0);
            h.exchange();
            assert_eq!(h.commands(), ["REFUSED", "MULTI", "REFUSED"]);
            h.server.received.pop();
            member(&mut h, &["SET", "k"], 0, 7, 1);
            member(&mut h, &["EXEC"], EXEC, 7, 2);
            h.exchange();
            assert_eq!(h.commands(), ["REFUSED", "MULTI", "SET", "EXEC", "EVAL"]);
        } else {
            // Nor is it lost with the connection that the transaction was open on.
            again(&mut h);
            assert_eq!(h.replies().last(), Some(&(1, "return 1".to_owned())));
        }
    }
}

#[test]
fn a_password_that_is_a_word_of_the_servers_text_leaves_it_as_it_is() {
    let needless = "ERR AUTH <password> called without any password configured for the default user. Are you sure?";
    for (refusal, ready) in [(needless, true), ("ERR invalid password", false)] {
        let mut h = Harness::new(r#"{"password":"password"}"#);
        h.server.refuse = Some(("AUTH", refusal));
        h.connect();
        h.exchange();
        assert_eq!(h.machine.is_ready(), ready, "{refusal}");
        assert_eq!(h.texts().iter().any(|text| text == refusal), !ready, "{refusal}");
    }
}
