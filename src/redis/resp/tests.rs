//! Replies of every kind, and everything that is none: the same tokens at any split, no panic, no memory that was not received.

use super::super::reply::{Tokens, token};
use super::pieces::parse_pieces;
use super::{MAX_DEPTH, MAX_REPLY, Parser, ProtocolError};
use proptest::prelude::*;

/// Tokens, bytes and the number of replies.
fn parse_in(pieces: &[&[u8]]) -> Result<(Vec<i32>, Vec<u8>, usize), ProtocolError> {
    let (replies, out) = parse_pieces(pieces);
    Ok((out.meta, out.blob, replies?))
}

#[test]
fn parses_every_type() {
    let input = b"+OK\r\n-ERR x\r\n:7\r\n:5000000000\r\n$3\r\nabc\r\n$-1\r\n*-1\r\n*2\r\n:1\r\n*0\r\n%1\r\n+k\r\n,1.5\r\n#t\r\n_\r\n(99\r\n=5\r\ntxt:z\r\n>1\r\n+m\r\n~0\r\n";
    let (meta, blob, replies) = parse_in(&[input]).unwrap();
    assert_eq!(replies, 15);
    let expected = [
        1, 2, 2, 5, 3, 7, 4, 10, 5, 3, 0, 0, 7, 0, 6, 2, 3, 1, 6, 0, 10, 1, 1, 1, 8, 3, 9, 1, 0, 0, 4, 2, 13, 1, 12, 1,
        1, 1, 11, 0,
    ];
    assert_eq!(meta, expected);
    assert_eq!(blob, b"OKERR x5000000000abck1.599zm");
}

#[test]
fn refuses_what_is_not_resp() {
    assert_eq!(parse_in(&[b"HTTP/1.1 400\r\n"]), Err(ProtocolError::Type(b'H')));
    for number in
        [&b":x\r\n"[..], b"$-2\r\n", b"*-2\r\n", b",x\r\n", b",\r\n", b"(x\r\n", b"(-\r\n", b"(1.5\r\n", b"%a\r\n"]
    {
        assert_eq!(parse_in(&[number]), Err(ProtocolError::Number), "{}", number.escape_ascii());
    }
    for open_ended in [&b"$1\r\nabc\r\n"[..], b"+OK\n", b"\n"] {
        assert!(parse_in(&[open_ended]).is_err(), "{}", open_ended.escape_ascii());
    }
    for large in [&b"$999999999999\r\n"[..], b"$536870913\r\n", b"*2147483648\r\n", b"%99999999999999\r\n"] {
        assert!(matches!(parse_in(&[large]), Err(ProtocolError::TooLarge(_))), "{}", large.escape_ascii());
    }
    let deep = b"*1\r\n".repeat(MAX_DEPTH + 1);
    assert!(matches!(parse_in(&[&deep]), Err(ProtocolError::TooLarge(_))));
    let endless = [b"+".as_slice(), vec![b'a'; 2 * 1024 * 1024].as_slice()].concat();
    assert!(matches!(parse_in(&[&endless]), Err(ProtocolError::TooLarge(_))));
}

#[test]
fn takes_the_numbers_that_servers_send() {
    let input = b",inf\r\n,-inf\r\n,nan\r\n,1e300\r\n(-3492890328409238509324850943850943825024385\r\n:-9223372036854775808\r\n";
    assert_eq!(parse_in(&[input]).unwrap().2, 6);
}

#[test]
fn a_reply_that_never_ends_is_refused_and_a_new_one_starts_from_nothing() {
    let mut parser = Parser { taken: MAX_REPLY, ..Parser::default() };
    assert!(matches!(parser.advance(b"*1\r\n", &mut Tokens::default()), Err(ProtocolError::TooLarge(_))));
    let mut parser = Parser { taken: MAX_REPLY - 10, ..Parser::default() };
    for _ in 0..10 {
        assert!(parser.advance(b"+OK\r\n", &mut Tokens::default()).unwrap().complete);
    }
}

#[test]
fn a_promised_length_takes_no_memory() {
    for promise in [&b"$536870912\r\nabc"[..], b"*2147483647\r\n:1\r\n", b"%1073741823\r\n", b"*9\r\n$536870912\r\n"] {
        let (mut parser, mut out) = (Parser::default(), Tokens::default());
        assert!(!parser.advance(promise, &mut out).unwrap().complete);
        assert!(out.meta.capacity() < 64 && out.blob.capacity() < 64 && parser.open.capacity() < 64);
    }
}

/// A value of the protocol with the tokens and bytes it must become.
#[derive(Debug, Clone, Default)]
struct Spoken {
    wire: Vec<u8>,
    meta: Vec<i32>,
    blob: Vec<u8>,
}

impl Spoken {
    fn text(wire: String, kind: i32, text: &str) -> Self {
        Self { wire: wire.into_bytes(), meta: vec![kind, length(text.len())], blob: text.as_bytes().to_vec() }
    }

    fn pair(wire: String, kind: i32, value: i32) -> Self {
        Self { wire: wire.into_bytes(), meta: vec![kind, value], blob: Vec::new() }
    }

    fn bulk(mark: &str, kind: i32, bytes: &[u8]) -> Self {
        let (extra, kind_of_text) = if mark == "=" { (4, "txt:") } else { (0, "") };
        let head = format!("{mark}{}\r\n{kind_of_text}", bytes.len() + extra);
        let wire = [head.as_bytes(), bytes, b"\r\n"].concat();
        Self { wire, meta: vec![kind, length(bytes.len())], blob: bytes.to_vec() }
    }

