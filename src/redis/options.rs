//! Options of a Redis client: what TypeScript hands over as JSON, validated here once.
//!
//! Defaults are neutral; the presets (look-alike, managed) are sets of these options made in TypeScript. Secrets never show in `Debug`.

use super::sentinel::SentinelOptions;
use crate::error::{Failure, REDACTED};
use crate::tls::TlsOptions;
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// The longest name or path accepted.
const MAX_TEXT: usize = 1024;

/// Everything a connection needs to know.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the peer's option list")]
pub struct Options {
    /// Host name or address. Default `localhost`.
    pub host: String,
    /// TCP port. Default 6379.
    pub port: u16,
    /// 4, 6 or 0 (both). Default 0.
    pub family: u8,
    /// Unix socket; wins over host and port.
    pub path: Option<String>,
    /// Sentinels that name the server; win over host, port and path.
    pub sentinel: Option<SentinelOptions>,
    /// Database selected first. Default 0.
    pub db: u32,
    /// ACL user.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Name for CLIENT SETNAME.
    pub connection_name: Option<String>,
    /// Send READONLY in the handshake. Default false.
    pub read_only: bool,
    /// 2 or 3. Default 2.
    pub protocol: u8,
    /// TLS, if given.
    pub tls: Option<TlsOptions>,
    /// `TCP_NODELAY`. Default true.
    pub no_delay: bool,
    /// Idle milliseconds before keep-alive probes, 0 the system's; none without them. Default none.
    pub keep_alive_ms: Option<u32>,
    /// `TCP_USER_TIMEOUT` in milliseconds (Linux); 0 none. Default 20000.
    pub tcp_user_timeout_ms: u32,
    /// Milliseconds for connecting, and again for the handshake. Default 10000.
    pub connect_timeout_ms: u32,
    /// Milliseconds to wait for the peer's end after `disconnect()`. Default 2000.
    pub disconnect_timeout_ms: u32,
    /// Milliseconds to wait for QUIT; 0 for ever. Default 5000.
    pub quit_timeout_ms: u32,
    /// Milliseconds of silence with commands in flight; 0 off. Default 0.
    pub socket_timeout_ms: u32,
    /// Milliseconds after which a blocking command without an own timeout expires; 0 off. Default 0.
    pub blocking_timeout_ms: u32,
    /// Milliseconds granted on top of a blocking command's own timeout. Default 100.
    pub blocking_timeout_grace_ms: u32,
    /// Arm every blocking command with its own timeout. Default false.
    pub arm_blocking: bool,
    /// The longest pause between two ready checks of a loading server. Default 10000.
    pub max_loading_retry_time_ms: u32,
    /// When to connect again.
    pub retry: Retry,
    /// Settle waiting commands every n + 1 failed connects; none: never. Default none.
    pub max_retries_per_request: Option<u32>,
    /// Give up after this many retries; none: never. Default none.
    pub max_connect_retries: Option<u32>,
    /// Whether that holds after the first success too. Default false.
    pub max_connect_retries_always: bool,
    /// Keys were watched by the client that this one goes on for: the next transaction must not run. Default false.
    pub watch_lost: bool,
    /// Subscribe again after a reconnect. Default true.
    pub auto_resubscribe: bool,
    /// What to resend after a lost connection. Default safe.
    pub resend: Resend,
    /// Whether `safe` resends blocking commands. Default true.
    pub resend_blocking: bool,
    /// Whether commands wait for a connection. Default true.
    pub enable_offline_queue: bool,
    /// INFO before ready. Default true.
    pub enable_ready_check: bool,
    /// MONITOR when ready. Default false.
    pub monitor: bool,
    /// Commands on the wire at once; 0 unlimited. Default 0.
    pub inflight_limit: usize,
    /// Commands that may wait for a connection; 0 unlimited. Default 0.
    pub offline_queue_max: usize,
    /// Bytes that may wait for a connection. Default 256 MiB.
    pub offline_queue_max_bytes: usize,
    /// Ask `reconnectOnError` before an error reply is delivered. Default false.
    pub ask_reconnect_on_error: bool,
    /// Handle READONLY, MASTERDOWN and LOADING natively. Default false.
    pub failover: bool,
    /// Idle milliseconds before a PING; 0 off. Default 0.
    pub heartbeat_ms: u32,
    /// Milliseconds a PING may take. Default 5000.
    pub heartbeat_timeout_ms: u32,
    /// Do not send CLIENT SETINFO. Default false.
    pub disable_client_info: bool,
    /// Tag in the library name of CLIENT SETINFO.
    pub client_info_tag: Option<String>,
    /// The peer's name for CLIENT SETINFO, in place of ours.
    pub library: Option<String>,
    /// Name for reports, without secrets.
    pub label: Option<String>,
    /// Whether its handshakes pass those of others that wait.
    #[serde(skip)]
    pub urgent: bool,
}

