//! Proxies: which one leads to an endpoint, and the connection through it (HTTP CONNECT or SOCKS 5).
//!
//! Both kinds of upstream, http and https, go through a tunnel: one way for all, and of https a proxy sees host and port only. User and password never show.

use crate::solana::endpoint::secrets::user_of;
use crate::solana::error::PoolError;
use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tower_service::Service;

/// Boxed, because connectors have one error type each.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

const WRONG: &str = "proxy must be an http, socks5 or socks5h url with a host, an object of such, or false";

/// The proxies of a pool or an endpoint, as configured.
#[derive(Debug, Clone)]
pub(in crate::solana) struct Proxy {
    /// Its debug form shows no user and no password.
    rules: Arc<Matcher>,
    secrets: Vec<String>,
}

/// A way to an endpoint.
#[derive(Clone)]
pub(super) enum Way {
    Direct(HttpConnector),
    Tunnel(Tunnel<HttpConnector>),
    Socks {
        socks: SocksV5<HttpConnector>,
        /// Whether names are looked up here.
        local: bool,
    },
}

impl Proxy {
    /// Reads the option: a URL, `false` for none, or `{ http, https, all, no }` as an environment has them.
    pub(in crate::solana) fn read(value: &Value) -> Result<Self, PoolError> {
        let mut builder = Matcher::builder();
        let mut secrets = Vec::new();
        match value {
            Value::Bool(false) => {}
            // Only environments leave the scheme out: a word alone is a mistake more often than a host.
            Value::String(url) if url.contains("://") => builder = builder.all(checked(url, &mut secrets)?),
            Value::Object(rules) => {
                for (name, value) in rules {
                    let text = value.as_str().ok_or_else(wrong)?;
                    builder = match name.as_str() {
                        "http" => builder.http(checked(text, &mut secrets)?),
                        "https" => builder.https(checked(text, &mut secrets)?),
                        "all" => builder.all(checked(text, &mut secrets)?),
                        "no" => builder.no(text),
                        _ => return Err(wrong()),
                    };
                }
            }
            _ => return Err(wrong()),
        }
        Ok(Self { rules: Arc::new(builder.build()), secrets })
    }

    /// The texts that must never show.
    pub(super) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// The way to `uri`.
    pub(super) fn way(&self, uri: &Uri, tcp: HttpConnector) -> Way {
        self.rules.intercept(uri).map_or_else(|| Way::Direct(tcp.clone()), |found| through(&found, tcp.clone()))
    }
}

/// With the scheme that an environment may leave out, and the port that the proxy's protocol uses.
fn checked(url: &str, secrets: &mut Vec<String>) -> Result<String, PoolError> {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let port = match uri.scheme_str() {
        Some("http") => 80,
        Some("socks5" | "socks5h") => 1080,
        _ => return Err(wrong()),
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
    if authority.host().is_empty() {
        return Err(wrong());
    }
    secrets.extend(user_of(&uri).map(str::to_owned));
    let port = if authority.port().is_none() { format!(":{port}") } else { String::new() };
    Ok(format!("{scheme}://{authority}{port}"))
}

fn through(found: &Intercept, tcp: HttpConnector) -> Way {
    let uri = found.uri().clone();
    if uri.scheme_str() == Some("http") {
        let tunnel = Tunnel::new(uri, tcp);
        return Way::Tunnel(match found.basic_auth() {
            Some(auth) => tunnel.with_auth(auth.clone()),
            None => tunnel,
        });
    }
    // As curl has it: socks5h leaves the name of the endpoint to the proxy, socks5 looks it up here.
    let local = uri.scheme_str() == Some("socks5");
    let socks = SocksV5::new(uri, tcp);
    let socks = match found.raw_auth() {
        Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
        None => socks,
    };
    Way::Socks { socks, local }
}

fn wrong() -> PoolError {
    PoolError::Config { option: "proxy".to_owned(), message: WRONG.to_owned() }
}

impl Service<Uri> for Way {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // A connector over TCP is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Direct(tcp) => boxed(tcp.call(uri)),
            Self::Tunnel(tunnel) => boxed(tunnel.call(with_port(uri))),
            Self::Socks { socks, local: false } => boxed(socks.call(with_port(uri))),
            Self::Socks { socks, local: true } => {
                let mut socks = socks.clone();
                Box::pin(async move { Ok(socks.call(looked_up(with_port(uri)).await?).await?) })
            }
        }
    }
}

