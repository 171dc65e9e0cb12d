//! The hub's book without sockets: a node is played by hand, time is handed in.

use super::book::{Book, Opening, Place};
use super::inbox::{Gap, Inbox, Item};
use super::protocol::{Incoming, Kind};
use super::receive::Circumstances;
use super::socket::{Outgoing, PER_SOCKET};
use super::{Core, Prepared};
use crate::solana::endpoint::slot::Commitment;
use crate::solana::error::{PoolError, RpcRefusal};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

struct Play {
    book: Book,
    now: Instant,
    endpoints: usize,
}

impl Play {
    fn new(endpoints: usize) -> Self {
        Self { book: Book::default(), now: Instant::now(), endpoints }
    }

    fn subscribe(&mut self, kind: Kind, params: &str) -> (u64, Arc<Core>) {
        let request = Prepared::new(&kind.subscribe(), params, Commitment::Processed).unwrap();
        let token = CancellationToken::new;
        let core = Arc::new(Core {
            kind,
            request,
            inbox: Inbox::new(10, None),
            confirmed: token(),
            ended: token(),
            gone: token(),
            failure: Mutex::default(),
        });
        let id = self.book.next_id();
        self.book.add(id, Arc::clone(&core), self.now);
        (id, core)
    }

    fn place(&mut self) -> Vec<Opening> {
        let endpoints = self.endpoints;
        self.book.place(self.now, |excluded| (0..endpoints).find(|index| !excluded(*index)))
    }

    /// What a socket sends now, as (method, request id, first parameter).
    fn requests(&mut self, socket: u64) -> Vec<(String, u64, String)> {
        let Outgoing::Send(texts, _) = self.book.outgoing(socket, self.now, || Ok(())) else { return Vec::new() };
        let read = |text: Bytes| {
            let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let first = value["params"][0].to_string();
            (value["method"].as_str().unwrap().to_owned(), value["id"].as_u64().unwrap(), first)
        };
        texts.into_iter().map(read).collect()
    }

    /// Confirms everything a socket asks for, with the request's own id as the node's number.
    fn confirm(&mut self, socket: u64) -> Vec<(String, u64, String)> {
        self.book.opened(socket, self.now);
        let requests = self.requests(socket);
        for (_, id, _) in &requests {
            self.reply(socket, *id, Ok(Some(*id)));
        }
        requests
    }

    fn reply(&mut self, socket: u64, id: u64, outcome: Result<Option<u64>, RpcRefusal>) {
        let with = Circumstances { now: self.now, random: 0.5, endpoints: self.endpoints };
        self.book.received(socket, Incoming::Reply { id, outcome }, with);
    }

    fn notice(&mut self, socket: u64, server: u64, result: &str) {
        let with = Circumstances { now: self.now, random: 0.5, endpoints: self.endpoints };
        let result = Bytes::copy_from_slice(result.as_bytes());
        self.book.received(socket, Incoming::Notice { server, result }, with);
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }
}

fn refusal(code: i64, message: &str) -> RpcRefusal {
    RpcRefusal { code, message: message.to_owned(), body: Bytes::from_static(b"{}") }
}

