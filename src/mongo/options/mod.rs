//! Options of a client: the URI and Node's option names become the crate's `ClientOptions` and our own limits.
//!
//! Guarantees: validated once, before any I/O; an option wins over the same one in the URI; an option that is not known is refused, never ignored.
//! SRV lookups are I/O and happen later, in [`Settings::resolve`].

use super::body;
use super::concern::{Tags, read_preference, tag_sets};
use crate::error::{Endpoint, Failure, redact_text};
use mongodb::bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::error::Error;
use mongodb::options::{ClientOptions, ConnectionString, Credential, DriverInfo, ServerApi, ServerApiVersion};
use std::time::Duration;

/// Options that are spelled in the URI's query, whatever way they were given: the crate's parser validates them.
const IN_URI: &[&str] = &[
    "appName",
    "authMechanism",
    "authSource",
    "compressors",
    "connectTimeoutMS",
    "directConnection",
    "heartbeatFrequencyMS",
    "loadBalanced",
    "localThresholdMS",
    "maxConnecting",
    "maxIdleTimeMS",
    "maxPoolSize",
    "minPoolSize",
    "readConcernLevel",
    "readPreference",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverMonitoringMode",
    "serverSelectionTimeoutMS",
    "srvMaxHosts",
    "srvServiceName",
    "tls",
    "tlsAllowInvalidCertificates",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsCertificateKeyFilePassword",
    "tlsInsecure",
    "w",
    "journal",
    "wtimeoutMS",
    "zlibCompressionLevel",
    "maxStalenessSeconds",
    "readPreferenceTags",
    "authMechanismProperties",
    "maxAdaptiveRetries",
    "enableOverloadRetargeting",
];
/// Options that the crate does not apply and we do.
const OURS: &[&str] = &["socketTimeoutMS", "waitQueueTimeoutMS", "timeoutMS", "maxInFlight", "monitorCommands"];
/// Options that are neither in the URI nor limits.
const STRUCTURED: &[&str] = &[
    "auth",
    "dbName",
    "driverInfo",
    "serverApi",
    "monitorCommands",
    "name",
    "readConcern",
    "writeConcern",
    "ssl",
    "wtimeout",
    "j",
];
/// Short names in a URI.
const ALIASES: &[(&str, &str)] = &[("j", "journal"), ("wtimeout", "wtimeoutMS")];
/// Operations in flight at once, unless told otherwise.
const MAX_IN_FLIGHT: u32 = 10_000;
/// The crate's own default.
const DEFAULT_SELECTION: Duration = Duration::from_secs(30);
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(10);

/// A client's settings, validated.
pub(super) struct Settings {
    pub(super) connection: ConnectionString,
    credential: Option<(String, Option<String>)>,
    driver_info: Option<DriverInfo>,
    server_api: Option<ServerApi>,
    /// The URI with its secrets hidden.
    pub(super) endpoint: Endpoint,
    /// The name in reports.
    pub(super) name: String,
    /// The default database.
    pub(super) database: String,
    /// Whether command events are wanted.
    pub(super) monitor_commands: bool,
    /// Limits that we apply.
    pub(super) limits: Limits,
}

/// Limits that the crate parses and does not apply, and ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The longest an operation outside a transaction may take, all attempts together.
    pub(super) socket_timeout: Option<Duration>,
    /// The default deadline of an operation.
    pub(super) timeout: Option<Duration>,
    /// The longest wait for a pooled connection.
    pub(super) wait_queue_timeout: Option<Duration>,
    /// Operations in flight at once.
    pub(super) max_in_flight: u32,
    /// Connections per server.
    pub(super) max_pool_size: u32,
    /// For descriptions.
    pub(super) selection_timeout: Duration,
    /// For descriptions.
    pub(super) heartbeat: Duration,
    /// Whether reads are sent again.
    pub(super) retry_reads: bool,
    /// Whether writes are sent again.
    pub(super) retry_writes: bool,
}

fn config(option: &str, message: impl Into<String>) -> Failure {
    Failure::invalid_config(option, message).with_text("kind", "config")
}

fn refused(option: &str, error: &Error, base: &str) -> Failure {
    let message = without_ports(&super::error::failure(error).message, base);
    // As the crate says it, the message names a feature of the crate.
    if let Some(name) = REFUSED_IN_URI.iter().find(|name| option.eq_ignore_ascii_case(name)) {
        return config(name, format!("option {name} is not supported"));
    }
    config(option, redact_text(&message))
}

