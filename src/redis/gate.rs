//! The gate in front of a server: how many handshakes there may be at once, in the order in which they came. A restarted server must not be stormed.
//!
//! Guarantees: nobody waits longer than a connect may take; connections that renew locks do not wait behind the others, whose locks they are.

use super::error::ConnectError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Handshakes at once per endpoint, and how many of them may be no urgent ones.
const HANDSHAKES: usize = 8;
const ORDINARY: usize = 7;

#[derive(Debug, Clone)]
struct Gate {
    all: Arc<Semaphore>,
    ordinary: Arc<Semaphore>,
}

/// The right to shake hands, for as long as it is held.
#[derive(Debug)]
pub(super) struct Pass {
    _ordinary: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

/// Waits for the right to shake hands with a server, at most for `limit`.
pub(super) async fn pass(endpoint: &str, limit: Duration, urgent: bool) -> Result<Pass, ConnectError> {
    let gate = gate(endpoint);
    let waiting = async {
        let ordinary = if urgent { None } else { Some(gate.ordinary.acquire_owned().await.ok()?) };
        Some(Pass { _ordinary: ordinary, _all: gate.all.acquire_owned().await.ok()? })
    };
    tokio::time::timeout(limit, waiting).await.ok().flatten().ok_or_else(ConnectError::timeout)
}

/// The gate of an endpoint; forgotten when nobody uses it.
fn gate(endpoint: &str) -> Gate {
    static GATES: OnceLock<Mutex<HashMap<String, Gate>>> = OnceLock::new();
    let mut gates = GATES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    gates.retain(|name, gate| name == endpoint || Arc::strong_count(&gate.all) > 1);
    let new = || Gate { all: Arc::new(Semaphore::new(HANDSHAKES)), ordinary: Arc::new(Semaphore::new(ORDINARY)) };
    gates.entry(endpoint.to_owned()).or_insert_with(new).clone()
}

#[cfg(test)]
mod tests {
    use super::{HANDSHAKES, ORDINARY, pass};
    use std::time::Duration;

    const SOON: Duration = Duration::from_millis(10);
    const LATER: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn urgent_ones_pass_those_that_wait_and_nobody_waits_for_ever() {
        let mut held = Vec::new();
        for _ in 0..ORDINARY {
            held.push(pass("test:1", SOON, false).await.unwrap());
        }
        let waiting = tokio::spawn(pass("test:1", LATER, false));
        assert!(pass("test:1", SOON, false).await.is_err());
        for _ in ORDINARY..HANDSHAKES {
            held.push(pass("test:1", SOON, true).await.unwrap());
        }
        assert!(pass("test:1", SOON, true).await.is_err(), "never more than that");
        assert!(pass("test:2", SOON, false).await.is_ok(), "another endpoint");
        held.clear();
        assert!(waiting.await.unwrap().is_ok());
    }
}
