//! Connections to one endpoint: TCP with its settings, through a proxy if there is one, TLS for `https` and `wss`. For the HTTP client and for websockets.

use crate::solana::endpoint::proxy::{BoxError, Way};
use crate::solana::endpoint::wire::WireOptions;
use crate::solana::error::AttemptError;
use crate::tls::TlsOptions;
use hyper::Uri;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tower_service::Service;

/// Idle sockets are closed after this; nodes close theirs after 20 s. Also the time between TCP keep-alive probes.
pub(super) const IDLE: Duration = Duration::from_secs(15);
/// For TCP alone, all addresses of a name.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For name, TCP, proxy and TLS: a peer that accepts and then says nothing must not hold a task for ever.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that acknowledges nothing for this long is gone.
#[cfg(any(target_os = "linux", target_os = "android"))]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// An open connection, plain or TLS.
pub(in crate::solana) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections to one endpoint.
#[derive(Clone)]
pub(in crate::solana) struct Connector(Arc<Inner>);

struct Inner {
    way: Way,
    tls: TlsOptions,
    /// Made by the first TLS connection: reading the system's certificates takes a while.
    https: OnceCell<HttpsConnector<Way>>,
}

impl Connector {
    /// For the endpoint at `uri`; opens nothing.
    pub(in crate::solana) fn new(uri: &Uri, wire: &WireOptions) -> Self {
        let tcp = tcp();
        let way = wire.proxy.as_ref().map_or_else(|| Way::Direct(tcp.clone()), |proxy| proxy.way(uri, tcp.clone()));
        Self(Arc::new(Inner { way, tls: wire.tls.clone().unwrap_or_default(), https: OnceCell::new() }))
    }

    /// A connection to a `ws` or `wss` URL, over which the caller makes the handshake. Honours TLS settings and proxy; takes at most ten seconds.
    pub(in crate::solana) async fn open(&self, uri: &Uri) -> Result<TokioIo<Stream>, AttemptError> {
        let stream = self.clone().call(as_http(uri)).await;
        stream.map(TokioIo::new).map_err(|error| AttemptError::Connect { detail: chain(error.as_ref()) })
    }

    async fn connect(&self, uri: Uri) -> Result<Stream, BoxError> {
        if uri.scheme_str() == Some("https") {
            return self.https().await?.clone().call(uri).await;
        }
        Ok(MaybeHttpsStream::Http(self.0.way.clone().call(uri).await?))
    }

    async fn https(&self) -> Result<&HttpsConnector<Way>, BoxError> {
        let made = self.0.https.get_or_try_init(|| async {
            let tls = self.0.tls.clone();
            let config = tokio::task::spawn_blocking(move || tls.client_config()).await??;
            let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_only();
            let builder = match self.0.tls.own_name()? {
                Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
                None => builder,
            };
            Ok(builder.enable_http1().wrap_connector(self.0.way.clone()))
        });
        made.await
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let opening = tokio::time::timeout(OPEN_TIMEOUT, connector.connect(uri));
            opening.await.unwrap_or_else(|_| Err("no connection within 10 s".into()))
        })
    }
}

fn tcp() -> HttpConnector {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    http.set_keepalive(Some(IDLE));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    http.set_tcp_user_timeout(Some(USER_TIMEOUT));
    http
}

/// The connector knows http and https.
fn as_http(uri: &Uri) -> Uri {
    let scheme = match uri.scheme_str() {
        Some("ws") => "http",
        Some("wss") => "https",
        _ => return uri.clone(),
    };
    let mut parts = uri.clone().into_parts();
    parts.scheme = scheme.parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// An error and what caused it, redacted.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    crate::error::redact_text(&text)
}

#[cfg(test)]
mod tests {
    use super::{Connector, WireOptions, as_http};
    use crate::solana::error::AttemptError;
    use hyper::Uri;
    use hyper_rustls::MaybeHttpsStream;
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn sockets_have_their_settings() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("ws://{}", server.local_addr().unwrap()).parse().unwrap();
        let opened = Connector::new(&uri, &WireOptions::default()).open(&uri).await.unwrap();
        let MaybeHttpsStream::Http(tcp) = opened.inner() else { panic!("expected a plain socket") };
        let socket = socket2::SockRef::from(tcp.inner());
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(super::USER_TIMEOUT));
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_keepalive_time().unwrap(), super::IDLE);
    }

    #[tokio::test]
    async fn a_peer_that_never_finishes_tls_is_given_up() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("wss://{}", server.local_addr().unwrap()).parse().unwrap();
        let connector = Connector::new(&uri, &WireOptions::default());
        // Outside of paused time: the certificates are read by another thread.
        connector.https().await.unwrap();
        tokio::time::pause();
        let (opened, accepted) = tokio::join!(connector.open(&uri), server.accept());
        let Err(AttemptError::Connect { detail }) = opened else { panic!("expected no connection") };
        assert_eq!(detail, "no connection within 10 s");
        drop(accepted);
        tokio::time::sleep(Duration::ZERO).await;
    }

    #[test]
    fn websocket_urls_are_opened_as_http() {
        assert_eq!(as_http(&Uri::from_static("wss://h:1/p?q")).to_string(), "https://h:1/p?q");
        assert_eq!(as_http(&Uri::from_static("http://h/")).to_string(), "http://h/");
    }
}
