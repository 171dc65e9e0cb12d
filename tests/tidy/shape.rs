//! The shape of files: size, header, name, and the pairing of leaves on both sides.

use super::one_sided::{ALIASES, RUST_ONLY, TYPESCRIPT_ONLY};
use super::source::{Offence, Source, is_rust, is_script};
use std::collections::BTreeSet;

/// Lines at which a file is refused.
const MOST_LINES: usize = 600;
/// Lines of unit tests inside a Rust file; more go to `room/leaf/tests.rs`.
const MOST_TEST_LINES: usize = 150;
/// Files with their own limit.
const LIMITS: &[(&str, usize)] = &[("src/bridge/lane.rs", 200), ("ARCHITECTURE.md", 250), ("CONTRIBUTING.md", 80)];
/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "manager", "common", "misc", "shared"];
/// Folders whose files name their module.
const WITH_MODULE: &[&str] = &["lib/", "__tests__/", "dev/", "scripts/", "benches/", "examples/"];
/// Features: a folder of this name on each side.
const FEATURES: &[&str] = &["error", "observe", "lifecycle", "mongo", "redis", "solana"];

/// Every check of this file.
pub(crate) fn check(sources: &[Source]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| !source.is_generated()) {
        files_are_small(source, &mut offences);
        files_say_what_they_are_for(source, &mut offences);
        names_say_something(source, &mut offences);
    }
    for feature in FEATURES {
        leaves_are_paired(sources, feature, &mut offences);
    }
    one_sided_leaves_exist(sources, &mut offences);
    offences
}

fn files_are_small(source: &Source, offences: &mut Vec<Offence>) {
    let lines = source.text.lines().count();
    let limit = LIMITS.iter().find(|(path, _)| *path == source.path).map(|(_, limit)| *limit);
    if !is_rust(&source.path) && !is_script(&source.path) && limit.is_none() {
        return;
    }
    let tests = if is_rust(&source.path) { in_file_test_lines(&source.text) } else { 0 };
    let limit = limit.unwrap_or(MOST_LINES);
    if lines - tests > limit {
        offences.push(Offence::new(source, limit, format!("section 8: {} lines; at most {limit}", lines - tests)));
    }
    if tests > MOST_TEST_LINES {
        let rule = format!(
            "section 8: {tests} lines of tests in the file; beyond {MOST_TEST_LINES} they go to room/leaf/tests.rs"
        );
        offences.push(Offence::new(source, lines, rule));
    }
}

/// Lines from a `#[cfg(test)]` at the margin to the brace that ends its module.
fn in_file_test_lines(text: &str) -> usize {
    let mut count = 0;
    let mut inside = false;
    let mut announced = false;
    for line in text.lines() {
        let attribute = line.starts_with("#[cfg(") && line.contains("test");
        if attribute {
            announced = true;
        } else if announced && !line.starts_with("#[") {
            inside = line.starts_with("mod ") && line.ends_with('{');
            announced = false;
        }
        if inside || announced {
            count += 1;
        }
        if inside && line == "}" {
            inside = false;
        }
    }
    count
}

fn files_say_what_they_are_for(source: &Source, offences: &mut Vec<Offence>) {
    if is_rust(&source.path) && !source.text.starts_with("//! ") {
        offences.push(Offence::new(source, 1, "section 8: a Rust file opens with `//!` and what it is for"));
    }
    if !is_script(&source.path) {
        return;
    }
    let text = match source.text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => rest,
        _ => source.text.as_str(),
    };
    let header = text.strip_prefix("/**").and_then(|rest| rest.split_once("*/")).map(|(header, _)| header);
    let named = !WITH_MODULE.iter().any(|folder| source.under(folder))
        || header.is_some_and(|header| header.contains("@module"));
    if header.is_none() || !named {
        offences.push(Offence::new(source, 1, "section 8: a script opens with `/** @module name` and what it is for"));
    }
}

fn names_say_something(source: &Source, offences: &mut Vec<Offence>) {
    if !is_rust(&source.path) && !is_script(&source.path) {
        return;
    }
    let folders = source.path.split('/').map(|part| part.split('.').next().unwrap_or_default());
    if folders.clone().any(|name| EMPTY_NAMES.contains(&name)) {
        offences.push(Offence::new(
            source,
            1,
            "section 8: no `util`, `helper`, `manager` or `common` files; name what it does",
        ));
    }
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let stem = source.stem();
    let fits = stem.is_empty() || if is_rust(&source.path) { stem.chars().all(snake) } else { stem.chars().all(kebab) };
    if !fits {
        offences.push(Offence::new(source, 1, "section 8: script names are kebab-case, Rust names are snake_case"));
    }
}

/// Leaves of a feature under `src/` or `lib/`, in `snake_case`; a folder counts as one leaf.
fn leaves(sources: &[Source], folder: &str) -> BTreeSet<String> {
    let inside = sources.iter().filter_map(|source| source.path.strip_prefix(folder));
    inside
        .filter_map(|path| path.split(['/', '.']).next())
        .filter(|leaf| !matches!(*leaf, "mod" | "index" | "tests"))
        .map(|leaf| leaf.replace('-', "_"))
        .collect()
}

fn leaves_are_paired(sources: &[Source], feature: &str, offences: &mut Vec<Offence>) {
    let rust = leaves(sources, &format!("src/{feature}/"));
    let typescript = leaves(sources, &format!("lib/{feature}/"));
    let listed = |list: &[(&str, &str)], leaf: &str| list.iter().any(|(of, name)| *of == feature && *name == leaf);
    let paired = |side: &BTreeSet<String>, leaf: &str| {
        side.contains(leaf)
            || ALIASES.iter().any(|(a, b)| (*a == leaf && side.contains(*b)) || (*b == leaf && side.contains(*a)))
    };
    let sides = [("src", &rust, &typescript, RUST_ONLY), ("lib", &typescript, &rust, TYPESCRIPT_ONLY)];
    for (root, ours, theirs, list) in sides {
        for leaf in ours.iter().filter(|leaf| !paired(theirs, leaf) && !listed(list, leaf)) {
            let path = format!("{root}/{feature}/{leaf}");
            let rule =
                "section 2: a leaf has the same name on both sides, or stands in tests/tidy/one_sided.rs".to_owned();
            offences.push(Offence { path, line: 1, rule });
        }
    }
}

/// A listed leaf that now has its twin is no longer one-sided.
fn one_sided_leaves_exist(sources: &[Source], offences: &mut Vec<Offence>) {
    for (list, other) in [(RUST_ONLY, "lib"), (TYPESCRIPT_ONLY, "src")] {
        for (feature, leaf) in list {
            if leaves(sources, &format!("{other}/{feature}/")).contains(*leaf) {
                let path = format!("{other}/{feature}/{leaf}");
                let rule = "section 2: the leaf exists on both sides; take it off tests/tidy/one_sided.rs".to_owned();
                offences.push(Offence { path, line: 1, rule });
            }
        }
    }
}
