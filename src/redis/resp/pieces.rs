//! How the tests and the fuzz target (`fuzz/resp.rs`) parse bytes that arrive in pieces.

use crate::redis::reply::Tokens;
use crate::redis::resp::{Parser, ProtocolError};

/// Parses as a connection does: what is left of one piece is seen again with the next. The replies that were whole, or what was wrong, and all tokens until then.
pub(in crate::redis) fn parse_pieces(pieces: &[&[u8]]) -> (Result<usize, ProtocolError>, Tokens) {
    let (mut parser, mut out, mut pending, mut replies) = (Parser::default(), Tokens::default(), Vec::<u8>::new(), 0);
    for piece in pieces {
        pending.extend_from_slice(piece);
        let mut used = 0;
        loop {
            match parser.advance(&pending[used..], &mut out) {
                Err(error) => return (Err(error), out),
                Ok(step) => {
                    used += step.consumed;
                    if !step.complete {
                        break;
                    }
                    replies += 1;
                }
            }
        }
        pending.drain(..used);
    }
    (Ok(replies), out)
}
