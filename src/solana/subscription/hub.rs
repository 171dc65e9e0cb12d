//! The hub's task: places subscriptions, opens sockets, looks after them. Runs while there is something to do.

use crate::observe::{Event, Level};
use crate::solana::call::{Call, CallOptions, reply};
use crate::solana::endpoint::selection::{Candidate, Choice, choose};
use crate::solana::endpoint::slot::Commitment;
use crate::solana::endpoint::{Endpoint, Need};
use crate::solana::error::PoolError;
use crate::solana::method::Class;
use crate::solana::pool::Pool;
use crate::solana::subscription::book::{Book, Opening};
use crate::solana::subscription::protocol::Incoming;
use crate::solana::subscription::receive::Circumstances;
use crate::solana::subscription::socket::Outgoing;
use crate::solana::subscription::{Core, Stats};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often sockets are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often the pool is asked for the slot while a socket is silent.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// What sockets get to say goodbye when the pool closes.
const CLOSE_LIMIT: Duration = Duration::from_millis(1500);

/// The subscriptions of one pool.
#[derive(Default)]
pub(in crate::solana) struct Hub {
    book: Mutex<Book>,
    wake: Notify,
    /// Fires when a socket or the task has ended.
    ended: Notify,
}

impl Hub {
    /// The book.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is doing.
    pub(in crate::solana) fn stats(&self) -> Stats {
        self.book().stats()
    }

    /// After the pool's stop: waits until the sockets are closed.
    pub(in crate::solana) async fn finished(&self) {
        let all = async {
            loop {
                let ended = self.ended.notified();
                if self.book().stats().sockets == 0 {
                    return;
                }
                ended.await;
            }
        };
        // One that does not answer is dropped by its task soon after.
        drop(tokio::time::timeout(CLOSE_LIMIT, all).await);
    }
}

impl Pool {
    /// Takes a subscription in.
    pub(super) fn join_hub(self: &Arc<Self>, core: Arc<Core>) -> u64 {
        let (id, start) = {
            let mut book = self.hub.book();
            let id = book.next_id();
            book.add(id, core, Instant::now());
            (id, !std::mem::replace(&mut book.running, true))
        };
        if start {
            drop(tokio::spawn(Arc::clone(self).run_hub()));
        }
        self.hub.wake.notify_one();
        id
    }

    /// Lets a subscription go.
    pub(super) fn leave_hub(&self, id: u64) {
        let left = self.hub.book().remove(id, false, Instant::now());
        if let Some(core) = left {
            core.end(Ok(()));
            self.hub.wake.notify_one();
        }
    }

    async fn run_hub(self: Arc<Self>) {
        let mut asked: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let (openings, silent, next) = {
                let mut book = self.hub.book();
                if self.stop.is_cancelled() {
                    book.end_all(&PoolError::Closed { state: "closed" });
                }
                if book.is_empty() || self.stop.is_cancelled() {
                    book.running = false;
                    return;
                }
                let openings = book.place(now, |excluded| self.pick(excluded, now));
                let silent = book.inspect(now);
                (openings, silent, book.next_due().map_or(now + TICK, |due| due.min(now + TICK)))
            };
            for opening in openings {
                self.open_socket(opening);
            }
            if silent && asked.is_none_or(|at| now.duration_since(at) > ASK_EVERY) {
                asked = Some(now);
                drop(tokio::spawn(Arc::clone(&self).ask_slot()));
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.hub.wake.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    fn open_socket(self: &Arc<Self>, opening: Opening) {
        let Some(endpoint) = self.endpoint(opening.endpoint) else {
            self.socket_lost(opening.socket, Some("no endpoint"));
            return;
        };
        let pool = Arc::clone(self);
        drop(tokio::spawn(async move { pool.run_socket(opening, endpoint).await }));
    }

    /// Where a new socket goes: as for a read, among those that are not out.
    fn pick(&self, excluded: &dyn Fn(usize) -> bool, now: Instant) -> Option<usize> {
        let endpoints = self.endpoints.load();
        let need = Need {
            method: "slotSubscribe",
            class: Class::Read,
            commitment: Commitment::Processed,
            min_slot: None,
            max_lag: self.options.max_slot_lag,
            now,
        };
        let others = endpoints.iter().enumerate().filter(|(_, endpoint)| !excluded(endpoint.number));
        let candidates: Vec<Candidate> = others.map(|(index, endpoint)| endpoint.candidate(index, &need)).collect();
        match choose(&candidates, None, now, |below| fastrand::usize(..below.max(1))) {
            // A limit on reads is none on websockets.
            Choice::Use(index) | Choice::Later(index, _) => endpoints.get(index).map(|endpoint| endpoint.number),
            Choice::Nobody => None,
        }
    }

    /// A socket is silent: does the chain advance?
    async fn ask_slot(self: Arc<Self>) {
        let call = Call { method: "getSlot", params: "[{\"commitment\":\"processed\"}]" };
        let slot = self.call_within(call, CallOptions::default()).await;
        if let Some(slot) = slot.ok().and_then(|result| reply::number(&result)) {
            let mut book = self.hub.book();
            book.chain = book.chain.max(slot);
        }
    }

    /// A socket is open.
    pub(super) fn socket_opened(&self, id: u64) {
        self.hub.book().opened(id, Instant::now());
    }

    /// What a socket has to send, as far as its endpoint's limit allows.
    pub(super) fn socket_outgoing(&self, id: u64, endpoint: &Endpoint) -> Outgoing {
        let now = Instant::now();
        self.hub.book().outgoing(id, now, || endpoint.facts().take_subscribe(now))
    }

    /// A socket has received something.
    pub(super) fn socket_received(self: &Arc<Self>, id: u64, endpoint: &Endpoint, incoming: Incoming) {
        let is_reply = matches!(incoming, Incoming::Reply { .. });
        let incoming = match incoming {
            Incoming::Reply { id, outcome: Err(refusal) } => {
                Incoming::Reply { id, outcome: Err(endpoint.cut_refusal(refusal)) }
            }
            other => other,
        };
        let with =
            Circumstances { now: Instant::now(), random: fastrand::f64(), endpoints: self.endpoints.load().len() };
        let catch_up = {
            let mut book = self.hub.book();
            book.received(id, incoming, with);
            !book.catch_up.is_empty() && !std::mem::replace(&mut book.catching, true)
        };
        if catch_up {
            drop(tokio::spawn(Arc::clone(self).catch_up()));
        }
        if is_reply {
            self.hub.wake.notify_one();
        }
    }

    /// A socket has gone; `why` when it was not we who ended it.
    pub(super) fn socket_lost(&self, id: u64, why: Option<&str>) {
        let loss = self.hub.book().lost(id, why.is_some(), Instant::now(), fastrand::f64);
        self.hub.ended.notify_waiters();
        self.hub.wake.notify_one();
        let (Some(loss), Some(why)) = (loss, why) else { return };
        let name = self.endpoint(loss.endpoint).map(|endpoint| endpoint.name.clone()).unwrap_or_default();
        let moved = f64::from(u32::try_from(loss.moved).unwrap_or(u32::MAX));
        let text = format!("Connection pool: websocket of {name} was lost: {why}; {} subscriptions move", loss.moved);
        let event = Event::new("rpc.websocket_lost", Level::Warn, text);
        self.events.emit(event.with_text("endpoint", name).with_text("reason", why).with_number("moved", moved));
    }
}
