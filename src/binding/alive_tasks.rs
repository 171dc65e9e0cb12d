//! For tests of what closing leaves behind; not in the package.

use napi::bindgen_prelude::within_runtime_if_available;
use napi_derive::napi;

/// Tasks of the shared runtime that have not ended.
#[napi(skip_typescript, catch_unwind)]
pub fn alive_tasks() -> u32 {
    let alive = within_runtime_if_available(|| tokio::runtime::Handle::current().metrics().num_alive_tasks());
    u32::try_from(alive).unwrap_or(u32::MAX)
}
