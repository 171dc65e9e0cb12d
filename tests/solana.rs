//! The Solana room against real endpoints, without JavaScript. Needs `MOORING_TEST_SOLANA_ENDPOINTS` (comma separated).

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use mooring::lifecycle::{Managed, State};
use mooring::observe::NoSink;
use mooring::retry::Deadline;
use mooring::solana::{Call, CallOptions, Item, Kind, Pool, PoolError, PoolOptions, PoolSender, SubscribeOptions};
use solana_client::client_error::ClientErrorKind;
use solana_client::nonblocking::rpc_client::RpcClient;
use solana_client::rpc_client::RpcClientConfig;
use solana_client::rpc_request::RpcError;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const NOBODY: &str = "SysvarC1ock11111111111111111111111111111112";

fn endpoints() -> Vec<String> {
    let listed = std::env::var("MOORING_TEST_SOLANA_ENDPOINTS");
    let listed = listed.unwrap_or_else(|_| panic!("MOORING_TEST_SOLANA_ENDPOINTS must name RPC endpoints"));
    listed.split(',').map(|url| url.trim().to_owned()).collect()
}

fn pool(endpoints: &[String]) -> Arc<Pool> {
    let options = serde_json::json!({ "endpoints": endpoints, "maxRequestsPerSecond": 10_000 });
    Pool::new(PoolOptions::from_json(&options.to_string()).unwrap(), Arc::new(NoSink))
}

/// An endpoint that does something wrong with every connection.
async fn broken<F>(wrong: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            drop(tokio::spawn(wrong(socket)));
        }
    }));
    url
}

/// One read of its own: of a key that no other read asks for, so that none is shared.
async fn read(pool: &Arc<Pool>) -> Result<(), PoolError> {
    let key = bs58::encode(std::array::from_fn::<u8, 32, _>(|_| fastrand::u8(1..))).into_string();
    let params = serde_json::json!([key]).to_string();
    let result = pool.call(Call { method: "getBalance", params: &params }, CallOptions::default()).await?;
    assert!(result.ends_with(b"\"value\":0}"), "{result:?}");
    Ok(())
}

/// Twenty reads, together and one by one, over one good endpoint and `bad`.
async fn twenty_reads_with(bad: String) {
    let good = endpoints().swap_remove(0);
    for order in [vec![bad.clone(), good.clone()], vec![good, bad]] {
        let (together, serial, started) = (pool(&order), pool(&order), Instant::now());
        let all = futures_util::future::join_all((0..20).map(|_| read(&together))).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        for _ in 0..20 {
            read(&serial).await.unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        together.close(Deadline::after(Duration::ZERO)).await;
        serial.close(Deadline::after(Duration::ZERO)).await;
    }
}

#[tokio::test]
async fn serves_the_typed_client_of_solana() {
    let pool = pool(&endpoints());
    let client = RpcClient::new_sender(PoolSender::new(Arc::clone(&pool)), RpcClientConfig::default());
    assert!(client.get_slot().await.unwrap() > 0);
    assert_eq!(client.get_balance(&bs58::encode([7; 32]).into_string().parse().unwrap()).await.unwrap(), 0);
    assert!(
        client.is_blockhash_valid(&client.get_latest_blockhash().await.unwrap(), client.commitment()).await.is_ok()
    );
    assert!(!client.url().contains("http"), "a name, not a url");
    let error = client.get_token_account_balance(&NOBODY.parse().unwrap()).await.unwrap_err();
    let ClientErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) = error.kind() else {
        panic!("expected the node's error, got {error:?}");
    };
    assert_eq!(*code, -32602);
    pool.close(Deadline::after(Duration::from_secs(1))).await;
}

#[tokio::test]
async fn fails_over_from_an_endpoint_that_nobody_listens_on() {
    twenty_reads_with("http://127.0.0.1:1".to_owned()).await;
}

#[tokio::test]
async fn fails_over_from_an_endpoint_that_never_answers() {
    let silent = broken(|socket| async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(socket);
    });
    twenty_reads_with(silent.await).await;
}

#[tokio::test]
async fn fails_over_from_an_endpoint_that_hangs_up() {
    twenty_reads_with(broken(|socket| async move { drop(socket) }).await).await;
}

#[tokio::test]
async fn fails_over_from_an_endpoint_that_cuts_its_replies() {
    let cutting = broken(|mut socket| async move {
        let mut request = [0; 4096];
        while socket.read(&mut request).await.is_ok_and(|length| length > 0) {
            let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{\"jsonrpc\":\"2.0\",\"resu";
            if socket.write_all(reply).await.is_err() {
                return;
            }
        }
    });
    twenty_reads_with(cutting.await).await;
}

#[tokio::test]
async fn close_settles_what_hangs_and_refuses_what_comes_later() {
    let silent = broken(|socket| async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(socket);
    });
    let pool = pool(&[silent.await]);
    let hanging = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { read(&pool).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let summary = pool.close(Deadline::after(Duration::from_millis(100))).await;
    assert_eq!((summary.drained, summary.aborted), (0, 1));
    assert_eq!(hanging.await.unwrap(), Err(PoolError::Cut { maybe_executed: true }));
    assert_eq!(read(&pool).await, Err(PoolError::Closed { state: "closed" }));
    assert_eq!(pool.state(), State::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_the_end_of_a_transaction_also_of_one_that_landed_before() {
    let pool = pool(&endpoints());
    let params = serde_json::json!([NOBODY, 1_000_000]).to_string();
    let call = Call { method: "requestAirdrop", params: &params };
    let signature: String = serde_json::from_slice(&pool.call(call, CallOptions::default()).await.unwrap()).unwrap();
    let limit = Duration::from_secs(10);
    for round in ["first", "again"] {
        let told = tokio::time::timeout(limit, pool.signature_notification(&signature, "confirmed")).await;
        let told = told.unwrap_or_else(|_| panic!("no end, {round}")).unwrap();
        assert!(told.slot > 0 && told.error.is_none(), "{told:?}");
    }
    pool.close(Deadline::after(Duration::from_secs(2))).await;
    assert_eq!((pool.stats().subscriptions, pool.stats().websockets), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_with_its_pool_and_with_wrong_parameters() {
    let pool = pool(&endpoints());
    let slots = pool.subscribe(Kind::Slot, "", SubscribeOptions::default()).unwrap();
    slots.ready(Duration::from_secs(10)).await.unwrap();
    assert!(matches!(slots.next().await, Some(Item::Notification(_))));
    let wrong = pool.subscribe(Kind::Account, "[\"nonsense\"]", SubscribeOptions::default()).unwrap();
    let refused = wrong.ready(Duration::from_secs(10)).await;
    assert!(matches!(refused, Err(PoolError::Refused(_))), "{refused:?}");
    pool.close(Deadline::after(Duration::from_secs(2))).await;
    let mut last = None;
    while let Some(item) = slots.next().await {
        last = Some(item);
    }
    assert!(matches!(last, Some(Item::End(Err(PoolError::Closed { .. })))), "{last:?}");
    assert!(matches!(pool.subscribe(Kind::Slot, "", SubscribeOptions::default()), Err(PoolError::Closed { .. })));
}
