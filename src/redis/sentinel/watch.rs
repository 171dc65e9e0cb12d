//! Listening to sentinels while a connection serves: `+switch-master` says that the server has changed before its connection does.
//!
//! Guarantees: at most `max_connections` sentinels are listened to; a lost one is tried again as the strategy says; all ends with the connection it is for.

use super::Sentinels;
use super::dialogue::{Dialogue, Value};
use super::options::{Address, Reconnect, Role, SentinelOptions};
use crate::redis::client::Shared;
use crate::redis::connection::Machine;
use crate::redis::error::WireError;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// How long a lost sentinel is left alone.
const RECONNECT_MS: u64 = 60_000;
const CHANNEL: &str = "+switch-master";

/// Listens until there is nobody left to listen to.
pub(in crate::redis) async fn watch(shared: &Shared, options: &SentinelOptions) {
    let count = usize::try_from(options.max_connections).unwrap_or(usize::MAX);
    let sentinels: Vec<Address> = shared.sentinels.in_turn().into_iter().take(count).collect();
    let starting = AtomicUsize::new(sentinels.len());
    let mut watchers: FuturesUnordered<_> = sentinels
        .into_iter()
        .map(|sentinel| Watcher { shared, options, sentinel, starting: &starting, started: false, attempt: 0 }.run())
        .collect();
    while watchers.next().await.is_some() {}
}

/// Listens to one sentinel.
struct Watcher<'a> {
    shared: &'a Shared,
    options: &'a SentinelOptions,
    sentinel: Address,
    /// Watchers that have not yet subscribed, or failed to.
    starting: &'a AtomicUsize,
    started: bool,
    /// Failed attempts since the last success.
    attempt: u32,
}

impl Watcher<'_> {
    async fn run(mut self) {
        loop {
            match self.subscribed().await {
                Ok(dialogue) => {
                    self.attempt = 0;
                    self.has_started();
                    self.listen(dialogue).await;
                }
                // Not one of the errors that end a search: the others are listened to.
                Err(_) => self.has_started(),
            }
            self.attempt += 1;
            let Some(delay) = self.delay().await else {
                return;
            };
            self.shared.with(|machine, _| machine.sentinel_reconnecting(delay));
            sleep(delay).await;
        }
    }

    async fn subscribed(&self) -> Result<Dialogue, WireError> {
        let mut dialogue = Dialogue::open(self.options, &self.sentinel, self.shared.options.family).await?;
        match dialogue.call(&[b"subscribe", CHANNEL.as_bytes()]).await? {
            Value::Error(text) => Err(WireError::Reply { command: "SUBSCRIBE", text }),
            _ => Ok(dialogue),
        }
    }

    /// Tells when all have subscribed that can.
    fn has_started(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        if self.starting.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.shared.with(|machine, _| machine.failover_subscribed());
        }
    }

    /// Returns when the connection is lost.
    async fn listen(&self, mut dialogue: Dialogue) {
        while let Ok(said) = dialogue.next().await {
            let parts = said.items();
            let is_message = parts.first().and_then(Value::text) == Some("message");
            if let Some(message) = parts.get(2).and_then(Value::text).filter(|_| is_message)
                && concerns(message, self.options, &self.shared.sentinels)
            {
                self.shared.with(Machine::server_changed);
                self.shared.wake();
            }
        }
    }

    async fn delay(&self) -> Option<Duration> {
        let ms = match self.options.reconnect {
            Reconnect::Never => None,
            Reconnect::Native => Some(RECONNECT_MS),
            Reconnect::Ask => {
                super::delay(self.shared.ask("sentinelReconnectStrategy", self.attempt.to_string()).await)
            }
        };
        ms.map(Duration::from_millis)
    }
}

/// Whether `<name> <old host> <old port> <new host> <new port>` means that the server in use is no longer what is wanted.
fn concerns(message: &str, options: &SentinelOptions, sentinels: &Sentinels) -> bool {
    // A name may hold spaces: the addresses are counted from the end.
    let mut parts = message.rsplitn(5, ' ');
    let (port, host) = (parts.next(), parts.next());
    let name = parts.nth(2);
    let (Some(host), Some(Ok(port)), Some(name)) = (host, port.map(str::parse), name) else {
        return false;
    };
    let promoted = sentinels.is_named(&Address::new(host, port));
    // Sentinels tell it one after another: who follows the new master already stays, a replica leaves when it has been promoted.
    name == options.name && promoted == (options.role == Role::Slave)
}

#[cfg(test)]
mod tests {
    use super::{Address, Role, SentinelOptions, Sentinels, concerns};

    #[test]
    fn leaves_only_for_a_change_of_its_own_server() {
        let sentinels = Sentinels::default();
        sentinels.trust(&Address::new("s", 1), Address::new("old", 1));
        let of = |name: &str, role| SentinelOptions { name: name.to_owned(), role, ..SentinelOptions::default() };
        let message = "my master old 1 new 2";
        assert!(concerns(message, &of("my master", Role::Master), &sentinels));
        assert!(!concerns(message, &of("master", Role::Master), &sentinels));
        assert!(!concerns(message, &of("my master", Role::Slave), &sentinels));
        sentinels.trust(&Address::new("s", 1), Address::new("new", 2));
        assert!(!concerns(message, &of("my master", Role::Master), &sentinels));
        assert!(concerns(message, &of("my master", Role::Slave), &sentinels));
        assert!(!concerns("nonsense", &of("my master", Role::Master), &sentinels));
    }
}
