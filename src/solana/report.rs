//! What the pool tells operators: one warning per repeated attempt, one error per call given up, endpoints going down and coming back. Names, never URLs.

use crate::observe::{Event, Level};
use crate::solana::endpoint::Endpoint;
use crate::solana::error::{AttemptError, Tried};
use crate::solana::pool::Pool;
use crate::solana::transaction::SignedTransaction;
use crate::solana::transaction::track::Tracked;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Pool {
    /// A call tries again.
    pub(super) fn report_retry(&self, last: &Tried, (begun, total): (u32, u32), waited: Duration) {
        let text = format!(
            "Connection pool: attempt {begun} of {total} failed on {}: {}, next one after {} ms",
            last.endpoint,
            last.error,
            waited.as_millis()
        );
        let event = Event::new("rpc.attempt_failed", Level::Warn, text)
            .with_text("endpoint", last.endpoint.clone())
            .with_number("attempt", f64::from(begun))
            .with_number("attempts", f64::from(total))
            .with_number("delayMs", waited.as_secs_f64() * 1000.0);
        self.events.emit(event);
    }

    /// A call was given up.
    pub(super) fn report_failure(&self, method: &str, tried: &[Tried]) {
        let text = format!("Connection pool: Request failed after {} attempts", tried.len());
        let last = tried.last().map(|one| one.error.to_string()).unwrap_or_default();
        let event = Event::new("rpc.request_failed", Level::Error, text)
            .with_text("method", method)
            .with_text("reason", last)
            .with_number("attempts", f64::from(u32::try_from(tried.len()).unwrap_or(u32::MAX)));
        self.events.emit(event);
    }

    /// An endpoint was taken out (`up` is false) or came back.
    pub(super) fn report_endpoint(&self, endpoint: &Endpoint, up: bool, why: Option<&AttemptError>) {
        let name = endpoint.name.clone();
        let event = if up {
            Event::new("rpc.endpoint_up", Level::Info, format!("Connection pool: endpoint {name} is back"))
        } else {
            let why = why.map(ToString::to_string).unwrap_or_default();
            let text = format!("Connection pool: endpoint {name} was taken out: {why}");
            Event::new("rpc.endpoint_down", Level::Warn, text).with_text("reason", why)
        };
        self.events.emit(event.with_text("endpoint", name));
    }

    /// Tells a listener about a transaction before its first byte goes out, so that a host can keep it and resume.
    pub(super) fn report_transaction(&self, transaction: &SignedTransaction) {
        if self.reports_transactions.load(Ordering::Relaxed) {
            let event = Event::new("rpc.transaction", Level::Debug, "Connection pool: transaction is sent")
                .with_text("signature", transaction.signature.clone())
                .with_text("status", "sending")
                .with_text("bytes", BASE64.encode(&transaction.bytes));
            self.events.emit(event);
        }
    }

    /// And how it ended.
    pub(super) fn report_end(&self, tracked: &Tracked) {
        if self.reports_transactions.load(Ordering::Relaxed) {
            let status = tracked.status.as_str();
            let event =
                Event::new("rpc.transaction", Level::Debug, format!("Connection pool: transaction is {status}"))
                    .with_text("signature", tracked.signature.clone())
                    .with_text("status", status);
            self.events.emit(event);
        }
    }

    /// An endpoint stands still at `slot` while others move on (`frozen`), or moves again.
    pub(super) fn report_frozen(&self, endpoint: &Endpoint, frozen: bool, slot: u64) {
        let name = endpoint.name.clone();
        let event = if frozen {
            let text = format!("Connection pool: endpoint {name} is frozen at slot {slot} while others move on");
            Event::new("rpc.endpoint_frozen", Level::Warn, text)
        } else {
            Event::new("rpc.endpoint_moving", Level::Info, format!("Connection pool: endpoint {name} moves again"))
        };
        self.events.emit(event.with_text("endpoint", name));
    }
}
