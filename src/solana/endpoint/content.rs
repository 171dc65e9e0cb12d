//! The body of a reply: collected up to a bound, and decoded as it arrives when the server compressed it.
//!
//! The bound counts decoded bytes, so that a small reply cannot grow without end. Decoding gives the thread back between small steps. A compressed body that
//! ends early or is no such thing is `Garbled`, as a cut reply is.

use crate::error::redact_text;
use crate::solana::error::AttemptError;
use bytes::{Buf, Bytes};
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{CONTENT_ENCODING, HeaderMap};
use std::error::Error;
use std::io::{self, Write};

/// Compressed bytes decoded at once; the format makes at most a thousand times as many of them.
const STEP: usize = 4096;

/// What is said of a body beyond the bound.
const TOO_LARGE: &str = "reply is too large";

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Deflate,
}

/// A buffer that takes so many bytes and no more.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

enum Decoder {
    Gzip(MultiGzDecoder<Bounded>),
    Deflate(ZlibDecoder<Bounded>),
}

/// The whole body, decoded; at most `most` bytes.
pub(super) async fn read<B>(body: B, headers: &HeaderMap, most: usize) -> Result<Bytes, AttemptError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>> + std::fmt::Display,
{
    match coding(headers)? {
        Coding::Identity => match Limited::new(body, most).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(garbled(TOO_LARGE)),
            Err(error) => Err(lost(&error)),
        },
        Coding::Gzip => decode(body, Decoder::Gzip(MultiGzDecoder::new(Bounded::new(most)))).await,
        Coding::Deflate => decode(body, Decoder::Deflate(ZlibDecoder::new(Bounded::new(most)))).await,
    }
}

fn coding(headers: &HeaderMap) -> Result<Coding, AttemptError> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(Coding::Identity) };
    match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Coding::Identity),
        "gzip" | "x-gzip" => Ok(Coding::Gzip),
        "deflate" => Ok(Coding::Deflate),
        _ => Err(garbled("reply has a content encoding that was not asked for")),
    }
}

async fn decode<B>(mut body: B, mut decoder: Decoder) -> Result<Bytes, AttemptError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|error| lost(&error))?.into_data() else { continue };
        while data.has_remaining() {
            let step = data.split_to(data.len().min(STEP));
            decoder.write(&step).map_err(|error| broken(&error))?;
            if data.has_remaining() {
                tokio::task::yield_now().await;
            }
        }
    }
    decoder.finish().map_err(|error| broken(&error))
}

impl Decoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.write_all(bytes),
            Self::Deflate(decoder) => decoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Bytes> {
        let whole = match self {
            Self::Gzip(decoder) => decoder.finish()?,
            Self::Deflate(decoder) => decoder.finish()?,
        };
        Ok(whole.bytes.into())
    }
}

impl Bounded {
    fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.most - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn broken(error: &io::Error) -> AttemptError {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return garbled(TOO_LARGE);
    }
    garbled("compressed reply is broken or cut short")
}

fn garbled(detail: &str) -> AttemptError {
    AttemptError::Garbled { detail: detail.to_owned() }
}

fn lost(error: &(impl std::fmt::Display + ?Sized)) -> AttemptError {
    AttemptError::Lost { detail: redact_text(&error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::solana::error::AttemptError;
    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Reads `bytes` given in pieces of `piece`, labelled as `encoding`.
    fn read_as(encoding: &str, bytes: &[u8], piece: usize, most: usize) -> Result<Bytes, AttemptError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
        let pieces: Vec<_> = bytes.chunks(piece).map(Bytes::copy_from_slice).collect();
        let frames = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Frame::data(piece)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(StreamBody::new(stream::iter(frames)), &headers, most))
    }

    fn is_garbled(read: &Result<Bytes, AttemptError>) -> bool {
        matches!(read, Err(AttemptError::Garbled { .. }))
    }

    #[test]
    fn decodes_what_says_so_in_any_pieces_and_in_several_members() {
        let text = b"{\"result\":1}".repeat(5000);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let zlib = zlib.finish().unwrap();
        for piece in [1, 7, 100_000] {
            assert_eq!(read_as("gzip", &gzip(&text), piece, 1 << 20).unwrap(), text);
            assert_eq!(read_as("Deflate", &zlib, piece, 1 << 20).unwrap(), text);
            assert_eq!(read_as("identity", &text, piece, 1 << 20).unwrap(), text);
            let two = [gzip(b"one"), gzip(b"two")].concat();
            assert_eq!(read_as("x-gzip", &two, piece, 1 << 20).unwrap(), "onetwo");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_bound() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000);
        let read = read_as("gzip", &bomb, 65_536, 1 << 20);
        assert_eq!(read, Err(AttemptError::Garbled { detail: "reply is too large".to_owned() }));
        assert!(is_garbled(&read_as("identity", &[0; 2000], 100, 1999)));
        assert_eq!(read_as("gzip", &gzip(&[7; 2000]), 100, 2000).unwrap().len(), 2000);
    }

    #[test]
    fn refuses_other_encodings_by_a_typed_error() {
        for encoding in ["br", "gzip, gzip", "zstd"] {
            assert!(is_garbled(&read_as(encoding, b"x", 1, 10)), "{encoding}");
        }
    }

    proptest! {
        #[test]
        fn every_cut_and_every_flipped_bit_is_noticed_or_harmless(cut in 0usize..80, at in 0usize..80, bit in 0u8..8) {
            let text = b"{\"jsonrpc\":\"2.0\",\"result\":{\"value\":[1,2,3,4,5,6,7,8,9]},\"id\":1}";
            let whole = gzip(text);
            let cut = read_as("gzip", &whole[..cut.min(whole.len() - 1)], 16, 1 << 20);
            prop_assert!(is_garbled(&cut));
            let mut flipped = whole.clone();
            let at = at % flipped.len();
            flipped[at] ^= 1 << bit;
            // Bits of the header that say nothing about the content may change.
            if let Ok(read) = read_as("gzip", &flipped, 16, 1 << 20) {
                prop_assert_eq!(&read[..], &text[..]);
            }
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1usize..64) {
            drop(read_as("gzip", &bytes, piece, 1 << 16));
            drop(read_as("gzip", &[&gzip(b"")[..10], &bytes[..]].concat(), piece, 1 << 16));
            drop(read_as("deflate", &bytes, piece, 1 << 16));
        }
    }
}
