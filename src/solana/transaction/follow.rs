//! One driver per pool for all transactions that are followed: asks for their statuses together, sends their bytes again, and has `expiry.rs` look at those that
//! nobody has seen. Runs only while somebody follows something.

use crate::solana::call::CallOptions;
use crate::solana::method::Class;
use crate::solana::pool::Pool;
use crate::solana::transaction::pending::{Following, Wanted};
use crate::solana::transaction::status::CHUNK;
use crate::solana::transaction::{SendOptions, SignedTransaction};
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often the pending ones are asked for; a little more than a slot.
const POLL: Duration = Duration::from_millis(500);
/// Requests for statuses in flight.
const PARALLEL: usize = 4;
/// The share of the pool's reads that statuses may use.
const POLL_SHARE: f64 = 0.2;
/// A look that takes longer is worth nothing: the next one is due.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// How often the table is looked at for bytes that are due.
const REPEAT_TICK: Duration = Duration::from_millis(100);
const REPEAT_LIMIT: Duration = Duration::from_secs(2);

impl Pool {
    /// Follows a transaction until the result is dropped.
    pub(in crate::solana) fn follow(self: &Arc<Self>, wanted: Wanted) -> Following {
        let (following, start) = self.pending.follow(wanted);
        if start {
            let pool = Arc::clone(self);
            drop(tokio::spawn(async move { pool.drive().await }));
        }
        following
    }

    async fn drive(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.watch_statuses() => {}
                () = self.watch_expiry() => {}
                () = self.repeat_due() => {}
                () = self.pending.idle() => {}
                () = self.stop.cancelled() => return,
            }
            if self.pending.rest() {
                return;
            }
        }
    }

    async fn watch_statuses(self: &Arc<Self>) {
        while !self.stop.is_cancelled() {
            let next = Instant::now() + POLL;
            let round = self.pending.round(self.signatures_per_round());
            let looks = round.chunks(CHUNK).map(|chunk| {
                let (pool, chunk) = (Arc::clone(self), chunk.to_vec());
                async move { pool.look(&chunk).await }
            });
            futures_util::stream::iter(looks.collect::<Vec<_>>()).buffer_unordered(PARALLEL).collect::<Vec<()>>().await;
            tokio::time::sleep_until(next).await;
        }
    }

    /// With very many pending ones a round takes part of them: statuses must not eat the reads of everybody else.
    fn signatures_per_round(&self) -> usize {
        let requests = (self.options.reads_per_second * POLL_SHARE * POLL.as_secs_f64()).max(1.0);
        // Rates are validated to be far below this.
        let requests = (1..=1024).take_while(|count| f64::from(*count) <= requests).count();
        requests * CHUNK
    }

    async fn look(self: &Arc<Self>, signatures: &[Arc<str>]) {
        let options = CallOptions { deadline: Some(LOOK_LIMIT), ..CallOptions::default() };
        // A look that failed is no verdict: the next one may succeed.
        if let Ok((_, statuses)) = self.statuses_of(signatures, false, None, options).await {
            for (signature, status) in signatures.iter().zip(statuses) {
                self.pending.saw(signature, status);
            }
        }
    }

    /// The same bytes again, to the best endpoints, as far as the limiter has tokens to spare after first sends. Nobody waits for the answers: statuses tell.
    async fn repeat_due(self: &Arc<Self>) {
        while !self.stop.is_cancelled() {
            tokio::time::sleep(REPEAT_TICK).await;
            // A token first: what is due keeps its turn until there is one.
            while self.pending.has_due(Instant::now()) && self.may_repeat() && self.take_token_now(Class::Send) {
                let Some((transaction, fanout)) = self.pending.next_due(Instant::now()) else { break };
                self.repeat(&transaction, fanout);
            }
        }
    }

    fn may_repeat(&self) -> bool {
        self.pending.repeats.available_permits() > 0 && self.can_send_now()
    }

    /// The token of the first endpoint is taken.
    fn repeat(self: &Arc<Self>, transaction: &SignedTransaction, fanout: usize) {
        let how = SendOptions {
            skip_preflight: true,
            max_retries: Some(0),
            preflight_commitment: Some("processed".to_owned()),
            ..SendOptions::default()
        };
        let Ok(prepared) = self.prepare_send(transaction, &how) else { return };
        for (index, endpoint) in self.best_endpoints(&prepared, fanout).into_iter().enumerate() {
            let Ok(permit) = Arc::clone(&self.pending.repeats).try_acquire_owned() else { return };
            if index > 0 && !self.take_token_now(Class::Send) {
                return;
            }
            let (pool, prepared) = (Arc::clone(self), prepared.clone());
            drop(tokio::spawn(async move {
                tokio::select! {
                    _ = pool.attempt(&endpoint, &prepared, REPEAT_LIMIT) => {}
                    () = pool.stop.cancelled() => {}
                }
                drop(permit);
            }));
        }
    }
}
