//! Things that pools of one process share by a key: a node by its identity, a queue by its set of endpoints. With the last member they are forgotten.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared values of one kind. Keys hold secrets: they are never shown.
pub(in crate::solana) struct Registry<T: 'static> {
    entries: Mutex<Option<HashMap<String, Entry<T>>>>,
}

struct Entry<T> {
    value: Arc<T>,
    members: usize,
}

/// One use of a shared value; dropping it is leaving.
pub(in crate::solana) struct Member<T: 'static> {
    registry: &'static Registry<T>,
    key: String,
    value: Arc<T>,
}

impl<T> Registry<T> {
    /// Nothing shared yet.
    pub(in crate::solana) const fn new() -> Self {
        Self { entries: Mutex::new(None) }
    }

    /// The value of `key`, made by `make` when it has no member.
    pub(in crate::solana) fn join(&'static self, key: String, make: impl FnOnce() -> T) -> Member<T> {
        let mut entries = self.entries();
        let entry = entries.get_or_insert_default().entry(key.clone());
        let entry = entry.or_insert_with(|| Entry { value: Arc::new(make()), members: 0 });
        entry.members += 1;
        Member { registry: self, key, value: Arc::clone(&entry.value) }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries().as_ref().map_or(0, HashMap::len)
    }

    fn entries(&self) -> MutexGuard<'_, Option<HashMap<String, Entry<T>>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Member<T> {
    /// The value itself, for those who outlive this use.
    pub(in crate::solana) fn value(&self) -> Arc<T> {
        Arc::clone(&self.value)
    }

    /// This member under another key: with the value that is there, else with its own one when nobody else shares it, else with one made by `make`.
    pub(in crate::solana) fn moved(&self, key: &str, make: impl FnOnce() -> T) -> Self {
        let mut entries = self.registry.entries();
        let entries = entries.get_or_insert_default();
        let alone = entries.get(&self.key).is_some_and(|entry| entry.members == 1);
        let entry = entries.entry(key.to_owned()).or_insert_with(|| {
            let value = if alone { self.value() } else { Arc::new(make()) };
            Entry { value, members: 0 }
        });
        entry.members += 1;
        Self { registry: self.registry, key: key.to_owned(), value: Arc::clone(&entry.value) }
    }

    /// Whether that is its key.
    pub(in crate::solana) fn has_key(&self, key: &str) -> bool {
        self.key == key
    }
}

impl<T> Deref for Member<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for Member<T> {
    fn drop(&mut self) {
        let mut entries = self.registry.entries();
        let Some(entries) = entries.as_mut() else { return };
        let Some(entry) = entries.get_mut(&self.key) else { return };
        entry.members -= 1;
        if entry.members == 0 {
            entries.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Registry;

    #[test]
    fn shares_by_key_and_forgets_with_the_last_member() {
        static REGISTRY: Registry<u32> = Registry::new();
        let one = REGISTRY.join("a".to_owned(), || 1);
        let same = REGISTRY.join("a".to_owned(), || 2);
        assert_eq!((*one, *same), (1, 1));
        drop(one);
        assert_eq!(REGISTRY.len(), 1);
        drop(same);
        assert_eq!(REGISTRY.len(), 0);
        assert_eq!(*REGISTRY.join("a".to_owned(), || 3), 3);
    }

    #[test]
    fn a_value_that_nobody_shares_moves_to_another_key() {
        static REGISTRY: Registry<u32> = Registry::new();
        let one = REGISTRY.join("a".to_owned(), || 1);
        let moved = one.moved("b", || 7);
        drop(one);
        assert_eq!((*moved, REGISTRY.len()), (1, 1));
        let same = REGISTRY.join("b".to_owned(), || 2);
        assert_eq!(*same.moved("c", || 7), 7, "the other member keeps its own");
        assert_eq!(*same, 1);
    }
}
