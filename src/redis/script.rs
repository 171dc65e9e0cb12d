//! Scripts: registered once with their text, sent as EVALSHA where this connection has seen them, as EVAL where not.
//!
//! "Seen" is what this connection was sent; whoever flushes the server's scripts is noticed by NOSCRIPT.

use super::command::{Entry, arguments, encode};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};

/// The scripts of one client.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    sources: HashMap<i32, Bytes>,
    seen: HashSet<i32>,
}

impl Scripts {
    /// Keeps a script's text.
    pub(super) fn register(&mut self, id: i32, source: &str) {
        self.sources.insert(id, Bytes::copy_from_slice(source.as_bytes()));
    }

    /// A new connection, or a server that lost its scripts.
    pub(super) fn forget_all(&mut self) {
        self.seen.clear();
    }

    /// The server does not have this one.
    pub(super) fn forget(&mut self, id: i32) {
        self.seen.remove(&id);
    }

    /// Whether its text is known.
    pub(super) fn knows(&self, id: i32) -> bool {
        self.sources.contains_key(&id)
    }

    /// The bytes to send: as they are, or with EVAL and the text in the place of EVALSHA and the digest.
    pub(super) fn prepare(&mut self, entry: &mut Entry) -> Bytes {
        entry.as_eval = false;
        if entry.script == 0 || self.seen.contains(&entry.script) {
            return entry.bytes.clone();
        }
        let Some(source) = self.sources.get(&entry.script) else {
            return entry.bytes.clone();
        };
        self.seen.insert(entry.script);
        entry.as_eval = true;
        let args = arguments(&entry.bytes);
        let mut swapped: Vec<&[u8]> = vec![b"eval", source];
        swapped.extend(args.iter().skip(2).map(|arg| &arg[..]));
        encode(&swapped)
    }
}

#[cfg(test)]
mod tests {
    use super::Scripts;
    use crate::redis::command::{Entry, Origin, encode};

    #[test]
    fn sends_the_text_once_per_connection_and_again_when_forgotten() {
        let mut scripts = Scripts::default();
        scripts.register(1, "return 1");
        let mut entry = Entry { script: 1, ..Entry::internal(Origin::User, &[b"EVALSHA", b"sha", b"1", b"k"]) };
        let eval = encode(&[b"eval", b"return 1", b"1", b"k"]);
        assert_eq!(scripts.prepare(&mut entry), eval);
        assert_eq!(scripts.prepare(&mut entry), entry.bytes);
        scripts.forget(1);
        assert_eq!(scripts.prepare(&mut entry), eval);
        assert!(entry.as_eval);
    }
}
