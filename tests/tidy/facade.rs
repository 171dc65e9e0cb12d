//! The TypeScript facade: who imports whom, where peers are required, what happens at import.

use super::source::{Offence, Source, find_word, is_script};

/// The areas of `lib/` and what each may import at run time.
const AREAS: &[(&str, &[&str])] = &[
    ("error", &["native (types)"]),
    ("native", &["error"]),
    ("tick", &[]),
    ("keep-alive", &[]),
    ("tls", &["error"]),
    ("lane", &["native", "error", "tick", "keep-alive"]),
    ("observe", &["native", "lane", "error"]),
    ("lifecycle", &["native", "lane", "error", "observe"]),
    ("mongo", &["native", "lane", "tick", "error", "observe", "lifecycle"]),
    ("redis", &["native", "lane", "tick", "keep-alive", "tls", "error", "observe", "lifecycle"]),
    ("solana", &["native", "lane", "tick", "keep-alive", "tls", "error", "observe", "lifecycle"]),
    ("index", &["error", "observe", "lifecycle", "mongo", "redis", "solana"]),
];

/// Packages that only the named files may require at run time.
const PEERS: &[(&str, &[&str])] = &[
    ("mongodb", &["mongo/host", "mongo/mongoose"]),
    ("bson", &["mongo/host"]),
    ("mongoose", &["mongo/host", "mongo/mongoose"]),
    ("ioredis", &[]),
    ("redis", &[]),
    ("bullmq", &["redis/bullmq", "redis/bullmq-register"]),
    ("bull", &["redis/bull"]),
    ("@solana/web3.js", &["solana/peer", "solana/web3"]),
    ("@solana/kit", &["solana/kit", "solana/kit-subscriptions"]),
    ("ws", &[]),
];

/// Entries whose one purpose is to register something at import.
const REGISTERING: &[&str] = &["lib/redis/bullmq-register.ts"];

/// Weak caches whose loss changes nothing: `(file, name)`.
const CACHES: &[(&str, &str)] = &[("lib/mongo/operation.ts", "DECODING"), ("lib/redis/managed.ts", "BOUND")];

/// How a statement at the top of a module begins when it does work at import.
const WORK_AT_IMPORT: &[&str] = &[
    "process.",
    "setTimeout(",
    "setInterval(",
    "setImmediate(",
    "queueMicrotask(",
    "globalThis.",
    "await ",
    "new ",
    "native.",
];

/// Every check of this file.
pub(crate) fn check(sources: &[Source]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| source.under("lib/") && is_script(&source.path)) {
        for import in imports(source) {
            only_native_imports_the_addon(source, &import, &mut offences);
            areas_import_downwards(source, &import, &mut offences);
            peers_stay_in_their_entry(source, &import, &mut offences);
        }
        modules_hold_no_state(source, &mut offences);
        importing_opens_nothing(source, &mut offences);
        intervals_come_from_node_timers(source, &mut offences);
    }
    offences
}

/// `from 'x'`, `import 'x'`, `import('x')`, `require('x')` or `require.resolve('x')`.
struct Import {
    specifier: String,
    line: usize,
    types_only: bool,
}

fn imports(source: &Source) -> Vec<Import> {
    let mut found = Vec::new();
    for keyword in ["from", "import", "require", "resolve"] {
        for at in find_word(&source.code, keyword) {
            let rest = source.uncommented.get(at + keyword.len()..).unwrap_or_default();
            let rest = rest.trim_start_matches([' ', '(']);
            let Some(quote) = rest.chars().next().filter(|c| "'\"`".contains(*c)) else { continue };
            let Some(specifier) = rest.get(1..).and_then(|rest| rest.split(quote).next()) else { continue };
            let types_only = is_types_only(source.code.get(..at).unwrap_or_default(), keyword);
            found.push(Import { specifier: specifier.to_owned(), line: source.line_at(at), types_only });
        }
    }
    found
}

/// Whether the statement that ends in this `from` is `import type` or `export type`; `typeof import('x')` is of types too.
fn is_types_only(before: &str, keyword: &str) -> bool {
    if keyword == "import" {
        let before = before.trim_end();
        return before.ends_with("typeof") || before.ends_with(':') || before.ends_with('|') || before.ends_with('<');
    }
    let statement = before.rfind("import ").max(before.rfind("export ")).and_then(|at| before.get(at..));
    keyword == "from"
        && statement.is_some_and(|text| text.starts_with("import type ") || text.starts_with("export type "))
}

fn area_of(path: &str) -> &str {
    path.strip_prefix("lib/").and_then(|path| path.split(['/', '.']).next()).unwrap_or_default()
}

