//! What must never show of one endpoint: keys in path, query, user info, headers and proxy URL. A server may quote any of them in an error; they are cut out
//! of it. Results are data and stay as they are.

use crate::error::REDACTED;
use crate::solana::error::{AttemptError, RpcRefusal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::Uri;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Shorter parts of a path or a query are words such as `v2` or `solana`, which errors may hold by chance.
const LEAST_PART: usize = 8;
/// Shorter passwords and header values are not looked for alone, but still as part of the whole.
const LEAST_CREDENTIAL: usize = 4;

/// The texts to cut out, longest first.
#[derive(Default)]
pub(in crate::solana) struct Secrets(Vec<String>);

impl Secrets {
    /// Of URLs with their user info, the values of headers, and the user info of proxies.
    pub(in crate::solana) fn new<'a>(
        uris: &[&'a Uri],
        headers: impl Iterator<Item = &'a str>,
        users: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut made = Self::default();
        for uri in uris {
            let path = uri.path_and_query().map_or("", hyper::http::uri::PathAndQuery::as_str);
            made.add(path, LEAST_PART);
            made.add(path.trim_start_matches('/'), LEAST_PART);
            for part in path.split(['/', '?', '&', '=']) {
                made.add(part, LEAST_PART);
            }
        }
        let own = uris.iter().filter_map(|uri| user_of(uri));
        for user in own.chain(users) {
            made.add(user, LEAST_CREDENTIAL);
            made.add(&BASE64.encode(percent_decode(user)), LEAST_CREDENTIAL);
            if let Some((name, password)) = user.split_once(':') {
                // Some providers take the key as the name.
                made.add(name, LEAST_PART);
                made.add(password, LEAST_CREDENTIAL);
            }
        }
        for value in headers {
            made.add(value, LEAST_CREDENTIAL);
            // Behind `Bearer` or the like.
            if let Some((_, rest)) = value.split_once(' ') {
                made.add(rest, LEAST_CREDENTIAL);
            }
        }
        made.0.sort_by(|left, right| right.len().cmp(&left.len()).then(left.cmp(right)));
        made.0.dedup();
        made
    }

    /// One text, also as a server may decode or quote it.
    fn add(&mut self, text: &str, least: usize) {
        let decoded = String::from_utf8_lossy(&percent_decode(text)).into_owned();
        for form in [text.to_owned(), decoded] {
            if form.len() < least {
                continue;
            }
            let quoted = serde_json::Value::String(form.clone()).to_string();
            let quoted = quoted.trim_matches('"');
            if quoted != form {
                self.0.push(quoted.to_owned());
                self.0.push(quoted.replace('/', "\\/"));
            }
            if form.contains('/') {
                self.0.push(form.replace('/', "\\/"));
            }
            self.0.push(form);
        }
    }

    /// A text without them.
    pub(in crate::solana) fn cut<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        for secret in &self.0 {
            if out.contains(secret.as_str()) {
                out = Cow::Owned(out.replace(secret.as_str(), REDACTED));
            }
        }
        out
    }

    /// An error without them.
    pub(in crate::solana) fn cut_error(&self, error: AttemptError) -> AttemptError {
        match error {
            AttemptError::Rpc(refusal) => AttemptError::Rpc(self.cut_refusal(refusal)),
            AttemptError::Connect { detail } => AttemptError::Connect { detail: self.cut(&detail).into_owned() },
            AttemptError::Lost { detail } => AttemptError::Lost { detail: self.cut(&detail).into_owned() },
            other => other,
        }
    }

    /// A node's error without them.
    pub(in crate::solana) fn cut_refusal(&self, refusal: RpcRefusal) -> RpcRefusal {
        let message = self.cut(&refusal.message).into_owned();
        let text = std::str::from_utf8(&refusal.body).unwrap_or_default();
        let body = match self.cut(text) {
            Cow::Borrowed(_) => refusal.body,
            Cow::Owned(clean) => match serde_json::from_str::<&RawValue>(&clean) {
                Ok(_) => Bytes::from(clean),
                // A number or a name was cut: what is left is no JSON.
                Err(_) => serde_json::json!({ "code": refusal.code, "message": message }).to_string().into(),
            },
        };
        RpcRefusal { code: refusal.code, message, body }
    }
}

/// The user info of a URL.
pub(super) fn user_of(uri: &Uri) -> Option<&str> {
    uri.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(user, _)| user)
}

/// The bytes that a percent-encoded text stands for.
pub(super) fn percent_decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(decoded) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *byte == b'%') {
            out.push(decoded);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Secrets;
    use crate::solana::error::{AttemptError, RpcRefusal};
    use bytes::Bytes;
    use hyper::Uri;

    fn secrets() -> Secrets {
        let uri = Uri::from_static("https://us%65r:pa%24s%2Fword@h/v2/KEY-IN-PATH?api-key=KEY%20IN%20QUERY&x=1");
        Secrets::new(&[&uri], ["Bearer TOKEN\"1", "x"].into_iter(), ["proxy:PROXYPASS"].into_iter())
    }

    #[test]
    fn cuts_every_form_and_leaves_words_alone() {
        let secrets = secrets();
        for quoted in [
            "/v2/KEY-IN-PATH?api-key=KEY%20IN%20QUERY&x=1",
            "bad key KEY-IN-PATH",
            "path \\/v2\\/KEY-IN-PATH",
            "KEY IN QUERY",
            "pa$s/word",
            "pa$s\\/word",
            "pa%24s%2Fword",
            "dXNlcjpwYSRzL3dvcmQ=",
            "TOKEN\"1",
            "TOKEN\\\"1",
            "PROXYPASS",
        ] {
            let cut = secrets.cut(quoted);
            assert!(cut.contains("<redacted>"), "{quoted}: {cut}");
            for part in ["KEY-", "KEY ", "word", "TOKEN", "PROXY", "dXN"] {
                assert!(!cut.contains(part), "{quoted}: {cut}");
            }
        }
        assert_eq!(secrets.cut("v2 x=1 api-key h"), "v2 x=1 api-key h");
    }

    #[test]
    fn what_is_left_of_an_error_object_is_json() {
        let secrets = Secrets::new(&[&Uri::from_static("http://h/1234567890")], std::iter::empty(), std::iter::empty());
        let body = Bytes::from_static(br#"{"code":-1,"message":"no 1234567890","data":1234567890}"#);
        let error = AttemptError::Rpc(RpcRefusal { code: -1, message: "no 1234567890".to_owned(), body });
        let AttemptError::Rpc(cut) = secrets.cut_error(error) else { panic!("expected the node's error") };
        assert_eq!(cut.message, "no <redacted>");
        assert_eq!(&cut.body[..], br#"{"code":-1,"message":"no <redacted>"}"#);
    }
}
