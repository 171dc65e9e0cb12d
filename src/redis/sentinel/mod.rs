//! The server behind a name: sentinels are asked for a master or a replica before each attempt to connect, one after another until one answers.
//!
//! Guarantees: each sentinel is given a limited time; at most [`options::MOST_SENTINELS`] are known; the one that answered is asked first the next time, unless
//! what it named turned out wrong. Opens no connection to the server itself.

mod dialogue;
mod options;
mod watch;

pub use options::{Address, SentinelOptions};
pub(super) use options::{Role, Round};
pub(super) use watch::watch;

use super::client::Shared;
use super::error::WireError;
use super::options::Options;
use dialogue::{Dialogue, Value};
use options::{MOST_SENTINELS, Nat, Preferred};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// What a client knows of its sentinels.
#[derive(Debug, Default)]
pub(super) struct Sentinels(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    list: Vec<Address>,
    /// Index of the one that is asked first.
    first: usize,
    /// What was named last, as it was told.
    named: Option<Address>,
}

/// A server as JavaScript names it.
#[derive(Deserialize)]
struct Picked {
    ip: String,
    port: PortText,
}

/// A port as a number or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum PortText {
    Number(u16),
    Text(String),
}

impl Sentinels {
    pub(super) fn new(options: &Options) -> Self {
        let list = options.sentinel.as_ref().map(|sentinel| sentinel.sentinels.clone()).unwrap_or_default();
        Self(Mutex::new(Known { list, ..Known::default() }))
    }

    /// All that are known, the one that is asked first at the front.
    pub(super) fn in_turn(&self) -> Vec<Address> {
        let known = self.lock();
        let first = known.first.min(known.list.len());
        let (before, from) = known.list.split_at(first);
        from.iter().chain(before).cloned().collect()
    }

    /// What was named is not what was wanted, or does not answer: another sentinel may know better.
    pub(super) fn doubt(&self) {
        let mut known = self.lock();
        known.first = (known.first + 1).checked_rem(known.list.len()).unwrap_or(0);
    }

    fn trust(&self, sentinel: &Address, named: Address) {
        let mut known = self.lock();
        known.first = known.list.iter().position(|other| other.is(sentinel)).unwrap_or(0);
        known.named = Some(named);
    }

    /// Whether this is what was named last.
    fn is_named(&self, address: &Address) -> bool {
        self.lock().named.as_ref().is_some_and(|named| named.is(address))
    }

    fn add(&self, address: Address) -> bool {
        let mut known = self.lock();
        let room = known.list.len() < MOST_SENTINELS && !known.list.iter().any(|other| other.is(&address));
        if room {
            known.list.push(address);
        }
        room
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where to connect now: the client's options with the address that a sentinel names, or as they are without sentinels.
pub(super) async fn resolve(shared: &Shared) -> Result<Arc<Options>, WireError> {
    let Some(sentinel) = &shared.options.sentinel else {
        return Ok(Arc::clone(&shared.options));
    };
    let Address { host, port, family } = Search { shared, options: sentinel }.server().await?;
    let family = family.unwrap_or(shared.options.family);
    let options = Options { host, port, family, path: None, sentinel: None, ..Options::clone(&shared.options) };
    Ok(Arc::new(options))
}

/// One search for the server.
struct Search<'a> {
    shared: &'a Shared,
    options: &'a SentinelOptions,
}

impl Search<'_> {
    /// Asks in rounds until a sentinel answers or the strategy stops.
    async fn server(&self) -> Result<Address, WireError> {
        let mut round = 0;
        loop {
            let mut last = None;
            for sentinel in self.shared.sentinels.in_turn() {
                let problem = match self.asked(&sentinel).await {
                    Ok(Some(named)) => {
                        let server = self.translated(named.clone()).await;
                        self.shared.sentinels.trust(&sentinel, named);
                        return Ok(server);
                    }
                    Ok(None) => {
                        format!("connected to sentinel {sentinel} successfully, but got an invalid reply: null")
                    }
                    Err(error) => {
                        let problem = format!("failed to connect to sentinel {sentinel} because {error}");
                        last = Some(error);
                        problem
                    }
                };
                self.shared.with(|machine, _| machine.sentinel_failed(WireError::Sentinel(problem)));
            }
            round += 1;
            self.pause(round, last).await?;
        }
    }

