//! The one table of what a failed attempt means: for the call (`again`) and for the endpoint (`health`).
//!
//! Codes decide, never texts, but for the two cases where a node gives only text in `data`: `BlockhashNotFound` and rate limits in the vendor bucket.

use crate::solana::error::{AttemptError, RpcRefusal};
use std::time::Duration;

/// Whether the call may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No: repeating cannot help.
    Never,
    /// One time on another endpoint, then the last answer is the answer.
    Once,
    /// On another endpoint; on the same ones after a back-off.
    Elsewhere,
    /// As `Elsewhere`, but the back-off is one slot: the node has to catch up.
    AfterSlot,
}

impl Again {
    /// The text that crosses to JavaScript.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Once => "once",
            Self::Elsewhere => "elsewhere",
            Self::AfterSlot => "after-slot",
        }
    }
}

/// What the attempt says about the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It works.
    Good,
    /// Counts against its breaker.
    Failed,
    /// It asks for less traffic of this class; not a failure.
    Limited {
        /// How long it asks us to stay away.
        retry_after: Option<Duration>,
    },
    /// It cannot serve us: key, plan or address are wrong. Out for a minute or more.
    Unusable,
    /// It does not serve this method. Marked for ten minutes.
    Unsupported,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ruling {
    /// For the call.
    pub again: Again,
    /// For the endpoint.
    pub health: Health,
}

fn ruling(again: Again, health: Health) -> Ruling {
    Ruling { again, health }
}

/// The row of one failed attempt. `write`: the method changes something (sends).
pub(super) fn rule(error: &AttemptError, write: bool) -> Ruling {
    match error {
        AttemptError::Connect { .. }
        | AttemptError::Lost { .. }
        | AttemptError::Timeout { .. }
        | AttemptError::Garbled { .. } => ruling(Again::Elsewhere, Health::Failed),
        AttemptError::Http { status, retry_after } => rule_status(*status, *retry_after),
        AttemptError::Rpc(refusal) => rule_code(refusal, write),
    }
}

/// The row of an HTTP status.
pub(super) fn rule_status(status: u16, retry_after: Option<Duration>) -> Ruling {
    match status {
        408 | 500 | 502 | 503 | 504 | 520..=527 => ruling(Again::Elsewhere, Health::Failed),
        429 => ruling(Again::Elsewhere, Health::Limited { retry_after }),
        401..=403 => ruling(Again::Elsewhere, Health::Unusable),
        300..=399 | 404 | 410 => ruling(Again::Once, Health::Unusable),
        _ => ruling(Again::Never, Health::Good),
    }
}

fn rule_code(refusal: &RpcRefusal, write: bool) -> Ruling {
    match refusal.code {
        -32002 if refusal.mentions("BlockhashNotFound") => ruling(Again::AfterSlot, Health::Good),
        -32000 if write && !refusal.mentions("limit") && !refusal.mentions("lockhash") => {
            ruling(Again::Never, Health::Good)
        }
        -32429 => rule_status(429, None),
        code @ (429 | 500 | 502 | 503 | 504) => rule_status(u16::try_from(code).unwrap_or(500), None),
        code => ruling(again_for_code(code), if code == -32601 { Health::Unsupported } else { Health::Good }),
    }
}

/// The verdict of an HTTP status alone.
pub fn again_for_status(status: u16) -> Again {
    rule_status(status, None).again
}

