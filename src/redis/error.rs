//! Failures of the Redis room. Texts are those that queue libraries compare with, so they keep their peers' spelling.
//!
//! `details.kind` tells TypeScript which error class to build. Nothing here holds a credential.

use super::resp::ProtocolError;
use crate::error::{Classify, ErrorCode, Failure, Phase, REDACTED, Verdict, redact_text};
use std::io;
use std::time::Duration;

/// What can go wrong with a command or a connection.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WireError {
    /// The client ended, or the connection with the command in flight did.
    #[error("Connection is closed.")]
    Closed {
        /// Whether a live connection was lost, as opposed to a client that was ended.
        lost: bool,
    },
    /// A pipeline or transaction that can neither be resent nor finished.
    #[error("Command aborted due to connection close")]
    Aborted,
    /// The command's deadline passed.
    #[error("Command timed out")]
    Timeout,
    /// `maxRetriesPerRequest` was reached.
    #[error(
        "Reached the max retries per request limit (which is {0}). Refer to \"maxRetriesPerRequest\" option for details."
    )]
    MaxRetries(u32),
    /// Not connected, and waiting is switched off.
    #[error("Stream isn't writeable and enableOfflineQueue options is false")]
    OfflineDisabled,
    /// Too many commands wait for a connection.
    #[error("Offline queue is full ({0} commands)")]
    OfflineFull(usize),
    /// A connection could not be established, or broke.
    #[error("{0}")]
    Connect(ConnectError),
    /// Nothing was received for too long.
    #[error("Socket timeout. Expecting data, but didn't receive any in {}ms.", .0.as_millis())]
    SocketTimeout(Duration),
    /// The server refused a command of the handshake.
    #[error("{text}")]
    Reply {
        /// The command's name.
        command: &'static str,
        /// The server's text.
        text: String,
    },
    /// No sentinel could say where the server is.
    #[error("{text}")]
    Unresolved {
        /// What happened, as the peer says it.
        text: String,
        /// Whether the client ends with it.
        ends: bool,
    },
    /// One sentinel gave no usable answer, or named a server of another role.
    #[error("{0}")]
    Sentinel(String),
    /// INFO was refused. What waits is rejected with the server's text, as with the peer: users look for `NOAUTH`.
    #[error("{0}")]
    ReadyCheck(String),
    /// The server does not speak RESP.
    #[error("Protocol error: {0}")]
    Protocol(#[from] ProtocolError),
    /// A defect of ours.
    #[error("redis connection panicked: {0}")]
    Internal(String),
}

/// An operating system's error with the facts that Node shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    /// `connect ECONNREFUSED 127.0.0.1:6379`.
    pub message: String,
    /// `ECONNREFUSED`.
    pub code: &'static str,
    /// The operating system's number, negative as in Node; 0 when there is none.
    pub errno: i32,
    /// `connect`, `read`, `write` or `getaddrinfo`.
    pub syscall: &'static str,
    /// Peer's address or path.
    pub address: Option<String>,
    /// Peer's port.
    pub port: Option<u16>,
    /// The name that could not be resolved.
    pub hostname: Option<String>,
}

impl ConnectError {
    /// An I/O error in `syscall` with the peer at `address`.
    pub fn from_io(error: &io::Error, syscall: &'static str, address: Option<(String, Option<u16>)>) -> Self {
        let code = code_of(error);
        let (address, port) = address.map_or((None, None), |(address, port)| (Some(address), port));
        let place = match (&address, port) {
            (Some(address), Some(port)) => format!(" {address}:{port}"),
            (Some(address), None) => format!(" {address}"),
            _ => String::new(),
        };
        let message =
            if code == "UNKNOWN" { redact_text(&error.to_string()) } else { format!("{syscall} {code}{place}") };
        let errno = error.raw_os_error().map_or(0, |number| -number);
        Self { message, code, errno, syscall, address, port, hostname: None }
    }

    /// A name that could not be resolved.
    pub fn lookup(error: &io::Error, host: &str) -> Self {
        let temporary = error.to_string().contains("emporary failure");
        let code = if temporary { "EAI_AGAIN" } else { "ENOTFOUND" };
        let errno = if temporary { -3001 } else { -3008 };
        let message = format!("getaddrinfo {code} {host}");
        Self { message, code, errno, syscall: "getaddrinfo", hostname: Some(host.to_owned()), ..Self::default() }
    }

    /// No answer within `connectTimeout`.
    pub fn timeout() -> Self {
        Self {
            message: "connect ETIMEDOUT".to_owned(),
            code: "ETIMEDOUT",
            errno: -110,
            syscall: "connect",
            ..Self::default()
        }
    }

