//! The one table of a client's options: what each must be, and where it goes. The same rules hold for the URI and for JavaScript.
//!
//! Guarantees: a value that passes is spelled as the crate's parser takes it. Does not look at two options together: that is `pairs`.

use crate::mongo::body;
use mongodb::bson::raw::RawBsonRef;

/// What an option must be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A boolean, or its text, as in the Node driver.
    Flag,
    /// A whole number between the two.
    Whole(u32, u32),
    /// Milliseconds of at least so many; fractions are rounded up.
    Millis(u64),
    /// A text; numbers become one, as in the Node driver.
    Text,
    /// A text that nothing becomes.
    Word,
    /// One of these, however it is spelled; the spelling here is the crate's.
    OneOf(&'static [&'static str]),
    /// Names of compressors, as a list or separated by commas.
    Compressors,
    /// How many must have written: a number, or the name of a mode.
    Acknowledged,
    /// A form of its own, read where it is taken apart.
    Form,
}

/// Where an option goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Into the query, which the crate parses, under this name.
    Query(&'static str),
    /// We apply it; it may stand in the URI.
    Ours,
    /// Only in JavaScript's options.
    Given,
}

/// One option.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) kind: Kind,
}

/// The crate's shortest time between two looks at a server.
const LEAST_HEARTBEAT: u64 = 500;
const MECHANISMS: &[&str] = &["SCRAM-SHA-256", "SCRAM-SHA-1", "MONGODB-X509", "MONGODB-OIDC", "PLAIN", DEFAULT];
const MODES: &[&str] = &["auto", "poll", "stream"];
const COMPRESSORS: &[&str] = &["snappy", "zlib", "zstd"];
/// What stands for no compressor.
const NONE: &str = "none";
/// What stands for the mechanism that the server prefers: the crate has no name for it.
pub(super) const DEFAULT: &str = "DEFAULT";
const ANY: Kind = Kind::Whole(0, u32::MAX);
const ONE: Kind = Kind::Whole(1, u32::MAX);
const MS: Kind = Kind::Millis(0);

const fn query(name: &'static str, kind: Kind) -> Row {
    alias(name, name, kind)
}
const fn alias(name: &'static str, target: &'static str, kind: Kind) -> Row {
    Row { name, place: Place::Query(target), kind }
}
const fn ours(name: &'static str, kind: Kind) -> Row {
    Row { name, place: Place::Ours, kind }
}
const fn given(name: &'static str) -> Row {
    Row { name, place: Place::Given, kind: Kind::Form }
}

const ROWS: &[Row] = &[
    query("appName", Kind::Text),
    query("authMechanism", Kind::OneOf(MECHANISMS)),
    query("authMechanismProperties", Kind::Form),
    query("authSource", Kind::Text),
    query("compressors", Kind::Compressors),
    query("connectTimeoutMS", MS),
    query("directConnection", Kind::Flag),
    query("enableOverloadRetargeting", Kind::Flag),
    query("heartbeatFrequencyMS", Kind::Millis(LEAST_HEARTBEAT)),
    query("journal", Kind::Flag),
    query("loadBalanced", Kind::Flag),
    query("localThresholdMS", MS),
    query("maxAdaptiveRetries", ANY),
    query("maxConnecting", ONE),
    query("maxIdleTimeMS", MS),
    query("maxPoolSize", ANY),
    query("maxStalenessSeconds", ANY),
    query("minPoolSize", ANY),
    query("readConcernLevel", Kind::Word),
    query("readPreference", Kind::Form),
    query("readPreferenceTags", Kind::Form),
    query("replicaSet", Kind::Text),
    query("retryReads", Kind::Flag),
    query("retryWrites", Kind::Flag),
    query("serverMonitoringMode", Kind::OneOf(MODES)),
    query("serverSelectionTimeoutMS", MS),
    query("srvMaxHosts", ANY),
    query("srvServiceName", Kind::Text),
    query("tls", Kind::Flag),
    query("tlsAllowInvalidCertificates", Kind::Flag),
    query("tlsCAFile", Kind::Word),
    query("tlsCertificateKeyFile", Kind::Word),
    query("tlsCertificateKeyFilePassword", Kind::Text),
    query("tlsInsecure", Kind::Flag),
    query("w", Kind::Acknowledged),
    query("wtimeoutMS", MS),
    query("zlibCompressionLevel", Kind::Whole(0, 9)),
    alias("j", "journal", Kind::Flag),
    alias("ssl", "tls", Kind::Flag),
    alias("wtimeout", "wtimeoutMS", MS),
    ours("maxInFlight", ONE),
    ours("monitorCommands", Kind::Flag),
    ours("socketTimeoutMS", MS),
    ours("timeoutMS", MS),
    ours("waitQueueTimeoutMS", MS),
    // What the crate does, or undoes, in its own words: `query` reads them.
    Row { name: "noDelay", place: Place::Given, kind: Kind::Flag },
    Row { name: "rejectUnauthorized", place: Place::Given, kind: Kind::Flag },
    Row { name: "tlsAllowInvalidHostnames", place: Place::Given, kind: Kind::Flag },
    Row { name: "dbName", place: Place::Given, kind: Kind::Text },
    Row { name: "name", place: Place::Given, kind: Kind::Text },
    given("auth"),
    given("driverInfo"),
    given("readConcern"),
    given("serverApi"),
    given("writeConcern"),
];

