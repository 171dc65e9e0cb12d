//! Frames of the keyed lane: what `lib/lane.ts` writes into the out-buffer and `submit(buffer, length)` hands over once per tick.
//!
//! Layout, little endian: `u32` body length, `u32` operation id, `u16` opcode, `u16` flags, `u32` handle, `u32` deadline in milliseconds (0: none), body.
//! A frame that does not fit is an `INTERNAL` failure: the encoder is ours.

use crate::error::{ErrorCode, Failure};

/// What JavaScript wrote into an out-buffer: `buffer[0, length)`.
pub(crate) fn written(buffer: &[u8], length: u32) -> Result<&[u8], Failure> {
    let bytes = usize::try_from(length).ok().and_then(|length| buffer.get(..length));
    bytes.ok_or_else(|| Failure::new(ErrorCode::Internal, format!("submitted length {length} is beyond the buffer")))
}

/// Hands each frame of a submission to `start`; ends at the first that is unreadable.
pub(crate) fn each(bytes: &[u8], mut start: impl FnMut(Frame<'_>)) -> Result<(), Failure> {
    for frame in Frames::new(bytes) {
        start(frame?);
    }
    Ok(())
}

/// One operation as submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// The operation's id, unique among those in flight on its client.
    pub(crate) id: u32,
    /// What to do; each room has its own list.
    pub(crate) opcode: u16,
    /// Bits whose meaning the opcode gives.
    pub(crate) flags: u16,
    /// A session, cursor or other handle; 0 for none.
    pub(crate) handle: u32,
    /// Milliseconds the operation may take; 0 for no deadline of its own.
    pub(crate) deadline_ms: u32,
    /// The operation's payload.
    pub(crate) body: &'a [u8],
}

/// Walks the frames of one submission.
struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// Frames in `bytes`.
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((frame, rest)) = split_frame(self.rest) else {
            self.rest = &[];
            return Some(Err(Failure::new(ErrorCode::Internal, "submitted frame is cut short")));
        };
        self.rest = rest;
        Some(Ok(frame))
    }
}

fn split_frame(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (length, rest) = take_u32(bytes)?;
    let (id, rest) = take_u32(rest)?;
    let (opcode, rest) = take_u16(rest)?;
    let (flags, rest) = take_u16(rest)?;
    let (handle, rest) = take_u32(rest)?;
    let (deadline_ms, rest) = take_u32(rest)?;
    let length = usize::try_from(length).ok()?;
    let (body, rest) = rest.split_at_checked(length)?;
    Some((Frame { id, opcode, flags, handle, deadline_ms, body }, rest))
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), rest))
}

fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_le_bytes(*head), rest))
}

#[cfg(test)]
mod tests {
    use super::{Frame, Frames, written};
    use proptest::prelude::*;

    fn encode(frame: &Frame<'_>) -> Vec<u8> {
        let mut out = u32::try_from(frame.body.len()).unwrap().to_le_bytes().to_vec();
        out.extend(frame.id.to_le_bytes());
        out.extend(frame.opcode.to_le_bytes());
        out.extend(frame.flags.to_le_bytes());
        out.extend(frame.handle.to_le_bytes());
        out.extend(frame.deadline_ms.to_le_bytes());
        out.extend(frame.body);
        out
    }

    #[test]
    fn refuses_a_length_beyond_the_buffer() {
        assert_eq!(written(&[1, 2, 3], 2).unwrap(), [1, 2]);
        assert!(written(&[1, 2, 3], 4).is_err());
    }

    proptest! {
        #[test]
        fn reads_back_what_was_written(bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..5)) {
            let mut bytes = Vec::new();
            for (id, body) in (0u32..).zip(&bodies) {
                bytes.extend(encode(&Frame { id, opcode: 7, flags: 1, handle: 9, deadline_ms: 5, body }));
            }
            let read: Vec<_> = Frames::new(&bytes).map(|frame| frame.unwrap().body.to_vec()).collect();
            prop_assert_eq!(read, bodies);
        }

        #[test]
        fn never_panics_and_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Frames::new(&bytes).count() <= bytes.len());
        }
    }
}
