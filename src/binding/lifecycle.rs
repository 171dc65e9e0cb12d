//! Exports of shutdown and of what is open in this environment.

use crate::bridge::scope;
use crate::lifecycle::{Managed, PhaseReport, ShutdownReport, Unconfirmed};
use crate::retry::Deadline;
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw, Result};
use napi_derive::napi;
use std::sync::Arc;
use std::time::Duration;

/// Something open in this environment.
#[napi(object)]
pub struct OpenThing {
    /// `mongo`, `redis` or `solana`.
    pub kind: String,
    /// Its name, without secrets.
    pub name: String,
    /// `idle`, `opening`, `ready`, `draining` or `closed`.
    pub state: String,
    /// Operations in flight.
    pub in_flight: u32,
}

/// One phase of a shutdown.
#[napi(object)]
pub struct ShutdownPhase {
    /// `workers`, `queues`, `transactions`, `solana`, `redis` or `mongo`.
    pub name: String,
    /// Milliseconds it took.
    pub elapsed_ms: f64,
    /// Things closed or drained in it.
    pub closed: u32,
    /// Operations that finished by themselves.
    pub drained: u32,
    /// Operations cut at the deadline.
    pub aborted: u32,
    /// Transactions whose end was not known then.
    pub unconfirmed: Vec<UnconfirmedTransaction>,
}

/// A transaction whose end was not known when its pool closed. The same bytes may be sent again at any time.
#[napi(object)]
pub struct UnconfirmedTransaction {
    /// Its signature.
    pub signature: String,
    /// Its bytes; absent when only the signature was followed.
    pub bytes: Option<Buffer>,
}

/// What Rust did in a shutdown.
#[napi(object)]
pub struct NativeShutdownReport {
    /// Phases in order.
    pub phases: Vec<ShutdownPhase>,
    /// Milliseconds from the request to the end.
    pub elapsed_ms: f64,
    /// False when anything was cut or the deadline passed.
    pub clean: bool,
}

/// What is open in this environment, oldest first.
#[napi(catch_unwind)]
pub fn open_things(env: Env) -> Result<Vec<OpenThing>> {
    let open = scope::of(&env)?.registry.open();
    Ok(open.iter().map(describe).collect())
}

/// Asks to lead this environment's shutdown. True: end with `finishShutdown`. False: one is under way, `joinShutdown` it.
#[napi(catch_unwind)]
pub fn begin_shutdown(env: Env) -> Result<bool> {
    Ok(scope::of(&env)?.shutdown.begin())
}

/// The report of the shutdown under way.
#[napi(catch_unwind, ts_return_type = "Promise<NativeShutdownReport>")]
pub fn join_shutdown(env: &Env) -> Result<PromiseRaw<'_, NativeShutdownReport>> {
    let scope = scope::of(env)?;
    env.spawn_future(async move { Ok(scope.shutdown.join().await.into()) })
}

/// Closes everything open in this environment within `deadline_ms`. `earlier` are the phases that JavaScript did itself.
#[napi(catch_unwind, ts_return_type = "Promise<NativeShutdownReport>")]
pub fn finish_shutdown(
    env: &Env,
    deadline_ms: u32,
    earlier: Vec<ShutdownPhase>,
) -> Result<PromiseRaw<'_, NativeShutdownReport>> {
    let scope = scope::of(env)?;
    let deadline = Deadline::after(Duration::from_millis(u64::from(deadline_ms)));
    let earlier = earlier.into_iter().map(PhaseReport::from).collect();
    env.spawn_future(async move { Ok(scope.shutdown.finish(&scope.registry, deadline, earlier).await.into()) })
}

fn describe(managed: &Arc<dyn Managed>) -> OpenThing {
    OpenThing {
        kind: managed.kind().as_str().to_owned(),
        name: managed.name(),
        state: managed.state().as_str().to_owned(),
        in_flight: managed.in_flight(),
    }
}

impl From<ShutdownReport> for NativeShutdownReport {
    fn from(report: ShutdownReport) -> Self {
        Self {
            phases: report.phases.into_iter().map(ShutdownPhase::from).collect(),
            elapsed_ms: report.elapsed.as_secs_f64() * 1000.0,
            clean: report.clean,
        }
    }
}

impl From<PhaseReport> for ShutdownPhase {
    fn from(phase: PhaseReport) -> Self {
        Self {
            name: phase.name,
            elapsed_ms: phase.elapsed.as_secs_f64() * 1000.0,
            closed: phase.closed,
            drained: phase.drained,
            aborted: phase.aborted,
            unconfirmed: phase.unconfirmed.into_iter().map(UnconfirmedTransaction::from).collect(),
        }
    }
}

impl From<Unconfirmed> for UnconfirmedTransaction {
    fn from(one: Unconfirmed) -> Self {
        Self { signature: one.signature, bytes: one.bytes.map(Buffer::from) }
    }
}

impl From<ShutdownPhase> for PhaseReport {
    fn from(phase: ShutdownPhase) -> Self {
        Self {
            name: phase.name,
            elapsed: Duration::try_from_secs_f64(phase.elapsed_ms / 1000.0).unwrap_or_default(),
            closed: phase.closed,
            drained: phase.drained,
            aborted: phase.aborted,
            // Phases that come from JavaScript close workers and queues.
            unconfirmed: Vec::new(),
        }
    }
}
