//! Export of the Solana room's one table of what is worth another attempt.

use crate::solana::{Again, again_for_code, again_for_status};
use napi_derive::napi;

/// Whether a JSON-RPC code, or an HTTP status, is worth another attempt: `never`, `once`, `elsewhere` or `after-slot`.
#[napi(catch_unwind)]
pub fn classify_rpc_error(code: Option<f64>, status: Option<u32>) -> String {
    let status = status.and_then(|status| u16::try_from(status).ok());
    let again = match (code, status) {
        (Some(code), _) => again_for_code(format!("{code:.0}").parse().unwrap_or_default()),
        (None, Some(status)) => again_for_status(status),
        (None, None) => Again::Never,
    };
    again.as_str().to_owned()
}
