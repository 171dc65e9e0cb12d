//! The invariants of `ARCHITECTURE.md` that text can show: imports, sizes, headers, names, and what committed text must not hold.
//!
//! What only a compiler or a running process can show is a lint (`Cargo.toml`, `.oxlintrc.json`) or a test. Each offence is printed as
//! `file:line: rule`; the number is that of the invariant, or of the section, that it breaks.

#[path = "tidy/facade.rs"]
mod facade;
#[path = "tidy/one_sided.rs"]
mod one_sided;
#[path = "tidy/planted.rs"]
mod planted;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/text.rs"]
mod text;

use source::{Offence, Source};
use std::path::Path;

fn tree() -> Vec<Source> {
    let sources = source::read_tree(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the tree was not read");
    sources
}

fn none(offences: &[Offence]) {
    let list: Vec<String> = offences.iter().map(|o| format!("{}:{}: {}", o.path, o.line, o.rule)).collect();
    assert!(list.is_empty(), "{} offences\n{}\n", list.len(), list.join("\n"));
}

#[test]
fn rooms_of_the_crate_keep_to_their_neighbours() {
    none(&rooms::check(&tree()));
}

#[test]
fn the_facade_imports_what_it_may_and_does_nothing_at_import() {
    none(&facade::check(&tree()));
}

#[test]
fn files_are_small_explained_and_named_alike_on_both_sides() {
    none(&shape::check(&tree()));
}

#[test]
fn committed_text_names_no_machine_and_every_test_runs() {
    none(&text::check(&tree()));
}
