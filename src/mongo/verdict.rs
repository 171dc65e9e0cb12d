//! The verdict on an attempt whose callback has ended: committed, again after a wait, given up, or of unknown outcome.
//!
//! Guarantees: the callback runs again only after an error that the server labelled transient and while the limits allow it; an abort that the callback
//! swallowed is told as what it is; a commit is repeated while its outcome is unknown and is never called failed then.

use super::attempt::Attempt;
use super::body;
use super::client::Client;
use super::dispatch::Reply;
use super::error::has;
use super::error::{self, TRANSIENT, UNKNOWN_COMMIT};
use super::session::{Entry, Held, Turn};
use super::transaction::{NO_SUCH_TRANSACTION, abort_held, commit_once, turn_of};
use crate::error::{ErrorCode, Failure, Phase};
use crate::retry::{Deadline, full_jitter};
use mongodb::bson::raw::RawDocument;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The commit itself ran out of `maxCommitTimeMS`: repeating it is pointless.
const MAX_TIME_EXPIRED: i32 = 50;

/// What TypeScript says about an attempt whose callback has ended.
struct Finish {
    threw: bool,
    code: Option<i64>,
    transient: bool,
    rethrown: bool,
    attempt: u32,
    max_retries: Option<u32>,
    retry_delay: Option<Duration>,
    left: Option<Deadline>,
}

impl Finish {
    fn parse(given: &RawDocument) -> Result<Self, Failure> {
        let labels = match body::field(given, "labels") {
            Some(_) => Some(body::array(given, "labels")?),
            None => None,
        };
        let transient = labels.is_some_and(|labels| {
            labels.into_iter().any(|label| label.is_ok_and(|label| label.as_str() == Some(TRANSIENT)))
        });
        let total = body::millis(given, "totalMS")?;
        let elapsed = body::millis(given, "elapsedMS")?.unwrap_or_default();
        Ok(Self {
            threw: body::flag(given, "threw").unwrap_or(false),
            code: body::field(given, "code").and_then(body::as_integer),
            transient,
            rethrown: body::flag(given, "rethrown").unwrap_or(false),
            attempt: body::count(given, "attempt")?.unwrap_or(1).max(1),
            max_retries: body::count(given, "maxRetries")?,
            retry_delay: body::millis(given, "retryDelayMS")?,
            left: total.map(|total| Deadline::after(total.saturating_sub(elapsed))),
        })
    }

    /// Whether the callback may run again, and after which wait.
    fn retry(&self) -> Option<Duration> {
        if self.max_retries.is_some_and(|most| self.attempt > most) {
            return None;
        }
        let wait = self
            .retry_delay
            .map_or_else(|| backoff(self.attempt, fastrand::f64()), |delay| delay.saturating_mul(self.attempt));
        match self.left {
            Some(left) if left.remaining() <= wait => None,
            _ => Some(wait),
        }
    }
}

/// The specification's: jitter x min(5 ms x 1.5^(n-1), 500 ms).
fn backoff(attempt: u32, jitter: f64) -> Duration {
    let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let millis = (5.0 * 1.5_f64.powi(exponent)).min(500.0);
    Duration::from_secs_f64(jitter.clamp(0.0, 1.0) * millis / 1000.0)
}

/// The usual verdict is no value; the others are JSON.
fn ended(aborted: bool) -> Reply {
    if aborted { Reply::Text("{\"kind\":\"aborted\"}".to_owned()) } else { Reply::Nothing }
}

fn retry_verdict(wait: Duration) -> Reply {
    Reply::Text(format!("{{\"kind\":\"retry\",\"backoffMs\":{}}}", wait.as_secs_f64() * 1000.0))
}

/// The verdict on an attempt: committed, aborted, again after a wait, or a failure.
pub(super) async fn finish(
    client: &Arc<Client>,
    entry: &Arc<Entry>,
    (attempt, turn): (Option<Arc<Attempt>>, Turn),
    given: &RawDocument,
) -> Result<Reply, Failure> {
    let said = Finish::parse(given)?;
    let Some(attempt) = attempt else {
        // The callback ended the transaction itself.
        return Ok(ended(said.threw));
    };
    let mut held = match turn_of(turn, entry, &attempt).await {
        Ok(held) => held,
        // The user's own abort or commit was under way.
        Err(failure) if failure.code == ErrorCode::Closed => {
            return Ok(ended(said.threw));
        }
        Err(failure) => return Err(failure),
    };
    if said.threw {
        abort_held(client, &mut held, &attempt).await;
        drop(held);
        return after_throw(&said, &attempt);
    }
    let result = commit_until(client, held, &attempt, said.left).await;
    entry.set_attempt(None);
    attempt.end();
    match result {
        Ok(()) => Ok(ended(false)),
        Err(failure) if failure.code == ErrorCode::UnknownCommit => Err(failure),
        Err(failure) => after_failed_commit(&said, &attempt, failure),
    }
}

