//! Incremental RESP2/RESP3 parser: bytes in, compact tokens out.
//!
//! Guarantees: the same tokens for any split of the input; no panic and no allocation ahead of received bytes for any input; nesting at most
//! [`MAX_DEPTH`], a reply at most [`MAX_REPLY`]. Does not decode text and does not pair replies with commands.

#[cfg(test)]
mod pieces;
#[cfg(test)]
mod tests;

use super::reply::{Tokens, token};

/// The deepest nesting of aggregates.
pub(super) const MAX_DEPTH: usize = 128;
/// The largest bulk string, as in redis-server's `proto-max-bulk-len`.
pub(super) const MAX_BULK: usize = 512 * 1024 * 1024;
/// The largest reply with all that it holds, in bytes of the wire: a server that never ends one must not fill the memory.
pub(super) const MAX_REPLY: usize = 1024 * 1024 * 1024;
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
    /// Bytes of the reply that is not complete yet.
    taken: usize,
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
            self.taken += value.next - at;
            at = value.next;
            if self.taken > MAX_REPLY {
                return Err(ProtocolError::TooLarge("a reply of 1 GiB"));
            }
            if value.opens > 0 {
                if self.open.len() == MAX_DEPTH {
                    return Err(ProtocolError::TooLarge("nesting of 128"));
                }
                self.open.push(value.opens);
            } else if self.close_one() {
                self.taken = 0;
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
        b',' if is_double(line) => out.text(token::DOUBLE, line),
        b'(' if is_integer(line) => out.text(token::BIGINT, line),
        b',' | b'(' => return Err(ProtocolError::Number),
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

/// `inf`, `-inf` and `nan` included.
fn is_double(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok())
}

/// An integer of any length.
fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
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
    if count == -1 && kind == b'*' {
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