fn logs(slot: u64, signature: &str) -> String {
    format!(r#"{{"context":{{"slot":{slot}}},"value":{{"signature":"{signature}","err":null,"logs":[]}}}}"#)
}

#[test]
fn fills_sockets_up_to_the_limit_and_opens_the_next() {
    let mut play = Play::new(1);
    (0..250).for_each(|_| drop(play.subscribe(Kind::Logs, r#"["all"]"#)));
    let openings = play.place();
    assert_eq!(openings.len(), 3);
    let counts: Vec<_> = openings.iter().map(|one| play.requests(one.socket).len()).collect();
    assert!(counts.iter().all(|count| *count <= PER_SOCKET), "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), 250 + 3, "each with its own proof of life");
}

#[test]
fn moves_to_another_endpoint_and_tells_the_gap_once() {
    let mut play = Play::new(2);
    let (id, core) = play.subscribe(Kind::Logs, r#"["all"]"#);
    let first = play.place().pop().unwrap();
    let requests = play.confirm(first.socket);
    assert!(core.confirmed.is_cancelled());
    play.notice(first.socket, requests[0].1, r#"{"slot":100}"#);
    play.notice(first.socket, requests[1].1, &logs(100, "a"));
    play.notice(first.socket, requests[1].1, &logs(100, "a"));
    play.pass(2000);
    assert_eq!(play.book.lost(first.socket, true, play.now, || 0.5).unwrap().moved, 1);
    assert!(play.place().is_empty(), "not at once: a pause comes first");
    play.pass(200);
    let second = play.place().pop().unwrap();
    assert_ne!(second.endpoint, first.endpoint);
    let requests = play.confirm(second.socket);
    play.notice(second.socket, requests[0].1, r#"{"slot":107}"#);
    play.notice(second.socket, requests[1].1, &logs(100, "a"));
    play.notice(second.socket, requests[1].1, &logs(108, "b"));
    let told = |slot, signature| Item::Notification(Bytes::from(logs(slot, signature)));
    let gap = Item::Gap(Gap { from_slot: 100, to_slot: 107, lost: true });
    assert_eq!(core.inbox.take().0, [told(100, "a"), gap, told(108, "b")]);
    assert!(play.book.entries.contains_key(&id), "the same one");
}

#[test]
fn a_failing_endpoint_is_left_alone_for_longer_and_longer() {
    let mut play = Play::new(1);
    drop(play.subscribe(Kind::Slot, ""));
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let opening = play.place().pop().unwrap();
        play.book.lost(opening.socket, true, play.now, || 0.5);
        let due = play.book.next_due().unwrap();
        assert!(play.place().is_empty());
        pauses.push(due - play.now);
        play.now = due;
        while play.book.next_due().is_some_and(|due| due > play.now) {
            play.now = play.book.next_due().unwrap();
        }
    }
    assert!(pauses[0] >= Duration::from_millis(100) && pauses[0] <= Duration::from_millis(200));
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]) && pauses[11] <= Duration::from_secs(10), "{pauses:?}");
}

#[test]
fn invalid_parameters_end_a_subscription_for_good() {
    let mut play = Play::new(2);
    let (id, core) = play.subscribe(Kind::Account, r#"["nonsense"]"#);
    let socket = play.place().pop().unwrap().socket;
    let requests = play.requests(socket);
    play.reply(socket, requests[1].1, Err(refusal(-32602, "Invalid param")));
    assert!(!play.book.entries.contains_key(&id));
    let failure = core.failure.lock().unwrap().clone();
    assert!(matches!(failure, Some(PoolError::Refused(_))), "{failure:?}");
}

#[test]
fn a_full_node_keeps_what_it_has_and_the_rest_goes_elsewhere() {
    let mut play = Play::new(1);
    let (kept, _) = play.subscribe(Kind::Logs, r#"["all"]"#);
    let (moved, _) = play.subscribe(Kind::Logs, r#"["all"]"#);
    let socket = play.place().pop().unwrap().socket;
    let requests = play.requests(socket);
    play.reply(socket, requests[0].1, Ok(Some(1)));
    play.reply(socket, requests[1].1, Ok(Some(2)));
    play.reply(socket, requests[2].1, Err(refusal(-32603, "Subscription limit reached")));
    assert!(play.place().is_empty());
    play.pass(200);
    let next = play.place().pop().unwrap();
    assert_ne!(next.socket, socket);
    assert_eq!(play.book.entries[&kept].place, Place::On { socket, server: Some(2) });
    assert_eq!(play.book.entries[&moved].place, Place::On { socket: next.socket, server: None });
}

#[test]
fn unsubscribes_also_when_the_confirmation_comes_late_and_closes_the_idle_socket() {
    let mut play = Play::new(1);
    let (id, core) = play.subscribe(Kind::Logs, r#"["all"]"#);
    let socket = play.place().pop().unwrap().socket;
    let requests = play.requests(socket);
    play.book.remove(id, false, play.now);
    assert!(!core.gone.is_cancelled());
    play.reply(socket, requests[0].1, Ok(Some(1)));
    play.reply(socket, requests[1].1, Ok(Some(24)));
    let last = play.requests(socket).pop().unwrap();
    assert_eq!((last.0.as_str(), last.2.as_str()), ("logsUnsubscribe", "24"));
    play.reply(socket, last.1, Ok(None));
    assert!(core.gone.is_cancelled());
    play.pass(6000);
    play.book.inspect(play.now);
    assert!(matches!(play.book.outgoing(socket, play.now, || Ok(())), Outgoing::Close(None)));
}

#[test]
fn a_silent_socket_is_replaced_only_when_the_chain_advances() {
    let mut play = Play::new(1);
    drop(play.subscribe(Kind::Slot, ""));
    let socket = play.place().pop().unwrap().socket;
    let life = play.confirm(socket)[0].1;
    play.notice(socket, life, r#"{"slot":100}"#);
    play.pass(6000);
    assert!(play.book.inspect(play.now), "worth asking");
    assert!(matches!(play.book.outgoing(socket, play.now, || Ok(())), Outgoing::Send(..)), "nobody is ahead");
    play.book.chain = 115;
    play.book.inspect(play.now);
    assert!(matches!(play.book.outgoing(socket, play.now, || Ok(())), Outgoing::Close(Some(_))));
}

#[test]
fn a_signature_ends_once_whoever_tells_it_first() {
    let mut play = Play::new(1);
    let (id, core) = play.subscribe(Kind::Signature, r#"["s",{"commitment":"confirmed"}]"#);
    let socket = play.place().pop().unwrap().socket;
    play.confirm(socket);
    assert_eq!(play.book.catch_up, [id], "it may have landed before");
    play.book.caught_up_with_signature(id, Some((55, "null")), play.now);
    let end = r#"{"context":{"slot":55},"value":{"err":null}}"#;
    assert_eq!(core.inbox.take().0, [Item::Notification(Bytes::from(end)), Item::End(Ok(()))]);
    assert_eq!(play.requests(socket)[0].0, "signatureUnsubscribe", "the node does not know that it has ended");
}

#[test]
fn an_account_catches_up_only_with_what_is_newer_and_different() {
    let mut play = Play::new(1);
    let (id, core) = play.subscribe(Kind::Account, r#"["k",{"encoding":"base64"}]"#);
    let socket = play.place().pop().unwrap().socket;
    let server = play.confirm(socket)[1].1;
    let account = |slot: u64, value: u64| format!(r#"{{"context":{{"slot":{slot}}},"value":{value}}}"#);
    play.notice(socket, server, &account(50, 1));
    play.book.caught_up_with_account(id, 60, Some("1"), play.now);
    play.book.caught_up_with_account(id, 49, Some("2"), play.now);
    play.book.caught_up_with_account(id, 61, Some("3"), play.now);
    play.book.caught_up_with_account(id, 62, None, play.now);
    let (items, _) = core.inbox.take();
    let texts: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::Notification(text) => String::from_utf8(text.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts[..2], [account(50, 1), account(61, 3)]);
    assert!(texts[2].contains(r#""lamports":0"#) && texts.len() == 3, "{texts:?}");
}

#[test]
fn notifications_that_overtake_their_confirmation_are_kept() {
    let mut play = Play::new(1);
    let (_, core) = play.subscribe(Kind::Logs, r#"["all"]"#);
    let socket = play.place().pop().unwrap().socket;
    let requests = play.requests(socket);
    play.notice(socket, 9, &logs(5, "a"));
    play.reply(socket, requests[1].1, Ok(Some(9)));
    assert_eq!(core.inbox.take().0, [Item::Notification(Bytes::from(logs(5, "a")))]);
}

#[test]
fn one_number_for_equal_subscriptions_serves_them_all_and_ends_with_the_last() {
    let mut play = Play::new(1);
    let (first, one) = play.subscribe(Kind::Slot, "");
    let (second, two) = play.subscribe(Kind::Slot, "");
    let socket = play.place().pop().unwrap().socket;
    let requests = play.requests(socket);
    // Nodes do that: equal parameters, one number. Here it is that of the sign of life, too.
    for (_, id, _) in &requests {
        play.reply(socket, *id, Ok(Some(7)));
    }
    play.notice(socket, 7, r#"{"parent":4,"root":1,"slot":5}"#);
    assert_eq!((one.inbox.take().0.len(), two.inbox.take().0.len()), (1, 1));
    play.book.remove(first, false, play.now);
    assert!(one.gone.is_cancelled() && play.requests(socket).is_empty(), "the other one still needs it");
    play.notice(socket, 7, r#"{"parent":5,"root":1,"slot":6}"#);
    assert_eq!(two.inbox.take().0.len(), 1);
    play.book.remove(second, false, play.now);
    assert!(two.gone.is_cancelled() && play.requests(socket).is_empty(), "nor may the sign of life end");
    play.pass(5500);
    play.book.inspect(play.now);
    assert!(matches!(play.book.outgoing(socket, play.now, || Ok(())), Outgoing::Close(_)), "it is idle");
}

#[test]
fn a_number_that_is_ended_for_one_while_another_asks_for_it_is_asked_for_again() {
    let mut play = Play::new(1);
    let (leaving, left) = play.subscribe(Kind::Logs, r#"["all"]"#);
    let socket = play.place().pop().unwrap().socket;
    let requests = play.requests(socket);
    play.reply(socket, requests[0].1, Ok(Some(1)));
    play.reply(socket, requests[1].1, Ok(Some(2)));
    let (_, core) = play.subscribe(Kind::Logs, r#"["all"]"#);
    play.place();
    let asked = play.requests(socket)[0].1;
    play.book.remove(leaving, false, play.now);
    let end = play.requests(socket).pop().unwrap();
    assert_eq!((end.0.as_str(), end.2.as_str()), ("logsUnsubscribe", "2"));
    play.reply(socket, asked, Ok(Some(2)));
    play.reply(socket, end.1, Ok(None));
    assert!(left.gone.is_cancelled() && !core.confirmed.is_cancelled(), "the node has ended what it confirmed");
    let again = play.requests(socket).pop().unwrap();
    assert_eq!(again.0, "logsSubscribe");
    play.reply(socket, again.1, Ok(Some(3)));
    play.notice(socket, 3, &logs(5, "a"));
    assert_eq!(core.inbox.take().0.len(), 1);
}

#[test]
fn an_end_that_was_not_sent_yet_is_taken_back_for_one_who_has_the_number() {
    let mut play = Play::new(1);
    let (leaving, left) = play.subscribe(Kind::Logs, r#"["all"]"#);
    let (_, core) = play.subscribe(Kind::Logs, r#"["all"]"#);
    let socket = play.place().pop().unwrap().socket;
    let requests = play.requests(socket);
    play.reply(socket, requests[0].1, Ok(Some(1)));
    play.reply(socket, requests[1].1, Ok(Some(2)));
    play.book.remove(leaving, false, play.now);
    play.reply(socket, requests[2].1, Ok(Some(2)));
    assert!(left.gone.is_cancelled() && play.requests(socket).is_empty());
    play.notice(socket, 2, &logs(5, "a"));
    assert_eq!(core.inbox.take().0.len(), 1);
}

#[test]
fn the_largest_slot_there_is_harms_nothing() {
    let mut play = Play::new(1);
    drop(play.subscribe(Kind::Slot, ""));
    let socket = play.place().pop().unwrap().socket;
    let life = play.confirm(socket)[0].1;
    play.notice(socket, life, &format!(r#"{{"slot":{}}}"#, u64::MAX));
    play.pass(6000);
    play.book.inspect(play.now);
}
