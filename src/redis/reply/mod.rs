//! The ordered stream of one client in its compact form: replies, failures and status changes as integer tokens plus one blob of bytes.
//!
//! Guarantees: tokens leave in the order in which things happened; nothing overtakes. The layout is the contract with `lib/redis/reply.ts`.

#[cfg(test)]
mod tests;

use crate::error::Failure;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Token numbers. Values are followed by one integer; control tokens have a fixed number of them.
pub mod token {
    /// Null.
    pub const NIL: i32 = 0;
    /// Simple string: byte length.
    pub const SIMPLE: i32 = 1;
    /// Error: byte length.
    pub const ERROR: i32 = 2;
    /// Integer that fits.
    pub const INT: i32 = 3;
    /// Larger integer: byte length of its text.
    pub const BIGINT: i32 = 4;
    /// Bulk string: byte length.
    pub const BULK: i32 = 5;
    /// Array: number of values that follow.
    pub const ARRAY: i32 = 6;
    /// Null array.
    pub const NIL_ARRAY: i32 = 7;
    /// Double: byte length of its text.
    pub const DOUBLE: i32 = 8;
    /// Boolean: 0 or 1.
    pub const BOOLEAN: i32 = 9;
    /// Map: number of pairs.
    pub const MAP: i32 = 10;
    /// Set: number of values.
    pub const SET: i32 = 11;
    /// Push frame: number of values.
    pub const PUSH: i32 = 12;
    /// Verbatim string: byte length.
    pub const VERBATIM: i32 = 13;
    /// Replies follow: first sequence number, count.
    pub const RUN: i32 = 32;
    /// A command failed: sequence number, failure id, sent.
    pub const FAIL: i32 = 33;
    /// Status: number of the status, number of the transition, extra.
    pub const STATUS: i32 = 34;
    /// The user's retry strategy must answer: generation, attempt.
    pub const ASK_RETRY: i32 = 35;
    /// An `error` event: failure id, 0.
    pub const ERROR_EVENT: i32 = 36;
    /// A pub/sub message follows.
    pub const MESSAGE: i32 = 37;
    /// A line of MONITOR follows.
    pub const MONITOR: i32 = 38;
    /// Number of subscriptions.
    pub const SUBSCRIBED: i32 = 39;
    /// The selected database.
    pub const SELECTED: i32 = 40;
    /// A notice: kind, number, failure id or -1.
    pub const NOTICE: i32 = 41;
    /// `reconnectOnError` must answer: sequence number, 0; the error follows.
    pub const ASK_RECONNECT: i32 = 42;
    /// The client is over; its wake function may be released.
    pub const RELEASED: i32 = 43;
    /// JavaScript must answer a question: its number.
    pub const QUESTION: i32 = 44;
}

/// Integers before the first token of a drain.
const HEADER: usize = 4;
/// One drain hands over at most this many bytes and integers, unless a single chunk is larger.
const DRAIN_BYTES: usize = 1024 * 1024;
const DRAIN_TOKENS: usize = 32 * 1024;
/// Chunks below this size are merged.
const MERGE_BYTES: usize = 64 * 1024;
const MERGE_TOKENS: usize = 4096;

/// Tokens and the bytes they speak of.
#[derive(Debug, Default)]
pub struct Tokens {
    /// The tokens.
    pub meta: Vec<i32>,
    /// The bytes, in token order.
    pub blob: Vec<u8>,
}

impl Tokens {
    /// A token with its value.
    pub fn pair(&mut self, token: i32, value: i32) {
        self.meta.extend_from_slice(&[token, value]);
    }

    /// A token with bytes.
    pub fn text(&mut self, token: i32, bytes: &[u8]) {
        self.pair(token, i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.blob.extend_from_slice(bytes);
    }

    fn mark(&self) -> Mark {
        Mark { meta: self.meta.len(), blob: self.blob.len() }
    }
}

/// Where a reply begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    meta: usize,
    blob: usize,
}

/// What is handed to the sink at once.
#[derive(Debug, Default)]
pub struct Chunk {
    tokens: Tokens,
    failures: Vec<(i32, Failure)>,
}

impl Chunk {
    /// The tokens, for a sink that reads them itself.
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}

/// The writing end: belongs to the connection's state machine.
#[derive(Debug, Default)]
pub struct Outlet {
    /// Where the parser writes; a reply not yet complete is at its end.
    pub tokens: Tokens,
    failures: Vec<(i32, Failure)>,
    mark: Mark,
    next_failure: i32,
    /// Index of the count of the open run and the sequence number that continues it.
    run: Option<(usize, u32)>,
}

