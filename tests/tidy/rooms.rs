//! The rooms of the crate: who may import whom, who may name which foreign crate, what bindings may hold.

use super::source::{Offence, Source, find_word, is_word};

/// The rooms and what each may import of ours.
const ROOMS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("observe", &["error"]),
    ("retry", &["error"]),
    ("tls", &["error"]),
    ("lifecycle", &["observe", "retry", "error"]),
    ("mongo", &["lifecycle", "retry", "observe", "error"]),
    ("redis", &["lifecycle", "retry", "tls", "observe", "error"]),
    ("solana", &["lifecycle", "retry", "tls", "observe", "error"]),
    // `feed` implements the sink that `observe` defines.
    ("bridge", &["error", "observe"]),
    ("binding", &["bridge", "mongo", "redis", "solana", "lifecycle", "retry", "observe", "error"]),
];

/// Driver crates and the one room that may name each.
const DRIVERS: &[(&str, &str)] = &[("mongodb", "mongo"), ("redis_rs", "redis"), ("solana_client", "solana")];

/// Connections of crate `redis`; ours is the only Redis connection.
const REDIS_CONNECTIONS: &[&str] = &[
    "ConnectionManager",
    "MultiplexedConnection",
    "ClusterConnection",
    "ClusterClient",
    "SentinelClient",
    "get_connection",
    "get_connection_manager",
    "get_async_connection",
    "get_async_pubsub",
    "get_async_monitor",
    "get_multiplexed_async_connection",
    "get_multiplexed_async_connection_with_config",
    "get_multiplexed_tokio_connection",
    "query_async",
    "exec_async",
    "req_packed_command",
];

/// What reads a clock other than tokio's or does I/O.
const CLOCKS_AND_IO: &[&str] = &["Instant", "SystemTime", "net", "fs", "io", "thread", "process"];

/// Every check of this file.
pub(crate) fn check(sources: &[Source]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| source.under("src/")) {
        napi_stays_in_bridge_and_binding(source, &mut offences);
        rooms_import_downwards(source, &mut offences);
        drivers_stay_in_their_room(source, &mut offences);
        retry_reads_only_tokio_time(source, &mut offences);
        bindings_convert_only(source, &mut offences);
        exports_catch_panics(source, &mut offences);
        redis_connections_are_ours(source, &mut offences);
        unsafe_stays_in_bridge(source, &mut offences);
        queues_are_bounded(source, &mut offences);
    }
    offences
}

fn room_of(source: &Source) -> &str {
    source.path.strip_prefix("src/").and_then(|path| path.split(['/', '.']).next()).unwrap_or_default()
}

fn napi_stays_in_bridge_and_binding(source: &Source, offences: &mut Vec<Offence>) {
    if matches!(room_of(source), "bridge" | "binding") {
        return;
    }
    for (number, line) in source.code.lines().enumerate() {
        let named = find_word(line, "napi").chain(find_word(line, "napi_derive")).next().is_some();
        let init = source.path == "src/lib.rs" && line.trim() == "#[napi_derive::module_init]";
        if named && !init {
            offences.push(Offence::new(
                source,
                number + 1,
                "1: `napi` is named only under src/binding/ and src/bridge/",
            ));
        }
    }
}

fn rooms_import_downwards(source: &Source, offences: &mut Vec<Offence>) {
    let room = room_of(source);
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { return };
    for (at, target) in rooms_named(source) {
        let scope_file = source.path == "src/bridge/scope.rs" && target == "lifecycle";
        if target != room && !allowed.contains(&target.as_str()) && !scope_file {
            let rule = format!("2, 3: room `{room}` may not import `{target}` (allowed: {})", allowed.join(", "));
            offences.push(Offence::new(source, source.line_at(at), rule));
        }
    }
}

/// Rooms that a file names, by `crate::room`, `crate::{room, ..}` or a chain of `super::` that climbs to the crate.
fn rooms_named(source: &Source) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (start, end) in [("crate::", false), ("super::", true)] {
        for (at, _) in source.code.match_indices(start) {
            let rest = source.code.get(at + start.len()..).unwrap_or_default();
            for name in first_names(rest) {
                // `super::error` may be the room's own leaf: only features and glue are unmistakable.
                let counted = !end || matches!(name, "mongo" | "redis" | "solana" | "bridge" | "binding");
                if counted && ROOMS.iter().any(|(room, _)| *room == name) {
                    named.push((at, name.to_owned()));
                }
            }
        }
    }
    named
}