    fn many(mark: &str, kind: i32, size: usize, items: Vec<Self>) -> Self {
        let mut all = Self::pair(format!("{mark}{size}\r\n"), kind, length(size));
        for item in items {
            all.wire.extend(item.wire);
            all.meta.extend(item.meta);
            all.blob.extend(item.blob);
        }
        all
    }
}

fn length(n: usize) -> i32 {
    i32::try_from(n).unwrap()
}

fn number(n: i64) -> Spoken {
    match i32::try_from(n) {
        Ok(small) => Spoken::pair(format!(":{n}\r\n"), token::INT, small),
        Err(_) => Spoken::text(format!(":{n}\r\n"), token::BIGINT, &n.to_string()),
    }
}

fn spoken() -> impl Strategy<Value = Spoken> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let scalar = prop_oneof![
        "[a-z ]{0,9}".prop_map(|s| Spoken::text(format!("+{s}\r\n"), token::SIMPLE, &s)),
        "[A-Z]{3} [a-z]{0,9}".prop_map(|s| Spoken::text(format!("-{s}\r\n"), token::ERROR, &s)),
        any::<i64>().prop_map(number),
        any::<i8>().prop_map(|n| number(n.into())),
        "-?[0-9]{1,40}".prop_map(|s| Spoken::text(format!("({s}\r\n"), token::BIGINT, &s)),
        any::<f64>().prop_map(|n| Spoken::text(format!(",{n}\r\n"), token::DOUBLE, &n.to_string())),
        any::<bool>().prop_map(|b| Spoken::pair(
            format!("#{}\r\n", if b { 't' } else { 'f' }),
            token::BOOLEAN,
            b.into()
        )),
        bytes().prop_map(|b| Spoken::bulk("$", token::BULK, &b)),
        bytes().prop_map(|b| Spoken::bulk("!", token::ERROR, &b)),
        bytes().prop_map(|b| Spoken::bulk("=", token::VERBATIM, &b)),
        Just(Spoken::pair("$-1\r\n".to_owned(), token::NIL, 0)),
        Just(Spoken::pair("_\r\n".to_owned(), token::NIL, 0)),
        Just(Spoken::pair("*-1\r\n".to_owned(), token::NIL_ARRAY, 0)),
    ];
    scalar.prop_recursive(6, 40, 5, |inner| {
        let items = prop::collection::vec(inner, 0..6);
        (items, 0..4).prop_map(|(mut items, kind)| match kind {
            0 => Spoken::many("*", token::ARRAY, items.len(), items),
            1 => Spoken::many("~", token::SET, items.len(), items),
            2 => Spoken::many(">", token::PUSH, items.len(), items),
            _ => {
                items.truncate(items.len() / 2 * 2);
                Spoken::many("%", token::MAP, items.len() / 2, items)
            }
        })
    })
}

/// Cuts `whole` at these places.
fn cut<'a>(whole: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
    at.extend([0, whole.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect()
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..8)
}

/// Something done to bytes that were right.
#[derive(Debug, Clone)]
enum Damage {
    Set(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = || any::<prop::sample::Index>();
    let pieces = prop::sample::select(vec![
        &b"\r\n"[..],
        b"$536870912\r\n",
        b"*2147483647\r\n",
        b"$-1\r\n",
        b"*1\r\n*1\r\n*1\r\n",
        b"%9\r\n",
        b"\n",
        b"$",
        b"99999999999999999999",
    ]);
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (place(), 1..9usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        (place(), pieces).prop_map(|(at, piece)| Damage::Insert(at, piece.to_vec())),
        (place(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn damaged(mut bytes: Vec<u8>, all: &[Damage]) -> Vec<u8> {
    for one in all {
        let place = |at: &prop::sample::Index| at.index(bytes.len() + 1);
        match one {
            Damage::Set(at, byte) => {
                let at = place(at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Damage::Remove(at, count) => {
                let at = place(at);
                let end = (at + count).min(bytes.len());
                bytes.drain(at..end);
            }
            Damage::Insert(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn gives_the_tokens_that_were_meant_at_any_split(replies in prop::collection::vec(spoken(), 1..5), cuts in cuts()) {
        let whole: Vec<u8> = replies.iter().flat_map(|reply| reply.wire.clone()).collect();
        let (meta, blob, count) = parse_in(&cut(&whole, &cuts)).unwrap();
        prop_assert_eq!(count, replies.len());
        prop_assert_eq!(meta, replies.iter().flat_map(|reply| reply.meta.clone()).collect::<Vec<_>>());
        prop_assert_eq!(blob, replies.iter().flat_map(|reply| reply.blob.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn byte_by_byte_is_no_different(reply in spoken()) {
        let pieces: Vec<&[u8]> = reply.wire.chunks(1).collect();
        prop_assert_eq!(parse_in(&pieces).unwrap(), (reply.meta, reply.blob, 1));
    }

    #[test]
    fn damage_is_an_error_or_another_reply_at_any_split_and_takes_no_more_memory_than_came(
        replies in prop::collection::vec(spoken(), 1..4), all in prop::collection::vec(damage(), 1..5), cuts in cuts(),
    ) {
        let whole = damaged(replies.iter().flat_map(|reply| reply.wire.clone()).collect(), &all);
        let split = parse_in(&cut(&whole, &cuts));
        prop_assert_eq!(&split, &parse_in(&[&whole]));
        if let Ok((meta, blob, _)) = split {
            // The shortest value, `_\r\n`, becomes two integers.
            prop_assert!(meta.len() <= whole.len() && blob.len() <= whole.len());
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300), cuts in cuts()) {
        let _ = parse_in(&cut(&noise, &cuts));
        let like = [b"*3\r\n$".as_slice(), &noise].concat();
        let _ = parse_in(&cut(&like, &cuts));
    }
}
