//! How an endpoint is reached: TLS settings and proxy, as options of the pool and of one endpoint; the endpoint's win.

use crate::solana::endpoint::proxy::Proxy;
use crate::solana::error::PoolError;
use crate::tls::TlsOptions;
use serde_json::{Map, Value};

/// Names of the options read here.
pub(in crate::solana) const NAMES: [&str; 2] = ["tls", "proxy"];

/// How an endpoint is reached. The debug form shows no secrets.
#[derive(Debug, Clone, Default)]
pub struct WireOptions {
    /// Default: the system's roots, no client certificate.
    pub tls: Option<TlsOptions>,
    /// Default: none; the environment is not looked at.
    pub(in crate::solana) proxy: Option<Proxy>,
}

impl WireOptions {
    /// Reads and checks both options; `prefix` is for their names in errors.
    pub(in crate::solana) fn read(object: &Map<String, Value>, prefix: &str) -> Result<Self, PoolError> {
        let present = |name| object.get(name).filter(|value| !value.is_null());
        let proxy = present("proxy").map(Proxy::read).transpose().map_err(|error| named(&error, prefix, "proxy"))?;
        let tls = present("tls").map(|value| read_tls(value, prefix)).transpose()?;
        Ok(Self { tls, proxy })
    }

    /// User info of the proxies.
    pub(in crate::solana) fn proxy_users(&self) -> impl Iterator<Item = &str> {
        self.proxy.iter().flat_map(Proxy::secrets).map(String::as_str)
    }

    /// These, and those of `pool` for what is not given.
    pub(in crate::solana) fn or(&self, pool: &Self) -> Self {
        let tls = self.tls.as_ref().or(pool.tls.as_ref()).cloned();
        Self { tls, proxy: self.proxy.as_ref().or(pool.proxy.as_ref()).cloned() }
    }
}

fn read_tls(value: &Value, prefix: &str) -> Result<TlsOptions, PoolError> {
    // To serde a list is the fields in order.
    if !value.is_object() {
        let option = format!("{prefix}tls");
        return Err(PoolError::Config { message: format!("{option} must be an object"), option });
    }
    // Field by field first: serde's own message may quote a value, such as a key.
    for (name, field) in value.as_object().into_iter().flatten() {
        let one = Value::Object([(name.clone(), field.clone())].into_iter().collect());
        if serde_json::from_value::<TlsOptions>(one).is_err() {
            let option = format!("{prefix}tls.{name}");
            return Err(PoolError::Config { message: format!("{option} is unknown or has an unusable value"), option });
        }
    }
    let read: TlsOptions = serde_json::from_value(value.clone()).map_err(|_| PoolError::Config {
        option: format!("{prefix}tls"),
        message: format!("{prefix}tls must be an object"),
    })?;
    read.check().map_err(|error| PoolError::Config {
        option: format!("{prefix}tls.{}", error.option()),
        message: error.to_string(),
    })?;
    Ok(read)
}

fn named(error: &PoolError, prefix: &str, name: &str) -> PoolError {
    PoolError::Config { option: format!("{prefix}{name}"), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::WireOptions;
    use crate::solana::error::PoolError;
    use serde_json::json;

    fn option_of(value: &serde_json::Value) -> String {
        match WireOptions::read(value.as_object().unwrap(), "endpoints.") {
            Err(PoolError::Config { option, message }) => {
                assert!(!message.contains("S3CR3T"), "{message}");
                option
            }
            other => panic!("expected a configuration error, got {other:?}"),
        }
    }

    #[test]
    fn names_the_option_and_quotes_nothing() {
        assert_eq!(option_of(&json!({ "tls": { "ca": ["S3CR3T"] } })), "endpoints.tls.ca");
        assert_eq!(option_of(&json!({ "tls": { "key": 5 } })), "endpoints.tls.key");
        assert_eq!(option_of(&json!({ "tls": { "passphrase": "S3CR3T" } })), "endpoints.tls.passphrase");
        assert_eq!(option_of(&json!({ "tls": { "cert": "S3CR3T" } })), "endpoints.tls.key");
        assert_eq!(option_of(&json!({ "tls": "S3CR3T" })), "endpoints.tls");
        assert_eq!(option_of(&json!({ "proxy": "S3CR3T:S3CR3T@" })), "endpoints.proxy");
    }

    #[test]
    fn an_endpoint_may_differ_from_its_pool() {
        let read = |value: serde_json::Value| WireOptions::read(value.as_object().unwrap(), "").unwrap();
        let pool = read(json!({ "proxy": "http://p", "tls": { "servername": "a" } }));
        let own = read(json!({ "proxy": false })).or(&pool);
        assert_eq!(own.tls.unwrap().servername.as_deref(), Some("a"));
        assert!(!format!("{:?}", own.proxy).contains("http://p"), "no proxy");
        assert!(format!("{:?}", read(json!({})).or(&pool).proxy).contains("http://p"));
    }
}
