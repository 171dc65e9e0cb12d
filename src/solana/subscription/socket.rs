//! The state of one websocket: what it has to say, what it was asked, which subscriptions of the node are whose. Pure; the I/O is `connection.rs`.

use crate::solana::subscription::protocol::{Kind, unsubscribe};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Subscriptions per socket, proof of life included: the lowest limit among providers.
pub(super) const PER_SOCKET: usize = 100;
/// How long a node may take to answer a request.
const REPLY_LIMIT: Duration = Duration::from_secs(10);
/// A socket without a slot for this long is replaced when others advance.
const SILENCE: Duration = Duration::from_secs(5);
/// Slots that others must be ahead of a silent socket.
const AHEAD: u64 = 2;
/// How long a socket without subscriptions is kept: the next transaction may want one.
const LINGER: Duration = Duration::from_secs(5);

/// One websocket.
pub(super) struct Socket {
    /// The number of its endpoint.
    pub(super) endpoint: usize,
    pub(super) opened: Option<Instant>,
    /// The node takes no more.
    pub(super) full: bool,
    jobs: VecDeque<Job>,
    pub(super) asked: HashMap<u64, Asked>,
    oldest_request: Option<Instant>,
    /// The node's numbers and whose they are. Nodes give one number to all subscriptions with the same parameters, notify it once and end it for all.
    pub(super) servers: HashMap<u64, Vec<u64>>,
    /// Notifications that overtook the confirmation of their subscription.
    pub(super) orphans: VecDeque<(u64, Bytes)>,
    /// Subscriptions the node has or will have, ours and proof of life.
    pub(super) load: usize,
    pub(super) life: Option<u64>,
    pub(super) slot: Option<u64>,
    pub(super) slot_at: Instant,
    /// Feeds that were moved here and wait for a slot to tell their gap.
    pub(super) gaps: Vec<u64>,
    idle_since: Option<Instant>,
    closing: Option<Closing>,
    wake: Arc<Notify>,
}

/// Why a socket is being closed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Closing {
    Idle,
    Broken(String),
}

enum Job {
    Life,
    Subscribe(u64),
    Unsubscribe(Kind, u64, CancellationToken),
}

/// A request without an answer yet.
pub(super) enum Asked {
    Life,
    Subscribe(u64),
    /// Its subscriber has gone: unsubscribe when the number is known.
    Abandoned(Kind, CancellationToken),
    /// The node's number.
    Unsubscribe(u64, CancellationToken),
}

/// What a socket does next.
pub(super) enum Outgoing {
    /// Send these; look again then, if there is more.
    Send(Vec<Bytes>, Option<Instant>),
    Close(Option<String>),
}

