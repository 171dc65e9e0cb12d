//! Following a transaction to its end: the same bytes again and again until they land, fail, can no longer land, or time is up.
//!
//! Expired is said only when the block height is past the limit on two endpoints (or the only one), or the blockhash is no longer valid, **and** a last look
//! through the history finds nothing. When that cannot be told, the outcome is `unknown`. A status that goes away again (a fork) counts as not seen.

use crate::solana::call::reply;
use crate::solana::call::request::Prepared;
use crate::solana::call::{Call, CallOptions};
use crate::solana::endpoint::slot::Commitment;
use crate::solana::error::{AttemptError, PoolError};
use crate::solana::pool::Pool;
use crate::solana::transaction::status::SignatureStatus;
use crate::solana::transaction::{SendOptions, SignedTransaction};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often the bytes go out again, +- 20 %.
const REPEAT: Duration = Duration::from_secs(2);
/// How often expiry is looked at.
const EXPIRY_CHECK: Duration = Duration::from_secs(1);
const HEIGHT_LIMIT: Duration = Duration::from_secs(2);
/// Heights that are further than this past the limit are not believed alone: a provider was seen answering with the slot.
const PLAUSIBLE_JUMP: u64 = 600;

/// How a transaction is followed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrackOptions {
    /// Which, when there are no bytes.
    #[serde(default)]
    pub signature: Option<String>,
    /// What has to be reached: `processed`, `confirmed` or `finalized`.
    pub commitment: String,
    /// Past this block height it cannot land any more.
    #[serde(default)]
    pub last_valid_block_height: Option<u64>,
    /// Endpoints that get each repetition. Default 2.
    #[serde(default)]
    pub fanout: Option<usize>,
    /// How the first send goes.
    #[serde(default)]
    pub send: SendOptions,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// On chain, without an error.
    Landed,
    /// On chain, with an error.
    Failed,
    /// It cannot land any more.
    Expired,
    /// The deadline came first.
    Unknown,
}

/// The end of a transaction.
#[derive(Debug, Serialize)]
pub struct Tracked {
    /// Its signature.
    pub signature: String,
    /// How it ended.
    pub status: Verdict,
    /// The slot it is in.
    pub slot: Option<u64>,
    /// Its error as the node gave it.
    pub err: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EpochInfo {
    absolute_slot: u64,
    block_height: u64,
}

/// One transaction that is followed.
struct Tracker<'a> {
    pool: &'a Arc<Pool>,
    signature: String,
    transaction: Option<&'a SignedTransaction>,
    options: &'a TrackOptions,
    commitment: Commitment,
    repeat_at: Instant,
    expiry_at: Instant,
}

impl Pool {
    /// Sends a transaction and follows it. The first send's refusal is an error: nothing is on its way then.
    pub async fn send_and_confirm(
        self: &Arc<Self>,
        transaction: &SignedTransaction,
        options: &TrackOptions,
        call: CallOptions,
    ) -> Result<Tracked, PoolError> {
        let commitment = commitment_of(options)?;
        let deadline = Instant::now() + call.deadline.unwrap_or(self.options.deadline);
        match self.send(transaction, &options.send, call.clone()).await {
            Ok(_) => {}
            // A rerun: it may have landed long ago, or can no longer land. Only its status tells.
            Err(error) if may_be_a_rerun(&error) => {
                if let Ok(Some(status)) = self.last_status(&transaction.signature).await
                    && status.commitment >= commitment
                {
                    return Ok(tracked_of(transaction.signature.clone(), &status));
                }
            }
            // Some node may have it: following is the only way to know.
            Err(error) if may_be_on_its_way(&error) => {}
            Err(error) => return Err(error),
        }
        let tracker = Tracker::new(self, transaction.signature.clone(), Some(transaction), (options, commitment));
        tracker.follow(deadline, &call).await
    }

