//! The ordered stream: what goes in comes out, in order, whatever the sizes.

use super::{Inbox, Outlet, token};
use crate::error::{ErrorCode, Failure};
use proptest::prelude::*;

fn reply(outlet: &mut Outlet, seq: u32, text: &[u8]) {
    outlet.tokens.text(token::BULK, text);
    outlet.accept(seq);
}

#[test]
fn joins_consecutive_replies_into_one_run_and_keeps_the_order() {
    let mut outlet = Outlet::default();
    reply(&mut outlet, 4, b"a");
    reply(&mut outlet, 5, b"b");
    let id = outlet.failure(Failure::new(ErrorCode::Timeout, "late"));
    outlet.fail(6, id, true);
    reply(&mut outlet, 7, b"c");
    // A reply that is not complete stays behind.
    outlet.tokens.pair(token::ARRAY, 2);
    let mut inbox = Inbox::default();
    inbox.push(outlet.take());
    let (mut meta, mut blob) = ([0; 64], [0; 64]);
    let count = usize::try_from(inbox.drain(&mut meta, &mut blob)).unwrap();
    assert_eq!(meta[..4], [20, 3, 1, 0]);
    assert_eq!(meta[4..count], [32, 4, 2, 5, 1, 5, 1, 33, 6, id, 1, 32, 7, 1, 5, 1]);
    assert_eq!(&blob[..3], b"abc");
    assert_eq!(inbox.failure(id).unwrap().message, "late");
    outlet.tokens.pair(token::INT, 1);
    outlet.tokens.pair(token::INT, 2);
    outlet.accept(8);
    inbox.push(outlet.take());
    let count = usize::try_from(inbox.drain(&mut meta, &mut blob)).unwrap();
    assert_eq!(meta[4..count], [32, 8, 1, 6, 2, 3, 1, 3, 2]);
}

#[test]
fn says_what_size_it_needs_and_loses_nothing() {
    let mut outlet = Outlet::default();
    reply(&mut outlet, 0, &[b'x'; 100]);
    let mut inbox = Inbox::default();
    inbox.push(outlet.take());
    let mut meta = [0; 16];
    assert_eq!(inbox.drain(&mut meta, &mut [0; 10]), -1);
    assert_eq!(meta[..2], [9, 100]);
    assert_eq!(inbox.drain(&mut meta, &mut [0; 100]), 9);
    assert_eq!(inbox.drain(&mut meta, &mut []), 0);
    assert_eq!(inbox.bytes(), 0);
}

/// What a machine does with its outlet.
#[derive(Debug, Clone)]
enum Act {
    Reply(Vec<u8>),
    /// A reply that is handed over in the middle, or before which a failure is told.
    Torn(Vec<u8>, bool),
    Answer(Vec<u8>),
    Discard(Vec<u8>),
    Fail,
    HandOver,
}

fn act() -> impl Strategy<Value = Act> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        bytes().prop_map(Act::Reply),
        (bytes(), any::<bool>()).prop_map(|(bytes, handed)| Act::Torn(bytes, handed)),
        bytes().prop_map(Act::Answer),
        bytes().prop_map(Act::Discard),
        Just(Act::Fail),
        Just(Act::HandOver),
    ]
}

/// The outcomes in the order of their numbers; none for a failure.
#[derive(Default)]
struct Play {
    outlet: Outlet,
    inbox: Inbox,
    outcomes: Vec<Option<Vec<u8>>>,
}

impl Play {
    fn seq(&self) -> u32 {
        u32::try_from(self.outcomes.len()).unwrap()
    }

    fn fail(&mut self) {
        let id = self.outlet.failure(Failure::new(ErrorCode::Timeout, "late"));
        self.outlet.fail(self.seq(), id, true);
        self.outcomes.push(None);
    }

    fn hand_over(&mut self) {
        self.inbox.push(self.outlet.take());
    }

    fn run(&mut self, act: Act) {
        match act {
            Act::Reply(bytes) => {
                let seq = self.seq();
                reply(&mut self.outlet, seq, &bytes);
                self.outcomes.push(Some(bytes));
            }
            Act::Torn(bytes, handed) => {
                self.outlet.tokens.text(token::BULK, &bytes);
                if handed {
                    self.hand_over();
                } else {
                    self.fail();
                }
                self.outlet.accept(self.seq());
                self.outcomes.push(Some(bytes));
            }
            Act::Answer(bytes) => {
                self.outlet.answer(self.seq(), token::BULK, &bytes);
                self.outcomes.push(Some(bytes));
            }
            Act::Discard(bytes) => {
                self.outlet.tokens.text(token::BULK, &bytes);
                self.outlet.discard();
            }
            Act::Fail => self.fail(),
            Act::HandOver => self.hand_over(),
        }
    }
}

/// Reads a drained batch as JavaScript does.
fn read(meta: &[i32], mut blob: &[u8], out: &mut Vec<Option<Vec<u8>>>) {
    let mut ints = meta.iter().copied();
    while let Some(kind) = ints.next() {
        let (first, count) = (ints.next().unwrap(), ints.next().unwrap());
        assert_eq!(usize::try_from(first).unwrap(), out.len());
        if kind == token::FAIL {
            ints.next();
            out.push(None);
            continue;
        }
        assert_eq!(kind, token::RUN);
        for _ in 0..count {
            assert_eq!(ints.next(), Some(token::BULK));
            let (head, rest) = blob.split_at(usize::try_from(ints.next().unwrap()).unwrap());
            out.push(Some(head.to_vec()));
            blob = rest;
        }
    }
    assert!(blob.is_empty());
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_in_order_whatever_the_buffers(acts in prop::collection::vec(act(), 0..60), room in (8..200usize, 0..2000usize)) {
        let mut play = Play::default();
        for act in acts {
            play.run(act);
        }
        play.hand_over();
        let (mut meta, mut blob, mut out) = (vec![0; room.0], vec![0; room.1], Vec::new());
        loop {
            match play.inbox.drain(&mut meta, &mut blob) {
                0 => break,
                -1 => {
                    let need = (usize::try_from(meta[0]).unwrap(), usize::try_from(meta[1]).unwrap());
                    prop_assert!(need.0 > meta.len() || need.1 > blob.len());
                    (meta, blob) = (vec![0; need.0.max(8)], vec![0; need.1]);
                }
                count => {
                    let bytes = usize::try_from(meta[1]).unwrap();
                    prop_assert_eq!(meta[2] & 1 == 1, blob[..bytes].is_ascii());
                    read(&meta[4..usize::try_from(count).unwrap()], &blob[..bytes], &mut out);
                }
            }
        }
        prop_assert_eq!(out, play.outcomes);
        prop_assert_eq!(play.inbox.bytes(), 0);
    }
}
