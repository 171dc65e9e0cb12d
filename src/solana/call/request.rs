//! The request side of the envelope: parameters get their commitment, a call gets its identity, a body gets our id. Parameters stay text.

use crate::solana::endpoint::slot::Commitment;
use crate::solana::error::PoolError;
use crate::solana::method::{Class, Method, method};
use crate::solana::queue::Priority;
use crate::solana::transaction::wire::signature_in;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest method name and the largest parameters accepted.
const MAX_METHOD: usize = 64;
const MAX_PARAMS: usize = 48 * 1024 * 1024;

/// A call ready to be sent any number of times.
#[derive(Debug, Clone)]
pub(in crate::solana) struct Prepared {
    /// The method's name.
    pub name: String,
    /// What is known about it.
    pub method: Method,
    /// Parameters as JSON array text, commitment included.
    pub params: Bytes,
    /// The commitment that counts.
    pub commitment: Commitment,
    /// The slot that the caller asked for at least.
    pub min_slot: Option<u64>,
    /// Of a `sendTransaction`: the signature of its bytes, which the node must answer.
    pub signature: Option<String>,
    /// How urgent it is among those who wait for the limiter.
    pub priority: Priority,
}

#[derive(Deserialize, Default)]
struct ConfigHead<'a> {
    #[serde(borrow, default)]
    commitment: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "preflightCommitment")]
    preflight: Option<&'a RawValue>,
    #[serde(default, rename = "minContextSlot")]
    min_context_slot: Option<u64>,
}

impl Prepared {
    /// Checks a call and fills in the pool's commitment where the caller gave none. `params` is the text of a JSON array, or empty for none.
    pub(in crate::solana) fn new(name: &str, params: &str, default: Commitment) -> Result<Self, PoolError> {
        let fits = !name.is_empty() && name.len() <= MAX_METHOD;
        if !fits || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(argument("method", "method must be a JSON-RPC method name"));
        }
        if params.len() > MAX_PARAMS {
            return Err(argument("params", format!("params must not be larger than {MAX_PARAMS} bytes")));
        }
        let text = if params.trim().is_empty() { "[]" } else { params };
        let method = method(name);
        let Some(place) = method.commitment else {
            check_json(text)?;
            return Ok(Self::with(name, method, text.to_owned(), default, None));
        };
        if !text.trim_start().starts_with('[') {
            // Parameters by name: passed as they are.
            check_json(text)?;
            return Ok(Self::with(name, method, text.to_owned(), default, None));
        }
        let mut list: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|_| argument("params", "params must be a JSON array"))?;
        let injected =
            if place.at_least_confirmed && default == Commitment::Processed { Commitment::Confirmed } else { default };
        let config = list.get(place.index).map_or("null", |raw| raw.get());
        let head = config_head(config);
        let given = if place.field == "commitment" { head.commitment } else { head.preflight };
        // Also one that is not understood here: the node says what is wrong with it.
        let own = given.and_then(|raw| Commitment::parse(raw.get().trim_matches('"')));
        if given.is_some() || list.len() < place.index || !(config == "null" || config.starts_with('{')) {
            return Ok(Self::with(name, method, text.to_owned(), own.unwrap_or(injected), head.min_context_slot));
        }
        let field = format!("\"{}\":\"{}\"", place.field, injected.as_str());
        let inner = config.strip_prefix('{').map_or("}", str::trim_start);
        let config = if inner == "}" { format!("{{{field}}}") } else { format!("{{{field},{inner}") };
        // What follows the configuration object stays behind it.
        let after = if list.len() > place.index { list.split_off(place.index) } else { Vec::new() };
        let mut out = String::with_capacity(text.len() + 40);
        out.push('[');
        for raw in &list {
            out.push_str(raw.get());
            out.push(',');
        }
        out.push_str(&config);
        for raw in after.iter().skip(1) {
            out.push(',');
            out.push_str(raw.get());
        }
        out.push(']');
        Ok(Self::with(name, method, out, injected, head.min_context_slot))
    }

    fn with(name: &str, method: Method, params: String, commitment: Commitment, min_slot: Option<u64>) -> Self {
        let signature = if name == "sendTransaction" { signature_in(&params) } else { None };
        let priority = match name {
            "getSignatureStatuses" => Priority::Confirm,
            _ if method.class == Class::Send => Priority::Send,
            _ => Priority::Read,
        };
        let params = Bytes::from(params);
        Self { name: name.to_owned(), method, params, commitment, min_slot, signature, priority }
    }

    /// Whether it changes something.
    pub(in crate::solana) fn is_send(&self) -> bool {
        self.method.class == Class::Send
    }

    /// What makes two calls the same.
    pub(in crate::solana) fn key(&self) -> Bytes {
        [self.name.as_bytes(), b"\n", &self.params].concat().into()
    }

    /// The body of one attempt.
    pub(in crate::solana) fn body(&self, id: u64) -> Bytes {
        let mut body = Vec::with_capacity(self.params.len() + self.name.len() + 64);
        body.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
        body.extend_from_slice(id.to_string().as_bytes());
        body.extend_from_slice(b",\"method\":\"");
        body.extend_from_slice(self.name.as_bytes());
        body.extend_from_slice(b"\",\"params\":");
        body.extend_from_slice(&self.params);
        body.push(b'}');
        body.into()
    }
}

