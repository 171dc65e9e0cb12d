//! What an environment owns: one registry of open things and one shutdown per env, both gone when its cleanup hook has run.
//!
//! The hook gives up at once, without waiting and without JavaScript: worker termination and `process.exit` must neither hang nor abort.

use crate::lifecycle::{Registry, Shutdown};
use napi::Env;
use napi::bindgen_prelude::Result;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// The lives of one environment.
#[derive(Default)]
pub(crate) struct Scope {
    /// Open things.
    pub(crate) registry: Arc<Registry>,
    /// The shutdown under way, if any.
    pub(crate) shutdown: Shutdown,
}

/// Keyed by the address of the environment: it is unique among living ones, and the cleanup hook removes the entry.
static SCOPES: LazyLock<Mutex<HashMap<usize, Arc<Scope>>>> = LazyLock::new(Mutex::default);

/// The scope of `env`, made and hooked on first use.
pub(crate) fn of(env: &Env) -> Result<Arc<Scope>> {
    let key = env.raw() as usize;
    let mut scopes = SCOPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(scope) = scopes.get(&key) {
        return Ok(Arc::clone(scope));
    }
    env.add_env_cleanup_hook(key, |key| {
        let scope = SCOPES.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        if let Some(scope) = scope {
            scope.registry.abandon();
        }
    })?;
    let scope = Arc::new(Scope::default());
    scopes.insert(key, Arc::clone(&scope));
    Ok(scope)
}