fn life(request: u64) -> Bytes {
    format!(r#"{{"jsonrpc":"2.0","id":{request},"method":"slotSubscribe","params":[]}}"#).into()
}

impl Socket {
    pub(super) fn new(endpoint: usize, wake: Arc<Notify>, now: Instant) -> Self {
        Self {
            endpoint,
            opened: None,
            full: false,
            jobs: VecDeque::from([Job::Life]),
            asked: HashMap::new(),
            oldest_request: None,
            servers: HashMap::new(),
            orphans: VecDeque::new(),
            load: 1,
            life: None,
            slot: None,
            slot_at: now,
            gaps: Vec::new(),
            idle_since: None,
            closing: None,
            wake,
        }
    }

    /// Whether it takes one more subscription.
    pub(super) fn has_room(&self) -> bool {
        self.closing.is_none() && !self.full && self.load < PER_SOCKET
    }

    /// What it has to send, as far as `take` allows. `body` writes the request of a subscription.
    pub(super) fn outgoing(
        &mut self,
        now: Instant,
        last_id: &mut u64,
        body: impl Fn(u64, u64) -> Option<Bytes>,
        mut take: impl FnMut() -> Result<(), Instant>,
    ) -> Outgoing {
        match &self.closing {
            Some(Closing::Idle) => return Outgoing::Close(None),
            Some(Closing::Broken(why)) => return Outgoing::Close(Some(why.clone())),
            None => {}
        }
        let mut texts = Vec::new();
        while !self.jobs.is_empty() {
            if let Err(at) = take() {
                return Outgoing::Send(texts, Some(at));
            }
            *last_id += 1;
            let request = *last_id;
            let (text, asked) = match self.jobs.pop_front() {
                Some(Job::Life) => (Some(life(request)), Asked::Life),
                Some(Job::Subscribe(entry)) => (body(entry, request), Asked::Subscribe(entry)),
                Some(Job::Unsubscribe(kind, server, gone)) => {
                    (Some(unsubscribe(kind, server, request).into()), Asked::Unsubscribe(server, gone))
                }
                None => break,
            };
            if let Some(text) = text {
                texts.push(text);
                self.asked.insert(request, asked);
                self.oldest_request.get_or_insert(now);
            }
        }
        Outgoing::Send(texts, None)
    }

    /// Closes itself when it is silent, unanswered or idle. True: it is silent, and it should be asked whether the chain advances.
    pub(super) fn inspect(&mut self, chain: u64, now: Instant) -> bool {
        let silent = self.life.is_some() && now.duration_since(self.slot_at) > SILENCE;
        let behind = chain > 0 && self.slot.is_none_or(|slot| chain >= slot.saturating_add(AHEAD));
        if self.oldest_request.is_some_and(|at| now.duration_since(at) > REPLY_LIMIT) {
            self.close(Closing::Broken("no reply".to_owned()));
        } else if silent && behind {
            self.close(Closing::Broken("silent while the chain advances".to_owned()));
        } else if self.idle_since.is_some_and(|at| now.duration_since(at) > LINGER) {
            self.close(Closing::Idle);
        }
        silent && self.closing.is_none()
    }

    /// A subscription comes here.
    pub(super) fn welcome(&mut self, id: u64) {
        self.load += 1;
        self.idle_since = None;
        self.job(Job::Subscribe(id));
    }

    /// A request was answered.
    pub(super) fn answered(&mut self, request: u64, now: Instant) -> Option<Asked> {
        let asked = self.asked.remove(&request)?;
        self.oldest_request = (!self.asked.is_empty()).then_some(now);
        Some(asked)
    }

    /// The node has answered `request` with its number. False: it was told to end that number after `request`, so it has to be asked again.
    pub(super) fn confirmed(&mut self, request: u64, server: u64) -> bool {
        let is_end = |job: &Job| matches!(job, Job::Unsubscribe(_, number, _) if *number == server);
        if let Some(at) = self.jobs.iter().position(is_end)
            && let Some(Job::Unsubscribe(_, _, gone)) = self.jobs.remove(at)
        {
            self.load = self.load.saturating_sub(1);
            gone.cancel();
        }
        let mut asked = self.asked.iter();
        !asked.any(|(later, asked)| {
            *later > request && matches!(asked, Asked::Unsubscribe(number, _) if *number == server)
        })
    }

    /// Asks again for what the node has ended.
    pub(super) fn ask_again(&mut self, id: Option<u64>) {
        self.job(id.map_or(Job::Life, Job::Subscribe));
    }

    /// Subscription `id` has this number of the node.
    pub(super) fn own(&mut self, server: u64, id: u64) {
        self.servers.entry(server).or_default().push(id);
    }

    /// The node has ended `server` for `id` by itself.
    pub(super) fn drop_server(&mut self, server: u64, id: u64) {
        self.disown(server, id);
        self.load = self.load.saturating_sub(1);
    }

    /// `server` is not needed any more by one who had it: the node must end it, unless others have the same number.
    pub(super) fn end_server(&mut self, kind: Kind, server: u64, gone: CancellationToken) {
        if self.life == Some(server) || self.servers.contains_key(&server) {
            self.load = self.load.saturating_sub(1);
            return gone.cancel();
        }
        self.job(Job::Unsubscribe(kind, server, gone));
    }

    fn disown(&mut self, server: u64, id: u64) {
        if let Some(owners) = self.servers.get_mut(&server) {
            owners.retain(|owner| *owner != id);
            if owners.is_empty() {
                self.servers.remove(&server);
            }
        }
    }

    /// The socket cannot go on.
    pub(super) fn break_off(&mut self, why: String) {
        self.close(Closing::Broken(why));
    }

    /// From now on it may be unused.
    pub(super) fn note_idle(&mut self, now: Instant) {
        let idle = self.load <= 1 && self.idle_since.is_none();
        if idle {
            self.idle_since = Some(now);
        }
    }

    /// A subscription leaves before or after the node knew it.
    pub(super) fn forget(&mut self, id: u64, server: Option<u64>, (kind, gone): (Kind, CancellationToken)) {
        if let Some(server) = server {
            self.disown(server, id);
            return self.end_server(kind, server, gone);
        }
        let before = self.jobs.len();
        self.jobs.retain(|job| !matches!(job, Job::Subscribe(queued) if *queued == id));
        if self.jobs.len() < before {
            self.load = self.load.saturating_sub(1);
            return gone.cancel();
        }
        match self.asked.values_mut().find(|asked| matches!(asked, Asked::Subscribe(asked) if *asked == id)) {
            Some(asked) => *asked = Asked::Abandoned(kind, gone),
            None => gone.cancel(),
        }
    }

    /// It has gone: nobody waits for its answers any more.
    pub(super) fn release_all(&mut self) {
        let queued = self.jobs.drain(..).filter_map(|job| match job {
            Job::Unsubscribe(_, _, gone) => Some(gone),
            Job::Life | Job::Subscribe(_) => None,
        });
        let asked = self.asked.drain().filter_map(|(_, asked)| match asked {
            Asked::Abandoned(_, gone) | Asked::Unsubscribe(_, gone) => Some(gone),
            Asked::Life | Asked::Subscribe(_) => None,
        });
        queued.chain(asked).for_each(|gone| gone.cancel());
    }

    fn job(&mut self, job: Job) {
        self.jobs.push_back(job);
        self.wake.notify_one();
    }

    fn close(&mut self, closing: Closing) {
        if self.closing.is_none() {
            self.closing = Some(closing);
            self.wake.notify_one();
        }
    }
}
