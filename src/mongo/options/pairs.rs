//! Options that contradict one another. The crate finds most of these when it connects, which is too late, and names none of them.

use super::config;
use super::query::Query;
use crate::error::Failure;
use crate::mongo::body;
use mongodb::bson::raw::RawDocument;

/// Connections per server, unless told otherwise: the Node driver's number.
pub(super) const MAX_POOL_SIZE: u32 = 100;
const HEARTBEAT_MS: u64 = 10_000;
/// How often an idle primary writes: staleness cannot be told better than that.
const IDLE_WRITE_MS: u64 = 10_000;
const LEAST_STALENESS: u64 = 90;

/// Refuses the first pair that cannot hold.
pub(super) fn check(query: &Query, options: &RawDocument) -> Result<(), Failure> {
    tls(options)?;
    topology(query)?;
    pool(query)?;
    staleness(query, options)?;
    acknowledgement(query, options)?;
    oidc(query)
}

fn tls(options: &RawDocument) -> Result<(), Failure> {
    let flag = |name| body::field(options, name).map(|value| super::kind::Kind::Flag.read(value));
    match (flag("tls"), flag("ssl")) {
        (Some(Ok(tls)), Some(Ok(ssl))) if tls != ssl => Err(config("ssl", "ssl must be the same as tls")),
        _ => Ok(()),
    }
}

fn topology(query: &Query) -> Result<(), Failure> {
    let on = |name: &str| query.get(name) == Some("true");
    if on("directConnection") && query.hosts() > 1 {
        return Err(config("directConnection", "directConnection needs a uri with one host"));
    }
    if !on("loadBalanced") {
        return Ok(());
    }
    let with = match () {
        () if query.hosts() > 1 => "several hosts",
        () if query.get("replicaSet").is_some() => "replicaSet",
        () if on("directConnection") => "directConnection",
        () => return Ok(()),
    };
    Err(config("loadBalanced", format!("loadBalanced cannot be used with {with}")))
}

fn pool(query: &Query) -> Result<(), Failure> {
    let size = |name: &str| query.get(name).and_then(|text| text.parse::<u32>().ok());
    let most = size("maxPoolSize").unwrap_or(MAX_POOL_SIZE);
    // 0 means no limit.
    if most > 0 && size("minPoolSize").is_some_and(|least| least > most) {
        return Err(config("minPoolSize", format!("minPoolSize must not be greater than maxPoolSize, {most}")));
    }
    Ok(())
}

fn staleness(query: &Query, options: &RawDocument) -> Result<(), Failure> {
    const NAME: &str = "maxStalenessSeconds";
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
    let Some(seconds) = number(NAME) else { return Ok(()) };
    let heartbeat = number("heartbeatFrequencyMS").unwrap_or(HEARTBEAT_MS);
    let least = LEAST_STALENESS.max(heartbeat.saturating_add(IDLE_WRITE_MS).div_ceil(1000));
    if seconds >= least {
        return Ok(());
    }
    let own = body::field(options, NAME).is_some() || body::field(options, "readPreference").is_none();
    let (option, label) = if own { (NAME, NAME) } else { ("readPreference", "readPreference.maxStalenessSeconds") };
    Err(config(option, format!("{label} must be at least {least}: the heartbeat and 10 s, and 90 s")))
}

fn acknowledgement(query: &Query, options: &RawDocument) -> Result<(), Failure> {
    if query.get("w") != Some("0") || query.get("journal") != Some("true") {
        return Ok(());
    }
    let given = |name| body::field(options, name).is_some();
    let names = ["writeConcern", "journal", "j", "w"];
    let option = names.into_iter().find(|name| given(name)).unwrap_or("journal");
    Err(config(option, format!("{option} asks for the journal of a write that is not acknowledged: w is 0")))
}

fn oidc(query: &Query) -> Result<(), Failure> {
    const NAME: &str = "authMechanismProperties";
    let environment = |text: &str| text.split(',').any(|part| part.starts_with("ENVIRONMENT:"));
    let named = query.get(NAME).is_some_and(|text| environment(&text.replace("%3A", ":").replace("%2C", ",")));
    if query.get("authMechanism") == Some("MONGODB-OIDC") && !named {
        return Err(config(NAME, format!("{NAME}.ENVIRONMENT must be azure, gcp or k8s for MONGODB-OIDC")));
    }
    Ok(())
}