/// When to connect again.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Retry {
    /// JavaScript answers for each attempt.
    Ask,
    /// `min(base * 2^(n-1), cap)` with jitter, decided here.
    Native {
        /// First delay. Default 100.
        #[serde(default = "base_ms")]
        base_ms: u32,
        /// Longest delay. Default 2000.
        #[serde(default = "cap_ms")]
        cap_ms: u32,
        /// Random share of the delay. Default 0.2.
        #[serde(default = "jitter")]
        jitter: f64,
    },
    /// Never.
    None,
}

fn base_ms() -> u32 {
    100
}
fn cap_ms() -> u32 {
    2000
}
fn jitter() -> f64 {
    0.2
}

/// What is sent again after a lost connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resend {
    /// Everything that can be.
    All,
    /// What cannot do harm twice.
    Safe,
    /// Nothing that was written.
    None,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 6379,
            family: 0,
            path: None,
            sentinel: None,
            db: 0,
            username: None,
            password: None,
            connection_name: None,
            read_only: false,
            protocol: 2,
            tls: None,
            no_delay: true,
            keep_alive_ms: None,
            tcp_user_timeout_ms: 20_000,
            connect_timeout_ms: 10_000,
            disconnect_timeout_ms: 2000,
            quit_timeout_ms: 5000,
            socket_timeout_ms: 0,
            blocking_timeout_ms: 0,
            blocking_timeout_grace_ms: 100,
            arm_blocking: false,
            max_loading_retry_time_ms: 10_000,
            retry: Retry::Native { base_ms: base_ms(), cap_ms: cap_ms(), jitter: jitter() },
            max_retries_per_request: None,
            max_connect_retries: None,
            max_connect_retries_always: false,
            watch_lost: false,
            auto_resubscribe: true,
            resend: Resend::Safe,
            resend_blocking: true,
            enable_offline_queue: true,
            enable_ready_check: true,
            monitor: false,
            inflight_limit: 0,
            offline_queue_max: 0,
            offline_queue_max_bytes: 1024 * 1024 * 1024,
            ask_reconnect_on_error: false,
            failover: false,
            heartbeat_ms: 0,
            heartbeat_timeout_ms: 5000,
            disable_client_info: false,
            client_info_tag: None,
            library: None,
            label: None,
            urgent: false,
        }
    }
}

impl Options {
    /// Reads and checks the JSON that TypeScript hands over.
    pub fn parse(json: &str) -> Result<Self, Failure> {
        let mut value: serde_json::Value = serde_json::from_str(json).map_err(|_| unreadable("options are no JSON"))?;
        let fields = value.as_object_mut().ok_or_else(|| unreadable("options are no object"))?;
        // `null` means absent.
        fields.retain(|_, value| !value.is_null());
        let options = read_fields(value)?;
        options.validate()?;
        Ok(options)
    }