/// With an address where the name was. The SOCKS client would look it up too, but on the runtime's own thread.
async fn looked_up(uri: Uri) -> Result<Uri, BoxError> {
    let (Some(host), port) = (uri.host(), uri.port_u16().unwrap_or(443)) else { return Ok(uri) };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut found = tokio::net::lookup_host((host, port)).await?;
    let address = found.next().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))?;
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(address.to_string().parse()?);
    Ok(Uri::from_parts(parts)?)
}

fn boxed<T, E: Into<BoxError>>(
    connecting: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>> {
    Box::pin(async move { connecting.await.map_err(Into::into) })
}

/// Tunnels take a missing port for that of https.
fn with_port(uri: Uri) -> Uri {
    if uri.port().is_some() || uri.scheme_str() == Some("https") {
        return uri;
    }
    let mut parts = uri.clone().into_parts();
    parts.authority = uri.host().and_then(|host| format!("{host}:80").parse().ok());
    Uri::from_parts(parts).unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::{Proxy, Way, with_port};
    use hyper::Uri;
    use hyper_util::client::legacy::connect::HttpConnector;
    use serde_json::{Value, json};

    fn way(value: &Value, uri: &'static str) -> String {
        match Proxy::read(value).unwrap().way(&Uri::from_static(uri), HttpConnector::new()) {
            Way::Direct(_) => "direct".to_owned(),
            Way::Tunnel(tunnel) => format!("{tunnel:?}"),
            Way::Socks { socks, .. } => format!("{socks:?}"),
        }
    }

    #[test]
    fn chooses_the_way_and_keeps_credentials_to_itself() {
        let proxy = json!("http://user:S3CR3T@proxy.example:3128");
        let through = way(&proxy, "https://rpc.example/KEY");
        assert!(through.contains("http://proxy.example:3128/") && !through.contains("S3CR3T"), "{through}");
        assert!(way(&proxy, "http://rpc.example").contains("proxy.example"));
        assert_eq!(way(&json!(false), "https://rpc.example"), "direct");
        assert!(way(&json!("socks5h://proxy.example"), "https://h").contains("proxy.example:1080"));
        assert!(!format!("{:?}", Proxy::read(&json!("http://u:p@h")).unwrap().rules).contains("u:p"));
    }

    #[test]
    fn follows_an_environment() {
        let rules = json!({ "https": "proxy.example:1", "no": "inside.example,10.0.0.0/8" });
        assert!(way(&rules, "https://rpc.example").contains("proxy.example:1/"));
        assert_eq!(way(&rules, "http://rpc.example"), "direct");
        assert_eq!(way(&rules, "https://a.inside.example"), "direct");
        assert_eq!(way(&rules, "https://10.1.2.3"), "direct");
        assert!(way(&json!({ "all": "http://p" }), "http://rpc.example").contains("http://p:80/"));
    }

    #[test]
    fn refuses_what_is_no_proxy_without_quoting_it() {
        for value in [json!("ftp://S3CR3T"), json!("https://h"), json!("http://"), json!(5), json!({ "ftp": "S3CR3T" })]
        {
            let error = Proxy::read(&value).unwrap_err().to_string();
            assert!(error.starts_with("proxy must be") && !error.contains("S3CR3T"), "{error}");
        }
    }

    #[test]
    fn names_the_port_of_http() {
        assert_eq!(with_port(Uri::from_static("http://h/p")).to_string(), "http://h:80/p");
        assert_eq!(with_port(Uri::from_static("http://[::1]/")).to_string(), "http://[::1]:80/");
        assert_eq!(with_port(Uri::from_static("http://h:8/p")).to_string(), "http://h:8/p");
        assert_eq!(with_port(Uri::from_static("https://h/")).to_string(), "https://h/");
    }
}