/// The option of this name. Names in a URI do not depend on case.
pub(super) fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

impl Kind {
    /// The value as the query spells it, not yet encoded; `Err` says what it must be.
    pub(super) fn read(self, value: RawBsonRef<'_>) -> Result<String, String> {
        let text = match (self, value) {
            (_, RawBsonRef::String(text)) => Some(text.to_owned()),
            (Self::Flag, RawBsonRef::Boolean(flag)) => Some(flag.to_string()),
            (Self::Millis(_), RawBsonRef::Double(number)) if number >= 0.0 => {
                body::as_integer(RawBsonRef::Double(number.ceil())).map(|number| number.to_string())
            }
            (Self::Whole(..) | Self::Millis(_) | Self::Text | Self::Acknowledged, value) => {
                body::as_integer(value).map(|number| number.to_string())
            }
            (Self::Compressors, RawBsonRef::Array(list)) => {
                let names: Option<Vec<&str>> = list.into_iter().map(|name| name.ok()?.as_str()).collect();
                names.map(|names| if names.is_empty() { NONE.to_owned() } else { names.join(",") })
            }
            _ => None,
        };
        text.and_then(|text| self.spelled(&text)).ok_or_else(|| self.what())
    }

    /// The text as the crate spells it, when it is one that the option takes.
    pub(super) fn spelled(self, text: &str) -> Option<String> {
        match self {
            Self::Flag => matches!(text, "true" | "false").then(|| text.to_owned()),
            Self::Whole(least, most) => {
                let number = text.parse().ok().filter(|number| (least..=most).contains(number));
                number.map(|number: u32| number.to_string())
            }
            Self::Millis(least) => {
                let number = text.parse().ok().filter(|number| *number >= least);
                number.map(|number: u64| number.to_string())
            }
            Self::OneOf(names) => {
                names.iter().find(|name| name.eq_ignore_ascii_case(text)).map(|name| (*name).to_owned())
            }
            Self::Compressors => {
                let names = || text.split(',').filter(|name| *name != NONE);
                names().all(|name| COMPRESSORS.contains(&name)).then(|| names().collect::<Vec<_>>().join(","))
            }
            Self::Word => (!text.is_empty()).then(|| text.to_owned()),
            Self::Acknowledged => {
                let fits = !text.is_empty() && text.parse::<i64>().map_or(true, |number| number >= 0);
                fits.then(|| text.to_owned())
            }
            Self::Text | Self::Form => Some(text.to_owned()),
        }
    }

    fn what(self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Whole(least, most) => format!("a whole number between {least} and {most}"),
            Self::Millis(least) => format!("a number of milliseconds, {least} or more"),
            Self::Text => "a text".to_owned(),
            Self::Word => "a non-empty text".to_owned(),
            Self::OneOf(names) => format!("one of {}", names.join(", ")),
            Self::Compressors => format!("a list of {NONE}, {}", COMPRESSORS.join(", ")),
            Self::Acknowledged => "a whole number of 0 or more, or the name of a mode".to_owned(),
            Self::Form => "of another form".to_owned(),
        }
    }

    /// What a URI's text must be.
    pub(super) fn read_text(self, text: &str) -> Result<String, String> {
        if text.is_empty() {
            return Err(self.what());
        }
        self.spelled(text).ok_or_else(|| self.what())
    }
}