/// The path from the root that a relative specifier names.
fn resolve(source: &Source, specifier: &str) -> Option<String> {
    if !specifier.starts_with('.') {
        return None;
    }
    let mut parts: Vec<&str> = source.path.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn only_native_imports_the_addon(source: &Source, import: &Import, offences: &mut Vec<Offence>) {
    let addon = import.specifier.ends_with("/binding.js")
        || import.specifier.ends_with("/binding")
        || import.specifier.rsplit('.').next() == Some("node");
    if addon && source.path != "lib/native.ts" {
        offences.push(Offence::new(source, import.line, "10: `lib/native.ts` is the only importer of `binding.js`"));
    }
}

fn areas_import_downwards(source: &Source, import: &Import, offences: &mut Vec<Offence>) {
    let area = area_of(&source.path);
    let Some(path) = resolve(source, &import.specifier) else { return };
    let target = area_of(&path);
    if target == area || target.is_empty() {
        return;
    }
    let Some((_, allowed)) = AREAS.iter().find(|(name, _)| *name == area) else {
        if target != "index" {
            offences.push(Offence::new(
                source,
                import.line,
                format!("section 2: `{area}` imports only the public root"),
            ));
        }
        return;
    };
    let types = import.types_only && target == "native" && area == "error";
    if !allowed.contains(&target) && !types {
        let rule = format!("section 3: `{area}` may not import `{target}` (allowed: {})", allowed.join(", "));
        offences.push(Offence::new(source, import.line, rule));
    }
}

fn peers_stay_in_their_entry(source: &Source, import: &Import, offences: &mut Vec<Offence>) {
    let peer = PEERS.iter().find(|(peer, _)| {
        import.specifier.strip_prefix(peer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let Some((peer, homes)) = peer else { return };
    let at_home = homes.iter().any(|home| {
        let rest = source.path.strip_prefix("lib/").and_then(|path| path.strip_prefix(home));
        rest.is_some_and(|rest| rest.starts_with('.') || rest.starts_with('/'))
    });
    if !at_home && !import.types_only {
        let homes = if homes.is_empty() { "nowhere".to_owned() } else { homes.join(", ") };
        offences.push(Offence::new(
            source,
            import.line,
            format!("11: `{peer}` is required at run time only in: {homes}"),
        ));
    }
}

/// A top-level `let`, or an empty container, is state that Jest forgets and that a second copy does not share.
fn modules_hold_no_state(source: &Source, offences: &mut Vec<Offence>) {
    for (number, line) in source.code.lines().enumerate() {
        let declared = line.strip_prefix("export ").unwrap_or(line);
        let variable = declared.starts_with("let ") || declared.starts_with("var ");
        let value =
            declared.strip_prefix("const ").and_then(|rest| rest.split_once(" = ")).map_or("", |(_, value)| value);
        let container = ["new Map", "new Set", "new WeakMap", "new WeakSet", "new WeakRef"]
            .iter()
            .any(|kind| value.starts_with(kind));
        let empty = value == "[];" || value == "{};" || (container && value.ends_with("();"));
        let cache =
            CACHES.iter().any(|(path, name)| *path == source.path && line.starts_with(&format!("const {name} = ")));
        if (variable || empty) && !cache {
            offences.push(Offence::new(
                source,
                number + 1,
                "10: facade modules hold no process state; registries are Rust's",
            ));
        }
    }
}

fn importing_opens_nothing(source: &Source, offences: &mut Vec<Offence>) {
    if REGISTERING.contains(&source.path.as_str()) {
        return;
    }
    for (number, line) in source.code.lines().enumerate() {
        let works = WORK_AT_IMPORT.iter().any(|start| line.starts_with(start));
        let calls_addon = (line.starts_with("const ") || line.starts_with("export const ")) && calls_native(line);
        if works || calls_addon {
            let rule = "12: importing opens no socket, timer, signal handler or registration, and calls nothing";
            offences.push(Offence::new(source, number + 1, rule));
        }
    }
}

/// `= native.open(..)`, but not a function that will do so when called.
fn calls_native(line: &str) -> bool {
    line.split_once("= native.").is_some_and(|(before, after)| after.contains('(') && !before.contains("=>"))
        || line.split_once("= new native.").is_some()
}

fn intervals_come_from_node_timers(source: &Source, offences: &mut Vec<Offence>) {
    let taken = source.uncommented.contains("'node:timers'");
    for at in find_word(&source.code, "setInterval") {
        if !taken {
            offences.push(Offence::new(
                source,
                source.line_at(at),
                "section 6: `setInterval` is taken from 'node:timers'",
            ));
        }
    }
}
