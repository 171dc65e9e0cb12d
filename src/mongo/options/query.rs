//! The URI taken apart and put together again with JavaScript's options in it: the crate's parser validates what stands there.
//!
//! Guarantees: an option wins over the same one in the URI; each value has passed its row of `kind`.

use super::config;
use super::kind::{DEFAULT, Kind, Place, Row, row};
use super::parts;
use crate::error::Failure;
use mongodb::bson::raw::{RawBsonRef, RawDocument};

/// Options by name, as the query spells them.
pub(super) type Pairs = Vec<(String, String)>;

/// What is not accepted in a query of ours: what is said of it is more than that it is unknown.
const NOT_SUPPORTED: &[&str] =
    &["proxyHost", "proxyPort", "proxyUsername", "proxyPassword", "tlsAllowInvalidHostnames"];

/// A URI, taken apart.
pub(super) struct Query {
    /// Scheme, user, hosts and database.
    pub(super) base: String,
    /// For the crate.
    pub(super) pairs: Pairs,
    /// What we apply ourselves.
    pub(super) ours: Pairs,
    /// The base as the URI has it, when the option `auth` named another user.
    pub(super) before_auth: Option<String>,
    /// Whether an `@` stands where options do.
    has_at: bool,
}

impl Query {
    /// The URI's own options, checked.
    pub(super) fn split(uri: &str) -> Result<Self, Failure> {
        if uri.is_empty() {
            return Err(config("uri", "uri must be a non-empty string"));
        }
        if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") {
            return Err(config("uri", "uri must start with mongodb:// or mongodb+srv://"));
        }
        let (base, text) = uri.split_once('?').unwrap_or((uri, ""));
        let (pairs, ours) = (Vec::new(), Vec::new());
        let mut query = Self { base: base.to_owned(), pairs, ours, before_auth: None, has_at: text.contains('@') };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            query.take(name, value)?;
        }
        Ok(query)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let Some(found) = row(name).filter(|row| row.place != Place::Given) else {
            if name.eq_ignore_ascii_case("tlsAllowInvalidHostnames") && value == "false" {
                return Ok(());
            }
            return Err(self.unknown(name));
        };
        let (target, list) = match found.place {
            Place::Query(target) => (target, &mut self.pairs),
            Place::Ours | Place::Given => (found.name, &mut self.ours),
        };
        if target != "readPreferenceTags" && list.iter().any(|(known, _)| known == target) {
            return Err(config(found.name, format!("{} stands more than once in the uri", found.name)));
        }
        // What is escaped is left to the crate, which knows how to read it.
        let value = if value.contains('%') { Ok(value.to_owned()) } else { found.kind.read_text(value) };
        let value = value.map_err(|what| config(found.name, format!("{} must be {what}", found.name)))?;
        list.push((target.to_owned(), value));
        Ok(())
    }

    /// A name that is none may be a part of a password with a `?` in it: what is no word, and what holds the password, is not quoted.
    fn unknown(&self, name: &str) -> Failure {
        if NOT_SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return config(name, format!("option {name} is not supported"));
        }
        let rest = self.base.split_once("://").map_or("", |(_, rest)| rest);
        let password = rest.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map_or("", |(_, rest)| rest);
        let word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !word || self.has_at || (!password.is_empty() && name.contains(password)) {
            return config("uri", "uri has an option that is not known");
        }
        config(name, format!("{name} is an invalid option"))
    }

    /// Puts one given option in, in place of the URI's own.
    pub(super) fn merge(&mut self, name: &str, value: RawBsonRef<'_>) -> Result<(), Failure> {
        if matches!(value, RawBsonRef::Null | RawBsonRef::Undefined) {
            return Ok(());
        }
        let Some(found) = row(name).filter(|row| row.name == name) else {
            return Err(config(name, format!("option {name} is not supported")));
        };
        if matches!(found.kind, Kind::Form) {
            return parts::merge(self, name, value);
        }
        let text = read(found, name, value)?;
        match (found.name, found.place) {
            ("rejectUnauthorized", _) if text == "false" => self.set("tlsAllowInvalidCertificates", "true"),
            ("noDelay", _) if text == "false" => return Err(config(name, "option noDelay is not supported: it is on")),
            ("tlsAllowInvalidHostnames", _) if text == "true" => {
                return Err(config(name, format!("option {name} is not supported")));
            }
            // As in the Node driver, an empty name is none.
            ("replicaSet", _) if text.is_empty() => self.remove(found.name),
            _ => self.put(found, &text),
        }
        Ok(())
    }

    /// Puts a value where its row says.
    pub(super) fn put(&mut self, row: &Row, text: &str) {
        match row.place {
            Place::Query(target) => self.set(target, &encode(text)),
            Place::Ours => {
                self.ours.retain(|(known, _)| known != row.name);
                self.ours.push((row.name.to_owned(), text.to_owned()));
            }
            Place::Given => {}
        }
    }

    /// The value of an option of the query.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Puts an option in, in place of what stands there.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.pairs.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.pairs.retain(|(known, _)| known != name);
    }

    /// A limit of ours.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.ours.iter().find(|(known, _)| known == name)?.1.parse().ok()
    }

    /// Whether a flag of ours is on.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.ours.iter().any(|(known, value)| known == name && value == "true")
    }

    /// Hosts as they are named.
    pub(super) fn hosts(&self) -> usize {
        let (_, hosts) = authority(&self.base);
        hosts.split_once('/').map_or(hosts, |(hosts, _)| hosts).split(',').count()
    }

    /// The URI for the crate, without the option `but`.
    pub(super) fn join(&self, but: Option<&str>) -> String {
        let base = self.before_auth.as_ref().filter(|_| but == Some("auth")).unwrap_or(&self.base);
        // What the crate has no word for.
        let none = |name: &str, value: &str| value.is_empty() && name == "compressors" || value == DEFAULT;
        let kept = self.pairs.iter().filter(|(name, value)| but != Some(name.as_str()) && !none(name, value));
        let text: Vec<_> = kept.map(|(name, value)| format!("{name}={value}")).collect();
        let (_, hosts) = authority(base);
        // The parser wants the slash before the query.
        let slash = if text.is_empty() || hosts.contains('/') { "" } else { "/" };
        let mark = if text.is_empty() { "" } else { "?" };
        format!("{base}{slash}{mark}{}", text.join("&"))
    }
}

/// The scheme, and the hosts with what follows them.
pub(super) fn authority(base: &str) -> (&str, &str) {
    let (scheme, rest) = base.split_once("://").unwrap_or((base, ""));
    (scheme, rest.rsplit_once('@').map_or(rest, |(_, hosts)| hosts))
}

/// A given value by its row, or what it must be.
pub(super) fn read(row: &Row, label: &str, value: RawBsonRef<'_>) -> Result<String, Failure> {
    let option = label.split('.').next().unwrap_or(label);
    row.kind.read(value).map_err(|what| config(option, format!("{label} must be {what}")))
}

/// The text of a given option that goes nowhere else.
pub(super) fn text_of(options: &RawDocument, name: &str) -> Option<String> {
    let value = crate::mongo::body::field(options, name)?;
    Kind::Text.read(value).ok().filter(|text| !text.is_empty())
}

/// Escapes a value of the query.
pub(super) fn encode(text: &str) -> String {
    escape(text, b"-_./,:")
}

/// Escapes a part of the authority.
pub(super) fn encode_user(text: &str) -> String {
    escape(text, b"-_.")
}

fn escape(text: &str, plain: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out
}
