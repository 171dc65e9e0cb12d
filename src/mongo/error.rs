//! Errors of the crate and of the server as failures.
//!
//! Guarantees: the server's reply crosses as received, labels are those of the crate united with the reply's, and no message holds a URI's secrets.
//! `details.kind` tells TypeScript which class of the host to build.

use crate::error::{Cause, ErrorCode, Failure, Phase, redact_text};
use mongodb::bson::raw::{RawArray, RawDocument};
use mongodb::bson::{Document, RawDocumentBuf};
use mongodb::error::{Error, ErrorKind, WriteFailure};

/// The label of errors after which the whole transaction may be run again.
pub(super) const TRANSIENT: &str = "TransientTransactionError";
/// The label of commits whose outcome is unknown.
pub(super) const UNKNOWN_COMMIT: &str = "UnknownTransactionCommitResult";
/// The label of writes that may be sent again.
pub(super) const RETRYABLE_WRITE: &str = "RetryableWriteError";
/// The label of a second error that hides the first.
pub(super) const NO_WRITES: &str = "NoWritesPerformed";

/// Codes after which a read may be sent again: the retryable reads specification.
const RETRYABLE_READ_CODES: [i32; 13] = [11600, 11602, 10107, 13435, 13436, 189, 91, 7, 6, 89, 9001, 134, 262];

/// Whether the network, not the server, failed the operation.
pub(super) fn is_network(error: &Error) -> bool {
    matches!(*error.kind, ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. })
}

/// Whether a failure has a label.
pub(super) fn has(failure: &Failure, label: &str) -> bool {
    failure.labels.iter().any(|known| known == label)
}

/// The server's code of an error.
pub(super) fn code_of(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        _ => None,
    }
}

/// Whether a read that failed so may be sent once more.
pub(super) fn is_retryable_read(error: &Error) -> bool {
    is_network(error) || code_of(error).is_some_and(|code| RETRYABLE_READ_CODES.contains(&code))
}

/// The error to report when a repeated attempt failed too: the first, if the second never reached a server or did nothing there.
pub(super) fn more_telling(first: Error, second: Error) -> Error {
    let nothing_done = second.contains_label(NO_WRITES) || matches!(*second.kind, ErrorKind::ServerSelection { .. });
    if nothing_done { first } else { second }
}

/// An error of the crate as a failure, without what only the operation's trace knows.
pub(super) fn failure(error: &Error) -> Failure {
    let (code, kind, message) = classify(error);
    let mut failure = Failure::new(code, message).with_text("kind", kind);
    failure.labels = error.labels().iter().cloned().collect();
    if let Some(reply) = error.server_response() {
        add_labels(&mut failure.labels, reply);
        failure.reply = Some(reply.as_bytes().to_vec());
    }
    failure.labels.sort_unstable();
    failure.server_code = code_of(error);
    match &*error.kind {
        ErrorKind::Command(command) => {
            failure.maybe_executed = Some(true);
            failure = failure.with_text("codeName", command.code_name.clone());
        }
        ErrorKind::ServerSelection { .. } => {
            failure.phase = Some(Phase::SelectServer);
            failure.maybe_executed = Some(false);
        }
        ErrorKind::Io(io) => {
            failure.causes.push(Cause { name: format!("{:?}", io.kind()), message: redact_text(&io.to_string()) });
        }
        _ => {}
    }
    failure
}

fn classify(error: &Error) -> (ErrorCode, &'static str, String) {
    let (code, kind, message) = match &*error.kind {
        ErrorKind::Command(command) => (ErrorCode::ServerError, "command", command.message.clone()),
        ErrorKind::Write(WriteFailure::WriteError(write)) => (ErrorCode::ServerError, "command", write.message.clone()),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => {
            (ErrorCode::ServerError, "writeConcern", concern.message.clone())
        }
        ErrorKind::Io(io) if io.kind() == std::io::ErrorKind::TimedOut => {
            (ErrorCode::Disconnected, "networkTimeout", format!("connection timed out: {io}"))
        }
        ErrorKind::Io(io) => (ErrorCode::Disconnected, "network", format!("connection failed: {io}")),
        ErrorKind::ConnectionPoolCleared { .. } => (
            ErrorCode::Disconnected,
            "poolCleared",
            "connection pool was cleared because another operation failed".to_owned(),
        ),
        ErrorKind::ServerSelection { message, .. } => {
            (ErrorCode::ConnectFailed, "serverSelection", without_replies(message))
        }
        ErrorKind::DnsResolve { message, .. } => (ErrorCode::ConnectFailed, "serverSelection", message.clone()),
        ErrorKind::Authentication { message, .. } => (ErrorCode::AuthFailed, "auth", message.clone()),
        ErrorKind::Transaction { message, .. } => (ErrorCode::InvalidArgument, "transaction", message.clone()),
        ErrorKind::Shutdown => (ErrorCode::Closed, "closed", "client is closed".to_owned()),
        ErrorKind::InvalidArgument { message, .. } => (ErrorCode::InvalidArgument, "invalidArgument", message.clone()),
        ErrorKind::InvalidTlsConfig { message, .. } => (ErrorCode::InvalidConfig, "config", message.clone()),
        ErrorKind::IncompatibleServer { message, .. } => (ErrorCode::InvalidConfig, "incompatible", message.clone()),
        ErrorKind::SessionsNotSupported => {
            (ErrorCode::InvalidConfig, "incompatible", "server does not support sessions".to_owned())
        }
        ErrorKind::Bson(error) => (ErrorCode::Protocol, "bson", error.to_string()),
        ErrorKind::InvalidResponse { message, .. } => (ErrorCode::Protocol, "protocol", message.clone()),
        other => (ErrorCode::Protocol, "protocol", other.to_string()),
    };
    (code, kind, redact_text(&message))
}

