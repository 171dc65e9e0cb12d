//! What the process knows about one node: pools that name the same URL with the same headers share it. Decides nothing.

use crate::solana::endpoint::admission::Admission;
use crate::solana::endpoint::breaker::{Breaker, Trip};
use crate::solana::endpoint::latency::Latency;
use crate::solana::endpoint::rate_limit::{Gcra, Wanted};
use crate::solana::endpoint::registry::{Member, Registry};
use crate::solana::endpoint::slot::{Commitment, PerCommitment};
use crate::solana::method::Class;
use crate::solana::options::{EndpointOptions, Limits};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For how long a method that a node does not serve is not asked for there.
const UNSUPPORTED_FOR: Duration = Duration::from_mins(10);
/// Methods remembered as unsupported, at most.
const MAX_UNSUPPORTED: usize = 64;

/// Websocket requests a second, when nobody says otherwise.
const SUBSCRIBES: f64 = 10.0;
/// Websocket requests that may come at once, in seconds' worth: a lost socket takes up to a hundred subscriptions with it.
const SUBSCRIBE_BURST: f64 = 10.0;

static NODES: Registry<Node> = Registry::new();

/// A node; the facts are behind a lock that is held for moments only.
#[derive(Default)]
pub(in crate::solana) struct Node(Mutex<Facts>);

/// What is known about a node.
#[derive(Default)]
pub(in crate::solana) struct Facts {
    /// Its breaker.
    pub breaker: Breaker,
    /// Its latency.
    pub latency: Latency,
    /// The last slot it reported.
    pub slots: PerCommitment<Option<SlotReport>>,
    /// Attempts running.
    pub in_flight: u32,
    /// When the last byte came from it.
    pub last_answer: Option<Instant>,
    read: Admission,
    send: Admission,
    heavy: Admission,
    subscribes: Wanted,
    subscribe: Option<Gcra>,
    unsupported: HashMap<String, Instant>,
}

/// A slot as reported.
#[derive(Debug, Clone, Copy)]
pub(in crate::solana) struct SlotReport {
    /// The slot.
    pub slot: u64,
    /// When it was reported last.
    pub at: Instant,
    /// When it was reported first: since then the node has not moved.
    pub since: Instant,
}

/// The node of an endpoint. Headers count: they may hold another key.
pub(in crate::solana) fn node(options: &EndpointOptions) -> Member<Node> {
    NODES.join(identity(options), Node::default)
}

/// What makes two endpoints the same node. Holds secrets.
pub(in crate::solana) fn identity(options: &EndpointOptions) -> String {
    let mut headers: Vec<_> =
        options.headers.iter().map(|(name, text)| format!("\n{}:{text}", name.to_lowercase())).collect();
    headers.sort_unstable();
    format!("{}{}", options.url.expose(), headers.concat())
}

impl Node {
    /// What is known.
    pub(in crate::solana) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    /// The limits that the handle `member` of a pool asks for; the smallest of all counts.
    pub(in crate::solana) fn want(&mut self, member: usize, limits: Limits) {
        self.read.want(member, limits.read);
        self.send.want(member, limits.send);
        self.heavy.want(member, limits.heavy);
        self.subscribes.set(member, limits.subscribe);
        let rate = self.subscribes.least().unwrap_or(SUBSCRIBES);
        self.subscribe.get_or_insert_with(|| Gcra::new(rate)).set_rate_and_burst(rate, rate * SUBSCRIBE_BURST);
    }

    /// When it admits the next start of this class: `now` or later.
    pub(in crate::solana) fn next_start(&mut self, class: Class, now: Instant) -> Instant {
        match class {
            Class::Send => self.send.next(now),
            Class::Read => self.read.next(now),
            Class::Heavy => self.read.next(now).max(self.heavy.next(now)),
        }
    }

    /// Takes the next start if it is not later than `latest`; otherwise says when it would be.
    pub(in crate::solana) fn reserve(
        &mut self,
        class: Class,
        now: Instant,
        latest: Instant,
    ) -> Result<Instant, Instant> {
        let at = self.next_start(class, now);
        if at > latest {
            return Err(at);
        }
        match class {
            Class::Send => self.send.take(at),
            Class::Read => self.read.take(at),
            Class::Heavy => {
                self.read.take(at);
                self.heavy.take(at);
            }
        }
        Ok(at)
    }

    /// Takes a start for a subscribe or unsubscribe request, or says when the next one is due.
    pub(in crate::solana) fn take_subscribe(&mut self, now: Instant) -> Result<(), Instant> {
        self.subscribe.as_mut().map_or(Ok(()), |limit| limit.reserve(now, now).map(drop))
    }

    /// Until when it wants nothing of this class at all.
    pub(in crate::solana) fn paused_until(&self, class: Class, now: Instant) -> Option<Instant> {
        match class {
            Class::Send => self.send.paused_until(now),
            Class::Read => self.read.paused_until(now),
            Class::Heavy => self.read.paused_until(now).max(self.heavy.paused_until(now)),
        }
    }

