//! Following a transaction to its end: the same bytes again and again until they land, fail, can no longer land, or time is up.
//!
//! The table is `pending.rs`, the driver `follow.rs`, the rules of expiry `expiry.rs`. A status that goes away again (a fork) counts as not seen. What cannot be
//! told within the deadline is `unknown`, never a guess.

use crate::solana::call::{Call, CallOptions};
use crate::solana::endpoint::slot::Commitment;
use crate::solana::error::{AttemptError, PoolError};
use crate::solana::pool::Pool;
use crate::solana::transaction::pending::{End, Following, Nonce, Wanted};
use crate::solana::transaction::status::SignatureStatus;
use crate::solana::transaction::{SendOptions, SignedTransaction};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a transaction is followed when the caller does not say: longer than a blockhash lives.
const FOLLOW: Duration = Duration::from_mins(2);
const FANOUT: usize = 2;
/// For the logs of a failed transaction; nodes know them a moment after its status.
const LOGS_LIMIT: Duration = Duration::from_secs(3);
const LOGS_PAUSE: Duration = Duration::from_millis(500);
const LOGS_ATTEMPTS: u32 = 3;

/// How a transaction is followed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrackOptions {
    /// Which, when there are no bytes.
    #[serde(default)]
    pub signature: Option<String>,
    /// What has to be reached: `processed`, `confirmed` or `finalized`.
    pub commitment: String,
    /// Past this block height it cannot land any more. Says nothing about a transaction with a durable nonce.
    #[serde(default)]
    pub last_valid_block_height: Option<u64>,
    /// The nonce account and the value that a signature was made with, when there are no bytes to read them from.
    #[serde(default)]
    pub nonce_account: Option<String>,
    /// See `nonce_account`.
    #[serde(default)]
    pub nonce_value: Option<String>,
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

impl Verdict {
    /// The text that crosses to JavaScript.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Landed => "landed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }
}

/// The end of a transaction.
#[derive(Debug, Serialize)]
pub struct Tracked {
    /// Its signature.
    pub signature: String,
    /// How it ended.
    pub status: Verdict,
    /// The slot it is in. With `unknown`: the slot in which it was seen last, at less than the commitment asked for.
    pub slot: Option<u64>,
    /// Its error as the node gave it.
    pub err: Option<Box<RawValue>>,
    /// What its programs logged, when it failed and a node still knew.
    pub logs: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithMeta {
    meta: Option<Meta>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    log_messages: Option<Vec<String>>,
}

impl Pool {
    /// Sends a transaction and follows it. The first send's refusal is an error: nothing is on its way then.
    pub async fn send_and_confirm(
        self: &Arc<Self>,
        transaction: &Arc<SignedTransaction>,
        options: &TrackOptions,
        call: CallOptions,
    ) -> Result<Tracked, PoolError> {
        let commitment = commitment_of(options)?;
        let running = self.enter()?;
        let deadline = Instant::now() + call.deadline.unwrap_or(FOLLOW.max(self.options.deadline));
        let mut following = self.follow(self.wanted(transaction, options, commitment));
        self.report_transaction(transaction);
        // In a box of its own: what the send needs is given back before the long wait.
        let first = Box::pin(self.first_send(transaction, (options, true), &call, deadline));
        tokio::select! {
            biased;
            // Some nodes answer late or never: the chain itself may be faster.
            end = following.end() => return Ok(self.ended(&transaction.signature, end, &call).await),
            sent = first => sent?,
        }
        let tracked = self.to_the_end(following, deadline, &call).await;
        drop(running);
        tracked
    }

