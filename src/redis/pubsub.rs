//! What a connection is subscribed to: follows the server's confirmations, and makes the commands that restore it elsewhere.

use super::command::{Entry, Flags, Origin};
use std::collections::BTreeSet;

/// What an array of a subscribed connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// A message for listeners.
    Message,
    /// A confirmation that adds to the set of this index, or removes from it.
    Confirmation {
        /// Channels, patterns or shard channels.
        set: usize,
        /// Whether it adds.
        adds: bool,
    },
}

const SUBSCRIBE: [&[u8]; 3] = [b"subscribe", b"psubscribe", b"ssubscribe"];
const UNSUBSCRIBE: [&[u8]; 3] = [b"unsubscribe", b"punsubscribe", b"sunsubscribe"];

/// Recognises a frame by its head.
pub(super) fn frame(head: &[u8]) -> Option<Frame> {
    if matches!(head, b"message" | b"pmessage" | b"smessage") {
        return Some(Frame::Message);
    }
    let find = |names: [&[u8]; 3]| names.iter().position(|name| *name == head);
    find(SUBSCRIBE)
        .map(|set| Frame::Confirmation { set, adds: true })
        .or_else(|| find(UNSUBSCRIBE).map(|set| Frame::Confirmation { set, adds: false }))
}

/// Channels, patterns and shard channels.
#[derive(Debug, Default, Clone)]
pub(super) struct Subscriptions {
    sets: [BTreeSet<Vec<u8>>; 3],
}

impl Subscriptions {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.sets.iter().map(BTreeSet::len).sum()
    }

    /// How many are in one set.
    pub(super) fn count_of(&self, set: usize) -> usize {
        self.sets.get(set).map_or(0, BTreeSet::len)
    }

    /// Follows a confirmation.
    pub(super) fn confirm(&mut self, set: usize, adds: bool, channel: &[u8]) {
        let Some(set) = self.sets.get_mut(set) else {
            return;
        };
        if adds {
            set.insert(channel.to_vec());
        } else {
            set.remove(channel);
        }
    }

    /// The commands that subscribe to everything again.
    pub(super) fn restore(&self) -> Vec<Entry> {
        let mut out = Vec::new();
        for (set, name) in self.sets.iter().zip(SUBSCRIBE) {
            if set.is_empty() {
                continue;
            }
            // Shard channels of different slots must not share a command in a cluster; one each is always right.
            let size = if name == b"ssubscribe" { 1 } else { set.len() };
            let channels: Vec<&[u8]> = set.iter().map(|channel| &channel[..]).collect();
            for part in channels.chunks(size) {
                let args: Vec<&[u8]> = std::iter::once(name).chain(part.iter().copied()).collect();
                let due = i32::try_from(part.len()).unwrap_or(i32::MAX);
                out.push(Entry { flags: Flags::SUBSCRIBE, due, ..Entry::internal(Origin::Resubscribe, &args) });
            }
        }
        out
    }
}