/// The crate prints whole replies into the topology of a selection that timed out.
fn without_replies(message: &str) -> String {
    const START: &str = ", server response: Some(";
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once(START) {
        out.push_str(before);
        rest = after.split_once("\" })").map_or("", |(_, rest)| rest);
    }
    out + rest
}

fn add_labels(labels: &mut Vec<String>, reply: &RawDocument) {
    let Ok(found) = reply.get_array("errorLabels") else {
        return;
    };
    for label in texts(found) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
}

/// The texts of a list.
pub(super) fn texts(list: &RawArray) -> Vec<String> {
    list.into_iter().filter_map(Result::ok).filter_map(|label| label.as_str().map(str::to_owned)).collect()
}

/// The labels of a reply that came as `ok: 1`.
pub(super) fn reply_labels(reply: &Document) -> Vec<String> {
    let labels = reply.get_array("errorLabels").map(Vec::as_slice).unwrap_or_default();
    labels.iter().filter_map(|label| label.as_str().map(str::to_owned)).collect()
}

/// A failure made of a reply, with the reply's own labels.
pub(super) fn from_reply(kind: &str, code: Option<i32>, message: &str, reply: &RawDocumentBuf) -> Failure {
    let mut failure = Failure::new(ErrorCode::ServerError, redact_text(message)).with_text("kind", kind);
    failure.server_code = code;
    failure.maybe_executed = Some(true);
    add_labels(&mut failure.labels, reply);
    failure.reply = Some(reply.as_bytes().to_vec());
    failure
}

/// The operation's deadline passed.
pub(super) fn timed_out(what: &str, elapsed: std::time::Duration) -> Failure {
    Failure::new(ErrorCode::Timeout, format!("{what} timed out after {} ms", elapsed.as_millis()))
        .with_text("kind", "timeout")
}

/// The caller's signal fired.
pub(super) fn aborted() -> Failure {
    Failure::new(ErrorCode::Aborted, "operation was aborted").with_text("kind", "aborted")
}

/// The client has closed, or is closing.
pub(super) fn closed(state: &str) -> Failure {
    Failure::closed("client", state).with_text("kind", "closed")
}

#[cfg(test)]
mod tests {
    use super::{closed, failure, is_network, is_retryable_read};
    use crate::error::{ErrorCode, Phase};
    use mongodb::error::{Error, ErrorKind};
    use std::sync::Arc;

    fn io(kind: std::io::ErrorKind) -> Error {
        ErrorKind::Io(Arc::new(kind.into())).into()
    }

    #[test]
    fn tells_network_errors_from_answers() {
        let error = io(std::io::ErrorKind::ConnectionReset);
        assert!(is_network(&error) && is_retryable_read(&error));
        let failure = failure(&error);
        assert_eq!(failure.code, ErrorCode::Disconnected);
        assert_eq!(failure.causes.len(), 1);
        assert_eq!(closed("closed").maybe_executed, Some(false));
        assert_eq!(super::failure(&ErrorKind::Shutdown.into()).code, ErrorCode::Closed);
    }

    #[test]
    fn keeps_replies_out_of_messages() {
        let message =
            r#"timeout: { Error: Code 1, server response: Some(RawDocumentBuf { data: "ff00" }) }, { Type: Unknown }"#;
        assert_eq!(super::without_replies(message), "timeout: { Error: Code 1 }, { Type: Unknown }");
    }

    #[test]
    fn names_the_phase_of_a_selection_that_failed() {
        let timeout = super::timed_out("operation", std::time::Duration::from_millis(1500));
        assert_eq!(timeout.message, "operation timed out after 1500 ms");
        assert_eq!(timeout.phase, None);
        assert_ne!(timeout.phase, Some(Phase::SelectServer));
    }
}