    /// Sends a transaction and returns its signature once a node has taken it; its repetitions go on without the caller, until it is confirmed, can no longer
    /// land, or two minutes are over.
    pub async fn send_raw(
        self: &Arc<Self>,
        transaction: &Arc<SignedTransaction>,
        options: &TrackOptions,
        call: CallOptions,
    ) -> Result<String, PoolError> {
        let commitment = commitment_of(options)?;
        let running = self.enter()?;
        let deadline = Instant::now() + call.deadline.unwrap_or(self.options.deadline);
        let following = self.follow(self.wanted(transaction, options, commitment));
        self.report_transaction(transaction);
        self.first_send(transaction, (options, false), &call, deadline).await?;
        drop(running);
        let pool = Arc::clone(self);
        drop(tokio::spawn(async move {
            let until = Instant::now() + FOLLOW;
            // What closes or ends it is in the event and in the pool's summary.
            drop(pool.to_the_end(following, until, &CallOptions::default()).await);
        }));
        Ok(transaction.signature.clone())
    }

    /// Follows a signature that was sent before.
    pub async fn confirm(self: &Arc<Self>, options: &TrackOptions, call: CallOptions) -> Result<Tracked, PoolError> {
        let commitment = commitment_of(options)?;
        let missing = || argument("signature", "signature must be given when there are no bytes");
        let signature = options.signature.clone().ok_or_else(missing)?;
        let running = self.enter()?;
        let deadline = Instant::now() + call.deadline.unwrap_or(FOLLOW.max(self.options.deadline));
        let nonce = match (&options.nonce_account, &options.nonce_value) {
            (Some(account), Some(value)) => Some(Nonce { account: account.clone(), value: value.clone() }),
            _ => None,
        };
        let following = self.follow(Wanted {
            signature,
            transaction: None,
            commitment,
            last_valid: options.last_valid_block_height,
            nonce,
            fanout: FANOUT,
            floor: self.floor_of(None),
        });
        // It may have landed long ago: then only the history knows.
        self.look_back_once(Arc::clone(&following.signature), &call, deadline).await;
        let tracked = self.to_the_end(following, deadline, &call).await;
        drop(running);
        tracked
    }

    fn wanted(&self, transaction: &Arc<SignedTransaction>, options: &TrackOptions, commitment: Commitment) -> Wanted {
        let value = || transaction.blockhash.clone();
        let nonce = transaction.nonce_account.clone().map(|account| Nonce { account, value: value() });
        Wanted {
            signature: transaction.signature.clone(),
            transaction: Some(Arc::clone(transaction)),
            commitment,
            last_valid: options.last_valid_block_height,
            nonce,
            fanout: options.fanout.unwrap_or(FANOUT),
            floor: self.floor_of(Some(&transaction.blockhash)),
        }
    }

    /// The one send with a simulation; the repetitions follow when it may have got through. `old`: bytes whose blockhash is gone are followed all the same.
    async fn first_send(
        self: &Arc<Self>,
        transaction: &Arc<SignedTransaction>,
        (options, old): (&TrackOptions, bool),
        call: &CallOptions,
        deadline: Instant,
    ) -> Result<(), PoolError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limits = CallOptions { deadline: Some(left), ..call.clone() };
        match self.send_within(transaction, &options.send, limits).await {
            Ok(()) => {}
            // A rerun: it may have landed long ago, or can no longer land. Only its status tells.
            Err(error)
                if refused_with(&error, "AlreadyProcessed") || (old && refused_with(&error, "BlockhashNotFound")) =>
            {
                self.pending.doubt(&transaction.signature);
                self.look_back_once(transaction.signature.as_str().into(), call, deadline).await;
            }
            // Some node may have it: following is the only way to know.
            Err(error) if may_be_on_its_way(&error) => {}
            Err(error) => return Err(error),
        }
        self.pending.repeat_from(&transaction.signature, Instant::now());
        Ok(())
    }

