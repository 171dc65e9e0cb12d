//! Incremental RESP2/RESP3 parser: bytes in, compact tokens out.
//!
//! Guarantees: the same tokens for any split of the input; no panic and no allocation ahead of received bytes for any input; nesting at most
//! [`MAX_DEPTH`]. Does not decode text and does not pair replies with commands.

use super::reply::{Tokens, token};

/// The deepest nesting of aggregates.
pub(super) const MAX_DEPTH: usize = 128;
/// The largest bulk string, as in redis-server's `proto-max-bulk-len`.
pub(super) const MAX_BULK: usize = 512 * 1024 * 1024;
/// The longest simple string, error or number.
const MAX_LINE: usize = 1024 * 1024;

/// The peer sent something that is not RESP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A byte that starts no reply.
    #[error("reply starts with byte {0}")]
    Type(u8),
    /// A length or number that is none.
    #[error("reply holds an invalid number")]
    Number,
    /// A bound was passed.
    #[error("reply is larger than {0} allows")]
    TooLarge(&'static str),
    /// No CRLF after a bulk string.
    #[error("bulk string is not terminated")]
    Unterminated,
    /// A reply that no command waits for.
    #[error("reply came without a command")]
    Unexpected,
}

/// What one call of [`Parser::advance`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes of the input that were used.
    pub consumed: usize,
    /// Whether a whole reply is in the tokens now.
    pub complete: bool,
}

/// The state between two calls: how many values each open aggregate still waits for.
#[derive(Debug, Default)]
pub(super) struct Parser {
    open: Vec<usize>,
}

/// One value: its token and how many values it opens.
struct Value {
    next: usize,
    opens: usize,
}

impl Parser {
    /// Parses at most to the end of one reply. Tokens of an incomplete reply stay in `out`; call again with the rest of the input and more.
    pub(super) fn advance(&mut self, input: &[u8], out: &mut Tokens) -> Result<Step, ProtocolError> {
        let mut at = 0;
        loop {
            let Some(value) = parse_value(input, at, out)? else {
                return Ok(Step { consumed: at, complete: false });
            };
            at = value.next;
            if value.opens > 0 {
                if self.open.len() == MAX_DEPTH {
                    return Err(ProtocolError::TooLarge("nesting of 128"));
                }
                self.open.push(value.opens);
            } else if self.close_one() {
                return Ok(Step { consumed: at, complete: true });
            }
        }
    }