    /// It asked to be left alone for `after`; `None`: it said "too many" without a time. `began`: when the attempt began that was told so.
    pub(in crate::solana) fn limited(&mut self, class: Class, after: Option<Duration>, began: Instant, now: Instant) {
        let admission = self.admission(class);
        match after {
            Some(after) => admission.pause(now + after),
            None => admission.decrease(began, now),
        }
    }

    /// It served an attempt that began then.
    pub(in crate::solana) fn served(&mut self, class: Class, began: Instant, now: Instant) {
        self.admission(class).served(began, now);
    }

    /// The rate in force for a class; `None`: unlimited.
    pub(in crate::solana) fn rate(&mut self, class: Class, now: Instant) -> Option<f64> {
        self.admission(class).rate(now)
    }

    fn admission(&mut self, class: Class) -> &mut Admission {
        match class {
            Class::Send => &mut self.send,
            Class::Read => &mut self.read,
            Class::Heavy => &mut self.heavy,
        }
    }

    /// It reported a slot.
    pub(in crate::solana) fn report_slot(&mut self, commitment: Commitment, slot: u64, now: Instant) {
        let report = self.slots.get_mut(commitment);
        let since = report.filter(|last| last.slot >= slot).map_or(now, |last| last.since);
        *report = Some(SlotReport { slot, at: now, since });
    }

    /// Whether it serves a method, as far as is known.
    pub(in crate::solana) fn serves(&self, method: &str, now: Instant) -> bool {
        self.unsupported.get(method).is_none_or(|until| *until <= now)
    }

    /// The node does not serve this method.
    pub(in crate::solana) fn mark_unsupported(&mut self, method: &str, now: Instant) {
        self.unsupported.retain(|_, until| *until > now);
        if self.unsupported.len() < MAX_UNSUPPORTED {
            self.unsupported.insert(method.to_owned(), now + UNSUPPORTED_FOR);
        }
    }

    /// Opens the breaker at once. True when it was closed.
    pub(in crate::solana) fn trip(&mut self, why: Trip, now: Instant) -> bool {
        self.breaker.trip(why, now, fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::{identity, node};
    use crate::solana::endpoint::slot::Commitment;
    use crate::solana::method::Class;
    use crate::solana::options::{EndpointOptions, Limits};
    use serde_json::{Value, json};
    use std::time::Duration;
    use tokio::time::Instant;

    fn options(value: &Value) -> EndpointOptions {
        EndpointOptions::from_value(value).unwrap()
    }

    #[test]
    fn the_whole_url_and_the_headers_are_the_identity() {
        let same = |left: Value, right: Value| identity(&options(&left)) == identity(&options(&right));
        assert!(same(json!("http://h/a?k=1"), json!({ "url": "http://h/a?k=1", "weight": 3, "name": "x" })));
        assert!(!same(json!("http://h/a?k=1"), json!("http://h/a?k=2")));
        let key = |text: &str| json!({ "url": "http://h", "headers": { "X-Key": text } });
        assert!(!same(key("1"), key("2")));
        assert!(same(key("1"), json!({ "url": "http://h", "headers": { "x-key": "1" } })));
    }

    #[test]
    fn two_pools_share_one_node_and_the_smaller_limit_wins() {
        let (one, two) = (node(&options(&json!("http://shared"))), node(&options(&json!("http://shared"))));
        let now = Instant::now();
        one.facts().want(1, Limits { read: Some(5.0), ..Limits::default() });
        two.facts().want(2, Limits { read: Some(2.0), ..Limits::default() });
        assert_eq!(one.facts().reserve(Class::Read, now, now), Ok(now));
        assert_eq!(two.facts().next_start(Class::Read, now), now + Duration::from_millis(500));
        assert_eq!(two.facts().next_start(Class::Send, now), now);
        two.facts().want(2, Limits::default());
        assert_eq!(one.facts().rate(Class::Read, now), Some(5.0));
    }

    #[test]
    fn a_pause_of_reads_holds_for_heavy_ones_and_not_the_other_way_round() {
        let (one, now) = (node(&options(&json!("http://paused"))), Instant::now());
        let until = now + Duration::from_secs(1);
        one.facts().limited(Class::Heavy, Some(Duration::from_secs(1)), now, now);
        assert_eq!(one.facts().next_start(Class::Heavy, now), until);
        assert_eq!(one.facts().next_start(Class::Read, now), now);
        one.facts().limited(Class::Read, Some(Duration::from_secs(2)), now, now);
        assert_eq!(one.facts().paused_until(Class::Heavy, now), Some(now + Duration::from_secs(2)));
    }

    #[test]
    fn knows_since_when_a_node_stands_still() {
        let (one, now) = (node(&options(&json!("http://still"))), Instant::now());
        let mut facts = one.facts();
        for (slot, seconds) in [(5, 0), (6, 1), (6, 2), (4, 3)] {
            facts.report_slot(Commitment::Processed, slot, now + Duration::from_secs(seconds));
        }
        assert_eq!(facts.slots.get(Commitment::Processed).unwrap().since, now + Duration::from_secs(1));
        drop(facts);
    }
}