    /// Looks through the history for what may be there, as long as the caller waits.
    async fn look_back_once(self: &Arc<Self>, signature: Arc<str>, call: &CallOptions, deadline: Instant) {
        let one = [(signature, None)];
        tokio::select! {
            () = self.look_back(&one) => {}
            () = call.cancel.cancelled() => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
    }

    async fn to_the_end(
        self: &Arc<Self>,
        mut following: Following,
        deadline: Instant,
        call: &CallOptions,
    ) -> Result<Tracked, PoolError> {
        let (signature, commitment) = (Arc::clone(&following.signature), following.commitment);
        let end = tokio::select! {
            biased;
            end = following.end() => Some(end),
            () = self.listen(&signature, commitment) => None,
            () = self.stop.cancelled() => return Err(PoolError::Cut { maybe_executed: true }),
            () = call.cancel.cancelled() => return Err(PoolError::Aborted { maybe_executed: true }),
            () = tokio::time::sleep_until(deadline) => None,
        };
        let signature = signature.to_string();
        if let Some(end) = end {
            return Ok(self.ended(&signature, end, call).await);
        }
        let seen = self.pending.seen(&signature);
        let unknown = Tracked { status: Verdict::Unknown, ..tracked_of(signature, seen.as_ref()) };
        self.report_end(&unknown);
        Ok(unknown)
    }

    async fn ended(self: &Arc<Self>, signature: &str, end: End, call: &CallOptions) -> Tracked {
        let mut tracked = match end {
            End::Expired => Tracked { status: Verdict::Expired, ..tracked_of(signature.to_owned(), None) },
            End::Seen(status) => {
                self.wrote(status.slot, status.commitment);
                tracked_of(signature.to_owned(), Some(&status))
            }
        };
        if tracked.status == Verdict::Failed {
            tracked.logs = tokio::select! {
                logs = tokio::time::timeout(LOGS_LIMIT, self.logs_of(signature)) => logs.ok().flatten(),
                () = call.cancel.cancelled() => None,
            };
        }
        self.report_end(&tracked);
        tracked
    }

    /// The logs of a transaction on chain, if a node still has them.
    async fn logs_of(self: &Arc<Self>, signature: &str) -> Option<Vec<String>> {
        let config =
            serde_json::json!({ "encoding": "base64", "commitment": "confirmed", "maxSupportedTransactionVersion": 0 });
        let params = serde_json::json!([signature, config]).to_string();
        for attempt in 0..LOGS_ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(LOGS_PAUSE).await;
            }
            let options = CallOptions { deadline: Some(LOGS_LIMIT), ..CallOptions::default() };
            let result = self.call_within(Call { method: "getTransaction", params: &params }, options).await.ok()?;
            if let Ok(Some(found)) = serde_json::from_slice::<Option<WithMeta>>(&result) {
                return found.meta.and_then(|meta| meta.log_messages);
            }
        }
        None
    }
}

fn may_be_on_its_way(error: &PoolError) -> bool {
    match error {
        PoolError::Exhausted { tried, .. } => tried.iter().any(|one| one.error.maybe_executed()),
        PoolError::Deadline { maybe_executed, .. } => *maybe_executed,
        _ => false,
    }
}

/// Whether the node's last word was this.
fn refused_with(error: &PoolError, text: &str) -> bool {
    let last = match error {
        PoolError::Refused(last) => last,
        PoolError::Exhausted { tried, .. } => match tried.last() {
            Some(last) => &last.error,
            None => return false,
        },
        _ => return false,
    };
    let AttemptError::Rpc(refusal) = last else { return false };
    refusal.mentions(text)
}

fn commitment_of(options: &TrackOptions) -> Result<Commitment, PoolError> {
    let wrong = || argument("commitment", "commitment must be processed, confirmed or finalized");
    Commitment::parse(&options.commitment).ok_or_else(wrong)
}

fn argument(argument: &'static str, message: &str) -> PoolError {
    PoolError::Argument { argument, message: message.to_owned() }
}

fn tracked_of(signature: String, seen: Option<&SignatureStatus>) -> Tracked {
    let err = seen.and_then(|seen| seen.error.clone()).and_then(|text| RawValue::from_string(text).ok());
    let status = if err.is_none() { Verdict::Landed } else { Verdict::Failed };
    Tracked { signature, status, slot: seen.map(|seen| seen.slot), err, logs: None }
}
