//! What can go wrong in the room: one attempt ([`AttemptError`]) or a whole call ([`PoolError`]).

use crate::error::{Classify, Detail, ErrorCode, Failure, Phase, Verdict};
use crate::solana::classify::{Again, rule};
use bytes::Bytes;
use std::time::Duration;

/// The text operators search for when nothing could be reached.
pub(super) const NO_ENDPOINT_TEXT: &str = "No healthy RPC connections available";

/// A JSON-RPC error of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcRefusal {
    /// The node's code, such as -32602.
    pub code: i64,
    /// The node's message.
    pub message: String,
    /// The error object as received.
    pub body: Bytes,
}

impl RpcRefusal {
    /// Whether `data` or the message holds this text.
    pub fn mentions(&self, text: &str) -> bool {
        memchr::memmem::find(&self.body, text.as_bytes()).is_some()
    }
}

/// How one attempt on one endpoint failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError {
    /// No connection: nothing was sent.
    #[error("connect failed: {detail}")]
    Connect {
        /// The operating system's or TLS text, redacted.
        detail: String,
    },
    /// The connection went away with the request under way.
    #[error("connection lost: {detail}")]
    Lost {
        /// Redacted text.
        detail: String,
    },
    /// No answer in the time of one attempt.
    #[error("no answer within {} ms", limit.as_millis())]
    Timeout {
        /// The time it had.
        limit: Duration,
    },
    /// A reply that is cut, not JSON, or not ours.
    #[error("unintelligible reply: {detail}")]
    Garbled {
        /// What is wrong with it.
        detail: String,
    },
    /// An HTTP status that is not a success.
    #[error("http status {status}")]
    Http {
        /// The status.
        status: u16,
        /// How long the server asks us to stay away.
        retry_after: Option<Duration>,
    },
    /// The node's own error.
    #[error("{}", .0.message)]
    Rpc(RpcRefusal),
}

impl AttemptError {
    /// Whether the node may have executed the request.
    pub fn maybe_executed(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Timeout { .. } | Self::Garbled { .. })
            || matches!(self, Self::Http { status, .. } if *status >= 500)
    }

    /// Whether the endpoint said something, however bad.
    fn is_answer(&self) -> bool {
        !matches!(self, Self::Connect { .. } | Self::Lost { .. } | Self::Timeout { .. })
    }

    /// The stable code of a call that ended with it.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Connect { .. } => ErrorCode::ConnectFailed,
            Self::Lost { .. } => ErrorCode::Disconnected,
            Self::Timeout { .. } => ErrorCode::Timeout,
            Self::Garbled { .. } => ErrorCode::Protocol,
            Self::Http { status: 429, .. } => ErrorCode::RateLimited,
            Self::Http { status: 401 | 403, .. } => ErrorCode::AuthFailed,
            Self::Rpc(refusal) if matches!(refusal.code, 429 | -32429) => ErrorCode::RateLimited,
            Self::Http { .. } | Self::Rpc(_) => ErrorCode::ServerError,
        }
    }
}

