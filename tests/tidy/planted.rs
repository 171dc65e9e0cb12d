//! Offences planted on purpose: each check finds its own and leaves the innocent neighbour alone.

use super::source::{Offence, Source};
use super::{facade, rooms, shape, text};

type Check = fn(&[Source]) -> Vec<Offence>;

/// The lines of the offences found in one file whose rule holds `rule`.
fn lines(check: Check, path: &str, text: &str, rule: &str) -> Vec<usize> {
    let found = check(&[Source::new(path, text)]);
    found.iter().filter(|offence| offence.rule.contains(rule)).map(|offence| offence.line).collect()
}

#[test]
fn comments_and_strings_are_not_code() {
    let rust = "//! napi\n/* napi /* napi */ napi */\nconst A: &str = \"napi\";\nconst B: &str = r#\"napi\"napi\"#;\nlet c = '\"'; napi::x;\n";
    assert_eq!(lines(rooms::check, "src/redis/io.rs", rust, "1:"), [5]);
    let script = "const a = /[/'\"]setInterval/.test(x);\nconst b = `${setInterval(f)} setInterval`;\n// setInterval\n";
    assert_eq!(lines(facade::check, "lib/redis/client.ts", script, "node:timers"), [2]);
}

#[test]
fn napi_outside_bridge_and_binding_is_found() {
    let text = "//! x\nuse napi::Env;\n";
    assert_eq!(lines(rooms::check, "src/mongo/client.rs", text, "1:"), [2]);
    assert_eq!(lines(rooms::check, "src/bridge/lane.rs", text, "1:"), Vec::<usize>::new());
}

#[test]
fn an_import_of_a_sibling_room_is_found() {
    let text = "//! x\nuse crate::{error::Failure, redis::Client};\nuse crate::retry::Backoff;\nuse super::super::solana::Pool;\n";
    assert_eq!(lines(rooms::check, "src/mongo/client.rs", text, "may not import"), [2, 4]);
    assert_eq!(lines(rooms::check, "src/retry/backoff.rs", "use crate::lifecycle::State;\n", "may not import"), [1]);
    assert_eq!(lines(rooms::check, "src/bridge/keyed.rs", "use crate::lifecycle::State;\n", "may not import"), [1]);
    assert_eq!(
        lines(rooms::check, "src/bridge/scope.rs", "use crate::lifecycle::State;\n", "may not import"),
        Vec::<usize>::new()
    );
}

#[test]
fn a_driver_outside_its_room_is_found() {
    assert_eq!(lines(rooms::check, "src/binding/mongo.rs", "//! x\nuse mongodb::Client;\n", "section 3"), [2]);
    assert_eq!(
        lines(rooms::check, "src/mongo/client.rs", "//! x\nuse mongodb::Client;\n", "section 3"),
        Vec::<usize>::new()
    );
    assert_eq!(
        lines(rooms::check, "src/redis/io.rs", "type C = redis_rs::aio::ConnectionManager;\n", "no connection").len(),
        2
    );
}

#[test]
fn a_foreign_clock_in_retry_is_found() {
    let text =
        "use std::time::Duration;\nuse std::time::Instant;\nuse tokio::time::Instant;\nuse tokio::net::TcpStream;\n";
    assert_eq!(lines(rooms::check, "src/retry/deadline.rs", text, "3:"), [2, 4]);
}

#[test]
fn a_synchronous_export_without_catch_unwind_is_found() {
    let text = "//! x\n#[napi]\npub fn a() {}\n#[napi(catch_unwind)]\npub fn b() {}\n#[napi]\npub async fn c() {}\n#[napi]\nimpl D {}\n\
                #[napi(\n  getter,\n)]\n#[doc = \"x\"]\npub fn e() {}\n";
    assert_eq!(lines(rooms::check, "src/binding/redis.rs", text, "7:"), [2, 10]);
}

#[test]
fn a_long_or_deciding_binding_is_found() {
    let text = "//! x\n".repeat(251);
    assert_eq!(lines(rooms::check, "src/binding/redis.rs", &text, "4:"), [251]);
    let text = "//! x\nif client.state() == State::Ready {}\n";
    assert_eq!(lines(rooms::check, "src/binding/redis.rs", text, "4:"), [2]);
}

#[test]
fn unsafe_code_and_unbounded_queues_are_found() {
    let text = "//! unsafe\nunsafe { x() }\nlet (a, b) = std::sync::mpsc::channel();\nlet (a, b) = tokio::sync::mpsc::channel(1);\n";
    assert_eq!(lines(rooms::check, "src/redis/io.rs", text, "unsafe"), [2]);
    assert_eq!(lines(rooms::check, "src/redis/io.rs", text, "bounded"), [3]);
}

#[test]
fn a_second_importer_of_the_addon_is_found() {
    let text = "import { x } from '../../binding.js';\n";
    assert_eq!(lines(facade::check, "lib/redis/client.ts", text, "10:"), [1]);
    assert_eq!(
        lines(facade::check, "lib/native.ts", "import type * as B from '../binding.js';\n", "10:"),
        Vec::<usize>::new()
    );
}