impl Outlet {
    /// The tokens of the reply that was just parsed.
    pub fn reply(&self) -> Reply<'_> {
        Reply {
            meta: self.tokens.meta.get(self.mark.meta..).unwrap_or_default(),
            blob: self.tokens.blob.get(self.mark.blob..).unwrap_or_default(),
        }
    }

    /// Delivers the parsed reply as the outcome of `seq`.
    pub fn accept(&mut self, seq: u32) {
        match self.run {
            Some((index, next)) if next == seq => {
                if let Some(count) = self.tokens.meta.get_mut(index) {
                    *count += 1;
                }
                self.run = Some((index, seq.wrapping_add(1)));
            }
            _ => {
                self.insert(&[token::RUN, seq.cast_signed(), 1]);
                self.run = Some((self.mark.meta + 2, seq.wrapping_add(1)));
            }
        }
        self.mark = self.tokens.mark();
    }

    /// Delivers the parsed reply with a control token of its own before it.
    pub fn accept_as(&mut self, control: &[i32]) {
        self.insert(control);
        self.mark = self.tokens.mark();
        self.run = None;
    }

    /// Forgets the parsed reply.
    pub fn discard(&mut self) {
        self.tokens.meta.truncate(self.mark.meta);
        self.tokens.blob.truncate(self.mark.blob);
    }

    /// Settles `seq` with a value of ours instead of the parsed reply.
    pub fn answer(&mut self, seq: u32, kind: i32, bytes: &[u8]) {
        self.between(|tokens| tokens.text(kind, bytes));
        self.accept(seq);
    }

    /// Settles `seq` with an integer.
    pub fn answer_number(&mut self, seq: u32, kind: i32, number: i32) {
        self.between(|tokens| tokens.pair(kind, number));
        self.accept(seq);
    }

    /// A control token; goes before a reply that was parsed but not yet accepted.
    pub fn control(&mut self, control: &[i32]) {
        self.insert(control);
        self.mark.meta += control.len();
        self.run = None;
    }

    /// Keeps a failure that tokens speak of; returns its id.
    pub fn failure(&mut self, failure: Failure) -> i32 {
        self.next_failure = self.next_failure.checked_add(1).unwrap_or(0);
        self.failures.push((self.next_failure, failure));
        self.next_failure
    }

    /// Settles `seq` with a failure.
    pub fn fail(&mut self, seq: u32, failure: i32, maybe_sent: bool) {
        self.control(&[token::FAIL, seq.cast_signed(), failure, i32::from(maybe_sent)]);
    }

    /// Whether something waits to be handed over.
    pub fn is_empty(&self) -> bool {
        self.mark.meta == 0
    }

    /// Hands over everything complete; an incomplete reply stays.
    pub fn take(&mut self) -> Chunk {
        let rest = Tokens {
            meta: self.tokens.meta.split_off(self.mark.meta),
            blob: self.tokens.blob.split_off(self.mark.blob),
        };
        self.run = None;
        self.mark = Mark::default();
        Chunk { tokens: std::mem::replace(&mut self.tokens, rest), failures: std::mem::take(&mut self.failures) }
    }

    /// Inserts integers before the parsed or partly parsed reply.
    fn insert(&mut self, control: &[i32]) {
        let at = self.mark.meta;
        self.tokens.meta.splice(at..at, control.iter().copied());
    }

    /// Writes a value of ours before a partly parsed reply. Rare: the partial reply is set aside.
    fn between(&mut self, write: impl FnOnce(&mut Tokens)) {
        self.discard();
        write(&mut self.tokens);
    }
}

/// A parsed reply that is still in the outlet.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    meta: &'a [i32],
    blob: &'a [u8],
}

impl<'a> Reply<'a> {
    /// The first token.
    pub fn kind(&self) -> i32 {
        self.meta.first().copied().unwrap_or(token::NIL)
    }

    /// The bytes of a scalar.
    pub fn bytes(&self) -> &'a [u8] {
        self.item(0).map_or(&[], |(_, _, bytes)| bytes)
    }

    /// Text of a scalar, lossy.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// The error's text, if it is an error.
    pub fn error(&self) -> Option<&'a [u8]> {
        (self.kind() == token::ERROR).then(|| self.bytes())
    }

    /// The nth token of a flat reply with its value and bytes; 0 is the aggregate itself.
    pub fn item(&self, n: usize) -> Option<(i32, i32, &'a [u8])> {
        let mut offset = 0;
        for (i, pair) in self.meta.chunks_exact(2).enumerate() {
            let &[kind, value] = pair else {
                return None;
            };
            let length = if has_bytes(kind) { usize::try_from(value).unwrap_or(0) } else { 0 };
            if i == n {
                return self.blob.get(offset..offset + length).map(|bytes| (kind, value, bytes));
            }
            offset += length;
        }
        None
    }
}