/// One attempt of a failed call, for the error's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The endpoint's name.
    pub endpoint: String,
    /// What happened.
    pub error: AttemptError,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// A caller's mistake in an argument.
    #[error("{message}")]
    Argument {
        /// Which.
        argument: &'static str,
        /// Why.
        message: String,
    },
    /// An unusable option.
    #[error("{message}")]
    Config {
        /// Which.
        option: String,
        /// Why.
        message: String,
    },
    /// Used while draining or after close.
    #[error("rpc pool is {state}")]
    Closed {
        /// `draining` or `closed`.
        state: &'static str,
    },
    /// The pool closed with the call under way.
    #[error("rpc pool is closed")]
    Cut {
        /// Whether bytes had left.
        maybe_executed: bool,
    },
    /// The caller's signal fired.
    #[error("rpc call was aborted")]
    Aborted {
        /// Whether bytes had left.
        maybe_executed: bool,
    },
    /// The deadline passed.
    #[error("rpc call timed out after {} ms ({attempts} attempts)", elapsed.as_millis())]
    Deadline {
        /// Since the call began.
        elapsed: Duration,
        /// Attempts begun.
        attempts: u32,
        /// Whether a node may have executed it.
        maybe_executed: bool,
    },
    /// The pool has no endpoint at all.
    #[error("{NO_ENDPOINT_TEXT}")]
    NoEndpoint,
    /// Too many calls wait.
    #[error("rpc queue is full with {size} calls waiting")]
    QueueFull {
        /// The bound.
        size: u32,
    },
    /// The limiter could not let the call start before its deadline.
    #[error("rpc limiter has no token within the deadline, next in {} ms", retry_after.as_millis())]
    LocalLimit {
        /// When the next token is due.
        retry_after: Duration,
    },
    /// The node said no, and asking again cannot help.
    #[error("{}", .0)]
    Refused(AttemptError),
    /// Every attempt failed.
    #[error("{}", exhausted_text(tried))]
    Exhausted {
        /// The attempts in order.
        tried: Vec<Tried>,
        /// Since the call began.
        elapsed: Duration,
        /// Whether the retry budget ended it.
        budget_spent: bool,
    },
}

fn exhausted_text(tried: &[Tried]) -> String {
    let answered = tried.iter().any(|one| one.error.is_answer());
    let last = tried.last().map(|one| one.error.to_string()).unwrap_or_default();
    let head = format!("Connection pool: Request failed after {} attempts", tried.len());
    if answered { format!("{head}: {last}") } else { format!("{head}: {NO_ENDPOINT_TEXT}: {last}") }
}

impl Classify for PoolError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Argument { .. } => ErrorCode::InvalidArgument,
            Self::Config { .. } => ErrorCode::InvalidConfig,
            Self::Closed { .. } | Self::Cut { .. } => ErrorCode::Closed,
            Self::Aborted { .. } => ErrorCode::Aborted,
            Self::Deadline { .. } => ErrorCode::Timeout,
            Self::NoEndpoint => ErrorCode::NoHealthyEndpoint,
            Self::QueueFull { .. } => ErrorCode::PoolExhausted,
            Self::LocalLimit { .. } => ErrorCode::RateLimited,
            Self::Refused(error) => error.code(),
            Self::Exhausted { tried, .. } => {
                if tried.iter().all(|one| matches!(one.error, AttemptError::Connect { .. })) {
                    ErrorCode::NoHealthyEndpoint
                } else {
                    tried.last().map_or(ErrorCode::NoHealthyEndpoint, |one| one.error.code())
                }
            }
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::QueueFull { .. } | Self::LocalLimit { .. } | Self::NoEndpoint | Self::Exhausted { .. } => {
                Verdict::AfterDelay
            }
            Self::Refused(error) if rule(error, true).again != Again::Never => Verdict::OtherEndpoint,
            _ => Verdict::Never,
        }
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        let mut failure = Self::new(error.code(), error.to_string());
        match error {
            PoolError::Argument { argument, .. } => return failure.with_text("argument", argument).not_executed(),
            PoolError::Config { option, .. } => return failure.with_text("option", option).not_executed(),
            PoolError::Closed { state } => return failure.with_text("state", state).not_executed(),
            PoolError::NoEndpoint => return failure.with_number("endpoints", 0.0).not_executed(),
            PoolError::QueueFull { size } => return failure.with_number("size", f64::from(size)).not_executed(),
            PoolError::LocalLimit { retry_after } => {
                return failure
                    .with_text("origin", "local")
                    .with_number("retryAfterMs", millis(retry_after))
                    .not_executed();
            }
            PoolError::Cut { maybe_executed } => {
                failure = failure.with_text("state", "closed");
                failure.maybe_executed = Some(maybe_executed);
            }
            PoolError::Aborted { maybe_executed } => failure.maybe_executed = Some(maybe_executed),
            PoolError::Deadline { elapsed, attempts, maybe_executed } => {
                failure.elapsed_ms = Some(millis(elapsed));
                failure.attempts = Some(attempts);
                failure.maybe_executed = Some(maybe_executed);
                failure = failure.in_phase(if attempts == 0 { Phase::Acquire } else { Phase::Operation });
            }
            PoolError::Refused(last) => describe(&mut failure, &last),
            PoolError::Exhausted { tried, elapsed, budget_spent } => {
                failure.elapsed_ms = Some(millis(elapsed));
                failure.attempts = u32::try_from(tried.len()).ok();
                failure.maybe_executed = Some(tried.iter().any(|one| one.error.maybe_executed()));
                failure.details.push(("tried", Detail::Text(tried_text(&tried))));
                if budget_spent {
                    failure.details.push(("retryBudgetExhausted", Detail::Flag(true)));
                }
                if let Some(last) = tried.last() {
                    failure.details.push(("endpoint", Detail::Text(last.endpoint.clone())));
                    describe(&mut failure, &last.error);
                    failure = failure.with_causes(&last.error);
                }
            }
        }
        failure
    }
}

