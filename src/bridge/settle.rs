//! Outcomes of the keyed lane and their way to JavaScript: one metadata array, one buffer of JavaScript's own for small replies, loose values for the rest.

use crate::error::{Detail, Failure};
use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Either3, Uint8ArraySlice, Uint32ArraySlice};
use napi_derive::napi;
use std::collections::{HashMap, VecDeque};

/// Replies up to this size are copied into JavaScript's buffer, which costs less than handing memory over; larger ones cross alone. `lib/lane.ts` offers at
/// least this much room.
const COPIED_LIMIT: usize = 8 * 1024;
/// Values per operation in the metadata array: id, kind, first, second. The first place is the header: operations, whether more wait.
const META_STRIDE: usize = 4;

/// How an operation ended. Exactly one per operation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Done, without a value.
    Nothing,
    /// A small number.
    Number(u32),
    /// Text, such as JSON.
    Text(String),
    /// Bytes, such as BSON.
    Bytes(Bytes),
    /// It failed.
    Failed(Box<Failure>),
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// One settled operation.
#[derive(Debug)]
pub(crate) struct Completion {
    /// The operation's id.
    pub(crate) id: u32,
    /// How it ended.
    pub(crate) outcome: Outcome,
}

/// One link of a cause chain.
#[napi(object)]
pub struct CauseRecord {
    /// What it was.
    pub name: String,
    /// Its message, redacted.
    pub message: String,
}

/// A failure as it crosses to TypeScript, which makes the error object. Recognised by `failed: true`.
#[napi(object)]
pub struct FailureRecord {
    /// Always true: tells a failure from a value.
    pub failed: bool,
    /// The stable code.
    #[napi(ts_type = "ErrorCode")]
    pub code: String,
    /// The message, redacted.
    pub message: String,
    /// Labels of the server or the driver.
    pub labels: Vec<String>,
    /// Where in the operation's life it failed.
    pub phase: Option<String>,
    /// The server's numeric error code.
    pub server_code: Option<i32>,
    /// Attempts made.
    pub attempts: Option<u32>,
    /// Milliseconds from the call to the failure.
    pub elapsed_ms: Option<f64>,
    /// Whether the operation may have been executed.
    pub maybe_executed: Option<bool>,
    /// Further named facts.
    #[napi(ts_type = "Record<string, string | number | boolean>")]
    pub details: HashMap<String, Either3<String, f64, bool>>,
    /// The server's reply as received.
    pub reply: Option<Buffer>,
    /// The cause chain, outermost first.
    pub causes: Vec<CauseRecord>,
}

impl From<Failure> for FailureRecord {
    fn from(failure: Failure) -> Self {
        let details = failure.details.into_iter().map(|(name, value)| {
            let value = match value {
                Detail::Text(text) => Either3::A(text),
                Detail::Number(number) => Either3::B(number),
                Detail::Flag(flag) => Either3::C(flag),
            };
            (name.to_owned(), value)
        });
        Self {
            failed: true,
            code: failure.code.as_str().to_owned(),
            message: failure.message,
            labels: failure.labels,
            phase: failure.phase.map(|phase| phase.as_str().to_owned()),
            server_code: failure.server_code,
            attempts: failure.attempts,
            elapsed_ms: failure.elapsed_ms,
            maybe_executed: failure.maybe_executed,
            details: details.collect(),
            reply: failure.reply.map(Buffer::from),
            causes: failure
                .causes
                .into_iter()
                .map(|cause| CauseRecord { name: cause.name, message: cause.message })
                .collect(),
        }
    }
}

/// A value that crosses by itself: text, a large reply, a failure.
pub(crate) type Loose = Either3<String, Buffer, FailureRecord>;

/// Where JavaScript wants its outcomes.
pub(crate) struct Place<'a, 'env> {
    /// A header (operations, whether more wait: drain again soon) and quadruples (operation id, kind, first, second).
    ///
    /// Kinds: 0 nothing; 1 number (first); 2 bytes in `space` (first: offset, second: length); 3 loose value (first: its index), a string or a Buffer; 4 failure
    /// (first: its index).
    pub(crate) meta: &'a mut Uint32ArraySlice<'env>,
    /// Takes small replies, one after another.
    pub(crate) space: &'a mut Uint8ArraySlice<'env>,
    /// Where in `space` the room begins.
    pub(crate) from: u32,
}

/// Takes as many completions as fit; what crosses by itself, if anything does.
pub(crate) fn drain_into(queue: &mut VecDeque<Completion>, place: Place<'_, '_>) -> Option<Vec<Loose>> {
    // SAFETY: JavaScript does not run while this synchronous export does, so nobody else writes the array.
    #[expect(unsafe_code, reason = "the only way to write into a typed array handed over by JavaScript")]
    let meta = unsafe { place.meta.as_mut() };
    // SAFETY: as above, and it is another array.
    #[expect(unsafe_code, reason = "the only way to write into a typed array handed over by JavaScript")]
    let space = unsafe { place.space.as_mut() };
    let mut space = Space { bytes: space, used: usize::try_from(place.from).unwrap_or(usize::MAX) };
    let mut loose = Vec::new();
    let mut slots = meta.chunks_exact_mut(META_STRIDE);
    let header = slots.next()?;
    let mut count = 0;
    for slot in slots {
        let Some(Completion { id, outcome }) = queue.pop_front_if(|next| space.has_room_for(&next.outcome)) else {
            break;
        };
        let (kind, first, second) = cross(outcome, &mut space, &mut loose);
        slot.copy_from_slice(&[id, kind, first, second]);
        count += 1;
    }
    header.copy_from_slice(&[count, u32::from(!queue.is_empty()), 0, 0]);
    (!loose.is_empty()).then_some(loose)
}

/// JavaScript's buffer for small replies.
struct Space<'a> {
    bytes: &'a mut [u8],
    used: usize,
}

impl Space<'_> {
    /// As far apart as Node's own pool puts them: typed arrays may be laid over a value.
    fn start(&self) -> usize {
        self.used.saturating_add(7) & !7
    }

    fn has_room_for(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Bytes(bytes) if bytes.len() <= COPIED_LIMIT => {
                self.start().saturating_add(bytes.len()) <= self.bytes.len()
            }
            _ => true,
        }
    }

    /// Copies and says where to; `None` when there is no room.
    fn copy(&mut self, bytes: &[u8]) -> Option<(u32, u32)> {
        let start = self.start();
        let end = start.checked_add(bytes.len())?;
        self.bytes.get_mut(start..end)?.copy_from_slice(bytes);
        self.used = end;
        Some((u32::try_from(start).ok()?, u32::try_from(bytes.len()).ok()?))
    }
}

fn cross(outcome: Outcome, space: &mut Space<'_>, loose: &mut Vec<Loose>) -> (u32, u32, u32) {
    let index = u32::try_from(loose.len()).unwrap_or(u32::MAX);
    match outcome {
        Outcome::Nothing => (0, 0, 0),
        Outcome::Number(number) => (1, number, 0),
        Outcome::Bytes(bytes) => {
            if bytes.len() <= COPIED_LIMIT
                && let Some((start, length)) = space.copy(&bytes)
            {
                return (2, start, length);
            }
            loose.push(Either3::B(Buffer::from(Vec::from(bytes))));
            (3, index, 0)
        }
        Outcome::Text(text) => {
            loose.push(Either3::A(text));
            (3, index, 0)
        }
        Outcome::Failed(failure) => {
            loose.push(Either3::C(FailureRecord::from(*failure)));
            (4, index, 0)
        }
    }
}