fn after_throw(said: &Finish, attempt: &Attempt) -> Result<Reply, Failure> {
    let swallowed = said.code == Some(i64::from(NO_SUCH_TRANSACTION)) && !said.rethrown;
    if swallowed && let Some(first) = attempt.first_error() {
        return Err(swallowed_abort(first));
    }
    match said.retry() {
        Some(wait) if said.transient => Ok(retry_verdict(wait)),
        _ => Ok(ended(true)),
    }
}

fn after_failed_commit(said: &Finish, attempt: &Attempt, failure: Failure) -> Result<Reply, Failure> {
    if failure.server_code == Some(NO_SUCH_TRANSACTION)
        && let Some(first) = attempt.first_error()
    {
        return Err(swallowed_abort(first));
    }
    if !has(&failure, TRANSIENT) {
        return Err(failure);
    }
    if let Some(wait) = said.retry() {
        return Ok(retry_verdict(wait));
    }
    let mut conflict = failure;
    conflict.code = ErrorCode::Conflict;
    conflict.attempts = Some(said.attempt);
    conflict.maybe_executed = Some(false);
    Err(conflict)
}

/// The callback caught the error by which the server aborted the transaction. Running it again would end the same way.
fn swallowed_abort(first: Failure) -> Failure {
    let message = format!("transaction was aborted by an error that the callback caught: {}", first.message);
    let mut failure = Failure { message, ..first };
    failure.details.push(("swallowed", crate::error::Detail::Flag(true)));
    failure.maybe_executed = Some(false);
    failure
}

