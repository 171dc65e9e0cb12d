//! Shared rate limits kept in Redis: the [`LimitStore`] of the room.
//!
//! Has a connection of its own with the options of the client it belongs to, and ends with that client: a lease neither waits behind the application's commands
//! nor lands in its transaction. One script on the server's clock; nothing is kept that does not expire within seconds of the last process.

use super::client::Client;
use super::command::{STRIDE, encode};
use super::companion::{Answer, Reader, own_options};
use super::reply::{Chunk, ReplySink};
use crate::retry::{Ask, BACKLOG, Lease, LeaseFuture, LimitStore, Unavailable};
use sha1::{Digest, Sha1};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

const SCRIPT: &str = include_str!("limit_store.lua");
const SCRIPT_ID: i32 = 1;
/// An ask that is not answered by then is given up, also one that waits for a connection.
const LIMIT_MS: i32 = 1000;
/// Slots farther away, or farther from one another, make no sense: the slowest limit is one start in a hundred seconds.
const FARTHEST: Duration = Duration::from_hours(1);
/// More slots than any lease asks for.
const MOST_SLOTS: u32 = 100_000;

/// Limits kept by one Redis server.
struct RedisLimits {
    client: Client,
    waiters: Arc<Waiters>,
    digest: String,
    prefix: String,
    /// Held while a command is numbered and handed over: numbers follow the order of the wire.
    next: Mutex<u32>,
}

/// Who waits for which reply.
#[derive(Default)]
struct Waiters(Mutex<HashMap<u32, oneshot::Sender<Lease>>>);

impl Client {
    /// A store of shared limits with this client's server, options and, for its keys, `prefix`. Connects with the first lease, closes when this client ends.
    pub fn limit_store(&self, prefix: &str) -> Arc<dyn LimitStore> {
        let waiters = Arc::<Waiters>::default();
        let sink = Arc::clone(&waiters) as Arc<dyn ReplySink>;
        let client = self.companion(own_options(self.options(), "shared limits"), sink);
        client.register_script(SCRIPT_ID, SCRIPT);
        let digest = format!("{:x}", Sha1::digest(SCRIPT));
        Arc::new(RedisLimits { client, waiters, digest, prefix: prefix.to_owned(), next: Mutex::default() })
    }
}

impl RedisLimits {
    fn send(&self, command: &[u8]) -> Option<oneshot::Receiver<Lease>> {
        let mut next = lock(&self.next);
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiters.0).insert(*next, sender);
        let mut descriptor = [0; STRIDE];
        let [length, _, _, _, deadline, script, blocking, due] = &mut descriptor;
        (*length, *deadline, *script) = (i32::try_from(command.len()).ok()?, LIMIT_MS, SCRIPT_ID);
        (*blocking, *due) = (-1, 1);
        let number = *next;
        *next = next.wrapping_add(1);
        if self.client.flush(command, &descriptor, 1).is_err() {
            lock(&self.waiters.0).remove(&number);
        }
        Some(receiver)
    }
}

impl LimitStore for RedisLimits {
    fn lease(&self, key: &str, process: &str, ask: Ask) -> LeaseFuture {
        let micros = |time: Duration| format!("{:.3}", time.as_secs_f64() * 1e6);
        let key = |what: &str| format!("{}mooring:limit:{{{key}}}:{what}", self.prefix);
        let (slots, processes) = (key("slots"), key("processes"));
        let (interval, cover, backlog) = (micros(ask.interval), micros(ask.cover), micros(BACKLOG));
        let (need, soon) = (ask.need.to_string(), ask.soon.to_string());
        let parts =
            ["EVALSHA", &self.digest, "2", &slots, &processes, process, &interval, &need, &soon, &cover, &backlog];
        let receiver = self.send(&encode(&parts.map(str::as_bytes)));
        Box::pin(async move {
            let receiver = receiver.ok_or(Unavailable)?;
            // The client settles its commands by their deadline; one that was abandoned settles nothing.
            let limit = Duration::from_millis(u64::from(LIMIT_MS.unsigned_abs()) + 200);
            tokio::time::timeout(limit, receiver).await.map_err(|_| Unavailable)?.map_err(|_| Unavailable)
        })
    }

    fn close(&self) {
        self.client.shut();
    }
}

impl ReplySink for Waiters {
    fn deliver(&self, chunk: Chunk) {
        let tokens = chunk.tokens();
        let mut reader = Reader::new(&tokens.meta, &tokens.blob);
        while let Some((seq, answer)) = reader.settled() {
            let waiter = lock(&self.0).remove(&seq);
            let lease = if let Answer::Text(text) = answer { understand(text) } else { None };
            if let (Some(waiter), Some(lease)) = (waiter, lease) {
                // A waiter that has gone needs no answer.
                let _ = waiter.send(lease);
            }
        }
    }

    fn backlog(&self) -> usize {
        0
    }
}

/// The script's answer: `first interval count processes`, times in microseconds. Whoever may write to this Redis may have put another in its place.
fn understand(answer: &[u8]) -> Option<Lease> {
    let mut parts = std::str::from_utf8(answer).ok()?.split(' ');
    let first = parts.next()?.parse::<f64>().ok()? / 1e6;
    let interval = Duration::try_from_secs_f64(parts.next()?.parse::<f64>().ok()? / 1e6).ok()?;
    let (count, processes) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let sane =
        first.abs() <= FARTHEST.as_secs_f64() && !interval.is_zero() && interval <= FARTHEST && count <= MOST_SLOTS;
    sane.then_some(Lease { first, interval, count, processes })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::understand;
    use crate::retry::Lease;
    use std::time::Duration;

    #[test]
    fn understands_what_the_script_answers_and_nothing_else() {
        let lease = Lease { first: -0.05, interval: Duration::from_millis(11), count: 3, processes: 4 };
        assert_eq!(understand(b"-50000 11000.000 3 4"), Some(lease));
        let absurd = [&b"inf 2 3 4"[..], b"NaN 2 3 4", b"1e300 2 3 4", b"1 0 3 4", b"1 1e14 3 4", b"1 2 4000000000 4"];
        let wrong = [&b"OK"[..], b"", b"1 2 3", b"1 -2 3 4", b"a b c d", b"1 2 -3 4", b"\xff"];
        for wrong in wrong.into_iter().chain(absurd) {
            assert_eq!(understand(wrong), None);
        }
    }
}