    /// What one sentinel names; none if it does not know.
    async fn asked(&self, sentinel: &Address) -> Result<Option<Address>, WireError> {
        let options = self.options;
        let mut dialogue = Dialogue::open(options, sentinel, self.shared.options.family).await?;
        let named = match options.role {
            Role::Master => master(dialogue.sentinel("get-master-addr-by-name", &options.name).await?),
            Role::Slave => self.replica(dialogue.sentinel("slaves", &options.name).await?).await,
        };
        if named.is_some() && options.update_sentinels {
            self.learn(&mut dialogue).await;
        }
        Ok(named)
    }

    /// Takes in the sentinels that this one knows. One that says nothing of use is no reason to fail.
    async fn learn(&self, dialogue: &mut Dialogue) {
        let others = dialogue.sentinel("sentinels", &self.options.name).await.map(Value::items).unwrap_or_default();
        let mut news = false;
        for other in others.iter().map(Value::record).filter(|other| !has_flag(other, &["disconnected"])) {
            if let Some(address) = address(&other) {
                let address = self.translated(address).await;
                news |= self.shared.sentinels.add(address);
            }
        }
        if news {
            self.shared.with(|machine, _| machine.sentinels_learnt());
        }
    }

    /// One of the replicas that are up.
    async fn replica(&self, replicas: Value) -> Option<Address> {
        let replicas = replicas.items();
        let up: Vec<BTreeMap<String, String>> = replicas.iter().map(Value::record).filter(is_up).collect();
        let preferred = match &self.options.preferred {
            _ if up.is_empty() => None,
            Preferred::List(list) => {
                let addresses: Vec<Address> = up.iter().filter_map(address).collect();
                list.iter().find(|wanted| addresses.iter().any(|there| there.is(wanted))).cloned()
            }
            Preferred::Ask => {
                let answer = self.shared.ask("preferredSlaves", serde_json::to_string(&up).ok()?).await;
                answer.and_then(|answer| picked(&answer))
            }
        };
        preferred.or_else(|| fastrand::choice(&up).and_then(address))
    }

    /// The address by which this process reaches a server that a sentinel has named.
    async fn translated(&self, address: Address) -> Address {
        let name = address.to_string();
        let mapped = match &self.options.nat {
            Nat::Map(map) => map.get(&name).cloned(),
            Nat::Ask => {
                let answer = self.shared.ask("natMap", serde_json::json!(name).to_string()).await;
                answer.and_then(|answer| serde_json::from_str(&answer).ok())
            }
        };
        mapped.unwrap_or(address)
    }

    /// Nobody answered: waits as the strategy says, or gives up.
    async fn pause(&self, round: u32, last: Option<WireError>) -> Result<(), WireError> {
        let last = last.map_or(String::new(), |error| format!(" Last error: {error}"));
        let delay = match self.options.retry {
            Round::Attempt => {
                return Err(WireError::Unresolved {
                    text: format!("All sentinels are unreachable.{last}"),
                    ends: false,
                });
            }
            Round::End => None,
            Round::Native => Some(u64::from(round).saturating_mul(10).min(1000)),
            Round::Ask => delay(self.shared.ask("sentinelRetryStrategy", round.to_string()).await),
        };
        let Some(ms) = delay else {
            let text = format!("All sentinels are unreachable and retry is disabled.{last}");
            return Err(WireError::Unresolved { text, ends: true });
        };
        let text = format!("All sentinels are unreachable. Retrying from scratch after {ms}ms.{last}");
        self.shared.with(|machine, _| machine.search_failed(WireError::Unresolved { text, ends: false }));
        sleep(Duration::from_millis(ms)).await;
        Ok(())
    }
}