fn describe(failure: &mut Failure, error: &AttemptError) {
    match error {
        AttemptError::Rpc(refusal) => {
            failure.server_code = i32::try_from(refusal.code).ok();
            failure.reply = Some(refusal.body.to_vec());
        }
        AttemptError::Http { status, retry_after } => {
            failure.details.push(("httpStatus", Detail::Number(f64::from(*status))));
            failure.details.push(("origin", Detail::Text("remote".to_owned())));
            if let Some(after) = retry_after {
                failure.details.push(("retryAfterMs", Detail::Number(millis(*after))));
            }
        }
        _ => {}
    }
}

fn tried_text(tried: &[Tried]) -> String {
    let parts = tried.iter().map(|one| format!("{}: {} ({} ms)", one.endpoint, one.error, one.elapsed.as_millis()));
    parts.collect::<Vec<_>>().join("; ")
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::{AttemptError, PoolError, Tried};
    use crate::error::{ErrorCode, Failure};
    use std::time::Duration;

    #[test]
    fn keeps_the_two_texts_that_operators_search_for() {
        assert_eq!(PoolError::NoEndpoint.to_string(), "No healthy RPC connections available");
        let tried = Tried {
            endpoint: "a".to_owned(),
            error: AttemptError::Http { status: 503, retry_after: None },
            elapsed: Duration::from_millis(7),
        };
        let error =
            PoolError::Exhausted { tried: vec![tried.clone(), tried], elapsed: Duration::ZERO, budget_spent: false };
        let failure = Failure::from(error);
        assert_eq!(failure.message, "Connection pool: Request failed after 2 attempts: http status 503");
        assert_eq!(failure.code, ErrorCode::ServerError);
        assert_eq!(failure.attempts, Some(2));
    }

    #[test]
    fn says_that_no_endpoint_was_reached_only_when_none_was() {
        let connect = |error| Tried { endpoint: "a".to_owned(), error, elapsed: Duration::ZERO };
        let refused = connect(AttemptError::Connect { detail: "refused".to_owned() });
        let lost = connect(AttemptError::Lost { detail: "reset".to_owned() });
        let error = |tried| Failure::from(PoolError::Exhausted { tried, elapsed: Duration::ZERO, budget_spent: false });
        let all = error(vec![refused.clone(), refused.clone()]);
        assert_eq!((all.code, all.maybe_executed), (ErrorCode::NoHealthyEndpoint, Some(false)));
        assert!(all.message.contains("No healthy RPC connections available"));
        let some = error(vec![refused, lost]);
        assert_eq!((some.code, some.maybe_executed), (ErrorCode::Disconnected, Some(true)));
    }
}
