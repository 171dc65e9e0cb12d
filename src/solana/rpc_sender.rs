//! The pool as transport of `solana-client`: typed Rust calls by `RpcClient::new_sender(PoolSender::new(pool), ..)`. Not on the path of JavaScript calls.

use crate::lifecycle::Managed;
use crate::solana::call::{Call, CallOptions};
use crate::solana::error::{AttemptError, PoolError, RpcRefusal};
use crate::solana::pool::Pool;
use serde::Deserialize;
use serde_json::Value;
use solana_client::client_error::{ClientError, ClientErrorKind, Result};
use solana_client::rpc_request::{RpcError, RpcRequest, RpcResponseErrorData};
use solana_client::rpc_response::RpcSimulateTransactionResult;
use solana_client::rpc_sender::{RpcSender, RpcTransportStats};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Sends the requests of an `RpcClient` through a pool.
pub struct PoolSender {
    pool: Arc<Pool>,
    stats: Mutex<RpcTransportStats>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unhealthy {
    num_slots_behind: Option<u64>,
}

#[derive(Deserialize)]
struct WithData<T> {
    data: T,
}

impl PoolSender {
    /// A sender over `pool`, which stays the caller's to close.
    pub fn new(pool: Arc<Pool>) -> Self {
        Self { pool, stats: Mutex::default() }
    }

    async fn run(&self, request: RpcRequest, params: Value) -> Result<Value> {
        let started = Instant::now();
        let params = if params.is_null() { String::new() } else { params.to_string() };
        let call = Call { method: request.as_str(), params: &params };
        let result = self.pool.call(call, CallOptions::default()).await;
        {
            let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
            stats.request_count += 1;
            stats.elapsed_time += started.elapsed();
        }
        let result = result.map_err(|error| client_error(error, request))?;
        serde_json::from_slice(&result).map_err(|error| ClientError::new_with_request(error.into(), request))
    }
}

impl RpcSender for PoolSender {
    // What `#[async_trait]` writes for `async fn send`.
    fn send<'this, 'out>(
        &'this self,
        request: RpcRequest,
        params: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value>> + Send + 'out>>
    where
        'this: 'out,
        Self: 'out,
    {
        Box::pin(self.run(request, params))
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn url(&self) -> String {
        // Names, not URLs: those may hold keys.
        self.pool.name()
    }
}

fn client_error(error: PoolError, request: RpcRequest) -> ClientError {
    let last = match &error {
        PoolError::Refused(last) => Some(last),
        PoolError::Exhausted { tried, .. } => tried.last().map(|one| &one.error),
        _ => None,
    };
    let kind = match last {
        Some(AttemptError::Rpc(refusal)) => rpc_error(refusal),
        _ => ClientErrorKind::Custom(error.to_string()),
    };
    ClientError::new_with_request(kind, request)
}

fn rpc_error(refusal: &RpcRefusal) -> ClientErrorKind {
    let data = match refusal.code {
        -32002 => serde_json::from_slice::<WithData<RpcSimulateTransactionResult>>(&refusal.body)
            .map_or(RpcResponseErrorData::Empty, |with| {
                RpcResponseErrorData::SendTransactionPreflightFailure(with.data)
            }),
        -32005 => serde_json::from_slice::<WithData<Unhealthy>>(&refusal.body)
            .map_or(RpcResponseErrorData::Empty, |with| RpcResponseErrorData::NodeUnhealthy {
                num_slots_behind: with.data.num_slots_behind,
            }),
        _ => RpcResponseErrorData::Empty,
    };
    let (code, message) = (refusal.code, refusal.message.clone());
    ClientErrorKind::RpcError(RpcError::RpcResponseError { code, message, data })
}

#[cfg(test)]
mod tests {
    use super::rpc_error;
    use crate::solana::error::RpcRefusal;
    use bytes::Bytes;
    use solana_client::client_error::ClientErrorKind;
    use solana_client::rpc_request::{RpcError, RpcResponseErrorData};

    #[test]
    fn keeps_the_data_of_an_unhealthy_node() {
        let body = Bytes::from_static(br#"{"code":-32005,"message":"behind","data":{"numSlotsBehind":7}}"#);
        let kind = rpc_error(&RpcRefusal { code: -32005, message: "behind".to_owned(), body });
        let ClientErrorKind::RpcError(RpcError::RpcResponseError { code: -32005, data, .. }) = kind else {
            panic!("expected an rpc error");
        };
        assert!(matches!(data, RpcResponseErrorData::NodeUnhealthy { num_slots_behind: Some(7) }));
    }
}
