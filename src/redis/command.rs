//! Commands as they come from JavaScript: RESP bytes plus a descriptor of fixed stride, and what the ledger keeps of each.
//!
//! Does not encode for JavaScript; [`encode`] is for the few commands of our own.

use crate::error::Failure;
use bytes::Bytes;
use std::fmt;
use tokio::time::Instant;

/// Integers per command in the descriptor array.
pub const STRIDE: usize = 8;

/// What a command is, as bits of its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub i32);

impl Flags {
    /// Changes nothing.
    pub const READ_ONLY: Self = Self(1);
    /// Twice is as good as once.
    pub const IDEMPOTENT: Self = Self(2);
    /// Waits in the server.
    pub const BLOCKING: Self = Self(4);
    /// SUBSCRIBE and its five relatives.
    pub const SUBSCRIBE: Self = Self(32);
    /// MULTI.
    pub const MULTI: Self = Self(64);
    /// EXEC or DISCARD.
    pub const EXEC: Self = Self(128);
    /// SELECT.
    pub const SELECT: Self = Self(256);
    /// QUIT, for which `reconnectOnError` is not asked either.
    pub const QUIT: Self = Self(512);
    /// MONITOR.
    pub const MONITOR: Self = Self(1024);
    /// CLIENT, for which `reconnectOnError` is not asked.
    pub const CLIENT: Self = Self(2048);
    /// XREAD and XREADGROUP without BLOCK: `blockingTimeout` guards them too.
    pub const MAY_BLOCK: Self = Self(4096);
    /// Valid while a server loads its data: never refused once a socket is open.
    pub const LOADING: Self = Self(8192);
    /// WATCH.
    pub const WATCH: Self = Self(16_384);
    /// UNWATCH.
    pub const UNWATCH: Self = Self(32_768);

    /// Whether any of `other`'s bits is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether it may run twice.
    pub fn is_safe(self) -> bool {
        self.has(Self(Self::READ_ONLY.0 | Self::IDEMPOTENT.0))
    }
}

/// Who waits for the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A promise in JavaScript.
    User,
    /// AUTH of the handshake.
    Auth,
    /// HELLO of the handshake.
    Hello,
    /// SELECT, ours.
    Select,
    /// A command whose reply does not matter.
    Quiet,
    /// INFO of the ready check.
    Info,
    /// MONITOR, by option.
    Monitor,
    /// SUBSCRIBE after a reconnect.
    Resubscribe,
    /// The heartbeat.
    Ping,
}

/// One command in the ledger. `Debug` shows no arguments: they may hold a password.
#[derive(Clone)]
pub(super) struct Entry {
    /// Its number since the client was opened, wrapping. Meaningless unless it is the user's.
    pub seq: u32,
    /// Who waits.
    pub origin: Origin,
    /// Encoded; shares the flush's allocation.
    pub bytes: Bytes,
    /// What it is.
    pub flags: Flags,
    /// Pipeline or transaction; 0 none.
    pub group: i32,
    /// Position in the group.
    pub index: i32,
    /// When it must have settled.
    pub deadline: Option<Instant>,
    /// Own timeout of a blocking command in milliseconds, -1 unknown.
    pub blocking_ms: i32,
    /// When a blocking command ends with null, waiting or written.
    pub expires: Option<Instant>,
    /// Registered script; 0 none.
    pub script: i32,
    /// Whether this connection got it as EVAL.
    pub as_eval: bool,
    /// Database it must run in.
    pub db: u32,
    /// Confirmations due, of the subscribe family; 0 unknown.
    pub due: i32,
    /// Confirmations that are left on this connection; 0 before the first.
    pub left: i32,
    /// Settled already; its reply is discarded.
    pub settled: bool,
    /// Written on an earlier connection.
    pub sent_before: bool,
    /// Where its last byte is in the connection's stream.
    pub end: u64,
    /// How often a server refused it for now (READONLY, LOADING).
    pub refusals: u8,
}

