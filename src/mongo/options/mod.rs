//! Options of a client: the URI and Node's option names become the crate's `ClientOptions` and our own limits.
//!
//! Guarantees: validated once, before any I/O; an option wins over the same one in the URI; an option that is not known is refused, never ignored; what is
//! refused is named. SRV lookups are I/O and happen later, in [`Settings::resolve`].

mod kind;
mod pairs;
mod parser;
mod parts;
mod query;

use crate::error::{Endpoint, Failure};
use mongodb::bson::raw::RawDocument;
use mongodb::error::Error;
use mongodb::options::{ClientOptions, ConnectionString, DriverInfo, ServerApi, Tls};
use query::Query;
use std::path::PathBuf;
use std::time::Duration;

/// Operations in flight at once, unless told otherwise.
const MAX_IN_FLIGHT: u32 = 10_000;
/// The crate's own default.
const DEFAULT_SELECTION: Duration = Duration::from_secs(30);
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(10);
/// What a limit of 0 becomes, which means none: a timer takes no longer time.
const NO_LIMIT: Duration = Duration::from_millis(0x7fff_ffff);
/// The longest name that the server takes.
const MAX_APP_NAME: usize = 128;

/// A client's settings, validated.
pub(super) struct Settings {
    pub(super) connection: ConnectionString,
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

impl Settings {
    /// Validates. No I/O.
    pub(super) fn parse(uri: &str, options: &RawDocument) -> Result<Self, Failure> {
        let endpoint = Endpoint::new(uri);
        let mut query = Query::split(uri)?;
        for element in options {
            let (name, value) = element.map_err(|_| config("options", "options are not well-formed BSON"))?;
            query.merge(name.as_str(), value)?;
        }
        let (driver_info, server_api) = (parts::driver_info(options)?, parts::server_api(options)?);
        pairs::check(&query, options)?;
        let mut connection = parser::parse(&query)?;
        let limits = limits(&connection, &query);
        connection.max_pool_size = Some(limits.max_pool_size);
        if let Some(name) = &mut connection.app_name {
            name.truncate(name.floor_char_boundary(MAX_APP_NAME));
        }
        let database = query::text_of(options, "dbName").or_else(|| connection.default_database.clone());
        Ok(Self {
            driver_info,
            server_api,
            name: query::text_of(options, "name").unwrap_or_else(|| endpoint.redacted()),
            monitor_commands: query.flag("monitorCommands"),
            limits,
            endpoint,
            connection,
            database: database.unwrap_or_else(|| "test".to_owned()),
        })
    }

    /// The crate's options. Looks SRV records up.
    pub(super) async fn resolve(&self) -> Result<ClientOptions, Error> {
        let mut options = ClientOptions::parse(self.connection.clone()).await?;
        options.driver_info.clone_from(&self.driver_info);
        options.server_api.clone_from(&self.server_api);
        options.server_selection_timeout = Some(self.limits.selection_timeout);
        Ok(options)
    }

    /// Refuses files that are named and cannot be opened: the crate takes one of them for a lost connection.
    pub(super) async fn check_files(&self) -> Result<(), Failure> {
        let Some(Tls::Enabled(tls)) = &self.connection.tls else { return Ok(()) };
        let files: [(&str, &Option<PathBuf>); 2] =
            [("tlsCAFile", &tls.ca_file_path), ("tlsCertificateKeyFile", &tls.cert_key_file_path)];
        for (name, path) in files {
            let Some(path) = path else { continue };
            if let Err(error) = tokio::fs::File::open(path).await {
                return Err(config(name, format!("{name} cannot be read: {error}")));
            }
        }
        Ok(())
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

fn limits(connection: &ConnectionString, query: &Query) -> Limits {
    let limit = |name: &str| query.number(name).filter(|limit| *limit > 0).map(Duration::from_millis);
    // The crate has another default, and no word for no limit.
    let pool_size = connection.max_pool_size.unwrap_or(pairs::MAX_POOL_SIZE);
    let selection = connection.server_selection_timeout.unwrap_or(DEFAULT_SELECTION);
    Limits {
        socket_timeout: limit("socketTimeoutMS"),
        timeout: limit("timeoutMS"),
        wait_queue_timeout: limit("waitQueueTimeoutMS"),
        max_in_flight: query.number("maxInFlight").unwrap_or(MAX_IN_FLIGHT),
        max_pool_size: if pool_size == 0 { u32::MAX } else { pool_size },
        selection_timeout: if selection.is_zero() { NO_LIMIT } else { selection },
        heartbeat: connection.heartbeat_frequency.unwrap_or(DEFAULT_HEARTBEAT),
        retry_reads: connection.retry_reads.unwrap_or(true),
        retry_writes: connection.retry_writes.unwrap_or(true),
    }
}

#[cfg(test)]
mod tests;
