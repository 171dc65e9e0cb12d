//! The shared tokio runtime: two named workers, installed when the addon loads. Never shut down by us.
//!
//! Nothing may depend on its thread names or counts: after a full environment exit and restart napi builds its own.

use std::future::Future;

/// Workers of the shared runtime. Drivers only wait and parse: two carry all traffic that one JavaScript thread can cause.
const WORKERS: usize = 2;

/// Installs the runtime. Called once per process, before napi builds its default.
pub(crate) fn install() {
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("mooring-rt")
        .enable_all()
        .build();
    if let Ok(runtime) = built {
        napi::bindgen_prelude::create_custom_tokio_runtime(runtime);
    }
}

/// Runs a task to its end on the shared runtime.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(napi::bindgen_prelude::spawn(task));
}

/// Makes tasks that this worker has spawned begin in that order: it would begin with the last one, which waits in a place of its own until another one takes it.
pub(crate) fn keep_order() {
    spawn(async {});
}