/// Commits, again and again while the outcome is unknown, until the earlier of the attempt's deadline and the whole transaction's.
async fn commit_until(
    client: &Arc<Client>,
    mut held: Held,
    attempt: &Arc<Attempt>,
    total: Option<Deadline>,
) -> Result<(), Failure> {
    let limit = attempt.deadline().or(total).unwrap_or_else(|| Deadline::after(Duration::from_mins(2)));
    let limit = total.map_or(limit, |total| limit.earliest(total));
    let counts = client.counts();
    let mut tries = 0;
    loop {
        tries += 1;
        let sent = tokio::select! {
            sent = commit_once(client, &mut held, attempt) => sent,
            () = limit.passed() => Err(Failure::new(ErrorCode::Timeout, "commit was not answered in time").in_phase(Phase::Commit)),
        };
        let failure = match sent {
            Ok(()) => {
                counts.committed.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Err(failure) => failure,
        };
        let unknown = failure.code == ErrorCode::Timeout || has(&failure, UNKNOWN_COMMIT);
        if !unknown {
            counts.aborted.fetch_add(1, Ordering::Relaxed);
            return Err(failure);
        }
        if limit.is_over() || failure.server_code == Some(MAX_TIME_EXPIRED) || client.is_cut() {
            counts.unknown.fetch_add(1, Ordering::Relaxed);
            return Err(unknown_commit(client, &held.entry, failure, tries));
        }
        tokio::time::sleep(
            full_jitter(Duration::from_millis(5), Duration::from_millis(500), tries).min(limit.remaining()),
        )
        .await;
    }
}

/// The outcome is unknown: the session is parked so that `commitOutcome` can ask again.
pub(super) fn unknown_commit(client: &Arc<Client>, entry: &Arc<Entry>, cause: Failure, tries: u32) -> Failure {
    let token = client.park(Arc::clone(entry));
    let mut failure = Failure::new(
        ErrorCode::UnknownCommit,
        format!(
            "outcome of the commit is unknown after {tries} {}: {}",
            if tries == 1 { "attempt" } else { "attempts" },
            cause.message
        ),
    )
    .with_text("kind", "unknownCommit")
    .with_text("commitToken", token)
    .in_phase(Phase::Commit);
    failure.labels = cause.labels;
    failure.server_code = cause.server_code;
    failure.reply = cause.reply;
    failure.attempts = Some(tries);
    failure.maybe_executed = Some(true);
    failure
}

/// Asks again for the outcome of a parked commit. Repeating a commit is safe: the server applies it once.
pub(super) async fn outcome(client: &Arc<Client>, given: &RawDocument) -> Result<Reply, Failure> {
    let token = body::text(given, "token")?;
    let Some(entry) = client.parked(token) else {
        return Err(body::invalid("token", "commit token is not known in this process"));
    };
    let guard = entry.turn().take().await;
    let mut guard = guard.ok_or_else(|| error::closed("closed"))?;
    let Some(session) = guard.session.as_mut() else {
        return Err(body::invalid("token", "session of the commit has ended"));
    };
    match session.commit_transaction().await {
        Ok(()) => {
            client.unpark(token);
            Ok(Reply::Text("committed".to_owned()))
        }
        Err(found) if error::code_of(&found) == Some(NO_SUCH_TRANSACTION) => {
            client.unpark(token);
            Ok(Reply::Text("rolled-back".to_owned()))
        }
        Err(found) => {
            let mut failure = error::failure(&found).with_text("commitToken", token).in_phase(Phase::Commit);
            failure.code = ErrorCode::UnknownCommit;
            failure.maybe_executed = Some(true);
            Err(failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Finish, after_failed_commit, after_throw, backoff};
    use crate::error::{ErrorCode, Failure};
    use crate::mongo::attempt::Attempt;
    use crate::mongo::dispatch::Reply;
    use mongodb::bson::rawdoc;
    use std::time::Duration;

    fn server(code: i32, labels: &[&str]) -> Failure {
        let mut failure = Failure::new(ErrorCode::ServerError, "no");
        failure.server_code = Some(code);
        failure.labels = labels.iter().map(|label| (*label).to_owned()).collect();
        failure
    }

    fn text(reply: Reply) -> String {
        match reply {
            Reply::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn retries_a_transient_error_up_to_the_limit_and_no_other() {
        let attempt = Attempt::new(&rawdoc! {}).unwrap();
        let said = |n: i32, label: &str| {
            Finish::parse(&rawdoc! { "threw": true, "labels": [label], "attempt": n, "maxRetries": 3 }).unwrap()
        };
        assert!(text(after_throw(&said(3, "TransientTransactionError"), &attempt).unwrap()).contains("retry"));
        assert!(text(after_throw(&said(4, "TransientTransactionError"), &attempt).unwrap()).contains("aborted"));
        assert!(text(after_throw(&said(1, "Other"), &attempt).unwrap()).contains("aborted"));
    }

    #[test]
    fn a_transient_commit_that_outlives_its_retries_is_a_conflict() {
        let attempt = Attempt::new(&rawdoc! {}).unwrap();
        let said = Finish::parse(&rawdoc! { "threw": false, "attempt": 2, "maxRetries": 1 }).unwrap();
        let failure = after_failed_commit(&said, &attempt, server(112, &["TransientTransactionError"])).unwrap_err();
        assert_eq!((failure.code, failure.attempts), (ErrorCode::Conflict, Some(2)));
        let plain = after_failed_commit(&said, &attempt, server(8, &[])).unwrap_err();
        assert_eq!(plain.code, ErrorCode::ServerError);
    }

    #[test]
    fn names_the_error_that_a_callback_swallowed() {
        let attempt = Attempt::new(&rawdoc! {}).unwrap();
        attempt.note(&server(11000, &[]));
        attempt.note(&server(251, &["TransientTransactionError"]));
        let said = Finish::parse(&rawdoc! { "threw": false }).unwrap();
        let failure = after_failed_commit(&said, &attempt, server(251, &["TransientTransactionError"])).unwrap_err();
        assert_eq!(failure.server_code, Some(11000));
        let thrown =
            Finish::parse(&rawdoc! { "threw": true, "code": 251, "labels": ["TransientTransactionError"] }).unwrap();
        assert_eq!(after_throw(&thrown, &attempt).unwrap_err().server_code, Some(11000));
    }

    #[test]
    fn waits_by_the_specification() {
        assert_eq!(backoff(1, 1.0), Duration::from_millis(5));
        assert_eq!(backoff(2, 1.0), Duration::from_micros(7500));
        assert_eq!(backoff(1000, 1.0), Duration::from_millis(500));
        assert_eq!(backoff(9, 0.0), Duration::ZERO);
    }
}
