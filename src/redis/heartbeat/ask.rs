//! Asking for locks: the queue library's own script with its arguments, and what its answers say.

use super::book::{Book, Claim};
use super::lock;
use crate::error::Failure;
use crate::redis::client::Client;
use crate::redis::command::{Flags, STRIDE, encode};
use crate::redis::companion::{Answer, Reader};
use crate::redis::connection::Status;
use crate::redis::reply::{Chunk, ReplySink};
use sha1::{Digest, Sha1};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

const SCRIPT_ID: i32 = 1;
/// A renewal that takes longer is given up and asked again; never less than this.
const LEAST: Duration = Duration::from_millis(200);
const LONGEST_LOCK: Duration = Duration::from_hours(24);

/// Which script renews.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockScript {
    /// BullMQ's `extendLocks`: one call for all jobs; answers the ids that were refused.
    Batch,
    /// `extendLock` of BullMQ and Bull: one call a job; answers 1 or 0.
    Single,
}

/// The locks of one queue and how to renew them.
#[derive(Debug, Clone)]
pub struct Locks {
    /// Which script it is.
    pub script: LockScript,
    /// Its text.
    pub source: String,
    /// What stands before a job's id in its keys: `bull:mail:`.
    pub prefix: String,
    /// The key of the queue's set of stalled jobs.
    pub stalled: String,
    /// How long a lock lasts.
    pub lock: Duration,
    /// Silence of the event loop after which locks are let go.
    pub max_blocked: Duration,
}

impl Locks {
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.lock.is_zero() || self.lock > LONGEST_LOCK {
            return Err(Failure::invalid_config("lockDuration", "lockDuration must be between 1 ms and a day"));
        }
        if self.max_blocked.is_zero() {
            return Err(Failure::invalid_argument("maxBlockedMs", "maxBlockedMs must be 1 or more"));
        }
        Ok(())
    }
}

/// Claims by the number of the command that asks for them.
type Waiting = Mutex<HashMap<u32, Vec<Claim>>>;

/// Takes answers into the book, on whatever thread they come.
pub(super) struct Answers {
    waiting: Waiting,
    book: Arc<Mutex<Book>>,
    wake: Arc<Notify>,
    /// A renewal was not answered in its time: the connection may be a dead one that nobody has closed.
    in_doubt: AtomicBool,
}

impl Answers {
    pub(super) fn new(book: Arc<Mutex<Book>>, wake: Arc<Notify>) -> Self {
        Self { waiting: Mutex::default(), book, wake, in_doubt: AtomicBool::new(false) }
    }
}

impl ReplySink for Answers {
    fn deliver(&self, chunk: Chunk) {
        let tokens = chunk.tokens();
        let mut reader = Reader::new(&tokens.meta, &tokens.blob);
        let now = Instant::now();
        while let Some((number, answer)) = reader.settled() {
            let Some(claims) = lock(&self.waiting).remove(&number) else {
                continue;
            };
            if answer == Answer::Unanswered {
                self.in_doubt.store(true, Ordering::SeqCst);
            }
            let mut book = lock(&self.book);
            match answer {
                Answer::List(refused) => book.answered(claims, &refused, now),
                Answer::Number(1) => book.answered(claims, &[], now),
                Answer::Number(_) => {
                    let refused: Vec<String> = claims.iter().map(|claim| claim.id.clone()).collect();
                    let refused: Vec<&[u8]> = refused.iter().map(String::as_bytes).collect();
                    book.answered(claims, &refused, now);
                }
                Answer::Unanswered | Answer::Failed | Answer::Text(_) | Answer::Other => {
                    book.unanswered(claims, now);
                }
            }
            drop(book);
            self.wake.notify_one();
        }
    }

    fn backlog(&self) -> usize {
        0
    }
}

/// Encodes and sends. Numbers follow the order of the wire: one asker per client, used by one thread at a time.
pub(super) struct Asker {
    locks: Locks,
    answers: Arc<Answers>,
    digest: String,
    next: u32,
}

impl Asker {
    pub(super) fn new(locks: Locks, answers: Arc<Answers>, client: &Client) -> Self {
        client.register_script(SCRIPT_ID, &locks.source);
        let digest = format!("{:x}", Sha1::digest(&locks.source));
        Self { locks, answers, digest, next: 0 }
    }