    /// TLS could not be agreed on.
    pub fn tls(code: &'static str, message: String) -> Self {
        Self { message, code, syscall: "connect", ..Self::default() }
    }
}

/// An error reply to a command that holds `secret`. A server that does not know the command repeats the arguments it got, cut off somewhere.
pub(super) fn without_secret(text: &str, secret: Option<&str>) -> String {
    let text = text.split_once(", with args beginning with").map_or(text, |(before, _)| before);
    let Some(secret) = secret.filter(|secret| !secret.is_empty()) else {
        return text.to_owned();
    };
    // In quotes only: it may be a word of the text.
    ['\'', '"', '`'].iter().fold(text.to_owned(), |text, quote| {
        text.replace(&format!("{quote}{secret}{quote}"), &format!("{quote}{REDACTED}{quote}"))
    })
}

/// Node's name of an I/O error.
fn code_of(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(2) => return "ENOENT",
        Some(13) => return "EACCES",
        Some(101 | 51 | 10051) => return "ENETUNREACH",
        Some(113 | 65 | 10065) => return "EHOSTUNREACH",
        _ => {}
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "ECONNREFUSED",
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => "ECONNRESET",
        io::ErrorKind::ConnectionAborted => "ECONNABORTED",
        io::ErrorKind::BrokenPipe => "EPIPE",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        _ => "UNKNOWN",
    }
}

impl Classify for WireError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Closed { lost: false } => ErrorCode::Closed,
            Self::Closed { lost: true } | Self::Aborted | Self::OfflineDisabled => ErrorCode::Disconnected,
            Self::Timeout | Self::SocketTimeout(_) => ErrorCode::Timeout,
            Self::OfflineFull(_) => ErrorCode::PoolExhausted,
            Self::MaxRetries(_)
            | Self::Connect(_)
            | Self::ReadyCheck(_)
            | Self::Unresolved { .. }
            | Self::Sentinel(_) => ErrorCode::ConnectFailed,
            Self::Reply { command: "AUTH" | "HELLO", .. } => ErrorCode::AuthFailed,
            Self::Reply { .. } => ErrorCode::ServerError,
            Self::Protocol(_) => ErrorCode::Protocol,
            Self::Internal(_) => ErrorCode::Internal,
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::OfflineFull(_) | Self::OfflineDisabled => Verdict::AfterDelay,
            Self::Connect(_)
            | Self::SocketTimeout(_)
            | Self::Protocol(_)
            | Self::ReadyCheck(_)
            | Self::Sentinel(_)
            | Self::Unresolved { ends: false, .. } => Verdict::Reconnect,
            _ => Verdict::Never,
        }
    }
}

impl WireError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Aborted => "aborted",
            Self::Timeout => "timeout",
            Self::MaxRetries(_) => "maxRetries",
            Self::OfflineDisabled => "offlineDisabled",
            Self::OfflineFull(_) => "offlineFull",
            Self::Connect(_) => "connect",
            Self::SocketTimeout(_) => "socketTimeout",
            Self::Reply { .. } | Self::ReadyCheck(_) => "reply",
            Self::Unresolved { .. } => "unresolved",
            Self::Sentinel(_) => "sentinel",
            Self::Protocol(_) => "parser",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        let failure = Self::new(error.code(), error.to_string()).with_text("kind", error.kind());
        match error {
            WireError::Timeout => failure.in_phase(Phase::Operation),
            WireError::MaxRetries(limit) => failure.with_number("limit", f64::from(limit)),
            WireError::OfflineFull(size) => {
                failure.with_number("size", f64::from(u32::try_from(size).unwrap_or(u32::MAX))).in_phase(Phase::Acquire)
            }
            WireError::Reply { command, .. } => failure.with_text("command", command),
            WireError::Connect(error) => with_connect(failure, error),
            _ => failure,
        }
    }
}

fn with_connect(failure: Failure, error: ConnectError) -> Failure {
    let mut failure =
        failure.in_phase(Phase::Connect).with_text("code", error.code).with_text("syscall", error.syscall);
    if error.errno != 0 {
        failure = failure.with_number("errno", f64::from(error.errno));
    }
    if let Some(address) = error.address {
        failure = failure.with_text("address", address);
    }
    if let Some(port) = error.port {
        failure = failure.with_number("port", f64::from(port));
    }
    if let Some(hostname) = error.hostname {
        failure = failure.with_text("hostname", hostname);
    }
    failure
}
