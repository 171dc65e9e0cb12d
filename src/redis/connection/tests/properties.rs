//! Random lives of a client: whatever happens, every command settles exactly once, with its own reply, and never runs after it failed.

use super::harness::{Happened, Harness};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

#[derive(Debug, Clone)]
enum Act {
    Flush { flags: i32, deadline_ms: i32 },
    Pipeline { size: i32, flags: i32, multi: bool },
    Connect,
    Disconnect(bool),
    Open,
    FailToOpen,
    TakeAndWrite(usize),
    Answer(usize),
    Lose,
    Wait(u64),
    Demote(bool),
    Quit,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (prop_oneof![Just(0), Just(1), Just(2), Just(4)], prop_oneof![3 => Just(0), 1 => 1..400])
            .prop_map(|(flags, deadline_ms)| Act::Flush { flags, deadline_ms }),
        2 => (1..5, 0..2, any::<bool>()).prop_map(|(size, flags, multi)| Act::Pipeline { size, flags, multi }),
        2 => Just(Act::Connect),
        1 => any::<bool>().prop_map(Act::Disconnect),
        4 => Just(Act::Open),
        1 => Just(Act::FailToOpen),
        6 => prop_oneof![Just(usize::MAX), 1..60usize].prop_map(Act::TakeAndWrite),
        6 => prop_oneof![Just(usize::MAX), 1..40usize].prop_map(Act::Answer),
        2 => Just(Act::Lose),
        3 => (0..800u64).prop_map(Act::Wait),
        1 => any::<bool>().prop_map(Act::Demote),
        1 => Just(Act::Quit),
    ]
}

/// How often the server ran each command, and whether it may run twice.
#[derive(Default)]
struct Book {
    next: u32,
    safe: HashSet<u32>,
    quits: HashSet<u32>,
    group: i32,
}

impl Book {
    fn command(&mut self, flags: i32) -> (String, u32) {
        let seq = self.next;
        self.next += 1;
        if flags & 3 != 0 || flags & 4 != 0 {
            self.safe.insert(seq);
        }
        (seq.to_string(), seq)
    }
}

fn play(h: &mut Harness, book: &mut Book, act: &Act) {
    match act {
        Act::Flush { flags, deadline_ms } => {
            let (text, _) = book.command(*flags);
            h.submit(&["RUN", &text], [0, *flags, 0, 0, *deadline_ms, 0, -1, 1]);
        }
        Act::Pipeline { size, flags, multi } => {
            book.group += 1;
            for index in 0..*size {
                let edge =
                    if *multi && index == 0 { 64 } else { 0 } | if *multi && index == size - 1 { 128 } else { 0 };
                let (text, _) = book.command(*flags);
                h.submit(&["RUN", &text], [0, flags | edge, book.group, index, 0, 0, -1, 1]);
            }
        }
        Act::Connect => drop(h.machine.connect()),
        Act::Disconnect(reconnect) => drop(h.machine.disconnect(*reconnect, h.now)),
        Act::Open => h.open(),
        Act::FailToOpen => h.fail_to_open(),
        Act::TakeAndWrite(most) => h.take_and_write(*most),
        Act::Answer(most) => h.answers(*most),
        Act::Lose => h.machine.socket_ended(h.generation, None, h.now),
        Act::Wait(ms) => h.advance(Duration::from_millis(*ms)),
        Act::Demote(on) => h.server.refuse = on.then_some(("RUN", "READONLY now")),
        Act::Quit => {
            let (_, seq) = book.command(0);
            book.quits.insert(seq);
            h.flush(&["QUIT"], 512);
        }
    }
}

/// Settled commands with whether the server may have them.
fn settled(h: &mut Harness) -> HashMap<u32, Vec<Happened>> {
    let mut out: HashMap<u32, Vec<Happened>> = HashMap::new();
    for event in h.events() {
        if let Happened::Reply(seq, _) | Happened::Failed(seq, ..) = event {
            out.entry(*seq).or_default().push(event.clone());
        }
    }
    out
}

