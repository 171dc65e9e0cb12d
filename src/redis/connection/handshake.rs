//! The handshake: AUTH or HELLO, SELECT, names and INFO in one flight, then the way into `ready`.

use super::life::NOTICE_WARNING;
use super::{Machine, Phase, Status};
use crate::redis::command::{Entry, Origin};
use crate::redis::error::{WireError, without_secret};
use std::time::Duration;
use tokio::time::Instant;

const NO_PASSWORD: &str = "[WARN] Redis server does not require a password, but a password was supplied.";
const NO_DEFAULT_PASSWORD: &str =
    "[WARN] This Redis server's `default` user does not require a password, but a password was supplied";
const OLD_SERVER: &str = "[ERROR] The server returned \"wrong number of arguments for 'auth' command\". You are probably passing both username and password to Redis version 5 or below. You should only pass the 'password' option for Redis version 5 and under.";
const NO_INFO: &str = "[WARN] Skipping the ready check because INFO command fails: ";

impl Machine {
    /// The socket of `generation` is open; false when nobody wants it any more.
    pub(crate) fn opened(&mut self, generation: u32, now: Instant) -> bool {
        if self.phase != Phase::Opening || generation != self.generation {
            return false;
        }
        self.databases.wire = 0;
        self.pulse.last_read = now;
        self.set_status(Status::Connect, 0);
        self.phase = Phase::Handshaking { until: self.handshake_until(now) };
        for entry in self.handshake() {
            self.own.push_back(entry);
        }
        self.handshake_due = self.own.len();
        if self.handshake_due == 0 {
            self.ready(now);
        }
        true
    }

    fn handshake_until(&self, now: Instant) -> Instant {
        now + crate::redis::options::millis(self.options.connect_timeout_ms).unwrap_or(Duration::from_hours(1))
    }

    fn handshake(&mut self) -> Vec<Entry> {
        let options = std::sync::Arc::clone(&self.options);
        let mut out = Vec::new();
        let quiet = |args: &[&[u8]]| Entry::internal(Origin::Quiet, args);
        out.extend(authentication(&options));
        if options.db != 0 {
            out.push(self.select(options.db));
        }
        if options.read_only {
            out.push(quiet(&[b"readonly"]));
        }
        if let Some(name) = &self.connection_name {
            out.push(quiet(&[b"client", b"setname", name.as_bytes()]));
        }
        if !options.disable_client_info {
            let tag = options.client_info_tag.as_ref().map_or(String::new(), |tag| format!("({tag})"));
            let (name, version) = library(&options);
            out.push(quiet(&[b"client", b"setinfo", b"LIB-NAME", format!("{name}{tag}").as_bytes()]));
            out.push(quiet(&[b"client", b"setinfo", b"LIB-VER", version.as_bytes()]));
        }
        if options.enable_ready_check {
            out.push(Entry::internal(Origin::Info, &[b"info"]));
        } else if options.sentinel.is_some() {
            // Sentinels may be behind the times: the server itself says what it is.
            out.push(Entry::internal(Origin::Info, &[b"info", b"replication"]));
        }
        out
    }

    /// A reply to a command of our own.
    pub(super) fn own_answer(&mut self, entry: &Entry, now: Instant) {
        let reply = self.out.reply();
        let error = reply.error().map(|text| String::from_utf8_lossy(text).into_owned());
        let text = if entry.origin == Origin::Info { reply.text() } else { String::new() };
        self.out.discard();
        match (entry.origin, error) {
            (Origin::Auth | Origin::Hello, Some(error)) => self.authentication_refused(entry.origin, &error, now),
            (Origin::Hello, None) => self.speaks_resp3 = true,
            (Origin::Resubscribe, Some(text)) => self.emit_error(WireError::Reply { command: "SUBSCRIBE", text }),
            (Origin::Select, Some(text)) => self.emit_error(WireError::Reply { command: "SELECT", text }),
            (Origin::Info, Some(error)) => self.info_refused(error, now),
            (Origin::Info, None) => return self.checked(&text, now),
            (Origin::Monitor, None) => {
                self.monitoring = true;
                self.set_status(Status::Monitoring, 0);
            }
            (Origin::Monitor, Some(text)) => self.emit_error(WireError::Reply { command: "MONITOR", text }),
            (Origin::Ping, _) => self.pulse.ping_until = None,
            _ => {}
        }
        self.handshake_step(now);
    }

