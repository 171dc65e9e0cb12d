//! A whole JSON-RPC request as a client library wrote it, answered as a whole response: the seam under web3.js and kit.
//!
//! Members of an array are routed, limited and retried alone and answered in order. The caller's id goes back byte for byte.

use crate::solana::call::{Call, CallOptions};
use crate::solana::error::{AttemptError, PoolError};
use crate::solana::mark::mark_integers;
use crate::solana::pool::Pool;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

/// Members of one array.
const MAX_BATCH: usize = 10_000;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

impl Pool {
    /// Answers one request or an array of them. A node's own error is a response; anything else is the call's error.
    /// `mark`: integers come back marked, see `mark.rs`.
    pub async fn fetch(self: &Arc<Self>, text: &str, mark: bool, options: CallOptions) -> Result<String, PoolError> {
        let running = self.enter()?;
        let answer = self.fetch_within(text, options).await;
        drop(running);
        if mark { Ok(mark_integers(&answer?)) } else { answer }
    }

    async fn fetch_within(self: &Arc<Self>, text: &str, options: CallOptions) -> Result<String, PoolError> {
        if !text.trim_start().starts_with('[') {
            return self.fetch_one(parse(text)?, options).await;
        }
        let members: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| not_a_request())?;
        if members.len() > MAX_BATCH {
            return Err(not_a_request());
        }
        let requests = members.iter().map(|member| parse(member.get())).collect::<Result<Vec<_>, _>>()?;
        let answers = requests.into_iter().map(|request| self.fetch_one(request, options.clone()));
        Ok(format!("[{}]", try_join_all(answers).await?.join(",")))
    }

    async fn fetch_one(self: &Arc<Self>, request: Request<'_>, options: CallOptions) -> Result<String, PoolError> {
        let id = request.id.map_or("null", RawValue::get);
        let params = request.params.map_or("", RawValue::get);
        let sends = request.method == "sendTransaction";
        if sends {
            self.next_generation();
        }
        let result = self.call_within(Call { method: &request.method, params }, options).await;
        if sends {
            self.next_generation();
        }
        match result {
            Ok(result) => Ok(response(id, "result", &result)),
            Err(error) => match node_error(&error) {
                Some(body) => Ok(response(id, "error", body)),
                None => Err(error),
            },
        }
    }
}

fn node_error(error: &PoolError) -> Option<&[u8]> {
    let last = match error {
        PoolError::Refused(last) => last,
        PoolError::Exhausted { tried, .. } => &tried.last()?.error,
        _ => return None,
    };
    if let AttemptError::Rpc(refusal) = last { Some(&refusal.body) } else { None }
}

fn parse(text: &str) -> Result<Request<'_>, PoolError> {
    serde_json::from_str(text).map_err(|_| not_a_request())
}

fn not_a_request() -> PoolError {
    PoolError::Argument { argument: "body", message: "body must be a JSON-RPC request or an array of them".to_owned() }
}

fn response(id: &str, kind: &str, value: &[u8]) -> String {
    // The envelope was checked as JSON, so it is text.
    let value = std::str::from_utf8(value).unwrap_or("null");
    format!("{{\"jsonrpc\":\"2.0\",\"{kind}\":{value},\"id\":{id}}}")
}
