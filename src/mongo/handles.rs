//! What a client keeps for JavaScript under a number: cursors and change streams.

use std::collections::HashMap;

/// Things by their handle; 0 is none's.
pub(super) struct Handles<T> {
    last: u32,
    /// What is kept.
    pub(super) places: HashMap<u32, T>,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self { last: 0, places: HashMap::new() }
    }
}

impl<T> Handles<T> {
    /// Keeps `place` and returns its handle.
    pub(super) fn keep(&mut self, place: T) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.places.contains_key(&self.last) {
                self.places.insert(self.last, place);
                return self.last;
            }
        }
    }
}
