//! Replies kept for a moment: bounded in bytes, each with its own lifetime. Holds results as received, so that every caller gets its own object.

use crate::solana::call::floor::is_below;
use bytes::Bytes;
use moka::Expiry;
use moka::sync::Cache as Moka;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What an entry costs besides its bytes.
const OVERHEAD: usize = 128;

#[derive(Clone)]
struct Entry {
    result: Bytes,
    lifetime: Duration,
}

struct ByEntry;

impl Expiry<Bytes, Entry> for ByEntry {
    fn expire_after_create(&self, _: &Bytes, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.lifetime)
    }

    fn expire_after_update(&self, _: &Bytes, entry: &Entry, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.lifetime)
    }
}

/// The cache of one pool.
pub(in crate::solana) struct Cache {
    entries: Moka<Bytes, Entry>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Cache {
    /// A cache of at most `max_bytes`.
    pub(in crate::solana) fn new(max_bytes: u64) -> Self {
        let weigh =
            |key: &Bytes, entry: &Entry| u32::try_from(key.len() + entry.result.len() + OVERHEAD).unwrap_or(u32::MAX);
        let entries = Moka::builder().max_capacity(max_bytes).weigher(weigh).expire_after(ByEntry).build();
        Self { entries, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// A kept result.
    pub(in crate::solana) fn get(&self, key: &Bytes) -> Option<Bytes> {
        self.get_from(key, None)
    }

    /// A kept result that is not from before slot `min`.
    pub(in crate::solana) fn get_from(&self, key: &Bytes, min: Option<u64>) -> Option<Bytes> {
        let found = self.entries.get(key).map(|entry| entry.result).filter(|kept| is_below(kept, min).is_none());
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// A kept result, without counting the look.
    pub(in crate::solana) fn peek(&self, key: &Bytes) -> Option<Bytes> {
        self.entries.get(key).map(|entry| entry.result)
    }

    /// Keeps a result; a lifetime of zero keeps nothing. Copies it: a slice would hold the whole reply.
    pub(in crate::solana) fn put(&self, key: Bytes, result: &[u8], lifetime: Duration) {
        if !lifetime.is_zero() {
            self.entries.insert(key, Entry { result: Bytes::copy_from_slice(result), lifetime });
        }
    }

    /// Forgets everything.
    pub(in crate::solana) fn clear(&self) {
        self.entries.invalidate_all();
    }

    /// Entries that are still alive, about.
    pub(in crate::solana) fn len(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    /// Hits and misses so far.
    pub(in crate::solana) fn counts(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use bytes::Bytes;
    use std::time::Duration;

    #[test]
    fn keeps_for_the_lifetime_of_the_entry_and_within_its_bytes() {
        let cache = Cache::new(100_000);
        cache.put(Bytes::from_static(b"off"), b"1", Duration::ZERO);
        cache.put(Bytes::from_static(b"on"), b"1", Duration::from_secs(9));
        assert_eq!(cache.get(&Bytes::from_static(b"off")), None);
        assert_eq!(cache.get(&Bytes::from_static(b"on")).as_deref(), Some(&b"1"[..]));
        assert_eq!(cache.counts(), (1, 1));
        cache.put(Bytes::from_static(b"at 7"), br#"{"context":{"slot":7},"value":1}"#, Duration::from_secs(9));
        let from = |min| cache.get_from(&Bytes::from_static(b"at 7"), Some(min)).is_some();
        assert!(from(7) && !from(8), "older than asked for");
        for number in 0..1000u32 {
            cache.put(number.to_string().into(), &[0; 1000], Duration::from_secs(9));
        }
        assert!(cache.len() <= 100);
        cache.clear();
        assert_eq!(cache.len(), 0);
    }
}