#[test]
fn a_feature_that_imports_another_is_found() {
    let text = "import { Redis } from '../redis/client.js';\nimport { native } from '../native.js';\nimport { a } from './host.js';\n";
    assert_eq!(lines(facade::check, "lib/mongo/client.ts", text, "section 3"), [1]);
    assert_eq!(
        lines(facade::check, "lib/error/index.ts", "import { native } from '../native.js';\n", "section 3"),
        [1]
    );
    assert_eq!(
        lines(facade::check, "lib/error/index.ts", "import type { A } from '../native.js';\n", "section 3"),
        Vec::<usize>::new()
    );
    assert_eq!(lines(facade::check, "lib/testing/index.ts", "import { a } from '../lane.js';\n", "section 2"), [1]);
}

#[test]
fn a_peer_required_outside_its_entry_is_found() {
    let text = "import type { Db } from 'mongodb';\nconst a = require('mongodb');\nimport { Redis } from 'ioredis';\nconst b = await import('bson/lib/x');\n";
    assert_eq!(lines(facade::check, "lib/mongo/client.ts", text, "11:"), [3, 4, 2]);
    assert_eq!(lines(facade::check, "lib/mongo/host.ts", text, "11:"), [3]);
}

#[test]
fn module_state_and_work_at_import_are_found() {
    let text = "let a = 1;\nconst b = new Map<string, number>();\nconst c = new Set(['x']);\nconst d = [];\nprocess.on('exit', f);\nexport const e = native.open();\n\
                export const f = () => native.open();\n";
    assert_eq!(lines(facade::check, "lib/redis/client.ts", text, "10:"), [1, 2, 4]);
    assert_eq!(lines(facade::check, "lib/redis/client.ts", text, "12:"), [5, 6]);
}

#[test]
fn a_large_file_is_found() {
    assert_eq!(lines(shape::check, "lib/redis/client.ts", &"x\n".repeat(601), "at most 600"), [600]);
    assert_eq!(lines(shape::check, "src/bridge/lane.rs", &"//! x\n".repeat(201), "at most 200"), [200]);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    x\n".repeat(200));
    assert_eq!(lines(shape::check, "src/redis/tls.rs", &tests, "lines of tests"), [203]);
}

#[test]
fn a_file_without_a_header_or_a_speaking_name_is_found() {
    assert_eq!(lines(shape::check, "src/redis/tls.rs", "// x\n", "opens with"), [1]);
    assert_eq!(lines(shape::check, "lib/redis/client.ts", "/** x */\n", "opens with"), [1]);
    assert_eq!(
        lines(shape::check, "scripts/x.mjs", "#!/usr/bin/env node\n/** @module x */\n", "opens with"),
        Vec::<usize>::new()
    );
    assert_eq!(lines(shape::check, "lib/redis/utils.ts", "/** @module x */\n", "no `util`"), [1]);
    assert_eq!(lines(shape::check, "lib/redis/fooBar.ts", "/** @module x */\n", "kebab"), [1]);
}

#[test]
fn a_leaf_without_its_twin_is_found() {
    let rust = Source::new("src/redis/cursor.rs", "//! x\n");
    let twin = Source::new("lib/redis/cursor.ts", "/** @module x */\n");
    let pairs = |sources: &[Source]| shape::check(sources).iter().filter(|o| o.rule.contains("both sides")).count();
    assert_eq!(pairs(&[rust]), 1);
    assert_eq!(pairs(&[Source::new("src/redis/cursor.rs", "//! x\n"), twin]), 0);
    assert_eq!(pairs(&[Source::new("lib/redis/resp.ts", "/** @module x */\n")]), 2);
}

#[test]
fn a_test_that_does_not_run_is_found() {
    let script = "it('a', f);\nit.skip('b', f);\nawait cursor.skip(3);\ntest.only.each([])('c', f);\nxit('d', f);\ntest.skipReason;\n";
    assert_eq!(lines(text::check, "__tests__/mongo/cursor.test.ts", script, "no test"), [2, 4, 5]);
    assert_eq!(lines(text::check, "src/redis/tls.rs", "#[test]\n#[ignore = \"slow\"]\n", "no test"), [2]);
}

#[test]
fn a_machine_path_and_a_foreign_registry_are_found() {
    let text = format!("see {}k/main and lib/work/x\n{}=http://npm.lan/\n", "/wor", "registry");
    assert_eq!(lines(text::check, "docs/mongo.md", &text, "machine"), [1]);
    assert_eq!(lines(text::check, "docs/mongo.md", &text, "names a package registry"), [2]);
    let lock = "  \"resolved\": \"https://npm.lan/x.tgz\"\n  \"resolved\": \"https://registry.npmjs.org/x.tgz\"\n";
    assert_eq!(lines(text::check, "package-lock.json", lock, "13:"), [1]);
}

#[test]
fn a_patched_dependency_is_found() {
    let manifest = "[dependencies]\na = \"1\"\nb = { git = \"https://x\" }\nc = { path = \"../c\" }\n[[bench]]\npath = \"x\"\n[patch.crates-io]\n";
    assert_eq!(lines(text::check, "Cargo.toml", manifest, "13:"), [3, 4, 7]);
}