    fn validate(&self) -> Result<(), Failure> {
        if !matches!(self.family, 0 | 4 | 6) {
            return Err(Failure::invalid_config("family", format!("family must be 0, 4 or 6, not {}", self.family)));
        }
        if !matches!(self.protocol, 2 | 3) {
            return Err(Failure::invalid_config("protocol", format!("protocol must be 2 or 3, not {}", self.protocol)));
        }
        let texts = [
            ("host", Some(&self.host)),
            ("path", self.path.as_ref()),
            ("connectionName", self.connection_name.as_ref()),
        ];
        for (option, text) in texts {
            if text.is_some_and(|text| text.is_empty() || text.len() > MAX_TEXT) {
                return Err(Failure::invalid_config(option, format!("{option} must have 1 to {MAX_TEXT} bytes")));
            }
        }
        if let Retry::Native { jitter, .. } = self.retry
            && !(0.0..=1.0).contains(&jitter)
        {
            return Err(Failure::invalid_config("retry", format!("retry jitter must be 0 to 1, not {jitter}")));
        }
        if let Some(sentinel) = &self.sentinel {
            sentinel.validate()?;
        }
        if let Some(tls) = &self.tls
            && tls.cert.is_some() != tls.key.is_some()
        {
            return Err(Failure::invalid_config("tls", "tls needs cert and key together"));
        }
        Ok(())
    }

    /// `host:port`, the path, or the name that sentinels know.
    pub fn endpoint(&self) -> String {
        if let Some(sentinel) = &self.sentinel {
            return format!("{} (sentinel)", sentinel.name);
        }
        self.path.clone().unwrap_or_else(|| format!("{}:{}", self.host, self.port))
    }
}

/// Deserialises field by field first: serde's own message may quote a value, such as a password of the wrong type.
fn read_fields(value: serde_json::Value) -> Result<Options, Failure> {
    for (name, field) in value.as_object().into_iter().flatten() {
        let one = serde_json::Value::Object([(name.clone(), field.clone())].into_iter().collect());
        if serde_json::from_value::<Options>(one).is_err() {
            return Err(Failure::invalid_config(name, format!("{name} is unknown or has an unusable value")));
        }
    }
    serde_json::from_value(value).map_err(|_| unreadable("options cannot be read"))
}

fn unreadable(message: &str) -> Failure {
    Failure::invalid_config("options", message)
}

/// Milliseconds as a duration; 0 is none.
pub(crate) fn millis(ms: u32) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(u64::from(ms)))
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| REDACTED);
        f.debug_struct("Options")
            .field("endpoint", &self.endpoint())
            .field("password", &password)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, Resend, Retry};

    #[test]
    fn reads_what_typescript_sends() {
        let json = r#"{"host":"h","port":1,"password":null,"retry":{"kind":"native","baseMs":5},"resend":"all","tls":{"rejectUnauthorized":false}}"#;
        let options = Options::parse(json).unwrap();
        assert_eq!(options.endpoint(), "h:1");
        assert_eq!(options.retry, Retry::Native { base_ms: 5, cap_ms: 2000, jitter: 0.2 });
        assert_eq!(options.resend, Resend::All);
        assert!(!options.tls.unwrap().reject_unauthorized);
    }

    #[test]
    fn names_the_unusable_option_and_never_its_value() {
        for json in
            [r#"{"port":"S3CR3T"}"#, r#"{"password":{"x":"S3CR3T"}}"#, r#"{"S3":1}"#, r#"{"family":5}"#, "[]", "x"]
        {
            let failure = Options::parse(json).unwrap_err();
            assert_eq!(failure.code.as_str(), "MOORING_INVALID_CONFIG", "{json}");
            assert!(!failure.message.contains("S3CR3T"), "{}", failure.message);
        }
        let options = Options { password: Some("S3CR3T".to_owned()), ..Options::default() };
        assert!(!format!("{options:?}").contains("S3CR3T"));
    }
}
