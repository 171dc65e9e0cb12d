//! Outcomes of the keyed lane and their way to JavaScript: one metadata array, one shared buffer for small replies, loose values for the rest.

use crate::error::{Detail, Failure};
use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Either3, Uint32ArraySlice};
use napi_derive::napi;
use std::collections::{HashMap, VecDeque};

/// Replies up to this size share the batch's buffer; larger ones cross alone.
const SHARED_LIMIT: usize = 64 * 1024;
/// Values per operation in the metadata array: id, kind, first, second.
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

/// What one `drain(meta)` hands over; `meta` was filled with `count` quadruples (operation id, kind, first, second).
///
/// Kinds: 0 nothing; 1 number (first); 2 bytes in `blob` (first: offset, second: length); 3 loose value (first: index in `loose`, a string or a
/// Buffer); 4 failure (first: index in `loose`).
#[napi(object)]
pub struct Batch {
    /// Settled operations in this batch.
    pub count: u32,
    /// Whether more wait: drain again soon.
    pub more: bool,
    /// Small byte replies, one after another.
    pub blob: Option<Buffer>,
    /// Strings, large byte replies and failures.
    pub loose: Vec<Either3<String, Buffer, FailureRecord>>,
}

/// Takes as many completions as fit into `meta`.
pub(crate) fn drain_into(queue: &mut VecDeque<Completion>, meta: &mut Uint32ArraySlice<'_>) -> Batch {
    // SAFETY: JavaScript does not run while this synchronous export does, so nobody else writes the array.
    #[expect(unsafe_code, reason = "the only way to write into a typed array handed over by JavaScript")]
    let meta = unsafe { meta.as_mut() };
    let mut blob = Vec::new();
    let mut loose = Vec::new();
    let mut count = 0;
    for slot in meta.chunks_exact_mut(META_STRIDE) {
        let Some(Completion { id, outcome }) = queue.pop_front() else {
            break;
        };
        let (kind, first, second) = place(outcome, &mut blob, &mut loose);
        slot.copy_from_slice(&[id, kind, first, second]);
        count += 1;
    }
    Batch { count, more: !queue.is_empty(), blob: (!blob.is_empty()).then(|| Buffer::from(blob)), loose }
}

fn place(
    outcome: Outcome,
    blob: &mut Vec<u8>,
    loose: &mut Vec<Either3<String, Buffer, FailureRecord>>,
) -> (u32, u32, u32) {
    let index = u32::try_from(loose.len()).unwrap_or(u32::MAX);
    match outcome {
        Outcome::Nothing => (0, 0, 0),
        Outcome::Number(number) => (1, number, 0),
        Outcome::Bytes(bytes) if bytes.len() <= SHARED_LIMIT => {
            // As far apart as Node's own pool puts them: typed arrays may be laid over a value.
            blob.resize(blob.len().next_multiple_of(8), 0);
            let offset = u32::try_from(blob.len()).unwrap_or(u32::MAX);
            blob.extend_from_slice(&bytes);
            (2, offset, u32::try_from(bytes.len()).unwrap_or(u32::MAX))
        }
        Outcome::Bytes(bytes) => {
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