/// Whether the value of a token is a number of bytes.
pub(super) fn has_bytes(kind: i32) -> bool {
    matches!(kind, token::SIMPLE | token::ERROR | token::BIGINT | token::BULK | token::DOUBLE | token::VERBATIM)
}

/// Where a client's stream goes.
pub trait ReplySink: Send + Sync {
    /// Takes a chunk; must not block. Nothing happens once closed.
    fn deliver(&self, chunk: Chunk);
    /// Bytes that wait to be fetched.
    fn backlog(&self) -> usize;
}

/// Bytes that wait to be fetched, of all clients of the process.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Bytes that wait to be fetched, of all clients of the process.
pub(super) fn waiting() -> usize {
    WAITING.load(Ordering::Relaxed)
}

impl Drop for Inbox {
    fn drop(&mut self) {
        WAITING.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The reading end: what waits for JavaScript.
#[derive(Debug, Default)]
pub struct Inbox {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    failures: Vec<(i32, Failure)>,
}

impl Inbox {
    /// Appends a chunk.
    pub fn push(&mut self, chunk: Chunk) {
        let weight = weight(&chunk.tokens);
        self.bytes += weight;
        WAITING.fetch_add(weight, Ordering::Relaxed);
        match self.chunks.back_mut() {
            Some(last) if last.tokens.blob.len() < MERGE_BYTES && last.tokens.meta.len() < MERGE_TOKENS => {
                last.tokens.meta.extend_from_slice(&chunk.tokens.meta);
                last.tokens.blob.extend_from_slice(&chunk.tokens.blob);
                last.failures.extend(chunk.failures);
            }
            _ => self.chunks.push_back(chunk),
        }
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A failure of the last drain.
    pub fn failure(&self, id: i32) -> Option<&Failure> {
        self.failures.iter().find(|(known, _)| *known == id).map(|(_, failure)| failure)
    }

    /// Fills `meta` and `blob`; 0 nothing, n integers written, -1 too small with the needed sizes in `meta[0]` and `meta[1]`.
    pub fn drain(&mut self, meta: &mut [i32], blob: &mut [u8]) -> i32 {
        let Some(first) = self.chunks.front() else {
            return 0;
        };
        let need = (first.tokens.meta.len() + HEADER, first.tokens.blob.len());
        if need.0 > meta.len() || need.1 > blob.len() {
            write_header(meta, [int(need.0), int(need.1), 0, 0]);
            return -1;
        }
        self.failures.clear();
        let (mut ints, mut bytes) = (HEADER, 0);
        while let Some(chunk) = self.chunks.front() {
            let (m, b) = (chunk.tokens.meta.len(), chunk.tokens.blob.len());
            let full = ints > HEADER && (ints + m > DRAIN_TOKENS || bytes + b > DRAIN_BYTES);
            let (Some(to_meta), Some(to_blob)) = (meta.get_mut(ints..ints + m), blob.get_mut(bytes..bytes + b)) else {
                break;
            };
            if full {
                break;
            }
            to_meta.copy_from_slice(&chunk.tokens.meta);
            to_blob.copy_from_slice(&chunk.tokens.blob);
            (ints, bytes) = (ints + m, bytes + b);
            if let Some(chunk) = self.chunks.pop_front() {
                let weight = weight(&chunk.tokens);
                self.bytes -= weight;
                WAITING.fetch_sub(weight, Ordering::Relaxed);
                self.failures.extend(chunk.failures);
            }
        }
        let ascii = blob.get(..bytes).unwrap_or_default().is_ascii();
        let flags = i32::from(ascii) | (i32::from(!self.chunks.is_empty()) << 1);
        write_header(meta, [int(ints), int(bytes), flags, 0]);
        int(ints)
    }
}

fn write_header(meta: &mut [i32], header: [i32; HEADER]) {
    if let Some(slots) = meta.get_mut(..HEADER) {
        slots.copy_from_slice(&header);
    }
}

fn weight(tokens: &Tokens) -> usize {
    tokens.blob.len() + tokens.meta.len() * 4
}

fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
