//! One call from the outside: checked, counted, cached, shared, under one deadline, cancellable. The attempts are `plan.rs`.

pub(in crate::solana) mod attempt;
pub(in crate::solana) mod balance;
pub(in crate::solana) mod cache;
pub(in crate::solana) mod flight;
pub(in crate::solana) mod floor;
pub(in crate::solana) mod hedge;
pub(in crate::solana) mod plan;
pub(in crate::solana) mod reply;
pub(in crate::solana) mod request;
#[cfg(test)]
mod tests;

use crate::solana::call::request::Prepared;
use crate::solana::error::PoolError;
use crate::solana::method::Lifetime;
use crate::solana::pool::Pool;
use crate::solana::queue::Priority;
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a caller wants of one call.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// For the whole call. Default: the pool's.
    pub deadline: Option<Duration>,
    /// Whether a kept reply will do, and whether the reply is kept.
    pub cached: bool,
    /// How urgent. Default: by the method.
    pub priority: Option<Priority>,
    /// Fires when the caller gives up.
    pub cancel: CancellationToken,
}

/// A JSON-RPC call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Method name.
    pub method: &'a str,
    /// Parameters as JSON array text; empty for none.
    pub params: &'a str,
}

/// How far a call is; shared with those who wait for it.
#[derive(Debug, Default)]
pub(in crate::solana) struct Progress {
    attempts: AtomicU32,
    maybe_executed: AtomicBool,
}

impl Progress {
    /// One more attempt begins: bytes may leave.
    pub(in crate::solana) fn begin_attempt(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        self.maybe_executed.store(true, Ordering::Relaxed);
    }

    /// The attempts so far are known not to have been executed.
    pub(in crate::solana) fn not_executed(&self) {
        self.maybe_executed.store(false, Ordering::Relaxed);
    }

    fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    fn maybe_executed(&self) -> bool {
        self.maybe_executed.load(Ordering::Relaxed)
    }
}

impl Pool {
    /// Makes a JSON-RPC call and returns the text of its `result`.
    pub async fn call(self: &Arc<Self>, call: Call<'_>, options: CallOptions) -> Result<Bytes, PoolError> {
        let running = self.enter()?;
        let result = self.call_within(call, options).await;
        drop(running);
        result
    }

    /// A call that is part of one that has entered: it goes on while the pool drains.
    pub(in crate::solana) async fn call_within(
        self: &Arc<Self>,
        call: Call<'_>,
        options: CallOptions,
    ) -> Result<Bytes, PoolError> {
        self.run(Prepared::new(call.method, call.params, self.options.commitment)?, options).await
    }

    /// Makes a prepared call, as part of one that has entered.
    pub(in crate::solana) async fn run(
        self: &Arc<Self>,
        prepared: Prepared,
        options: CallOptions,
    ) -> Result<Bytes, PoolError> {
        let mut prepared = self.above_floor(prepared);
        prepared.priority = options.priority.unwrap_or(prepared.priority);
        let started = Instant::now();
        let deadline = started + options.deadline.unwrap_or(self.options.deadline);
        let progress = Mutex::new(Arc::<Progress>::default());
        let seen = || Arc::clone(&progress.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::select! {
            biased;
            result = self.answer(prepared, &options, deadline, &progress) => result,
            () = options.cancel.cancelled() => Err(self.interrupted(&seen())),
            () = self.stop.cancelled() => Err(self.interrupted(&seen())),
            () = tokio::time::sleep_until(deadline) => Err(PoolError::Deadline {
                elapsed: started.elapsed(),
                attempts: seen().attempts(),
                maybe_executed: seen().maybe_executed(),
            }),
        }
    }

    async fn answer(
        self: &Arc<Self>,
        prepared: Prepared,
        options: &CallOptions,
        deadline: Instant,
        progress: &Mutex<Arc<Progress>>,
    ) -> Result<Bytes, PoolError> {
        let lifetime = if options.cached { self.lifetime(prepared.method.lifetime) } else { Duration::ZERO };
        if !prepared.method.shared {
            let own = Arc::clone(&progress.lock().unwrap_or_else(PoisonError::into_inner));
            return self.attempts(&prepared, deadline, &own).await;
        }
        let key = prepared.key();
        if !lifetime.is_zero()
            && let Some(kept) = self.cache.get_from(&key, prepared.min_slot)
        {
            return Ok(kept);
        }
        // A read begun after a send of this pool must not get the answer of a question asked before it.
        // Nor must an urgent one sit in the queue of one that may wait.
        let urgency = [prepared.priority as u8];
        let flight_key: Bytes = [&key[..], &self.generation().to_le_bytes(), &urgency].concat().into();
        // A shared request lives as long as its most patient caller might; one who cannot even wait for its start is told at once.
        if !self.flights.has(&flight_key) {
            self.check_token(prepared.method.class, prepared.priority, deadline)?;
        }
        let deadline = deadline.max(Instant::now() + self.options.deadline);
        let pool = Arc::clone(self);
        let seat = self.flights.board(flight_key, move |progress| async move {
            let result = pool.attempts(&prepared, deadline, &progress).await?;
            pool.cache.put(key, &result, lifetime);
            Ok(result)
        });
        *progress.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&seat.progress);
        seat.land().await
    }

    fn interrupted(&self, progress: &Progress) -> PoolError {
        if self.stop.is_cancelled() {
            return PoolError::Cut { maybe_executed: progress.maybe_executed() };
        }
        PoolError::Aborted { maybe_executed: progress.maybe_executed() }
    }

    /// How long replies of this kind are kept.
    pub(in crate::solana) fn lifetime(&self, kind: Option<Lifetime>) -> Duration {
        let ttl = &self.options.ttl;
        match kind {
            Some(Lifetime::Balance) => ttl.balance,
            Some(Lifetime::Blockhash) => ttl.blockhash,
            Some(Lifetime::Account) => ttl.account,
            Some(Lifetime::Status) => ttl.status,
            None => Duration::ZERO,
        }
    }
}
