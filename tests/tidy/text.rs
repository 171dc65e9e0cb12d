//! What committed text must not hold: a machine's paths, a registry's host, a test that does not run, a patched dependency.

use super::source::{Offence, Source, is_rust, is_script, is_word};

/// Roots of somebody's machine. In two pieces, so that this file does not hold them.
const MACHINE_PATHS: &[(&str, &str)] = &[
    ("/wor", "k/"),
    ("/ro", "ot/"),
    ("/tm", "p/wt"),
    ("/tm", "p/brief"),
    ("/ho", "me/"),
    ("/Us", "ers/"),
    ("C:\\Us", "ers\\"),
];
/// Settings that name a package registry.
const REGISTRY_SETTINGS: &[(&str, &str)] =
    &[("registry", "=http"), ("--regis", "try http"), ("index-", "url"), ("_auth", "Token=")];
/// Where packages come from.
const PUBLIC_SOURCES: &[&str] =
    &["https://registry.npmjs.org/", "registry+https://github.com/rust-lang/crates.io-index"];

/// Every check of this file.
pub(crate) fn check(sources: &[Source]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for source in sources {
        text_names_no_machine(source, &mut offences);
        lock_files_name_public_sources(source, &mut offences);
        tests_all_run(source, &mut offences);
        dependencies_are_as_published(source, &mut offences);
    }
    offences
}

fn text_names_no_machine(source: &Source, offences: &mut Vec<Offence>) {
    if matches!(source.path.as_str(), "binding.js" | "package-lock.json" | "Cargo.lock") {
        return;
    }
    for (number, line) in source.text.lines().enumerate() {
        let path = MACHINE_PATHS.iter().any(|(a, b)| begins_a_path(line, &format!("{a}{b}")));
        if path {
            offences.push(Offence::new(source, number + 1, "committed text holds a path of somebody's machine"));
        }
        if REGISTRY_SETTINGS.iter().any(|(a, b)| line.contains(&format!("{a}{b}"))) {
            offences.push(Offence::new(source, number + 1, "committed text names a package registry"));
        }
    }
}

/// Whether `path` stands in `line` at the beginning of a path: `lib/work/` is none of ours.
fn begins_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back()).unwrap_or(' ');
        !is_word(before) && !"./-*>})]".contains(before)
    })
}

fn lock_files_name_public_sources(source: &Source, offences: &mut Vec<Offence>) {
    if !source.path.ends_with("package-lock.json") && !source.path.ends_with("Cargo.lock") {
        return;
    }
    for (number, line) in source.text.lines().enumerate() {
        let line = line.trim();
        let value = line.strip_prefix("\"resolved\": \"").or_else(|| line.strip_prefix("source = \""));
        let local = value.is_some_and(|value| !value.contains("://") && source.path.contains("examples/"));
        if value.is_some_and(|value| !local && !PUBLIC_SOURCES.iter().any(|public| value.starts_with(public))) {
            offences.push(Offence::new(
                source,
                number + 1,
                "13: a lock file names only the public registries, or none",
            ));
        }
    }
}

fn tests_all_run(source: &Source, offences: &mut Vec<Offence>) {
    for (number, line) in source.code.lines().enumerate() {
        let rust = is_rust(&source.path) && line.trim_start().starts_with("#[ignore");
        let script = source.under("__tests__/") && is_script(&source.path) && leaves_out_tests(line);
        if rust || script {
            offences.push(Offence::new(
                source,
                number + 1,
                "a test that does not run is no test: no skip, only, todo or ignore",
            ));
        }
    }
}

fn leaves_out_tests(line: &str) -> bool {
    let chained = ["describe", "it", "test"].iter().any(|name| {
        ["skip", "only", "todo", "failing"].iter().any(|how| {
            let call = format!("{name}.{how}");
            line.match_indices(&call).any(|(at, _)| {
                let before = line.get(..at).and_then(|before| before.chars().next_back()).unwrap_or(' ');
                let after = line.get(at + call.len()..).and_then(|after| after.chars().next()).unwrap_or(' ');
                !is_word(before) && before != '.' && !is_word(after)
            })
        })
    });
    let prefixed =
        ["xit(", "xtest(", "xdescribe(", "fit(", "fdescribe("].iter().any(|call| line.trim_start().starts_with(call));
    chained || prefixed
}

/// No patch, fork or sibling folder: drivers are used as published.
fn dependencies_are_as_published(source: &Source, offences: &mut Vec<Offence>) {
    if source.path != "Cargo.toml" {
        return;
    }
    let mut section = "";
    for (number, line) in source.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        }
        let patch = line.starts_with("[patch") || line.starts_with("[replace");
        let elsewhere = section.contains("dependencies")
            && !line.starts_with('#')
            && ["git", "path"].iter().any(|key| sets(line, key));
        if patch || elsewhere {
            offences.push(Offence::new(source, number + 1, "13: no [patch], no git and no path dependency"));
        }
    }
}

fn sets(line: &str, key: &str) -> bool {
    line.match_indices(key).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back()).unwrap_or(' ');
        let after = line.get(at + key.len()..).unwrap_or_default().trim_start();
        !is_word(before) && before != '-' && after.starts_with('=')
    })
}