/// The crate quotes what stands where a port should be: in a URI without its `@` that is the password.
fn without_ports(message: &str, base: &str) -> String {
    let authority = base.split_once("://").map_or(base, |(_, rest)| rest);
    let mut shown = message.to_owned();
    for part in authority.split(['@', ',', '/']) {
        let Some((_, port)) = part.split_once(':') else {
            continue;
        };
        let secrets = std::iter::once(port).chain(port.split(':'));
        for secret in secrets.filter(|secret| !secret.is_empty() && secret.parse::<u32>().is_err()) {
            shown = shown.replace(secret, "***");
        }
    }
    shown
}

impl Settings {
    /// Validates. No I/O.
    pub(super) fn parse(uri: &str, options: &RawDocument) -> Result<Self, Failure> {
        let endpoint = Endpoint::new(uri);
        let (base, mut query) = split(uri)?;
        for (name, _) in &mut query {
            if let Some((_, known)) = ALIASES.iter().find(|(alias, _)| name.eq_ignore_ascii_case(alias)) {
                (*known).clone_into(name);
            }
        }
        query.retain(|(name, value)| !(name.eq_ignore_ascii_case("tlsAllowInvalidHostnames") && value == "false"));
        let mut ours = Vec::new();
        query.retain(|(name, value)| match OURS.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) => {
                ours.push((*known, value.clone()));
                false
            }
            None => true,
        });
        for element in options {
            let (name, value) = element.map_err(|_| config("options", "options are not well-formed BSON"))?;
            merge(name.as_str(), value, &mut query)?;
        }
        let connection =
            ConnectionString::parse(join(base, &query)).map_err(|error| refused(&named(&error), &error, base))?;
        let limits = limits(&connection, options, &ours)?;
        let database = body::optional_text(options, "dbName")?.map(str::to_owned);
        let database = database.or_else(|| connection.default_database.clone()).unwrap_or_else(|| "test".to_owned());
        Ok(Self {
            credential: credential(options)?,
            driver_info: driver_info(options)?,
            server_api: server_api(options)?,
            name: body::optional_text(options, "name")?.map_or_else(|| endpoint.redacted(), str::to_owned),
            monitor_commands: body::flag(options, "monitorCommands")
                .unwrap_or_else(|| ours.iter().any(|(name, value)| *name == "monitorCommands" && value == "true")),
            endpoint,
            connection,
            database,
            limits,
        })
    }

    /// The crate's options. Looks SRV records up.
    pub(super) async fn resolve(&self) -> Result<ClientOptions, Error> {
        let mut connection = self.connection.clone();
        if let Some((username, password)) = &self.credential {
            let credential = connection.credential.get_or_insert_with(Credential::default);
            credential.username = Some(username.clone());
            credential.password.clone_from(password);
        }
        let mut options = ClientOptions::parse(connection).await?;
        options.driver_info.clone_from(&self.driver_info);
        options.server_api.clone_from(&self.server_api);
        options.server_selection_timeout = Some(self.limits.selection_timeout);
        Ok(options)
    }

    /// Addresses as given.
    pub(super) fn hosts(&self) -> Vec<String> {
        match &self.connection.host_info {
            mongodb::options::HostInfo::HostIdentifiers(hosts) => hosts.iter().map(ToString::to_string).collect(),
            mongodb::options::HostInfo::DnsRecord(name) => vec![name.clone()],
            _ => Vec::new(),
        }
    }
}

/// Options of the URI specification that the crate refuses.
const REFUSED_IN_URI: &[&str] =
    &["proxyHost", "proxyPort", "proxyUsername", "proxyPassword", "tlsAllowInvalidHostnames"];

/// The option that a parser's message names, as a whole word: some names (`w`, `j`) are part of others.
fn named(error: &Error) -> String {
    let message = super::error::failure(error).message;
    // The crate's words for a name that it does not know.
    if let Some((name, _)) = message.split_once(" is an invalid option") {
        return name.rsplit(' ').next().unwrap_or(name).to_owned();
    }
    let words: Vec<&str> = message.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let known = IN_URI.iter().chain(REFUSED_IN_URI);
    let found = known.copied().find(|name| words.iter().any(|word| word.eq_ignore_ascii_case(name)));
    found.unwrap_or("uri").to_owned()
}

type Query = Vec<(String, String)>;

