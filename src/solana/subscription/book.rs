//! Who is subscribed to what, and on which socket: placing, moving and ending. Pure: time, randomness and the choice of endpoints are handed in; the hub and
//! its sockets do the I/O. What nodes say is `receive.rs`.

use crate::solana::endpoint::slot::Commitment;
use crate::solana::error::PoolError;
use crate::solana::subscription::inbox::Gap;
use crate::solana::subscription::protocol::Kind;
use crate::solana::subscription::seen::Seen;
use crate::solana::subscription::socket::{Outgoing, Socket};
use crate::solana::subscription::{Core, Stats};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A socket or subscription that lasted this long starts anew with short pauses.
const STABLE: Duration = Duration::from_secs(1);
/// A pause is this long, and up to `LONGEST_PAUSE` more.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(9_900);
/// Slots that it may take until a processed one is confirmed, or rooted: generous.
const CONFIRMED_AFTER: u64 = 8;
const ROOTED_AFTER: u64 = 40;
/// How long after its pause the failures of an endpoint count.
const REMEMBERED: Duration = Duration::from_mins(1);
/// Without any endpoint: when to look again.
const NO_ENDPOINT_PAUSE: Duration = Duration::from_secs(1);

/// Everything that is subscribed to.
#[derive(Default)]
pub(super) struct Book {
    pub(super) entries: HashMap<u64, Entry>,
    waiting: BTreeSet<(Instant, u64)>,
    pub(super) sockets: HashMap<u64, Socket>,
    origins: HashMap<usize, Origin>,
    /// The newest slot that any node told.
    pub(super) chain: u64,
    /// Subscriptions whose missed state has to be read.
    pub(super) catch_up: VecDeque<u64>,
    /// Notifications dropped because nobody fetched them.
    pub(super) dropped: u64,
    /// Whether the hub's task runs.
    pub(super) running: bool,
    /// Whether missed state is being read.
    pub(super) catching: bool,
    last_id: u64,
}

/// One subscription.
pub(super) struct Entry {
    pub(super) core: Arc<Core>,
    pub(super) place: Place,
    pub(super) seen: Seen,
    /// The last slot watched before the socket went, while the gap was not told yet.
    pub(super) gap_from: Option<u64>,
    /// Refusals in a row.
    pub(super) refusals: u32,
    pub(super) catch_ups: u32,
    attempts: u32,
    avoid: Option<usize>,
    active_since: Option<Instant>,
}

/// Where a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere, until then.
    Waiting(Instant),
    /// On a socket; `server` is the node's number once it has confirmed.
    On { socket: u64, server: Option<u64> },
}

/// The websockets of one endpoint.
#[derive(Default)]
struct Origin {
    failures: u32,
    retry_at: Option<Instant>,
}

/// A socket to open.
pub(super) struct Opening {
    pub(super) socket: u64,
    pub(super) endpoint: usize,
    pub(super) wake: Arc<Notify>,
}

/// What a lost socket means.
pub(super) struct Loss {
    /// Its endpoint.
    pub(super) endpoint: usize,
    /// Subscriptions that have to move.
    pub(super) moved: usize,
}

/// The pause before attempt `attempt` (from 1): 100 ms and up to 10 s more.
fn pause(attempt: u32, random: f64) -> Duration {
    let ceiling = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    FIRST_PAUSE + ceiling.mul_f64(random.clamp(0.0, 1.0))
}

impl Book {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A new subscription, to be placed at once.
    pub(super) fn add(&mut self, id: u64, core: Arc<Core>, now: Instant) {
        let entry = Entry {
            core,
            place: Place::Waiting(now),
            seen: Seen::default(),
            gap_from: None,
            refusals: 0,
            catch_ups: 0,
            attempts: 0,
            avoid: None,
            active_since: None,
        };
        self.entries.insert(id, entry);
        self.waiting.insert((now, id));
    }

    /// The subscriber goes, or has its end. The node is told where it knows the subscription; `forgotten`: it has ended it itself.
    pub(super) fn remove(&mut self, id: u64, forgotten: bool, now: Instant) -> Option<Arc<Core>> {
        let entry = self.entries.remove(&id)?;
        let gone = entry.core.gone.clone();
        match entry.place {
            Place::Waiting(at) => {
                self.waiting.remove(&(at, id));
                gone.cancel();
            }
            Place::On { socket, server } => {
                if let Some(socket) = self.sockets.get_mut(&socket) {
                    socket.forget(id, server.filter(|_| !forgotten), (entry.core.kind, gone));
                    if forgotten && let Some(server) = server {
                        socket.drop_server(server, id);
                    }
                    socket.note_idle(now);
                } else {
                    gone.cancel();
                }
            }
        }
        Some(entry.core)
    }