fn runs(h: &Harness) -> HashMap<u32, usize> {
    let mut out = HashMap::new();
    for args in h.server.received.iter().filter(|args| args[0] == "RUN") {
        *out.entry(args[1].parse().unwrap()).or_default() += 1;
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_command_settles_once_with_its_own_reply(acts in prop::collection::vec(act(), 1..80), safe in any::<bool>()) {
        let mut h = Harness::new(if safe { r#"{"resend":"safe","maxRetriesPerRequest":3,"failover":true}"# } else { r#"{"resend":"all"}"# });
        let mut book = Book::default();
        let mut before = HashMap::new();
        for act in &acts {
            let done = settled(&mut h);
            let ran = runs(&h);
            for (seq, count) in &ran {
                let failed = done.get(seq).is_some_and(|events| events.iter().any(|e| matches!(e, Happened::Failed(..))));
                if failed {
                    prop_assert_eq!(before.get(seq).unwrap_or(count), count, "{} ran after it had failed", seq);
                }
            }
            before = ran.into_iter().filter(|(seq, _)| done.contains_key(seq)).collect();
            play(&mut h, &mut book, act);
        }
        h.machine.disconnect(false, h.now);
        h.advance(Duration::from_secs(10));
        h.machine.shut(h.now);
        h.advance(Duration::from_secs(10));
        let done = settled(&mut h);
        let ran = runs(&h);
        for seq in 0..book.next {
            let events = done.get(&seq).map_or(&[][..], Vec::as_slice);
            prop_assert_eq!(events.len(), 1, "{} settled as {:?}", seq, events);
            match &events[0] {
                Happened::Reply(_, text) if text == "READONLY now" => {}
                Happened::Reply(_, text) if book.quits.contains(&seq) => prop_assert_eq!(text, "OK"),
                Happened::Reply(_, text) => prop_assert_eq!(text, &seq.to_string()),
                Happened::Failed(_, _, maybe) => prop_assert!(*maybe || !ran.contains_key(&seq), "{} ran, but was said not to be sent", seq),
                _ => {}
            }
            if safe && !book.safe.contains(&seq) {
                prop_assert!(ran.get(&seq).is_none_or(|count| *count <= 1), "{} ran twice", seq);
            }
        }
    }
}

/// What a broken or hostile server says: bits of RESP in any order, and bytes that are none.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            &b"+OK\r\n"[..], b"-ERR no\r\n", b"-READONLY now\r\n", b"-NOSCRIPT x\r\n", b":1\r\n", b":99999999999\r\n", b"$3\r\nabc\r\n", b"$-1\r\n",
            b"*-1\r\n", b"*0\r\n", b"*2\r\n", b"%1\r\n", b">2\r\n", b"~1\r\n", b"_\r\n", b"#t\r\n", b"$9\r\nloading:1\r\n",
            b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n", b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
            b"$536870912\r\n", b"*2147483647\r\n",
        ]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// The verdict of `reconnectOnError` that has the command sent again.
const SEND_AGAIN: i32 = 2;

/// What JavaScript says to an error of this command.
fn verdict(seq: u32) -> i32 {
    i32::try_from(seq % 3).unwrap()
}

#[derive(Debug, Clone)]
enum Met {
    Act(Act),
    Noise(Vec<u8>),
    Subscribe,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_a_server_says_every_command_settles_once(
        met in prop::collection::vec(
            prop_oneof![
                5 => act().prop_filter("servers that say noise run nothing", |act| !matches!(act, Act::Demote(_))).prop_map(Met::Act),
                3 => noise().prop_map(Met::Noise),
                1 => Just(Met::Subscribe),
            ],
            1..80,
        ),
        resend in prop::sample::select(vec!["all", "safe", "none"]),
        ask in any::<bool>(),
    ) {
        let mut h = Harness::new(&format!(r#"{{"resend":"{resend}","failover":true,"heartbeatMs":100,"askReconnectOnError":{ask}}}"#));
        let mut book = Book::default();
        for one in &met {
            match one {
                Met::Act(act) => play(&mut h, &mut book, act),
                Met::Noise(bytes) => h.receive(bytes),
                Met::Subscribe => {
                    book.next += 1;
                    h.subscribe(&["SUBSCRIBE", "a"], 1);
                }
            }
            for event in h.events().to_vec() {
                if let Happened::AskReconnect(seq, _) = event {
                    h.machine.answer_reconnect(seq, verdict(seq), h.now);
                }
            }
        }
        h.machine.shut(h.now);
        h.advance(Duration::from_secs(100));
        let mut done = settled(&mut h);
        for event in h.events() {
            // With any other verdict JavaScript has rejected it before it answered.
            if let Happened::AskReconnect(seq, _) = event
                && verdict(*seq) != SEND_AGAIN
            {
                done.entry(*seq).or_default().push(event.clone());
            }
        }
        for seq in 0..book.next {
            let events = done.get(&seq).map_or(&[][..], Vec::as_slice);
            prop_assert_eq!(events.len(), 1, "{} settled as {:?}", seq, events);
        }
    }
}