/// A delay that a strategy of the user's gave.
fn delay(answer: Option<String>) -> Option<u64> {
    answer.and_then(|answer| serde_json::from_str(&answer).ok())
}

fn master(answer: Value) -> Option<Address> {
    let items = answer.items();
    let port = items.get(1)?.text()?.parse().ok()?;
    Some(Address::new(items.first()?.text()?, port))
}

fn address(record: &BTreeMap<String, String>) -> Option<Address> {
    let port = record.get("port")?.parse().ok()?;
    Some(Address::new(record.get("ip")?, port))
}

fn is_up(record: &BTreeMap<String, String>) -> bool {
    record.contains_key("flags") && !has_flag(record, &["disconnected", "s_down", "o_down"])
}

fn has_flag(record: &BTreeMap<String, String>, unwanted: &[&str]) -> bool {
    record.get("flags").is_some_and(|flags| flags.split(',').any(|flag| unwanted.contains(&flag)))
}

fn picked(answer: &str) -> Option<Address> {
    let Picked { ip, port } = serde_json::from_str(answer).ok()?;
    let port = match port {
        PortText::Number(port) => port,
        PortText::Text(text) => text.parse().ok()?,
    };
    Some(Address::new(&ip, port))
}

#[cfg(test)]
mod tests {
    use super::{Address, Known, Sentinels, delay, has_flag, is_up, picked};
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    fn known(count: u16) -> Sentinels {
        let list = (1..=count).map(|port| Address::new("h", port)).collect();
        Sentinels(Mutex::new(Known { list, ..Known::default() }))
    }

    fn ports(sentinels: &Sentinels) -> Vec<u16> {
        sentinels.in_turn().iter().map(|address| address.port).collect()
    }

    #[test]
    fn asks_first_who_answered_and_another_when_that_was_wrong() {
        let sentinels = known(3);
        sentinels.trust(&Address::new("h", 2), Address::new("m", 9));
        assert_eq!(ports(&sentinels), [2, 3, 1]);
        assert!(sentinels.is_named(&Address::new("m", 9)));
        sentinels.doubt();
        assert_eq!(ports(&sentinels), [3, 1, 2]);
        sentinels.doubt();
        assert_eq!(ports(&sentinels), [1, 2, 3]);
    }

    #[test]
    fn learns_each_sentinel_once_and_not_without_end() {
        let sentinels = known(2);
        assert!(!sentinels.add(Address::new("h", 2)));
        let added = (3..200).filter(|port| sentinels.add(Address::new("h", *port))).count();
        assert_eq!(added, super::MOST_SENTINELS - 2);
    }

    #[test]
    fn leaves_out_replicas_that_are_down() {
        let record = |flags: &str| BTreeMap::from([("flags".to_owned(), flags.to_owned())]);
        assert!(is_up(&record("slave")));
        for down in ["slave,s_down", "slave,o_down,s_down", "slave,disconnected"] {
            assert!(!is_up(&record(down)), "{down}");
        }
        assert!(!is_up(&BTreeMap::new()));
        assert!(!has_flag(&BTreeMap::new(), &["disconnected"]));
    }

    #[test]
    fn understands_what_javascript_answers() {
        assert_eq!(picked(r#"{"ip":"h","port":"7","flags":"slave"}"#), Some(Address::new("h", 7)));
        assert_eq!(picked(r#"{"ip":"h","port":7}"#), Some(Address::new("h", 7)));
        for wrong in ["null", "{}", r#"{"ip":"h","port":"x"}"#, r#"{"ip":"h","port":70000}"#] {
            assert_eq!(picked(wrong), None, "{wrong}");
        }
        assert_eq!(delay(Some("250".to_owned())), Some(250));
        assert_eq!((delay(Some("null".to_owned())), delay(Some("-1".to_owned())), delay(None)), (None, None, None));
    }
}