    /// When something is due: the next subscription that waits.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// Places what is due: on a socket with room, else on a new one at the endpoint that `choose` names; its argument says which endpoints are out.
    pub(super) fn place(
        &mut self,
        now: Instant,
        mut choose: impl FnMut(&dyn Fn(usize) -> bool) -> Option<usize>,
    ) -> Vec<Opening> {
        let mut opened = Vec::new();
        while let Some((at, id)) = self.waiting.first().copied().filter(|(at, _)| *at <= now) {
            self.waiting.remove(&(at, id));
            let Some(entry) = self.entries.get(&id) else { continue };
            let avoid = entry.avoid;
            if let Some(socket) = self.roomy(avoid, now) {
                self.put(id, socket);
                continue;
            }
            let paused = |index: usize| self.origins.get(&index).is_some_and(|origin| origin.is_paused(now));
            let other = choose(&|index| paused(index) || Some(index) == avoid);
            if other.is_none()
                && let Some(socket) = self.roomy(None, now)
            {
                self.put(id, socket);
            } else if let Some(endpoint) = other.or_else(|| choose(&paused)) {
                let opening = self.open(endpoint, now);
                self.put(id, opening.socket);
                opened.push(opening);
            } else {
                let again = self.origins.values().filter_map(|origin| origin.retry_at).filter(|at| *at > now).min();
                self.wait(id, again.unwrap_or(now + NO_ENDPOINT_PAUSE));
            }
        }
        opened
    }

    /// What socket `id` has to send, as far as `take` (the endpoint's limiter) allows.
    pub(super) fn outgoing(&mut self, id: u64, now: Instant, take: impl FnMut() -> Result<(), Instant>) -> Outgoing {
        let (entries, last_id) = (&self.entries, &mut self.last_id);
        let Some(socket) = self.sockets.get_mut(&id) else { return Outgoing::Close(None) };
        let body = |entry: u64, request: u64| entries.get(&entry).map(|entry| entry.core.request.body(request));
        socket.outgoing(now, last_id, body, take)
    }

    /// Looks for sockets that are silent, unanswered or idle, and has them closed. True: it should be asked whether the chain advances.
    pub(super) fn inspect(&mut self, now: Instant) -> bool {
        let chain = self.chain;
        self.sockets.values_mut().map(|socket| socket.inspect(chain, now)).filter(|silent| *silent).count() > 0
    }