impl Entry {
    /// A command of our own.
    pub(super) fn internal(origin: Origin, args: &[&[u8]]) -> Self {
        Self {
            seq: 0,
            origin,
            bytes: encode(args),
            flags: Flags::default(),
            group: 0,
            index: 0,
            deadline: None,
            blocking_ms: -1,
            expires: None,
            script: 0,
            as_eval: false,
            db: 0,
            due: 1,
            left: 0,
            settled: false,
            sent_before: false,
            end: 0,
            refusals: 0,
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("seq", &self.seq)
            .field("origin", &self.origin)
            .field("flags", &self.flags)
            .field("settled", &self.settled)
            .finish_non_exhaustive()
    }
}

/// What one flush handed over.
#[derive(Clone)]
pub(super) struct Submission {
    /// All commands, one after another.
    pub bytes: Bytes,
    /// Descriptors, [`STRIDE`] integers each; checked by [`Submission::new`].
    pub descriptors: Vec<i32>,
    /// When it was flushed: deadlines count from here.
    pub at: Instant,
}

impl Submission {
    /// Copies and checks what JavaScript hands over: the lengths must add up, and every command must be a RESP array.
    pub(super) fn new(out: &[u8], descriptors: &[i32], commands: usize) -> Result<Self, Failure> {
        let Some(descriptors) = descriptors.get(..commands * STRIDE) else {
            return Err(Failure::invalid_argument(
                "descriptors",
                format!("descriptors hold less than {commands} commands"),
            ));
        };
        let mut total = 0usize;
        for descriptor in descriptors.chunks_exact(STRIDE) {
            let length =
                descriptor.first().and_then(|length| usize::try_from(*length).ok()).filter(|length| *length > 3);
            let Some(length) = length.filter(|_| out.get(total) == Some(&b'*')) else {
                return Err(Failure::invalid_argument("descriptors", "descriptors do not fit the encoded commands"));
            };
            total = total.saturating_add(length);
        }
        if total != out.len() {
            let message = format!("descriptors speak of {total} bytes, but {} were written", out.len());
            return Err(Failure::invalid_argument("length", message));
        }
        Ok(Self { bytes: Bytes::copy_from_slice(out), descriptors: descriptors.to_vec(), at: Instant::now() })
    }

    /// The entries, with numbers from `first`.
    pub(super) fn entries(self, first: u32) -> impl Iterator<Item = Entry> {
        let Self { mut bytes, descriptors, at } = self;
        let count = descriptors.len() / STRIDE;
        (0..count).filter_map(move |i| {
            let descriptor = descriptors.get(i * STRIDE..(i + 1) * STRIDE)?;
            let &[length, flags, group, index, deadline, script, blocking_ms, due] = descriptor else {
                return None;
            };
            let length = usize::try_from(length).ok().filter(|length| *length <= bytes.len())?;
            let deadline = u64::try_from(deadline).ok().filter(|ms| *ms > 0);
            Some(Entry {
                seq: first.wrapping_add(u32::try_from(i).unwrap_or(0)),
                origin: Origin::User,
                bytes: bytes.split_to(length),
                flags: Flags(flags),
                group,
                index,
                deadline: deadline.map(|ms| at + std::time::Duration::from_millis(ms)),
                blocking_ms,
                script,
                due,
                ..Entry::internal(Origin::User, &[])
            })
        })
    }
}

/// A command as RESP.
pub(super) fn encode(args: &[&[u8]]) -> Bytes {
    if args.is_empty() {
        return Bytes::new();
    }
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out.into()
}

/// The arguments of an encoded command, without its name first skipped: index 0 is the name.
pub(super) fn arguments(bytes: &Bytes) -> Vec<Bytes> {
    walk(bytes).collect()
}

/// The name of an encoded command, as it was written.
pub(super) fn name(bytes: &Bytes) -> Bytes {
    walk(bytes).next().unwrap_or_default()
}

fn walk(bytes: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    let mut at = next_line(bytes, 0).map_or(bytes.len(), |(_, next)| next);
    std::iter::from_fn(move || {
        let (length, start) = next_line(bytes, at)?;
        let end = length.and_then(|length| start.checked_add(length)).filter(|end| *end <= bytes.len())?;
        at = end + 2;
        Some(bytes.slice(start..end))
    })
}

/// The number after the type byte of the line at `at`, and where the next line starts.
fn next_line(bytes: &[u8], at: usize) -> Option<(Option<usize>, usize)> {
    let rest = bytes.get(at..)?;
    let end = memchr::memchr(b'\r', rest)?;
    let number = std::str::from_utf8(rest.get(1..end)?).ok().and_then(|text| text.parse().ok());
    Some((number, at + end + 2))
}

#[cfg(test)]
mod tests {
    use super::{STRIDE, Submission, arguments, encode, name};

    #[test]
    fn splits_a_flush_into_its_commands() {
        let (a, b) = (encode(&[b"GET", b"k"]), encode(&[b"SET", b"k", b"\r\n*"]));
        let all = [&a[..], &b[..]].concat();
        let mut descriptors = vec![0; 2 * STRIDE];
        descriptors[0] = i32::try_from(a.len()).unwrap();
        descriptors[STRIDE] = i32::try_from(b.len()).unwrap();
        let entries: Vec<_> = Submission::new(&all, &descriptors, 2).unwrap().entries(u32::MAX).collect();
        assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [u32::MAX, 0]);
        assert_eq!(arguments(&entries[1].bytes), [&b"SET"[..], b"k", b"\r\n*"]);
        assert_eq!(name(&entries[1].bytes), "SET");
        assert!(Submission::new(&all, &descriptors, 1).is_err());
        assert!(Submission::new(&all[1..], &descriptors, 2).is_err());
        assert!(Submission::new(&all, &descriptors, 3).is_err());
    }
}