fn config_head(config: &str) -> ConfigHead<'_> {
    if config.starts_with('{') { serde_json::from_str(config).unwrap_or_default() } else { ConfigHead::default() }
}

fn check_json(text: &str) -> Result<(), PoolError> {
    let checked: Result<&RawValue, _> = serde_json::from_str(text);
    let fits = checked.is_ok_and(|raw| raw.get().starts_with(['[', '{']));
    if fits { Ok(()) } else { Err(argument("params", "params must be a JSON array")) }
}

fn argument(argument: &'static str, message: impl Into<String>) -> PoolError {
    PoolError::Argument { argument, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::Prepared;
    use crate::solana::endpoint::slot::Commitment;
    use proptest::prelude::*;

    fn params(name: &str, params: &str) -> String {
        let prepared = Prepared::new(name, params, Commitment::Processed).unwrap();
        String::from_utf8(prepared.params.to_vec()).unwrap()
    }

    #[test]
    fn always_sends_an_explicit_commitment() {
        assert_eq!(params("getBalance", r#"["k"]"#), r#"["k",{"commitment":"processed"}]"#);
        assert_eq!(params("getBalance", r#"["k",null]"#), r#"["k",{"commitment":"processed"}]"#);
        assert_eq!(params("getBalance", r#"["k",{ }]"#), r#"["k",{"commitment":"processed"}]"#);
        assert_eq!(params("getSlot", ""), r#"[{"commitment":"processed"}]"#);
        let merged = params("getAccountInfo", r#"["k",{"encoding":"base64"}]"#);
        assert_eq!(merged, r#"["k",{"commitment":"processed","encoding":"base64"}]"#);
        assert_eq!(
            params("sendTransaction", r#"["t",{"encoding":"base64"}]"#),
            r#"["t",{"preflightCommitment":"processed","encoding":"base64"}]"#
        );
    }

    #[test]
    fn keeps_the_callers_own_value_and_clamps_only_the_default() {
        let own = r#"["k",{"commitment":"finalized"}]"#;
        assert_eq!(params("getBalance", own), own);
        assert_eq!(Prepared::new("getBalance", own, Commitment::Processed).unwrap().commitment, Commitment::Finalized);
        assert_eq!(params("getTransaction", r#"["s"]"#), r#"["s",{"commitment":"confirmed"}]"#);
        let odd = r#"["k",{"commitment":"maybe"}]"#;
        assert_eq!(params("getBalance", odd), odd);
        let processed = r#"["s",{"commitment":"processed"}]"#;
        assert_eq!(params("getTransaction", processed), processed);
    }

    #[test]
    fn leaves_statuses_unknown_methods_and_missing_arguments_alone() {
        assert_eq!(params("getSignatureStatuses", r#"[["s"]]"#), r#"[["s"]]"#);
        assert_eq!(params("someVendorMethod", r#"{"a":1}"#), r#"{"a":1}"#);
        assert_eq!(params("getBalance", "[]"), "[]", "the node says what is missing");
    }

    #[test]
    fn refuses_what_is_not_a_request() {
        for (name, text) in [("", "[]"), ("get\"x", "[]"), ("getBalance", "[1"), ("foo", "1"), ("getVersion", "[] []")]
        {
            assert!(Prepared::new(name, text, Commitment::Processed).is_err(), "{name} {text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_on_any_parameters(text in "[\\[\\]{}\",:a-z0-9 ]{0,40}") {
            if let Ok(prepared) = Prepared::new("getBalance", &text, Commitment::Processed) {
                let valid: Result<serde_json::Value, _> = serde_json::from_slice(&prepared.params);
                prop_assert!(valid.is_ok());
            }
        }
    }
}