    /// A socket is open.
    pub(super) fn opened(&mut self, id: u64, now: Instant) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            (socket.opened, socket.slot_at) = (Some(now), now);
        }
    }

    /// A socket has gone; `broken` when it was not we who ended it. Its subscriptions move.
    pub(super) fn lost(
        &mut self,
        id: u64,
        broken: bool,
        now: Instant,
        mut random: impl FnMut() -> f64,
    ) -> Option<Loss> {
        let mut socket = self.sockets.remove(&id)?;
        let endpoint = socket.endpoint;
        if broken {
            let stable = socket.opened.is_some_and(|at| now.duration_since(at) > STABLE);
            // Endpoints that were replaced long ago are forgotten here.
            self.origins.retain(|_, origin| origin.retry_at.is_some_and(|at| at + REMEMBERED > now));
            self.origins.entry(endpoint).or_default().failed(stable, now, random());
        }
        socket.release_all();
        let here: Vec<u64> =
            self.entries.iter().filter(|(_, entry)| entry.is_on(id)).map(|(entry, _)| *entry).collect();
        for id in &here {
            self.displace(*id, (endpoint, socket.slot), now, random());
        }
        Some(Loss { endpoint, moved: here.len() })
    }

    /// A node refused a subscription: it tries elsewhere after a pause.
    pub(super) fn refuse(&mut self, id: u64, endpoint: usize, now: Instant, random: f64) {
        self.displace(id, (endpoint, None), now, random);
    }

    /// Ends everything.
    pub(super) fn end_all(&mut self, error: &PoolError) {
        for (_, entry) in self.entries.drain() {
            entry.core.end(Err(error.clone()));
            entry.core.gone.cancel();
        }
        self.waiting.clear();
        self.catch_up.clear();
    }

    /// Whether there is nothing to do any more.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.sockets.is_empty()
    }

    pub(super) fn stats(&self) -> Stats {
        Stats { subscriptions: self.entries.len(), sockets: self.sockets.len(), dropped: self.dropped }
    }

    fn displace(&mut self, id: u64, (endpoint, watched): (usize, Option<u64>), now: Instant, random: f64) {
        let chain = self.chain;
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if matches!(entry.place, Place::On { server: Some(_), .. }) {
            let watched = entry.watched_until(watched.unwrap_or(chain));
            entry.gap_from.get_or_insert(watched);
        }
        if entry.active_since.take().is_some_and(|at| now.duration_since(at) > STABLE) {
            entry.attempts = 0;
        }
        entry.attempts += 1;
        entry.avoid = Some(endpoint);
        let at = now + pause(entry.attempts, random);
        self.wait(id, at);
    }

    fn wait(&mut self, id: u64, at: Instant) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.place = Place::Waiting(at);
            self.waiting.insert((at, id));
        }
    }

    /// The fullest socket that takes one more: few sockets, and all of them busy.
    fn roomy(&self, avoid: Option<usize>, now: Instant) -> Option<u64> {
        let usable = |socket: &Socket| {
            let paused = self.origins.get(&socket.endpoint).is_some_and(|origin| origin.is_paused(now));
            socket.has_room() && !paused && Some(socket.endpoint) != avoid
        };
        let open = self.sockets.iter().filter(|(_, socket)| usable(socket));
        open.max_by_key(|(_, socket)| socket.load).map(|(id, _)| *id)
    }

    fn put(&mut self, id: u64, socket: u64) {
        if let (Some(entry), Some(on)) = (self.entries.get_mut(&id), self.sockets.get_mut(&socket)) {
            entry.place = Place::On { socket, server: None };
            on.welcome(id);
        }
    }

    fn open(&mut self, endpoint: usize, now: Instant) -> Opening {
        let (socket, wake) = (self.next_id(), Arc::new(Notify::new()));
        self.sockets.insert(socket, Socket::new(endpoint, Arc::clone(&wake), now));
        Opening { socket, endpoint, wake }
    }

    /// A node has confirmed a subscription. True: its missed state should be read.
    pub(super) fn activate(&mut self, id: u64, server: u64, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        let Place::On { socket: on, .. } = entry.place else { return false };
        entry.place = Place::On { socket: on, server: Some(server) };
        entry.active_since = Some(now);
        (entry.refusals, entry.avoid, entry.catch_ups) = (0, None, 0);
        entry.core.confirmed.cancel();
        let Some(socket) = self.sockets.get_mut(&on) else { return false };
        socket.own(server, id);
        let (kind, moved) = (entry.core.kind, entry.gap_from.is_some());
        if moved && !kind.can_catch_up() {
            // The socket's last slot may be older than the confirmation: only its next one is surely watched.
            socket.gaps.push(id);
        }
        // A transaction may have landed before anybody watched.
        kind == Kind::Signature || (moved && kind.can_catch_up())
    }
}

impl Entry {
    fn is_on(&self, id: u64) -> bool {
        matches!(self.place, Place::On { socket, .. } if socket == id)
    }

    /// The slot up to which everything was told when the newest processed one was `processed`: slots reach higher commitments later.
    fn watched_until(&self, processed: u64) -> u64 {
        let later = match self.core.request.commitment {
            _ if self.core.kind == Kind::Root => ROOTED_AFTER,
            Commitment::Processed => 0,
            Commitment::Confirmed => CONFIRMED_AFTER,
            Commitment::Finalized => ROOTED_AFTER,
        };
        processed.saturating_sub(later).max(self.seen.newest().unwrap_or(0))
    }

    /// Tells the slots that were not watched, once.
    pub(super) fn tell_gap(&mut self, to_slot: u64, lost: bool) {
        if let Some(from) = self.gap_from.take() {
            self.core.inbox.gap(Gap { from_slot: from.min(to_slot), to_slot, lost });
        }
    }
}

impl Origin {
    fn is_paused(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| at > now)
    }

    fn failed(&mut self, stable: bool, now: Instant, random: f64) {
        self.failures = if stable { 1 } else { self.failures.saturating_add(1) };
        self.retry_at = Some(now + pause(self.failures, random));
    }
}
