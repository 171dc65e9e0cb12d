//! Subscriptions: which command a confirmation answers, and what a server may say by itself.

use super::harness::{Happened, Harness};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn served(options: &str) -> Harness {
    let mut h = Harness::new(options);
    h.connect();
    h.exchange();
    h
}

fn confirmation(head: &str, channel: &str, left: usize) -> Vec<u8> {
    format!("*3\r\n${}\r\n{head}\r\n${}\r\n{channel}\r\n:{left}\r\n", head.len(), channel.len()).into_bytes()
}

#[test]
fn a_list_that_begins_like_a_message_is_a_reply_in_resp3() {
    let mut h = served(r#"{"protocol":3}"#);
    h.subscribe(&["SUBSCRIBE", "c"], 1);
    h.server.mute = true;
    h.exchange();
    h.receive(b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    h.flush(&["LRANGE", "l", "0", "-1"], 1);
    h.flush(&["GET", "k"], 1);
    h.exchange();
    h.receive(b"*2\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nv\r\n");
    assert_eq!(h.replies()[1..], [(1, "message,a".to_owned()), (2, "v".to_owned())]);
    h.receive(b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
    assert!(h.events().contains(&Happened::Message));
}

#[test]
fn a_subscription_that_the_server_ends_answers_no_command_of_another_kind() {
    let mut h = served("{}");
    h.server.mute = true;
    h.subscribe(&["ssubscribe", "c"], 1);
    h.flush(&["PING"], 1);
    h.exchange();
    h.receive(&confirmation("sunsubscribe", "z", 0));
    h.receive(b"-MOVED 1 h:1\r\n+PONG\r\n");
    assert_eq!(h.replies(), [(0, "MOVED 1 h:1".to_owned()), (1, "PONG".to_owned())]);
}

#[test]
fn a_subscription_that_nobody_asked_for_is_none() {
    let mut h = served("{}");
    for channel in ["a", "b"] {
        h.receive(&confirmation("subscribe", channel, 1));
    }
    assert_eq!(h.machine.subscriptions(), 0);
    assert_eq!(h.statuses(), ["connecting", "connect", "ready"]);
}

#[test]
fn an_unsubscribe_that_is_sent_again_waits_for_what_is_left_then() {
    let mut h = served(r#"{"resend":"all"}"#);
    h.subscribe(&["SUBSCRIBE", "a", "b"], 2);
    h.exchange();
    h.server.mute = true;
    h.subscribe(&["UNSUBSCRIBE"], 0);
    h.exchange();
    h.receive(&confirmation("unsubscribe", "a", 1));
    h.machine.socket_ended(h.generation, None, h.now);
    h.advance(SECOND);
    h.server.mute = false;
    h.open();
    h.exchange();
    h.flush(&["PING"], 1);
    h.exchange();
    let settled: Vec<u32> = h.replies().iter().map(|(seq, _)| *seq).collect();
    assert_eq!(settled, [0, 1, 2]);
    assert_eq!(h.replies()[2].1, "OK");
}

#[test]
fn subscriptions_that_cannot_be_restored_are_told() {
    let mut h = served("{}");
    h.subscribe(&["SUBSCRIBE", "a"], 1);
    h.exchange();
    h.server.refuse = Some(("SUBSCRIBE", "NOPERM no channel"));
    h.machine.socket_ended(h.generation, None, h.now);
    h.advance(SECOND);
    h.open();
    h.exchange();
    assert!(h.events().contains(&Happened::Error("reply".to_owned())));
}
