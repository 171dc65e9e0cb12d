//! One HTTP request: hyper's pooled client over rustls. Follows no redirect, retries nothing but a request that a stale socket never started.

use crate::error::redact_text;
use crate::solana::call::reply;
use crate::solana::error::AttemptError;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::OnceCell;

/// Nodes close idle sockets after 20 s.
const IDLE: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A peer that acknowledges nothing for this long is gone.
#[cfg(any(target_os = "linux", target_os = "android"))]
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest reply.
const MAX_REPLY: usize = 256 * 1024 * 1024;
/// The longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

type Plain = Client<HttpConnector, Full<Bytes>>;
type Tls = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The sockets of one pool. Dropping the last clone closes the idle ones.
#[derive(Clone)]
pub(in crate::solana) struct Transport {
    plain: Plain,
    /// Made by the first https request: reading the system's certificates takes a while.
    tls: Arc<OnceCell<Tls>>,
}

/// What a server answered.
#[derive(Debug)]
pub(in crate::solana) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// How long it asks us to stay away.
    pub retry_after: Option<Duration>,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// The result of request `id`, or what is wrong.
    pub(in crate::solana) fn understand(&self, id: u64) -> Result<Bytes, AttemptError> {
        match self.status {
            200..=299 => reply::read(&self.body, id),
            // Only for these does a JSON-RPC error in the body say more than the status.
            400 | 405 | 413 | 415 | 422 => {
                Err(reply::read_error(&self.body).map_or_else(|| self.refused(), AttemptError::Rpc))
            }
            _ => Err(self.refused()),
        }
    }

    fn refused(&self) -> AttemptError {
        AttemptError::Http { status: self.status, retry_after: self.retry_after }
    }
}

impl Transport {
    /// Opens no socket.
    pub(in crate::solana) fn new() -> Self {
        Self { plain: client(connector()), tls: Arc::default() }
    }

    async fn tls(&self) -> Result<&Tls, AttemptError> {
        let made = self.tls.get_or_try_init(|| async {
            let config = tokio::task::spawn_blocking(tls_config).await.map_err(|error| error.to_string())?;
            let config = config.map_err(|error| error.to_string())?;
            let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
            Ok::<_, String>(client(builder.wrap_connector(connector())))
        });
        made.await.map_err(|detail| AttemptError::Connect { detail })
    }

    /// Posts one body.
    pub(in crate::solana) async fn post(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Answer, AttemptError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        request.headers_mut().clone_from(headers);
        request.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
        let response = if uri.scheme_str() == Some("https") {
            self.tls().await?.request(request)
        } else {
            self.plain.request(request)
        };
        let response = response.await.map_err(|error| {
            let detail = chain(&error);
            if error.is_connect() { AttemptError::Connect { detail } } else { AttemptError::Lost { detail } }
        })?;
        let status = response.status();
        let retry_after = retry_after(response.headers(), SystemTime::now());
        let body = Limited::new(response.into_body(), MAX_REPLY).collect().await;
        match body {
            Ok(body) => Ok(Answer { status: status.as_u16(), retry_after, body: body.to_bytes() }),
            // The status already says what to do; the rest of an error page does not matter.
            Err(_) if status != StatusCode::OK => {
                Ok(Answer { status: status.as_u16(), retry_after, body: Bytes::new() })
            }
            Err(error) => Err(AttemptError::Lost { detail: redact_text(&error.to_string()) }),
        }
    }
}

fn connector() -> HttpConnector {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    http.set_keepalive(Some(IDLE));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    http.set_tcp_user_timeout(Some(USER_TIMEOUT));
    http
}

fn client<C: Connect + Clone>(connector: C) -> Client<C, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector)
}

/// The provider is named: another crate of the process may have installed a different default, or none.
fn tls_config() -> Result<tokio_rustls::rustls::ClientConfig, tokio_rustls::rustls::Error> {
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    redact_text(&text)
}

/// Seconds or an HTTP date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::retry_after;
    use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};
    use std::time::{Duration, SystemTime};

    #[test]
    fn understands_retry_after_as_seconds_and_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("2"), Some(Duration::from_secs(2)));
        assert_eq!(read("9999"), Some(Duration::from_secs(30)));
        assert_eq!(read(&httpdate::fmt_http_date(now + Duration::from_secs(5))), Some(Duration::from_secs(5)));
        assert_eq!(read(&httpdate::fmt_http_date(now - Duration::from_secs(5))), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
