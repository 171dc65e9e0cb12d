//! Failures: what crosses to JavaScript when something goes wrong, and how rooms say whether to try again.
//!
//! Rooms have their own `thiserror` enums; each implements [`Classify`] and turns into a [`Failure`]. Nothing here knows napi or a driver.

pub(crate) mod code;
mod redact;

pub use code::ErrorCode;
pub use redact::{Endpoint, REDACTED, redact_text};

/// How a failed attempt may be repeated: the error says *how*, the caller's policy says *whether*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Repeating cannot help or could do harm.
    Never,
    /// Repeat at once.
    Now,
    /// Repeat after a backoff.
    AfterDelay,
    /// Repeat on a new connection.
    Reconnect,
    /// Repeat on another endpoint.
    OtherEndpoint,
}

/// What an error of a room can tell about itself.
pub trait Classify {
    /// The stable code.
    fn code(&self) -> ErrorCode;
    /// Labels of the server or of the driver, such as `TransientTransactionError`.
    fn labels(&self) -> Vec<String> {
        Vec::new()
    }
    /// How the attempt may be repeated.
    fn verdict(&self) -> Verdict;
}

/// The part of an operation's life in which it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a pooled connection or a permit.
    Acquire,
    /// Opening a connection.
    Connect,
    /// Waiting for a suitable server.
    SelectServer,
    /// Sent, or about to be sent, to the server.
    Operation,
    /// Inside a transaction's attempt.
    Transaction,
    /// Committing a transaction.
    Commit,
    /// Closing or shutting down.
    Shutdown,
}

impl Phase {
    /// The text that crosses to JavaScript.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Connect => "connect",
            Self::SelectServer => "select-server",
            Self::Operation => "operation",
            Self::Transaction => "transaction",
            Self::Commit => "commit",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A value in [`Failure::details`].
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// Free text; must already be redacted.
    Text(String),
    /// A number: counts, sizes, milliseconds.
    Number(f64),
    /// A yes or no.
    Flag(bool),
}

/// One link of the cause chain, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What it was, such as an operating system's error name.
    pub name: String,
    /// Its message, redacted.
    pub message: String,
}

/// The longest cause chain that crosses.
pub const MAX_CAUSES: usize = 8;

/// Everything that crosses to JavaScript about one failure. TypeScript builds the error object from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The stable code.
    pub code: ErrorCode,
    /// Lower case, subject first, numbers in, no full stop. Never holds a credential.
    pub message: String,
    /// Labels of the server or the driver.
    pub labels: Vec<String>,
    /// Where in the operation's life it failed.
    pub phase: Option<Phase>,
    /// The server's numeric error code.
    pub server_code: Option<i32>,
    /// How many attempts were made.
    pub attempts: Option<u32>,
    /// Milliseconds from the call to the failure.
    pub elapsed_ms: Option<f64>,
    /// `Some(false)`: provably not executed; `Some(true)`: may have been executed; `None`: does not apply.
    pub maybe_executed: Option<bool>,
    /// Further named facts (`argument`, `option`, `endpoint`, `retryAfterMs`, ...), see the table in `docs/error.md`.
    pub details: Vec<(&'static str, Detail)>,
    /// The server's reply as received, for the classes of a peer that are built from it.
    pub reply: Option<Vec<u8>>,
    /// The cause chain, at most [`MAX_CAUSES`] long.
    pub causes: Vec<Cause>,
}

impl Failure {
    /// A failure with a code and a message, and nothing else known.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            labels: Vec::new(),
            phase: None,
            server_code: None,
            attempts: None,
            elapsed_ms: None,
            maybe_executed: None,
            details: Vec::new(),
            reply: None,
            causes: Vec::new(),
        }
    }

    /// A caller's mistake in `argument`, found before any I/O.
    pub fn invalid_argument(argument: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArgument, message).with_text("argument", argument).not_executed()
    }

    /// An unusable `option` of a configuration.
    pub fn invalid_config(option: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidConfig, message).with_text("option", option).not_executed()
    }

    /// Used after close, or while draining; `state` says which.
    pub fn closed(subject: &str, state: &str) -> Self {
        Self::new(ErrorCode::Closed, format!("{subject} is {state}")).with_text("state", state).not_executed()
    }

    /// Adds a text detail.
    #[must_use]
    pub fn with_text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, Detail::Text(value.into())));
        self
    }

    /// Adds a numeric detail.
    #[must_use]
    pub fn with_number(mut self, name: &'static str, value: f64) -> Self {
        self.details.push((name, Detail::Number(value)));
        self
    }

    /// Sets the phase.
    #[must_use]
    pub fn in_phase(mut self, phase: Phase) -> Self {
        self.phase = Some(phase);
        self
    }

    /// Says that the operation was provably not executed.
    #[must_use]
    pub fn not_executed(mut self) -> Self {
        self.maybe_executed = Some(false);
        self
    }

    /// Appends the chain of `source` errors, redacted.
    #[must_use]
    pub fn with_causes(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            if self.causes.len() == MAX_CAUSES {
                break;
            }
            self.causes.push(Cause { name: "Error".to_owned(), message: redact_text(&cause.to_string()) });
            next = cause.source();
        }
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Failure {}
