//! The machine against a model of a server: bytes in, bytes out, a clock that only the test moves.

mod harness;
mod properties;
mod pubsub;
mod sentinel;
mod session;

use super::Plan;
use harness::{Happened, Harness, READ};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn connects_checks_and_serves_what_waited() {
    let mut h = Harness::new(r#"{"password":"p","connectionName":"n","db":2}"#);
    h.flush(&["GET", "0"], READ);
    h.connect();
    h.exchange();
    assert_eq!(h.commands(), ["AUTH", "SELECT", "CLIENT", "CLIENT", "CLIENT", "INFO", "GET"]);
    assert_eq!(h.statuses(), ["connecting", "connect", "ready"]);
    assert_eq!(h.replies(), [(0, "0".to_owned())]);
}

#[test]
fn a_refused_password_settles_what_waits_with_the_servers_text_and_goes_on_trying() {
    let mut h = Harness::new(r#"{"password":"p"}"#);
    h.server.refuse = Some(("AUTH", "WRONGPASS invalid"));
    h.flush(&["GET", "0"], READ);
    h.connect();
    h.exchange();
    assert_eq!(h.failures(), [(0, "reply".to_owned(), false)]);
    // The rest of the handshake's answers belongs to nobody; the server has its time to hang up.
    assert_eq!(h.statuses(), ["connecting", "connect"]);
    h.advance(SECOND * 2);
    assert_eq!(h.statuses(), ["connecting", "connect", "close", "reconnecting"]);
    assert_eq!(h.events().iter().filter(|event| matches!(event, Happened::Error(_))).count(), 1);
}

#[test]
fn a_loading_server_is_asked_again() {
    let mut h = Harness::new("{}");
    h.server.loading = true;
    h.connect();
    h.exchange();
    assert_eq!(h.statuses(), ["connecting", "connect"]);
    h.server.loading = false;
    h.advance(SECOND);
    h.exchange();
    assert_eq!(h.statuses(), ["connecting", "connect", "ready"]);
}

#[test]
fn disconnect_while_waiting_to_reconnect_ends_at_once() {
    let mut h = Harness::new("{}");
    h.machine.connect();
    h.fail_to_open();
    assert_eq!(h.machine.transition().status.as_str(), "reconnecting");
    assert_eq!(h.machine.disconnect(false, h.now).status.as_str(), "end");
    assert_eq!(h.statuses(), ["connecting", "close", "reconnecting", "close", "end"]);
    assert_eq!(h.machine.plan(), Plan::Over);
}

#[test]
fn disconnect_sends_what_was_flushed_before_it_then_waits_for_the_end() {
    let mut h = Harness::new("{}");
    h.connect();
    h.exchange();
    h.flush(&["SET", "0"], 0);
    assert_eq!(h.machine.disconnect(false, h.now).status.as_str(), "ready");
    h.flush(&["SET", "1"], 0);
    h.exchange();
    assert_eq!(h.replies(), [(0, "0".to_owned())]);
    assert!(h.machine.wants_shutdown());
    h.machine.socket_ended(h.generation, None, h.now);
    assert_eq!(h.statuses()[3..], ["close", "end"]);
    assert_eq!(h.failures(), [(1, "closed".to_owned(), false)]);
}

#[test]
fn a_peer_that_does_not_end_is_left_after_disconnect_timeout() {
    let mut h = Harness::new(r#"{"disconnectTimeoutMs":2000}"#);
    h.connect();
    h.exchange();
    h.machine.disconnect(false, h.now);
    h.advance(SECOND * 2);
    assert_eq!(h.statuses()[3..], ["close", "end"]);
}

#[test]
fn disconnect_does_not_wait_for_a_quit_behind_a_blocking_command() {
    let mut h = Harness::new("{}");
    h.connect();
    h.exchange();
    h.server.mute = true;
    h.flush_blocking(&["BRPOP", "0"], 5000);
    h.flush(&["QUIT"], 512);
    h.exchange();
    assert!(!h.machine.wants_shutdown());
    h.machine.disconnect(true, h.now);
    assert!(h.machine.wants_shutdown());
    h.machine.socket_ended(h.generation, None, h.now);
    assert_eq!(h.statuses()[3..], ["close", "end"], "it was to end, not to come again");
    assert_eq!(h.replies(), [(1, "OK".to_owned())]);
    assert_eq!(h.failures(), [(0, "closed".to_owned(), true)]);
}

#[test]
fn quit_is_answered_also_when_the_server_just_ends() {
    let mut h = Harness::new("{}");
    h.connect();
    h.exchange();
    h.server.mute = true;
    h.flush(&["QUIT"], 512);
    h.exchange();
    h.machine.socket_ended(h.generation, None, h.now);
    assert_eq!(h.replies(), [(0, "OK".to_owned())]);
    assert_eq!(h.statuses()[3..], ["close", "end"]);
}

#[test]
fn quit_is_answered_once_when_the_server_talks_nonsense() {
    let mut h = Harness::new("{}");
    h.connect();
    h.exchange();
    h.flush(&["GET", "0"], READ);
    h.flush(&["QUIT"], 512);
    h.pump();
    h.receive(b"nonsense\r\n");
    assert!(h.events().iter().any(|event| matches!(event, Happened::Failed(0, ..))));
    assert_eq!(h.replies(), [(1, "OK".to_owned())]);
    assert_eq!(h.statuses()[3..], ["close", "end"]);
}

#[test]
fn quit_without_a_connection_ends_at_once_or_after_its_timeout() {
    let mut h = Harness::new("{}");
    h.machine.connect();
    h.fail_to_open();
    h.flush(&["QUIT"], 512);
    assert_eq!(h.replies(), [(0, "OK".to_owned())]);
    let mut h = Harness::new(r#"{"quitTimeoutMs":5000,"retry":{"kind":"native","baseMs":60000,"capMs":60000}}"#);
    h.machine.connect();
    h.fail_to_open();
    h.flush(&["GET", "0"], READ);
    h.flush(&["QUIT"], 512);
    h.advance(SECOND * 5);
    assert_eq!(h.failures(), [(0, "closed".to_owned(), false)]);
    assert_eq!(h.replies(), [(1, "OK".to_owned())]);
    assert_eq!(h.machine.transition().status.as_str(), "end");
}

#[test]
fn quit_that_is_answered_with_what_waited_in_vain_ends_the_connection() {
    let mut h = Harness::new(r#"{"maxRetriesPerRequest":0,"retry":{"kind":"ask"}}"#);
    h.machine.connect();
    h.flush(&["GET", "0"], READ);
    h.flush(&["QUIT"], 512);
    h.fail_to_open();
    h.machine.answer_retry(h.machine.generation(), 10, h.now);
    assert_eq!(h.replies(), [(1, "OK".to_owned())]);
    h.advance(SECOND);
    assert_eq!(h.machine.transition().status.as_str(), "end");
    let mut h = Harness::new("{}");
    h.server.refuse = Some(("INFO", "NOAUTH Authentication required."));
    h.connect();
    h.flush(&["GET", "0"], READ);
    h.flush(&["QUIT"], 512);
    h.exchange();
    h.machine.socket_ended(h.generation, None, h.now);
    assert_eq!(h.replies(), [(1, "OK".to_owned())]);
    assert_eq!(h.machine.transition().status.as_str(), "end");
}

#[test]
fn max_retries_per_request_counts_attempts() {
    let mut h = Harness::new(r#"{"maxRetriesPerRequest":1,"retry":{"kind":"ask"}}"#);
    h.machine.connect();
    h.fail_to_open();
    h.flush(&["GET", "0"], READ);
    h.machine.answer_retry(h.machine.generation(), 0, h.now);
    assert_eq!(h.failures(), []);
    h.advance(Duration::ZERO);
    h.fail_to_open();
    h.machine.answer_retry(h.machine.generation().wrapping_sub(1), 0, h.now);
    assert_eq!(h.failures(), [], "an answer for an older connection is nobody's");
    h.machine.answer_retry(h.machine.generation(), 0, h.now);
    assert_eq!(h.failures(), [(0, "maxRetries".to_owned(), false)]);
}

#[test]
fn gives_up_after_max_connect_retries_until_the_first_success_only() {
    let mut h = Harness::new(r#"{"maxConnectRetries":2}"#);
    h.flush(&["GET", "0"], READ);
    for _ in 0..3 {
        h.fail_to_open();
        h.advance(SECOND * 3);
    }
    assert_eq!(h.machine.plan(), Plan::Over);
    assert_eq!(h.machine.attempts(), 2);
    assert!(h.events().contains(&Happened::Notice(1, 2)));
    assert_eq!(h.failures(), [(0, "closed".to_owned(), false)]);
    h.connect();
    h.exchange();
    h.machine.socket_ended(h.generation, None, h.now);
    for _ in 0..9 {
        h.advance(SECOND * 3);
        h.fail_to_open();
    }
    assert_eq!(h.machine.transition().status.as_str(), "reconnecting");
}

#[test]
fn refused_credentials_are_not_tried_again_where_attempts_are_counted() {
    for (refusal, ends) in [("WRONGPASS invalid", true), ("ERR max number of clients reached", false)] {
        let mut h = Harness::new(r#"{"maxConnectRetries":2,"password":"p"}"#);
        h.server.refuse = Some(("AUTH", refusal));
        h.connect();
        h.exchange();
        h.machine.socket_ended(h.generation, None, h.now);
        assert_eq!(h.machine.plan() == Plan::Over, ends, "{refusal}");
    }
}

#[test]
fn a_timed_out_command_is_never_sent_later() {
    let mut h = Harness::new("{}");
    h.machine.connect();
    h.fail_to_open();
    h.flush_until(&["INCR", "0"], 0, 200);
    h.advance(SECOND);
    assert_eq!(h.failures(), [(0, "timeout".to_owned(), false)]);
    h.open();
    h.exchange();
    assert!(!h.commands().contains(&"INCR".to_owned()));
}

#[test]
fn a_late_reply_of_a_timed_out_command_goes_to_nobody() {
    let mut h = Harness::new("{}");
    h.connect();
    h.exchange();
    h.flush_until(&["GET", "0"], READ, 200);
    h.pump();
    h.advance(SECOND);
    assert_eq!(h.failures(), [(0, "timeout".to_owned(), true)]);
    h.flush(&["GET", "1"], READ);
    h.exchange();
    assert_eq!(h.replies(), [(1, "1".to_owned())]);
}

#[test]
fn an_expired_blocking_command_gets_null_on_a_new_connection() {
    let mut h = Harness::new(r#"{"armBlocking":true,"blockingTimeoutGraceMs":500}"#);
    h.connect();
    h.exchange();
    h.server.mute = true;
    h.flush_blocking(&["BLPOP", "0"], 1000);
    h.exchange();
    h.advance(Duration::from_millis(1400));
    assert_eq!(h.replies(), []);
    h.advance(Duration::from_millis(102));
    assert_eq!(h.replies(), [(0, "nil".to_owned())]);
    assert!(h.events().iter().any(|event| matches!(event, Happened::Notice(7, _))), "it is told");
    assert_eq!(h.statuses()[3..], ["close", "reconnecting"]);
    h.advance(SECOND);
    h.open();
    h.exchange();
    assert!(h.commands().iter().filter(|name| *name == "BLPOP").count() == 1);
}

/// A server that becomes read-only is left, and the write that it refused is sent again.
fn leaves_a_demoted_server(mut h: Harness) {
    h.connect();
    h.exchange();
    h.server.refuse = Some(("SET", "READONLY You can't write against a read only replica."));
    h.flush(&["SET", "0"], 0);
    h.exchange();
    assert_eq!(h.statuses()[3..], ["close", "reconnecting"]);
    h.server.refuse = None;
    h.advance(SECOND);
    h.open();
    h.exchange();
    assert_eq!(h.replies(), [(0, "0".to_owned())]);
}

#[test]
fn a_demoted_server_is_left_and_its_commands_are_sent_again() {
    leaves_a_demoted_server(Harness::new(r#"{"failover":true}"#));
}

#[test]
fn a_command_refused_too_often_gets_the_error() {
    let mut h = Harness::new(r#"{"failover":true}"#);
    h.server.refuse = Some(("SET", "READONLY You can't write"));
    h.connect();
    h.flush(&["SET", "0"], 0);
    for _ in 0..4 {
        h.exchange();
        h.advance(SECOND * 3);
        h.open();
    }
    assert_eq!(h.replies(), [(0, "READONLY You can't write".to_owned())]);
}

#[test]
fn javascript_decides_about_an_error_when_it_wants_to() {
    let mut h = Harness::new(r#"{"askReconnectOnError":true}"#);
    h.connect();
    h.exchange();
    h.server.refuse = Some(("SET", "ERR no"));
    h.flush(&["SET", "0"], 0);
    h.exchange();
    assert!(h.events().contains(&Happened::AskReconnect(0, "ERR no".to_owned())));
    h.server.refuse = None;
    h.machine.answer_reconnect(0, 2, h.now);
    h.advance(Duration::ZERO);
    h.advance(SECOND);
    h.open();
    h.exchange();
    assert_eq!(h.replies(), [(0, "0".to_owned())]);
}

#[test]
fn a_command_that_is_sent_again_after_an_error_goes_behind_what_the_answer_sent_and_a_member_of_a_transaction_is_aborted()
 {
    let mut h = Harness::new(r#"{"askReconnectOnError":true}"#);
    h.connect();
    h.exchange();
    h.server.refuse = Some(("SET", "ERR no"));
    h.flush(&["SET", "0"], 0);
    h.exchange();
    h.server.refuse = None;
    h.flush(&["DEL", "1"], 0);
    h.machine.answer_reconnect(0, 2, h.now);
    h.advance(Duration::ZERO);
    h.advance(SECOND);
    h.open();
    h.exchange();
    assert_eq!(h.replies(), [(1, "1".to_owned()), (0, "0".to_owned())]);
}

#[test]
fn a_script_that_the_server_lost_is_sent_as_text_again() {
    let mut h = Harness::new("{}");
    h.machine.register_script(7, "return 1");
    h.connect();
    h.exchange();
    h.script(&["EVALSHA", "0", "0"], 7);
    h.script(&["EVALSHA", "1", "0"], 7);
    h.exchange();
    h.server.refuse = Some(("EVALSHA", "NOSCRIPT No matching script"));
    h.script(&["EVALSHA", "2", "0"], 7);
    h.exchange();
    let sent: Vec<_> = h.commands().into_iter().filter(|name| name.starts_with("EVAL") || name == "REFUSED").collect();
    assert_eq!(sent, ["EVAL", "EVALSHA", "REFUSED", "EVAL"]);
    let replies: Vec<_> = h.replies().into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(replies, [0, 1, 2]);
}

#[test]
fn shows_no_password() {
    let mut h = Harness::new(r#"{"password":"S3CR3T","retry":{"kind":"none"}}"#);
    h.connect();
    h.pump();
    assert!(!format!("{:?}", h.machine).contains("S3CR3T"));
}

#[test]
fn selects_the_database_of_each_command_on_every_connection() {
    let mut h = Harness::new("{}");
    h.connect();
    h.exchange();
    h.flush(&["GET", "0"], READ);
    // SELECT may be sent again.
    h.flush(&["SELECT", "5"], 256 | 2);
    h.flush(&["GET", "2"], READ);
    h.pump();
    h.machine.socket_ended(h.generation, None, h.now);
    h.server.received.clear();
    h.advance(SECOND);
    h.open();
    h.exchange();
    let commands: Vec<_> = h.server.received.iter().map(|args| args.join(" ")).skip(3).collect();
    assert_eq!(commands, ["SELECT 5", "SELECT 0", "GET 0", "SELECT 5", "GET 2"]);
}

#[test]
fn subscribes_again_and_delivers_messages() {
    let mut h = Harness::new("{}");
    h.connect();
    h.exchange();
    h.subscribe(&["SUBSCRIBE", "a", "b"], 2);
    h.exchange();
    assert_eq!(h.replies(), [(0, "2".to_owned())]);
    h.receive(b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
    assert!(h.events().contains(&Happened::Message));
    h.machine.socket_ended(h.generation, None, h.now);
    h.server.received.clear();
    h.advance(SECOND);
    h.open();
    h.exchange();
    assert!(h.server.received.iter().any(|args| args.join(" ") == "SUBSCRIBE a b"));
    h.subscribe(&["UNSUBSCRIBE"], 0);
    h.exchange();
    assert_eq!(h.replies(), [(0, "2".to_owned()), (1, "0".to_owned())]);
}

#[test]
fn a_silent_server_is_left_but_a_blocked_one_is_not() {
    let mut h = Harness::new(r#"{"socketTimeoutMs":1000}"#);
    h.connect();
    h.exchange();
    h.server.mute = true;
    h.flush_blocking(&["BLPOP", "0"], 0);
    h.exchange();
    h.advance(SECOND * 5);
    assert_eq!(h.machine.transition().status.as_str(), "ready");
    let mut h = Harness::new(r#"{"socketTimeoutMs":1000}"#);
    h.connect();
    h.exchange();
    h.server.mute = true;
    h.flush(&["GET", "0"], READ);
    h.exchange();
    h.advance(SECOND);
    assert!(h.events().contains(&Happened::Error("socketTimeout".to_owned())));
    assert_eq!(h.machine.transition().status.as_str(), "reconnecting");
}

#[test]
fn an_idle_connection_is_probed_and_left_when_it_does_not_answer() {
    let mut h = Harness::new(r#"{"heartbeatMs":15000,"heartbeatTimeoutMs":5000}"#);
    h.connect();
    h.exchange();
    h.advance(SECOND * 15);
    h.exchange();
    assert_eq!(h.commands().last().unwrap(), "PING");
    h.advance(SECOND * 6);
    assert_eq!(h.machine.transition().status.as_str(), "ready");
    h.server.mute = true;
    h.advance(SECOND * 30);
    h.exchange();
    h.advance(SECOND * 5);
    assert_eq!(h.machine.transition().status.as_str(), "reconnecting");
}

#[test]
fn bounds_what_waits() {
    let mut h = Harness::new(r#"{"offlineQueueMax":2}"#);
    for seq in ["0", "1", "2"] {
        h.flush(&["GET", seq], READ);
    }
    assert_eq!(h.failures(), [(2, "offlineFull".to_owned(), false)]);
    let mut h = Harness::new(r#"{"enableOfflineQueue":false}"#);
    h.flush(&["GET", "0"], READ);
    assert_eq!(h.failures(), [(0, "offlineDisabled".to_owned(), false)]);
    let mut h = Harness::new(r#"{"inflightLimit":2}"#);
    h.connect();
    h.exchange();
    (0..5).for_each(|seq| h.flush(&["GET", &seq.to_string()], READ));
    h.pump();
    assert_eq!(h.machine.ledger().in_flight(), 2);
    h.exchange();
    assert_eq!(h.replies().len(), 5);
}

#[test]
fn something_else_than_redis_is_a_protocol_error() {
    let mut h = Harness::new("{}");
    h.connect();
    h.receive(b"HTTP/1.1 400 Bad Request\r\n");
    assert!(h.events().contains(&Happened::Error("parser".to_owned())));
    assert_eq!(h.machine.transition().status.as_str(), "reconnecting");
}

#[test]
fn replies_that_cannot_be_understood_reject_what_was_sent_and_keep_what_was_not() {
    let mut h = Harness::new(r#"{"inflightLimit":1}"#);
    h.connect();
    h.exchange();
    h.server.mute = true;
    h.flush(&["GET", "0"], READ);
    h.flush(&["GET", "1"], READ);
    h.exchange();
    h.receive(b"&\r\n");
    assert_eq!(h.failures(), [(0, "parser".to_owned(), true)]);
    h.server.mute = false;
    h.advance(SECOND);
    h.open();
    h.exchange();
    assert_eq!(h.replies(), [(1, "1".to_owned())]);
}

#[test]
fn a_blocking_command_that_waits_for_a_connection_ends_with_null_too() {
    let mut h = Harness::new(r#"{"blockingTimeoutMs":100}"#);
    h.flush_blocking(&["BLPOP", "0"], 5000);
    h.advance(Duration::from_millis(50));
    assert!(h.replies().is_empty());
    h.advance(Duration::from_millis(100));
    assert_eq!(h.replies(), [(0, "nil".to_owned())]);
}
