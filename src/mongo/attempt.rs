//! One run of a transaction: its options, its deadline and how far it has come. What happens at its begin, commit, abort and deadline is in `transaction`.
//!
//! Guarantees: an attempt ends once; its deadline is decided here, whatever JavaScript does meanwhile.

use super::error::{self, TRANSIENT, has};
use super::numbers::Numbers;
use super::{body, concern};
use crate::error::{ErrorCode, Failure, Phase};
use crate::retry::Deadline;
use mongodb::ClientSession;
use mongodb::bson::raw::RawDocument;
use mongodb::options::{SelectionCriteria, TransactionOptions, WriteConcern};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Operations run in it.
    Open,
    /// Commit or abort is under way.
    Ending,
    /// Its deadline passed.
    TimedOut,
    /// It was committed or aborted.
    Over,
}

/// One run of a transaction, from begin to commit, abort or deadline.
pub(super) struct Attempt {
    options: TransactionOptions,
    deadline: Option<Deadline>,
    timeout: Duration,
    started: Instant,
    stage: Mutex<Stage>,
    /// Fires when it has ended, whatever way.
    over: CancellationToken,
    /// Fires when running operations must settle: at the deadline.
    cut: CancellationToken,
    begun: AtomicBool,
    /// It was cut because the client closes, not by its deadline.
    closed: AtomicBool,
    /// The commit may have been sent.
    committing: AtomicBool,
    /// The first answer by which the server aborted the transaction, unless it was transient.
    first_error: Mutex<Option<Failure>>,
}

impl Attempt {
    /// Reads the options of a begin.
    pub(super) fn new(given: &RawDocument) -> Result<Arc<Self>, Failure> {
        let timeout = body::millis(given, "timeoutMS")?.filter(|timeout| !timeout.is_zero());
        Ok(Arc::new(Self {
            options: concern::transaction(given)?,
            deadline: timeout.map(Deadline::after),
            timeout: timeout.unwrap_or_default(),
            started: Instant::now(),
            stage: Mutex::new(Stage::Open),
            over: CancellationToken::new(),
            cut: CancellationToken::new(),
            begun: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            committing: AtomicBool::new(false),
            first_error: Mutex::new(None),
        }))
    }

    fn stage_cell(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The preference that its reads were given.
    pub(super) fn preference(&self) -> Option<&SelectionCriteria> {
        self.options.selection_criteria.as_ref()
    }

    /// The write concern of its commit.
    pub(super) fn write_concern(&self) -> Option<&WriteConcern> {
        self.options.write_concern.as_ref()
    }

    /// Whether the crate knows it: its first operation has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// From here on the server may have committed it.
    pub(super) fn commit_is_sent(&self) {
        self.committing.store(true, Ordering::Release);
    }

    /// Whether its commit may have been sent.
    pub(super) fn may_be_committed(&self) -> bool {
        self.committing.load(Ordering::Acquire)
    }

    /// Until when it may take.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Where it stands.
    pub(super) fn stage(&self) -> Stage {
        *self.stage_cell()
    }

    /// Whether the server may hold it open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage(), Stage::Open | Stage::Ending)
    }

    /// Moves it on if it stands where `from` says; whether it did.
    pub(super) fn advance(&self, from: Stage, to: Stage) -> bool {
        let mut stage = self.stage_cell();
        let moved = *stage == from;
        if moved {
            *stage = to;
        }
        moved
    }

    /// It was committed or aborted.
    pub(super) fn end(&self) {
        *self.stage_cell() = Stage::Over;
        self.over.cancel();
    }

    /// It was ended by its deadline, and the server knows.
    pub(super) fn end_as_timed_out(&self) {
        *self.stage_cell() = Stage::TimedOut;
        self.over.cancel();
    }

    /// Marks it as cut by a close: running operations settle, new ones are refused.
    pub(super) fn cut_by_close(&self) {
        self.closed.store(true, Ordering::Release);
        self.advance(Stage::Open, Stage::TimedOut);
        self.cut.cancel();
    }

    /// Resolves when it has ended, whatever way.
    pub(super) async fn ended(&self) {
        self.over.cancelled().await;
    }

    /// Operations that run in it settle now.
    pub(super) fn settle_running(&self) {
        self.cut.cancel();
    }

    /// Resolves when operations of it must settle although the server has not answered.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }

    /// The failure for what its deadline, or a close, cut.
    pub(super) fn timeout(&self) -> Failure {
        if self.closed.load(Ordering::Acquire) {
            return error::closed("closed").in_phase(Phase::Transaction);
        }
        let mut failure = error::timed_out("transaction", self.timeout).in_phase(Phase::Transaction);
        failure.elapsed_ms = Some(self.started.elapsed().as_secs_f64() * 1000.0);
        failure.maybe_executed = Some(false);
        failure
    }

    /// The failure for an operation that comes after the end.
    pub(super) fn refusal(&self) -> Failure {
        let state = if self.stage() == Stage::TimedOut { "timed-out" } else { "over" };
        Failure::closed("transaction", state).with_text("kind", "closed").in_phase(Phase::Transaction)
    }

    /// Remembers the first answer that aborted the transaction on the server.
    pub(super) fn note(&self, failure: &Failure) {
        if failure.code == ErrorCode::ServerError && !has(failure, TRANSIENT) {
            let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| failure.clone());
        }
    }

    /// The first answer that aborted the transaction on the server.
    pub(super) fn first_error(&self) -> Option<Failure> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts it in the crate with its first operation: begin costs no round trip of its own.
    pub(super) async fn begin(&self, session: &mut ClientSession, numbers: &Numbers) -> Result<(), Failure> {
        if self.begun.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let started = numbers.begin(session, Some(self.options.clone())).await;
        started.map(|_number| ()).map_err(|found| {
            self.begun.store(false, Ordering::Release);
            let mut failure = error::failure(&found);
            // As the specification labels a server that could not be selected in a transaction.
            if matches!(failure.code, ErrorCode::ConnectFailed | ErrorCode::Disconnected) && !has(&failure, TRANSIENT) {
                failure.labels.push(TRANSIENT.to_owned());
            }
            failure
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Stage};
    use mongodb::bson::rawdoc;

    #[test]
    fn an_attempt_ends_once() {
        let attempt = Attempt::new(&rawdoc! { "timeoutMS": 300 }).unwrap();
        assert!(attempt.advance(Stage::Open, Stage::Ending));
        assert!(!attempt.advance(Stage::Open, Stage::TimedOut));
        attempt.end();
        assert!(!attempt.is_open());
        assert_eq!(attempt.timeout().message, "transaction timed out after 300 ms");
    }
}
