//! Secrets out of text: the only type that holds a URI, and a sweep for text that comes from elsewhere.
//!
//! Guarantees: user info, path and query of a URI never leave through `Display` or `Debug` (RPC providers put keys in both). Does not validate URIs.

use std::fmt;

/// What stands where a secret was.
pub const REDACTED: &str = "<redacted>";

/// A URI whose text forms show only scheme and host. The whole text is reachable only by [`Endpoint::expose`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    uri: String,
}

impl Endpoint {
    /// Wraps a URI as given by the caller.
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into() }
    }

    /// The whole URI with its secrets: for opening connections only.
    pub fn expose(&self) -> &str {
        &self.uri
    }

    /// Scheme and hosts, nothing else: `mongodb://a:1,b:2`.
    pub fn redacted(&self) -> String {
        redact_uri(&self.uri)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.redacted())
    }
}

/// Cuts everything but scheme and authority, then the user info up to the *last* `@` (passwords may hold `@` and `/`).
fn redact_uri(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return REDACTED.to_owned();
    };
    if !scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) {
        return REDACTED.to_owned();
    }
    let after_user = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = after_user.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// Replaces every URI in a text by its redacted form. For messages of drivers and servers that may quote what they were given.
pub fn redact_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at);
        let start = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')));
        let start = start.map_or(0, |i| i + before.get(i..).and_then(|s| s.chars().next()).map_or(1, char::len_utf8));
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ')' | '>' | ']'))
            .unwrap_or(after.len());
        let (head, scheme) = before.split_at(start);
        let (tail, next) = after.split_at(end);
        out.push_str(head);
        out.push_str(&redact_uri(&format!("{scheme}{tail}")));
        rest = next;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, redact_text};

    #[test]
    fn shows_scheme_and_hosts_only() {
        let endpoint = Endpoint::new("mongodb://user:p@ss/word@a:1,b:2/db?authSource=admin");
        assert_eq!(endpoint.to_string(), "mongodb://a:1,b:2");
        assert_eq!(format!("{endpoint:?}"), "Endpoint(mongodb://a:1,b:2)");
        assert_eq!(Endpoint::new("https://rpc.example/v2/SECRET?api-key=SECRET").to_string(), "https://rpc.example");
        assert_eq!(Endpoint::new("not a uri SECRET").to_string(), "<redacted>");
    }

    #[test]
    fn sweeps_uris_out_of_text() {
        let text = "failed (redis://:SECRET@h:6379/0) then https://k.example/SECRET, done";
        assert_eq!(redact_text(text), "failed (redis://h:6379) then https://k.example done");
        assert!(!redact_text("é mongodb+srv://u:SECRET@h/é").contains("SECRET"));
        assert_eq!(redact_text("no uri here: //"), "no uri here: //");
    }

    mod properties {
        use super::super::{Endpoint, redact_text};
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn a_password_never_shows(user in "[a-z]{1,8}", tail in "[ -~]{0,16}", host in "[a-z]{1,8}") {
                let secret = format!("S3CR3T{}", tail.replace(['"', '\'', '`', ')', '>', ']', ' '], "_"));
                let uri = format!("redis://{user}:{secret}@{host}:6379/1?key={secret}");
                prop_assert!(!Endpoint::new(uri.clone()).to_string().contains("S3CR3T"));
                let swept = redact_text(&format!("error at {uri} now"));
                prop_assert!(!swept.contains("S3CR3T"));
            }
        }
    }
}