/// The verdict of a JSON-RPC code alone. Unknown codes are answers: `Never`.
pub fn again_for_code(code: i64) -> Again {
    match code {
        // Method, index or history missing here; pruned, skipped or no snapshot; the vendors' bucket.
        -32601 | -32010 | -32011 | -32001 | -32009..=-32007 | -32012 | -32020 | -32021 | -32000 => Again::Once,
        // Internal error, rate limits and HTTP statuses inside the envelope; block not there yet, storage away.
        -32603 | -32429 | 429 | 500 | 502..=504 | -32004 | -32014 | -32019 => Again::Elsewhere,
        // Node behind, minimum slot not reached.
        -32005 | -32016 => Again::AfterSlot,
        // Bad request, preflight, signature, precompile, length, version, rewards period, epoch: the same on every node.
        _ => Again::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::{Again, Health, again_for_code, again_for_status, rule};
    use crate::solana::error::{AttemptError, RpcRefusal};
    use bytes::Bytes;
    use solana_client::rpc_custom_error as codes;

    fn refusal(code: i64, body: &'static str) -> AttemptError {
        AttemptError::Rpc(RpcRefusal { code, message: String::new(), body: Bytes::from_static(body.as_bytes()) })
    }

    #[test]
    fn knows_every_code_of_the_node_software() {
        let once = [
            codes::JSON_RPC_SERVER_ERROR_BLOCK_CLEANED_UP,
            codes::JSON_RPC_SERVER_ERROR_SLOT_SKIPPED,
            codes::JSON_RPC_SERVER_ERROR_NO_SNAPSHOT,
            codes::JSON_RPC_SERVER_ERROR_LONG_TERM_STORAGE_SLOT_SKIPPED,
            codes::JSON_RPC_SERVER_ERROR_KEY_EXCLUDED_FROM_SECONDARY_INDEX,
            codes::JSON_RPC_SERVER_ERROR_TRANSACTION_HISTORY_NOT_AVAILABLE,
            codes::JSON_RPC_SCAN_ERROR,
            codes::JSON_RPC_SERVER_ERROR_FILTER_TRANSACTION_NOT_FOUND,
            codes::JSON_RPC_SERVER_ERROR_NO_SLOT_HISTORY,
        ];
        assert!(once.iter().all(|code| again_for_code(*code) == Again::Once));
        let never = [
            codes::JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
            codes::JSON_RPC_SERVER_ERROR_TRANSACTION_SIGNATURE_VERIFICATION_FAILURE,
            codes::JSON_RPC_SERVER_ERROR_TRANSACTION_PRECOMPILE_VERIFICATION_FAILURE,
            codes::JSON_RPC_SERVER_ERROR_TRANSACTION_SIGNATURE_LEN_MISMATCH,
            codes::JSON_RPC_SERVER_ERROR_UNSUPPORTED_TRANSACTION_VERSION,
            codes::JSON_RPC_SERVER_ERROR_EPOCH_REWARDS_PERIOD_ACTIVE,
            codes::JSON_RPC_SERVER_ERROR_SLOT_NOT_EPOCH_BOUNDARY,
        ];
        assert!(never.iter().all(|code| again_for_code(*code) == Again::Never));
        let wait =
            [codes::JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY, codes::JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED];
        assert!(wait.iter().all(|code| again_for_code(*code) == Again::AfterSlot));
        assert_eq!(again_for_code(codes::JSON_RPC_SERVER_ERROR_BLOCK_NOT_AVAILABLE), Again::Elsewhere);
        assert_eq!(again_for_code(codes::JSON_RPC_SERVER_ERROR_BLOCK_STATUS_NOT_AVAILABLE_YET), Again::Elsewhere);
        assert_eq!(again_for_code(codes::JSON_RPC_SERVER_ERROR_LONG_TERM_STORAGE_UNREACHABLE), Again::Elsewhere);
        assert_eq!(again_for_code(12_345), Again::Never, "unknown codes are answers");
    }

    #[test]
    fn a_rate_limit_is_not_a_failure_wherever_it_is_written() {
        for error in [AttemptError::Http { status: 429, retry_after: None }, refusal(429, ""), refusal(-32429, "")] {
            let ruling = rule(&error, true);
            assert_eq!((ruling.again, ruling.health), (Again::Elsewhere, Health::Limited { retry_after: None }));
        }
    }

    #[test]
    fn a_missing_blockhash_waits_and_other_preflight_failures_are_final() {
        let missing = r#"{"code":-32002,"message":"","data":{"err":"BlockhashNotFound"}}"#;
        assert_eq!(rule(&refusal(-32002, missing), true).again, Again::AfterSlot);
        let custom = r#"{"code":-32002,"message":"","data":{"err":{"InstructionError":[0,{"Custom":1}]}}}"#;
        assert_eq!(rule(&refusal(-32002, custom), true).again, Again::Never);
    }

    #[test]
    fn a_send_is_not_repeated_for_a_vendor_error_that_says_nothing() {
        assert_eq!(rule(&refusal(-32000, "{}"), true).again, Again::Never);
        assert_eq!(rule(&refusal(-32000, "{}"), false).again, Again::Once);
        assert_eq!(again_for_status(400), Again::Never);
        assert_eq!(again_for_status(404), Again::Once);
        assert_eq!(again_for_status(522), Again::Elsewhere);
    }
}