    /// One value is done; whether that completes the reply.
    fn close_one(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}

/// Parses one scalar or one aggregate header at `at`; `None` when bytes are missing, with nothing emitted.
fn parse_value(input: &[u8], at: usize, out: &mut Tokens) -> Result<Option<Value>, ProtocolError> {
    let Some(&kind) = input.get(at) else {
        return Ok(None);
    };
    if !b"+-:$*_,#(!=%~>".contains(&kind) {
        return Err(ProtocolError::Type(kind));
    }
    let Some((line, next)) = line(input, at + 1)? else {
        return Ok(None);
    };
    let mut opens = 0;
    match kind {
        b'+' => out.text(token::SIMPLE, line),
        b'-' => out.text(token::ERROR, line),
        b',' => out.text(token::DOUBLE, line),
        b'(' => out.text(token::BIGINT, line),
        b':' => integer(line, out)?,
        b'#' => out.pair(token::BOOLEAN, i32::from(line == b"t")),
        b'_' => out.pair(token::NIL, 0),
        b'$' | b'!' | b'=' => return bulk(kind, input, (line, next), out),
        _ => opens = aggregate(kind, line, out)?,
    }
    Ok(Some(Value { next, opens }))
}

fn line(input: &[u8], start: usize) -> Result<Option<(&[u8], usize)>, ProtocolError> {
    let rest = input.get(start..).unwrap_or_default();
    match memchr::memchr(b'\n', rest) {
        Some(at) if at > 0 && rest.get(at - 1) == Some(&b'\r') => {
            Ok(Some((rest.get(..at - 1).unwrap_or_default(), start + at + 1)))
        }
        Some(_) => Err(ProtocolError::Unterminated),
        None if rest.len() > MAX_LINE => Err(ProtocolError::TooLarge("a line of 1 MiB")),
        None => Ok(None),
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn integer(line: &[u8], out: &mut Tokens) -> Result<(), ProtocolError> {
    let value = number(line).ok_or(ProtocolError::Number)?;
    match i32::try_from(value) {
        Ok(small) => out.pair(token::INT, small),
        Err(_) => out.text(token::BIGINT, line),
    }
    Ok(())
}

fn bulk(
    kind: u8,
    input: &[u8],
    (line, start): (&[u8], usize),
    out: &mut Tokens,
) -> Result<Option<Value>, ProtocolError> {
    let length = number(line).ok_or(ProtocolError::Number)?;
    if length == -1 {
        out.pair(token::NIL, 0);
        return Ok(Some(Value { next: start, opens: 0 }));
    }
    let length = usize::try_from(length).map_err(|_| ProtocolError::Number)?;
    if length > MAX_BULK {
        return Err(ProtocolError::TooLarge("a bulk string of 512 MiB"));
    }
    let end = start + length;
    let (Some(bytes), Some(tail)) = (input.get(start..end), input.get(end..end + 2)) else {
        return Ok(None);
    };
    if tail != b"\r\n" {
        return Err(ProtocolError::Unterminated);
    }
    match kind {
        b'!' => out.text(token::ERROR, bytes),
        // Verbatim strings start with a type and a colon: `txt:`.
        b'=' => out.text(token::VERBATIM, bytes.get(4..).ok_or(ProtocolError::Number)?),
        _ => out.text(token::BULK, bytes),
    }
    Ok(Some(Value { next: end + 2, opens: 0 }))
}

fn aggregate(kind: u8, line: &[u8], out: &mut Tokens) -> Result<usize, ProtocolError> {
    let count = number(line).ok_or(ProtocolError::Number)?;
    if count == -1 {
        out.pair(token::NIL_ARRAY, 0);
        return Ok(0);
    }
    let small = i32::try_from(count).map_err(|_| ProtocolError::TooLarge("an array"))?;
    let count = usize::try_from(small).map_err(|_| ProtocolError::Number)?;
    let (token, opens) = match kind {
        b'%' => (token::MAP, count.saturating_mul(2)),
        b'~' => (token::SET, count),
        b'>' => (token::PUSH, count),
        _ => (token::ARRAY, count),
    };
    out.pair(token, small);
    Ok(opens)
}

#[cfg(test)]
mod tests {
    use super::super::reply::Tokens;
    use super::{MAX_DEPTH, Parser, ProtocolError};

    fn parse_in(pieces: &[&[u8]]) -> Result<(Vec<i32>, Vec<u8>, usize), ProtocolError> {
        let (mut parser, mut out, mut pending, mut replies) =
            (Parser::default(), Tokens::default(), Vec::<u8>::new(), 0);
        for piece in pieces {
            pending.extend_from_slice(piece);
            let mut used = 0;
            loop {
                let step = parser.advance(&pending[used..], &mut out)?;
                used += step.consumed;
                if !step.complete {
                    break;
                }
                replies += 1;
            }
            pending.drain(..used);
        }
        Ok((out.meta, out.blob, replies))
    }

    #[test]
    fn parses_every_type() {
        let input = b"+OK\r\n-ERR x\r\n:7\r\n:5000000000\r\n$3\r\nabc\r\n$-1\r\n*-1\r\n*2\r\n:1\r\n*0\r\n%1\r\n+k\r\n,1.5\r\n#t\r\n_\r\n(99\r\n=5\r\ntxt:z\r\n>1\r\n+m\r\n~0\r\n";
        let (meta, blob, replies) = parse_in(&[input]).unwrap();
        assert_eq!(replies, 15);
        let expected = [
            1, 2, 2, 5, 3, 7, 4, 10, 5, 3, 0, 0, 7, 0, 6, 2, 3, 1, 6, 0, 10, 1, 1, 1, 8, 3, 9, 1, 0, 0, 4, 2, 13, 1,
            12, 1, 1, 1, 11, 0,
        ];
        assert_eq!(meta, expected);
        assert_eq!(blob, b"OKERR x5000000000abck1.599zm");
    }

    #[test]
    fn refuses_what_is_not_resp() {
        assert_eq!(parse_in(&[b"HTTP/1.1 400\r\n"]), Err(ProtocolError::Type(b'H')));
        assert_eq!(parse_in(&[b":x\r\n"]), Err(ProtocolError::Number));
        assert_eq!(parse_in(&[b"$-2\r\n"]), Err(ProtocolError::Number));
        assert_eq!(parse_in(&[b"$1\r\nabc\r\n"]), Err(ProtocolError::Unterminated));
        assert!(matches!(parse_in(&[b"$999999999999\r\n"]), Err(ProtocolError::TooLarge(_))));
        let deep = b"*1\r\n".repeat(MAX_DEPTH + 1);
        assert!(matches!(parse_in(&[&deep]), Err(ProtocolError::TooLarge(_))));
    }

    mod properties {
        use super::parse_in;
        use proptest::prelude::*;

        fn reply() -> impl Strategy<Value = Vec<u8>> {
            let scalar = prop_oneof![
                "[a-z ]{0,9}".prop_map(|s| format!("+{s}\r\n").into_bytes()),
                any::<i64>().prop_map(|n| format!(":{n}\r\n").into_bytes()),
                prop::collection::vec(any::<u8>(), 0..40).prop_map(|b| {
                    let mut out = format!("${}\r\n", b.len()).into_bytes();
                    out.extend_from_slice(&b);
                    out.extend_from_slice(b"\r\n");
                    out
                }),
                Just(b"$-1\r\n".to_vec()),
            ];
            scalar.prop_recursive(4, 24, 5, |inner| {
                prop::collection::vec(inner, 0..5).prop_map(|items| {
                    let mut out = format!("*{}\r\n", items.len()).into_bytes();
                    out.extend(items.into_iter().flatten());
                    out
                })
            })
        }

        proptest! {
            #[test]
            fn gives_the_same_tokens_at_any_split(replies in prop::collection::vec(reply(), 1..5), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
                let whole: Vec<u8> = replies.iter().flatten().copied().collect();
                let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
                at.extend([0, whole.len()]);
                at.sort_unstable();
                let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
                let split = parse_in(&pieces).unwrap();
                prop_assert_eq!(split.2, replies.len());
                prop_assert_eq!(split, parse_in(&[&whole]).unwrap());
            }

            #[test]
            fn never_panics_on_noise(noise in prop::collection::vec(any::<u8>(), 0..200)) {
                let _ = parse_in(&[&noise]);
                let mut like = b"*3\r\n$".to_vec();
                like.extend(noise);
                let _ = parse_in(&[&like]);
            }
        }
    }
}