/// The names right after `crate::`: one, or all at the top of a brace group.
fn first_names(rest: &str) -> Vec<&str> {
    let Some(group) = rest.strip_prefix('{') else {
        return vec![rest.split(|c| !is_word(c)).next().unwrap_or_default()];
    };
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                let item = group.get(start..at).unwrap_or_default().trim();
                names.push(item.split(|c| !is_word(c)).next().unwrap_or_default());
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

fn drivers_stay_in_their_room(source: &Source, offences: &mut Vec<Offence>) {
    for (driver, home) in DRIVERS {
        if room_of(source) == *home {
            continue;
        }
        for at in find_word(&source.code, driver) {
            if source.code.get(at + driver.len()..).is_some_and(|rest| rest.starts_with("::")) {
                let rule = format!("section 3: crate `{driver}` is named only under src/{home}/");
                offences.push(Offence::new(source, source.line_at(at), rule));
            }
        }
    }
}

fn retry_reads_only_tokio_time(source: &Source, offences: &mut Vec<Offence>) {
    if room_of(source) != "retry" {
        return;
    }
    for (number, line) in source.code.lines().enumerate() {
        let foreign = CLOCKS_AND_IO.iter().any(|word| find_word(line, word).next().is_some());
        let clock = line.contains("tokio::time") && find_word(line, "net").next().is_none();
        let path = line.contains("std::") || line.contains("tokio::");
        if foreign && path && !clock {
            offences.push(Offence::new(
                source,
                number + 1,
                "3: `retry` does no I/O and reads no clock but `tokio::time`",
            ));
        }
    }
}

fn bindings_convert_only(source: &Source, offences: &mut Vec<Offence>) {
    if room_of(source) != "binding" {
        return;
    }
    let lines = source.text.lines().count();
    if lines > 250 {
        offences.push(Offence::new(source, lines, format!("4: a binding file has at most 250 lines, not {lines}")));
    }
    for (number, line) in source.code.lines().enumerate() {
        if line.contains("State::") || line.contains(".state() ==") || line.contains(".state() !=") {
            let rule = "4: a binding converts, calls, converts; states are the room's";
            offences.push(Offence::new(source, number + 1, rule));
        }
        if find_word(line, "sleep").next().is_some() {
            let rule = "4: a binding does not poll; `KeyedLane::announce_closed` waits for the last operation";
            offences.push(Offence::new(source, number + 1, rule));
        }
    }
}

/// A synchronous export panics into Node's process unless it has `catch_unwind`.
fn exports_catch_panics(source: &Source, offences: &mut Vec<Offence>) {
    for (at, _) in source.code.match_indices("#[napi") {
        let rest = source.code.get(at..).unwrap_or_default();
        let Some(end) = end_of_attribute(rest) else { continue };
        let attribute = rest.get(..end).unwrap_or_default();
        if !attribute.starts_with("#[napi]") && !attribute.starts_with("#[napi(") {
            continue;
        }
        let mut after = rest.get(end..).unwrap_or_default().trim_start();
        while after.starts_with("#[") {
            let Some(end) = end_of_attribute(after) else { break };
            after = after.get(end..).unwrap_or_default().trim_start();
        }
        let after = after.strip_prefix("pub").map_or(after, |rest| rest.trim_start());
        let synchronous = after.starts_with("fn ") || after.starts_with("unsafe fn ");
        if synchronous && !attribute.contains("catch_unwind") {
            offences.push(Offence::new(source, source.line_at(at), "7: every synchronous export has `catch_unwind`"));
        }
    }
}

fn end_of_attribute(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return Some(at + 1),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn redis_connections_are_ours(source: &Source, offences: &mut Vec<Offence>) {
    if !source.under("src/redis/") {
        return;
    }
    for name in REDIS_CONNECTIONS {
        for at in find_word(&source.code, name) {
            let rule =
                format!("7 of section 1: crate `redis` opens no connection (`{name}`); the wire is src/redis/io.rs");
            offences.push(Offence::new(source, source.line_at(at), rule));
        }
    }
    for path in ["redis_rs::aio", "redis_rs::Client", "redis_rs::cluster_async", "redis_rs::Connection"] {
        for (at, _) in source.code.match_indices(path) {
            let rule = format!("7 of section 1: crate `redis` opens no connection (`{path}`)");
            offences.push(Offence::new(source, source.line_at(at), rule));
        }
    }
}

fn unsafe_stays_in_bridge(source: &Source, offences: &mut Vec<Offence>) {
    if room_of(source) == "bridge" {
        return;
    }
    for at in find_word(&source.code, "unsafe") {
        offences.push(Offence::new(source, source.line_at(at), "`unsafe` is written only under src/bridge/"));
    }
}

fn queues_are_bounded(source: &Source, offences: &mut Vec<Offence>) {
    for (at, _) in source.code.match_indices("unbounded").chain(source.code.match_indices("mpsc::channel()")) {
        offences.push(Offence::new(source, source.line_at(at), "5: every queue is bounded"));
    }
}