    fn handshake_step(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Handshaking { .. }) {
            return;
        }
        self.handshake_due = self.handshake_due.saturating_sub(1);
        if self.handshake_due == 0 {
            self.ready(now);
        }
    }

    fn authentication_refused(&mut self, origin: Origin, error: &str, now: Instant) {
        // As it came: the password may be a word of the text.
        let lower = error.to_ascii_lowercase();
        let error = without_secret(error, self.options.password.as_deref());
        let warning = if lower.contains("no password is set") {
            NO_PASSWORD
        } else if lower.contains("without any password configured for the default user") {
            NO_DEFAULT_PASSWORD
        } else if lower.contains("wrong number of arguments for 'auth' command") {
            OLD_SERVER
        } else {
            let command = if origin == Origin::Auth { "AUTH" } else { "HELLO" };
            // Of other refusals, such as too many clients, the next attempt may hear nothing.
            self.refused = ["WRONGPASS", "ERR invalid password"].iter().any(|known| error.starts_with(known));
            let error = WireError::Reply { command, text: error };
            return self.fatal(&error, error.clone(), now);
        };
        self.notice(NOTICE_WARNING, 0, Some(WireError::Reply { command: "AUTH", text: warning.to_owned() }));
    }

    fn info_refused(&mut self, error: String, now: Instant) {
        if !error.contains("NOPERM") {
            return self.fatal(
                &WireError::ReadyCheck(error.clone()),
                WireError::Reply { command: "INFO", text: error },
                now,
            );
        }
        let text = format!("{NO_INFO}{error}");
        self.notice(NOTICE_WARNING, 0, Some(WireError::Reply { command: "INFO", text }));
    }

    /// INFO came: ready, or loading for a while.
    fn checked(&mut self, info: &str, now: Instant) {
        if matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        let field = |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name));
        if field("loading:").is_none_or(|loading| loading == "0") {
            return match field("role:").filter(|role| self.is_other_role(role)) {
                Some(role) => self.leave_other_role(role, now),
                None => self.handshake_step(now),
            };
        }
        let seconds = field("loading_eta_seconds:").and_then(|eta| eta.parse::<u32>().ok()).filter(|eta| *eta > 0);
        let wait = seconds.unwrap_or(1).saturating_mul(1000).min(self.options.max_loading_retry_time_ms);
        self.phase = Phase::Loading { until: now + Duration::from_millis(u64::from(wait)) };
    }

    /// Time to ask a loading server again.
    pub(super) fn check_again(&mut self, now: Instant) {
        self.phase = Phase::Handshaking { until: self.handshake_until(now) };
        self.handshake_due = 1;
        self.push_own(Origin::Info, &[b"info"]);
    }

    /// The handshake cannot succeed: everything waiting ends with `error`, then the retry policy goes on.
    fn fatal(&mut self, error: &WireError, event: WireError, now: Instant) {
        if !matches!(self.phase, Phase::Handshaking { .. } | Phase::Loading { .. }) {
            return;
        }
        let quits = self.settle_all(error);
        self.emit_error(event);
        self.disconnect(!quits, now);
    }

    fn ready(&mut self, now: Instant) {
        self.phase = Phase::Ready;
        self.attempts = 0;
        self.ready_generation = Some(self.generation);
        self.pulse.last_read = now;
        self.pulse.ping_at = crate::redis::options::millis(self.options.heartbeat_ms).map(|idle| now + idle);
        self.set_status(Status::Ready, 0);
        if self.options.monitor {
            return self.push_own(Origin::Monitor, &[b"monitor"]);
        }
        if self.databases.expected != self.databases.wire {
            let select = self.select(self.databases.expected);
            self.own.push_back(select);
        }
        self.own.extend(self.subscriptions.restore());
    }
}

/// Name and version of the library as CLIENT LIST shows them. Under a peer's name the version tells whose it is.
fn library(options: &crate::redis::Options) -> (&str, String) {
    let version = env!("CARGO_PKG_VERSION");
    match options.library.as_deref() {
        Some(peer) => (peer, format!("mooring-{version}")),
        None => ("mooring", version.to_owned()),
    }
}

fn authentication(options: &crate::redis::Options) -> Option<Entry> {
    let user = options.username.as_deref();
    let password = options.password.as_deref();
    if options.protocol == 3 {
        let mut args: Vec<&[u8]> = vec![b"hello", b"3"];
        if let Some(password) = password.or(user.map(|_| "")) {
            args.extend([b"auth", user.unwrap_or("default").as_bytes(), password.as_bytes()]);
        }
        return Some(Entry::internal(Origin::Hello, &args));
    }
    let password = password.or(user.map(|_| ""))?;
    let mut args: Vec<&[u8]> = vec![b"auth"];
    args.extend(user.map(str::as_bytes));
    args.push(password.as_bytes());
    Some(Entry::internal(Origin::Auth, &args))
}
