//! The one list of error codes. `binding::error` turns the same list into the TypeScript union, so nothing is typed twice.
//!
//! Codes are stable for ever: add, never rename or remove.

/// Calls `$callback!` with every error code: `Variant = "MOORING_TEXT"`, and its meaning as a doc comment.
macro_rules! with_error_codes {
    ($callback:ident) => {
        $callback! {
            /// A caller's mistake, found before any I/O; `argument` names it.
            InvalidArgument = "MOORING_INVALID_ARGUMENT",
            /// A URI or an option is unusable; `option` names it.
            InvalidConfig = "MOORING_INVALID_CONFIG",
            /// The native addon could not be loaded.
            UnsupportedPlatform = "MOORING_UNSUPPORTED_PLATFORM",
            /// A connection could not be established.
            ConnectFailed = "MOORING_CONNECT_FAILED",
            /// The server rejected the credentials.
            AuthFailed = "MOORING_AUTH_FAILED",
            /// The connection was lost with the operation in flight; see `maybeExecuted`.
            Disconnected = "MOORING_DISCONNECTED",
            /// A deadline passed; see `phase` and `maybeExecuted`.
            Timeout = "MOORING_TIMEOUT",
            /// A wait queue was full, or the wait in it timed out.
            PoolExhausted = "MOORING_POOL_EXHAUSTED",
            /// Used after `close()` or while shutting down.
            Closed = "MOORING_CLOSED",
            /// The caller's `AbortSignal` fired.
            Aborted = "MOORING_ABORTED",
            /// The server answered with an error.
            ServerError = "MOORING_SERVER_ERROR",
            /// A transient conflict outlived its retries.
            Conflict = "MOORING_CONFLICT",
            /// The outcome of a commit is unknown.
            UnknownCommit = "MOORING_UNKNOWN_COMMIT",
            /// A local limiter or HTTP 429; see `origin` and `retryAfterMs`.
            RateLimited = "MOORING_RATE_LIMITED",
            /// No endpoint is left to try.
            NoHealthyEndpoint = "MOORING_NO_HEALTHY_ENDPOINT",
            /// The peer sent something unintelligible.
            Protocol = "MOORING_PROTOCOL",
            /// A defect of mooring, such as a caught panic.
            Internal = "MOORING_INTERNAL",
        }
    };
}
pub(crate) use with_error_codes;

macro_rules! define_error_code {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// What kind of failure this is. Callers switch on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $variant,)+ }

        impl ErrorCode {
            /// Every code, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The text that crosses to JavaScript, such as `MOORING_TIMEOUT`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}
with_error_codes!(define_error_code);

#[cfg(test)]
mod tests {
    use super::ErrorCode;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_its_own_prefixed_text() {
        let texts: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert!(texts.iter().all(|text| text.starts_with("MOORING_")));
    }
}
