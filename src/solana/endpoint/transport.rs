//! One HTTP request: hyper's pooled client over the endpoint's connector. Follows no redirect, retries nothing but a request that a stale socket never started.

use crate::solana::call::reply;
use crate::solana::endpoint::connect::{Connector, IDLE, chain};
use crate::solana::endpoint::content;
use crate::solana::error::AttemptError;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::{Duration, SystemTime};

/// The largest reply, decoded.
const MAX_REPLY: usize = 256 * 1024 * 1024;
/// What is read of an error that may say more than its status.
const MAX_EXPLANATION: usize = 1024 * 1024;
/// What is read of other error pages, and for how long.
const MAX_ERROR_PAGE: usize = 64 * 1024;
const ERROR_PAGE_LIMIT: Duration = Duration::from_millis(200);
/// The longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// The sockets of one endpoint. Dropping the last clone closes the idle ones.
#[derive(Clone)]
pub(in crate::solana) struct Transport {
    client: Client<Connector, Full<Bytes>>,
}

/// One request.
pub(in crate::solana) struct Post<'a> {
    /// Where to.
    pub uri: &'a Uri,
    /// The endpoint's own headers.
    pub headers: &'a HeaderMap,
    /// What.
    pub body: Bytes,
    /// Whether a compressed reply is asked for. One that is compressed all the same is decoded too.
    pub compress: bool,
}

/// What a server answered.
#[derive(Debug)]
pub(in crate::solana) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// How long it asks us to stay away.
    pub retry_after: Option<Duration>,
    /// The body, decoded; empty when the status alone counts.
    pub body: Bytes,
}

impl Answer {
    /// The result of request `id`, or what is wrong.
    pub(in crate::solana) fn understand(&self, id: u64) -> Result<Bytes, AttemptError> {
        match self.status {
            200..=299 => reply::read(&self.body, id),
            status if explains(status) => {
                Err(reply::read_error(&self.body, id).map_or_else(|| self.refused(), AttemptError::Rpc))
            }
            _ => Err(self.refused()),
        }
    }

    fn refused(&self) -> AttemptError {
        AttemptError::Http { status: self.status, retry_after: self.retry_after }
    }
}

/// The statuses with which a JSON-RPC error in the body says more.
fn explains(status: u16) -> bool {
    matches!(status, 400 | 405 | 413 | 415 | 422)
}

impl Transport {
    /// Opens no socket. Keeps at most `sockets` idle ones.
    pub(in crate::solana) fn new(connector: Connector, sockets: usize) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(sockets);
        Self { client: builder.build(connector) }
    }

    /// Posts one body.
    pub(in crate::solana) async fn post(&self, post: Post<'_>) -> Result<Answer, AttemptError> {
        let response = self.client.request(request(post)).await.map_err(|error| {
            let detail = chain(&error);
            if error.is_connect() { AttemptError::Connect { detail } } else { AttemptError::Lost { detail } }
        })?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), SystemTime::now());
        let body = match status {
            200..=299 => read(response, MAX_REPLY).await?,
            status if explains(status) => read(response, MAX_EXPLANATION).await.unwrap_or_default(),
            _ => {
                // Read as far as it comes soon, so that the socket may serve again. A page that does not end costs no more than that.
                drop(tokio::time::timeout(ERROR_PAGE_LIMIT, read(response, MAX_ERROR_PAGE)).await);
                Bytes::new()
            }
        };
        Ok(Answer { status, retry_after, body })
    }
}

async fn read(response: Response<Incoming>, most: usize) -> Result<Bytes, AttemptError> {
    let (head, body) = response.into_parts();
    content::read(body, &head.headers, most).await
}

fn request(post: Post<'_>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(post.body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = post.uri.clone();
    let headers = request.headers_mut();
    headers.clone_from(post.headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if post.compress {
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip"));
    }
    request
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
