//! The crate's parser, and what it refuses: under the name of the option that is at fault, and without what may be a secret.

use super::config;
use super::query::{Query, authority};
use crate::error::{Failure, redact_text};
use mongodb::error::Error;
use mongodb::options::ConnectionString;

/// Reads the whole.
pub(super) fn parse(query: &Query) -> Result<ConnectionString, Failure> {
    ConnectionString::parse(query.join(None)).map_err(|error| refused(query, &error))
}

/// The crate's messages name some options, and those in a spelling of their own: the option without which it takes the rest is the one.
fn refused(query: &Query, error: &Error) -> Failure {
    let names = query.pairs.iter().rev().map(|(name, _)| name.as_str()).chain(["auth"]);
    let fits = |name: &&str| ConnectionString::parse(query.join(Some(name))).is_ok();
    let name = names.into_iter().find(fits).unwrap_or("uri");
    let message = without_ports(&crate::mongo::error::failure(error).message, &query.base);
    let message = redact_text(&message);
    config(name, if name == "uri" || message.contains(name) { message } else { format!("{name}: {message}") })
}

/// The crate quotes what stands where a port should be: in a URI without its `@` that is the password.
fn without_ports(message: &str, base: &str) -> String {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    let (_, hosts) = authority(base);
    let mut shown = message.to_owned();
    for part in rest.split(['@', ',', '/']).chain(hosts.split(['@', ',', '/'])) {
        let Some((_, port)) = part.split_once(':') else {
            continue;
        };
        let secrets = std::iter::once(port).chain(port.split(':'));
        for secret in secrets.filter(|secret| !secret.is_empty() && secret.parse::<u32>().is_err()) {
            shown = hidden(&shown, secret);
        }
    }
    shown
}

/// `text` without `secret`, where it stands as a word of its own: a password may be a part of any word.
fn hidden(text: &str, secret: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(secret) {
        let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let part =
            inside(before.chars().next_back().or_else(|| out.chars().next_back())) || inside(after.chars().next());
        out.push_str(before);
        out.push_str(if part { secret } else { "***" });
        rest = after;
    }
    out.push_str(rest);
    out
}