    /// Follows a signature that was sent before.
    pub async fn confirm(self: &Arc<Self>, options: &TrackOptions, call: CallOptions) -> Result<Tracked, PoolError> {
        let commitment = commitment_of(options)?;
        let missing = || argument("signature", "signature must be given when there are no bytes");
        let signature = options.signature.clone().ok_or_else(missing)?;
        let deadline = Instant::now() + call.deadline.unwrap_or(self.options.deadline);
        Tracker::new(self, signature, None, (options, commitment)).follow(deadline, &call).await
    }
}

impl<'a> Tracker<'a> {
    fn new(
        pool: &'a Arc<Pool>,
        signature: String,
        transaction: Option<&'a SignedTransaction>,
        (options, commitment): (&'a TrackOptions, Commitment),
    ) -> Self {
        let now = Instant::now();
        let (repeat_at, expiry_at) = (now + jittered(REPEAT), now + EXPIRY_CHECK);
        Self { pool, signature, transaction, options, commitment, repeat_at, expiry_at }
    }

    async fn follow(mut self, deadline: Instant, call: &CallOptions) -> Result<Tracked, PoolError> {
        let (pool, signature) = (Arc::clone(self.pool), self.signature.clone());
        let running = pool.enter()?;
        let tracked = tokio::select! {
            biased;
            tracked = self.rounds() => tracked,
            () = pool.stop.cancelled() => Err(PoolError::Closed { state: "closed" }),
            () = call.cancel.cancelled() => Err(PoolError::Aborted { maybe_executed: true }),
            () = tokio::time::sleep_until(deadline) => Ok(tracked_as(signature, Verdict::Unknown, None)),
        };
        drop(running);
        tracked
    }

    async fn rounds(&mut self) -> Result<Tracked, PoolError> {
        loop {
            // A look that failed is no verdict: the next one may succeed, the deadline ends it all.
            if let Ok(Some(status)) = self.pool.next_status(&self.signature).await {
                if status.commitment >= self.commitment {
                    return Ok(self.seen(&status));
                }
                continue;
            }
            let now = Instant::now();
            if now >= self.expiry_at {
                self.expiry_at = now + EXPIRY_CHECK;
                if self.can_no_longer_land().await {
                    match self.pool.last_status(&self.signature).await {
                        Ok(None) => return Ok(tracked_as(self.signature.clone(), Verdict::Expired, None)),
                        Ok(Some(status)) if status.commitment >= self.commitment => return Ok(self.seen(&status)),
                        Ok(Some(_)) | Err(_) => continue,
                    }
                }
            }
            if now >= self.repeat_at {
                self.repeat_at = now + jittered(REPEAT);
                self.repeat();
            }
        }
    }

    fn seen(&self, status: &SignatureStatus) -> Tracked {
        tracked_of(self.signature.clone(), status)
    }

    /// The same bytes again, to the best endpoints, as far as the limiter has tokens to spare. Nobody waits for the answers: statuses tell.
    fn repeat(&self) {
        let Some(transaction) = self.transaction else { return };
        let commitment = Some("processed".to_owned());
        let how = SendOptions {
            skip_preflight: true,
            max_retries: Some(0),
            preflight_commitment: commitment,
            ..SendOptions::default()
        };
        let Ok(prepared) = self.pool.prepare_send(transaction, &how) else { return };
        for endpoint in self.pool.best_endpoints(&prepared, self.options.fanout.unwrap_or(2)) {
            if !self.pool.take_token_now(prepared.method.class) {
                return;
            }
            let (pool, prepared) = (Arc::clone(self.pool), prepared.clone());
            drop(tokio::spawn(async move {
                tokio::select! {
                    _ = pool.attempt(&endpoint, &prepared, REPEAT) => {}
                    () = pool.stop.cancelled() => {}
                }
            }));
        }
    }

    async fn can_no_longer_land(&self) -> bool {
        let blockhash = self.transaction.map(|transaction| transaction.blockhash.as_str());
        let Some(last) = self.options.last_valid_block_height else {
            return match blockhash {
                Some(blockhash) => self.blockhash_is_gone(blockhash).await,
                None => false,
            };
        };
        match (self.blocks_past(last).await, blockhash) {
            (None, _) => false,
            (Some(past), _) if past < PLAUSIBLE_JUMP => true,
            // Long past, or a slot where a height should be: another question decides.
            (Some(_), Some(blockhash)) => self.blockhash_is_gone(blockhash).await,
            (Some(_), None) => self.epoch_is_past(last).await,
        }
    }

    /// How far the block height is past `last` on two endpoints (or the only one); `None` when it is not, or not known.
    async fn blocks_past(&self, last: u64) -> Option<u64> {
        let call = Prepared::new("getBlockHeight", "", Commitment::Confirmed).ok()?;
        let mut most = None;
        for endpoint in self.pool.best_endpoints(&call, 2) {
            if !self.pool.take_token_now(call.method.class) {
                return None;
            }
            let height = self.pool.attempt(&endpoint, &call, HEIGHT_LIMIT).await.ok();
            let height = height.as_deref().and_then(reply::number).filter(|height| *height > last)?;
            most = most.max(Some(height - last));
        }
        most
    }

    async fn epoch_is_past(&self, last: u64) -> bool {
        let params = "[{\"commitment\":\"confirmed\"}]";
        let result = self.pool.call_within(Call { method: "getEpochInfo", params }, CallOptions::default()).await;
        let info = result.ok().and_then(|result| serde_json::from_slice::<EpochInfo>(&result).ok());
        // A height that equals the slot may be the slot again.
        info.is_some_and(|info| info.block_height > last && info.block_height != info.absolute_slot)
    }

    async fn blockhash_is_gone(&self, blockhash: &str) -> bool {
        let params = serde_json::json!([blockhash, { "commitment": "confirmed" }]).to_string();
        let call = Call { method: "isBlockhashValid", params: &params };
        let result = self.pool.call_within(call, CallOptions::default()).await;
        result.is_ok_and(|result| memchr::memmem::find(&result, b"\"value\":false").is_some())
    }
}

fn may_be_on_its_way(error: &PoolError) -> bool {
    match error {
        PoolError::Exhausted { tried, .. } => tried.iter().any(|one| one.error.maybe_executed()),
        PoolError::Deadline { maybe_executed, .. } => *maybe_executed,
        _ => false,
    }
}

/// Bytes that a node has already processed, or whose blockhash it no longer knows.
fn may_be_a_rerun(error: &PoolError) -> bool {
    let last = match error {
        PoolError::Refused(last) => last,
        PoolError::Exhausted { tried, .. } => match tried.last() {
            Some(last) => &last.error,
            None => return false,
        },
        _ => return false,
    };
    let AttemptError::Rpc(refusal) = last else { return false };
    refusal.mentions("AlreadyProcessed") || refusal.mentions("BlockhashNotFound")
}

fn commitment_of(options: &TrackOptions) -> Result<Commitment, PoolError> {
    let wrong = || argument("commitment", "commitment must be processed, confirmed or finalized");
    Commitment::parse(&options.commitment).ok_or_else(wrong)
}

fn argument(argument: &'static str, message: &str) -> PoolError {
    PoolError::Argument { argument, message: message.to_owned() }
}

fn tracked_of(signature: String, status: &SignatureStatus) -> Tracked {
    let verdict = if status.error.is_none() { Verdict::Landed } else { Verdict::Failed };
    tracked_as(signature, verdict, Some(status))
}

fn tracked_as(signature: String, status: Verdict, seen: Option<&SignatureStatus>) -> Tracked {
    let err = seen.and_then(|seen| seen.error.clone()).and_then(|text| RawValue::from_string(text).ok());
    Tracked { signature, status, slot: seen.map(|seen| seen.slot), err }
}

fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.8 + 0.4 * fastrand::f64())
}
