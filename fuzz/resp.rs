//! Any bytes as the replies of a server: no panic, no memory that was not received, the same tokens wherever the bytes are split.
//!
//! The parser's own source is compiled, so that a run builds four crates and not the addon. `src/redis/resp/tests.rs` has the same properties for `cargo test`.

#![no_main]
#![allow(dead_code, reason = "of the rooms only the parser is used here")]

#[path = "../src/error/mod.rs"]
mod error;

#[path = "../src/redis"]
mod redis {
    pub mod reply;
    pub mod resp;

    #[path = "resp/pieces.rs"]
    mod pieces;

    use pieces::parse_pieces;

    /// Tokens and bytes are at most so many times what was received: two numbers for a value of three bytes.
    const MOST: usize = 4;

    /// The first byte says where the rest is split.
    pub fn check(data: &[u8]) {
        let Some((&at, rest)) = data.split_first() else {
            return;
        };
        let (whole, tokens) = parse_pieces(&[rest]);
        assert!(tokens.blob.len() <= rest.len());
        assert!(tokens.meta.len() <= MOST * rest.len());
        let middle = usize::from(at) * rest.len() / 255;
        let (first, second) = rest.split_at(middle);
        let (split, parts) = parse_pieces(&[first, second]);
        assert_eq!(whole, split);
        assert_eq!((tokens.meta, tokens.blob), (parts.meta, parts.blob));
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| redis::check(data));