    /// Asks for these locks; answers go to the book.
    pub(super) fn ask(&mut self, client: &Client, claims: Vec<Claim>, now: Instant) {
        let status = client.transition().status;
        if matches!(status, Status::Wait | Status::End) && client.connect().is_err() {
            return lock(&self.answers.book).unanswered(claims, now);
        }
        // Locks end long before the network says that a peer is gone. Refused only when the environment is going away.
        if self.answers.in_doubt.swap(false, Ordering::SeqCst) && status == Status::Ready {
            drop(client.disconnect(true));
        }
        let limit = lock(&self.answers.book).period().max(LEAST);
        let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        match self.locks.script {
            LockScript::Batch => {
                let command = self.batch(&claims);
                self.send(client, &command, claims, limit);
            }
            LockScript::Single => {
                for claim in claims {
                    let command = self.single(&claim);
                    self.send(client, &command, vec![claim], limit);
                }
            }
        }
    }

    fn batch(&self, claims: &[Claim]) -> Vec<u8> {
        let tokens = packed(claims.iter().map(|claim| claim.token.as_str()));
        let ids = packed(claims.iter().map(|claim| claim.id.as_str()));
        let duration = self.locks.lock.as_millis().to_string();
        let Locks { prefix, stalled, .. } = &self.locks;
        let head = ["EVALSHA", &self.digest, "1", stalled, prefix].map(str::as_bytes);
        encode(&[&head[..], &[&tokens, &ids, duration.as_bytes()]].concat()).to_vec()
    }

    fn single(&self, Claim { id, token, .. }: &Claim) -> Vec<u8> {
        let Locks { prefix, stalled, .. } = &self.locks;
        let (key, duration) = (format!("{prefix}{id}:lock"), self.locks.lock.as_millis().to_string());
        let parts = ["EVALSHA", &self.digest, "2", &key, stalled, token, &duration, id];
        encode(&parts.map(str::as_bytes)).to_vec()
    }

    fn send(&mut self, client: &Client, command: &[u8], claims: Vec<Claim>, limit_ms: i32) {
        let mut descriptor = [0; STRIDE];
        let [length, flags, _, _, deadline, script, blocking, due] = &mut descriptor;
        *length = i32::try_from(command.len()).unwrap_or(i32::MAX);
        (*flags, *deadline, *script, *blocking, *due) = (Flags::IDEMPOTENT.0, limit_ms, SCRIPT_ID, -1, 1);
        let number = self.next;
        self.next = number.wrapping_add(1);
        lock(&self.answers.waiting).insert(number, claims);
        if client.flush(command, &descriptor, 1).is_err() {
            let claims = lock(&self.answers.waiting).remove(&number);
            lock(&self.answers.book).unanswered(claims.unwrap_or_default(), Instant::now());
        }
    }
}

/// A `MessagePack` array of strings.
fn packed<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    let count = texts.len();
    match (u8::try_from(count), u16::try_from(count)) {
        (Ok(count @ ..=15), _) => out.push(0x90 | count),
        (_, Ok(count)) => {
            out.push(0xdc);
            out.extend_from_slice(&count.to_be_bytes());
        }
        _ => {
            out.push(0xdd);
            out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    for text in texts {
        let length = text.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ ..=31), _) => out.push(0xa0 | length),
            (Ok(length), _) => out.extend_from_slice(&[0xd9, length]),
            (_, Ok(length)) => {
                out.push(0xda);
                out.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                out.push(0xdb);
                out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
        out.extend_from_slice(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::packed;

    #[test]
    fn packs_strings_as_message_pack_does() {
        assert_eq!(packed(["a", ""].into_iter()), [0x92, 0xa1, b'a', 0xa0]);
        let long = "x".repeat(40);
        assert_eq!(packed([long.as_str()].into_iter())[..3], [0x91, 0xd9, 40]);
        let longer = "y".repeat(300);
        assert_eq!(packed([longer.as_str()].into_iter())[..4], [0x91, 0xda, 1, 44]);
        let many = vec!["1"; 20];
        assert_eq!(packed(many.into_iter())[..4], [0xdc, 0, 20, 0xa1]);
    }
}