fn split(uri: &str) -> Result<(&str, Query), Failure> {
    if uri.is_empty() {
        return Err(config("uri", "uri must be a non-empty string"));
    }
    if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") {
        return Err(config("uri", "uri must start with mongodb:// or mongodb+srv://"));
    }
    let (base, query) = uri.split_once('?').unwrap_or((uri, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Ok((base, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
}

fn join(base: &str, query: &Query) -> String {
    let mut uri = base.to_owned();
    if query.is_empty() {
        return uri;
    }
    // The parser wants the slash before the query.
    let authority = base.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    if !authority.contains('/') {
        uri.push('/');
    }
    for (index, (name, value)) in query.iter().enumerate() {
        uri.push(if index == 0 { '?' } else { '&' });
        uri.push_str(name);
        uri.push('=');
        uri.push_str(value);
    }
    uri
}

/// Puts one given option into the query, in place of the URI's own.
fn merge(name: &str, value: RawBsonRef<'_>, query: &mut Query) -> Result<(), Failure> {
    if matches!(value, RawBsonRef::Null | RawBsonRef::Undefined) {
        return Ok(());
    }
    let mut set = |name: &str, text: String| {
        query.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        query.push((name.to_owned(), text));
    };
    match (name, value) {
        ("readPreference", value) => merge_preference(value, query)?,
        ("readConcern", RawBsonRef::Document(concern)) => {
            set("readConcernLevel", body::text(concern, "level")?.to_owned());
        }
        ("readConcern", RawBsonRef::String(level)) => set("readConcernLevel", level.to_owned()),
        ("writeConcern", RawBsonRef::Document(concern)) => {
            for (from, to) in [
                ("w", "w"),
                ("j", "journal"),
                ("journal", "journal"),
                ("wtimeoutMS", "wtimeoutMS"),
                ("wtimeout", "wtimeoutMS"),
            ] {
                if let Some(value) = body::field(concern, from) {
                    set(to, plain(from, value)?);
                }
            }
        }
        ("writeConcern", value) => set("w", plain(name, value)?),
        ("ssl", value) => set("tls", plain(name, value)?),
        ("wtimeout", value) => set("wtimeoutMS", plain(name, value)?),
        ("j", value) => set("journal", plain(name, value)?),
        ("compressors", RawBsonRef::Array(list)) => {
            let names: Vec<_> = list.into_iter().filter_map(|item| item.ok()?.as_str().map(str::to_owned)).collect();
            set(name, names.join(","));
        }
        ("readPreferenceTags", RawBsonRef::Array(_)) => merge_tags(value, query)?,
        ("authMechanismProperties", RawBsonRef::Document(properties)) => set(name, pairs(name, properties)?),
        ("rejectUnauthorized", RawBsonRef::Boolean(check)) => {
            if !check {
                set("tlsAllowInvalidCertificates", "true".to_owned());
            }
        }
        // What the crate does anyway.
        ("noDelay", RawBsonRef::Boolean(true)) | ("tlsAllowInvalidHostnames", RawBsonRef::Boolean(false)) => {}
        (name, value) if IN_URI.contains(&name) => set(name, plain(name, value)?),
        (name, _) if OURS.contains(&name) || STRUCTURED.contains(&name) => {}
        (name, _) => return Err(config(name, format!("option {name} is not supported"))),
    }
    Ok(())
}

/// A read preference: tags and staleness are options of their own in a URI, and those of the URI go with its mode.
fn merge_preference(value: RawBsonRef<'_>, query: &mut Query) -> Result<(), Failure> {
    const PARTS: [&str; 3] = ["readPreference", "readPreferenceTags", "maxStalenessSeconds"];
    read_preference(value).map_err(|failure| config("readPreference", failure.message))?;
    query.retain(|(known, _)| !PARTS.iter().any(|part| known.eq_ignore_ascii_case(part)));
    let mut add = |name: &str, text: String| query.push((name.to_owned(), text));
    let preference = match value {
        RawBsonRef::Document(preference) => preference,
        other => {
            add("readPreference", plain("readPreference", other)?);
            return Ok(());
        }
    };
    add("readPreference", body::text(preference, "mode")?.to_owned());
    if let Some(seconds) = body::integer(preference, "maxStalenessSeconds")? {
        add("maxStalenessSeconds", seconds.to_string());
    }
    for tags in tag_sets(preference)? {
        add("readPreferenceTags", spelled(&tags));
    }
    Ok(())
}

/// A tag set as the query spells it.
fn spelled(tags: &Tags) -> String {
    let tags: Vec<_> = tags.iter().map(|(tag, value)| format!("{tag}:{value}")).collect();
    encode(&tags.join(","))
}

/// The option `readPreferenceTags`: a list of tag sets, in place of the URI's.
fn merge_tags(value: RawBsonRef<'_>, query: &mut Query) -> Result<(), Failure> {
    const NAME: &str = "readPreferenceTags";
    let mut holder = RawDocumentBuf::new();
    holder.append(cstr!("tags"), value);
    let sets = tag_sets(&holder).map_err(|failure| config(NAME, failure.message))?;
    query.retain(|(known, _)| !known.eq_ignore_ascii_case(NAME));
    query.extend(sets.iter().map(|tags| (NAME.to_owned(), spelled(tags))));
    Ok(())
}

/// A document as `name:value` pairs.
fn pairs(name: &str, document: &RawDocument) -> Result<String, Failure> {
    let mut parts = Vec::new();
    for element in document {
        let (key, value) = element.map_err(|_| config(name, format!("{name} is not well-formed")))?;
        parts.push(format!("{}:{}", encode(key.as_str()), plain(name, value)?));
    }
    Ok(parts.join(","))
}

/// A value as the query spells it.
fn plain(name: &str, value: RawBsonRef<'_>) -> Result<String, Failure> {
    match value {
        RawBsonRef::String(text) => Ok(encode(text)),
        RawBsonRef::Boolean(flag) => Ok(flag.to_string()),
        value => {
            let number = body::as_integer(value).filter(|number| *number >= 0);
            number
                .map(|number| number.to_string())
                .ok_or_else(|| config(name, format!("{name} must be a string, a boolean or an integer, 0 or more")))
        }
    }
}

fn encode(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b',' | b':') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn limits(connection: &ConnectionString, options: &RawDocument, ours: &[(&str, String)]) -> Result<Limits, Failure> {
    let limit = |name: &str| -> Result<Option<Duration>, Failure> {
        let given = body::millis(options, name).map_err(|failure| config(name, failure.message))?;
        let in_uri = ours.iter().find(|(known, _)| *known == name).map(|(_, text)| {
            text.parse()
                .map(Duration::from_millis)
                .map_err(|_| config(name, format!("{name} must be a number of milliseconds, 0 or more")))
        });
        Ok(given.or(in_uri.transpose()?).filter(|limit| !limit.is_zero()))
    };
    let max_in_flight =
        body::count(options, "maxInFlight").map_err(|failure| config("maxInFlight", failure.message))?;
    Ok(Limits {
        socket_timeout: limit("socketTimeoutMS")?,
        timeout: limit("timeoutMS")?,
        wait_queue_timeout: limit("waitQueueTimeoutMS")?,
        max_in_flight: max_in_flight.filter(|limit| *limit > 0).unwrap_or(MAX_IN_FLIGHT),
        // 0 means no limit.
        max_pool_size: connection.max_pool_size.map_or(100, |size| if size == 0 { 1000 } else { size }),
        selection_timeout: connection.server_selection_timeout.unwrap_or(DEFAULT_SELECTION),
        heartbeat: connection.heartbeat_frequency.unwrap_or(DEFAULT_HEARTBEAT),
        retry_reads: connection.retry_reads.unwrap_or(true),
        retry_writes: connection.retry_writes.unwrap_or(true),
    })
}

fn credential(options: &RawDocument) -> Result<Option<(String, Option<String>)>, Failure> {
    let Some(auth) = body::document(options, "auth")? else {
        return Ok(None);
    };
    let username = body::text(auth, "username").map_err(|failure| config("auth", failure.message))?;
    Ok(Some((username.to_owned(), body::optional_text(auth, "password")?.map(str::to_owned))))
}

fn driver_info(options: &RawDocument) -> Result<Option<DriverInfo>, Failure> {
    let Some(info) = body::document(options, "driverInfo")? else {
        return Ok(None);
    };
    let mut made =
        DriverInfo::builder().name(body::optional_text(info, "name")?.unwrap_or("mooring").to_owned()).build();
    made.version = body::optional_text(info, "version")?.map(str::to_owned);
    made.platform = body::optional_text(info, "platform")?.map(str::to_owned);
    Ok(Some(made))
}

fn server_api(options: &RawDocument) -> Result<Option<ServerApi>, Failure> {
    let (version, document) = match body::field(options, "serverApi") {
        None => return Ok(None),
        Some(RawBsonRef::String(version)) => (version, body::empty()),
        Some(RawBsonRef::Document(document)) => (body::text(document, "version")?, document),
        Some(_) => return Err(config("serverApi", "serverApi must be a string or a document")),
    };
    if version != "1" {
        return Err(config("serverApi", "serverApi must have version 1"));
    }
    let mut api = ServerApi::builder().version(ServerApiVersion::V1).build();
    api.strict = body::flag(document, "strict");
    api.deprecation_errors = body::flag(document, "deprecationErrors");
    Ok(Some(api))
}

#[cfg(test)]
mod tests;
