//! The connection state machine of one client: every decision about connecting, sending, settling and ending.
//!
//! Pure: clock, randomness and bytes come in as arguments, the driver in `io` does what [`Machine::plan`] says. Transitions asked for by JavaScript happen
//! at once, under the lock that holds the machine. Guarantees: no command is left unsettled when the machine ends.

mod handshake;
mod life;
mod receive;
mod send;
mod sentinel;
#[cfg(feature = "test-util")]
#[cfg(test)]
mod tests;
mod time;

use super::command::{Entry, Origin};
use super::error::WireError;
use super::ledger::Ledger;
use super::options::Options;
use super::pubsub::Subscriptions;
use super::reply::{Chunk, Outlet, token};
use super::resp::Parser;
use super::script::Scripts;
use crate::error::Failure;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;

/// What JavaScript calls `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not yet connected, on purpose.
    Wait = 0,
    /// Opening a socket.
    Connecting = 1,
    /// Socket open, handshake under way.
    Connect = 2,
    /// Serving.
    Ready = 3,
    /// Lost.
    Close = 4,
    /// Waiting for the next attempt.
    Reconnecting = 5,
    /// Over, until `connect()`.
    End = 6,
    /// Serving MONITOR.
    Monitoring = 7,
}

impl Status {
    /// The text in JavaScript.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Connecting => "connecting",
            Self::Connect => "connect",
            Self::Ready => "ready",
            Self::Close => "close",
            Self::Reconnecting => "reconnecting",
            Self::End => "end",
            Self::Monitoring => "monitoring",
        }
    }
}

/// The status after a synchronous call, and the number of the transition that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The status now.
    pub status: Status,
    /// Counts transitions.
    pub number: u32,
}

/// What the driver has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing but timers.
    Rest,
    /// Open a socket for this generation.
    Open(u32),
    /// Read and write on the socket of this generation.
    Serve(u32),
    /// End: the client is over until it connects again.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Opening,
    Handshaking {
        until: Instant,
    },
    Loading {
        until: Instant,
    },
    Ready,
    /// QUIT was sent.
    Draining,
    /// `disconnect()` while serving: sends what was there, then shuts the write side.
    Closing {
        until: Instant,
        left: usize,
    },
    /// The user's retry strategy must answer.
    Asking,
    Backoff {
        until: Instant,
    },
    Ended,
}

/// The last QUIT that has not been answered.
#[derive(Debug, Clone, Copy)]
struct Quit {
    seq: u32,
    until: Option<Instant>,
}

/// Which database commands expect, and which one the socket is in.
#[derive(Debug, Clone, Copy)]
struct Databases {
    expected: u32,
    wire: u32,
    confirmed: u32,
    /// Selected inside a transaction that is not executed yet.
    queued: Option<u32>,
}

/// Points in time that timers are computed from.
#[derive(Debug, Clone, Copy)]
struct Pulse {
    last_read: Instant,
    /// When the present silence with commands in flight began at the earliest.
    busy_since: Instant,
    ping_at: Option<Instant>,
    ping_until: Option<Instant>,
    /// When the socket is replaced although commands are in flight (failover).
    recycle_at: Option<Instant>,
}

/// The state machine of one client.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a life, not one state")]
pub(super) struct Machine {
    options: Arc<Options>,
    random: fn() -> f64,
    phase: Phase,
    status: Status,
    transition: u32,
    generation: u32,
    /// Failed attempts since the last success.
    attempts: u32,
    /// The server has refused our credentials: they are as wrong at the next attempt.
    refused: bool,
    /// The last connection that was ready.
    ready_generation: Option<u32>,
    by_hand: bool,
    /// Ends for good: `close()`, shutdown.
    closing: bool,
    /// The environment is gone.
    abandoned: bool,
    ledger: Ledger,
    out: Outlet,
    parser: Parser,
    scripts: Scripts,
    subscriptions: Subscriptions,
    /// What JavaScript was told of subscriptions.
    told_subscribed: usize,
    next_seq: u32,
    databases: Databases,
    /// Commands of our own, sent before any other.
    own: VecDeque<Entry>,
    handshake_due: usize,
    monitoring: bool,
    /// HELLO 3 was accepted.
    speaks_resp3: bool,
    quit: Option<Quit>,
    /// Errors that JavaScript is asked about.
    asked: HashMap<u32, Asked>,
    pulse: Pulse,
    /// Why the search for the server ended the client: commands sent before JavaScript knew of it get this too.
    unresolved: Option<WireError>,
    connection_name: Option<String>,
}

/// A command whose error JavaScript was asked about.
#[derive(Debug)]
struct Asked {
    entry: Entry,
    in_transaction: bool,
}

impl Machine {
    /// A machine in `wait`.
    pub(super) fn new(options: Arc<Options>, random: fn() -> f64) -> Self {
        let db = options.db;
        let now = Instant::now();
        Self {
            random,
            phase: Phase::Idle,
            status: Status::Wait,
            transition: 0,
            generation: 0,
            attempts: 0,
            refused: false,
            ready_generation: None,
            by_hand: false,
            closing: false,
            abandoned: false,
            ledger: Ledger::new(options.watch_lost),
            out: Outlet::default(),
            parser: Parser::default(),
            scripts: Scripts::default(),
            subscriptions: Subscriptions::default(),
            told_subscribed: 0,
            next_seq: 0,
            databases: Databases { expected: db, wire: 0, confirmed: db, queued: None },
            own: VecDeque::new(),
            handshake_due: 0,
            monitoring: false,
            speaks_resp3: false,
            quit: None,
            asked: HashMap::new(),
            pulse: Pulse { last_read: now, busy_since: now, ping_at: None, ping_until: None, recycle_at: None },
            unresolved: None,
            connection_name: options.connection_name.clone(),
            options,
        }
    }

    /// What the driver has to do now.
    pub(super) fn plan(&self) -> Plan {
        match self.phase {
            _ if self.abandoned => Plan::Over,
            Phase::Ended => Plan::Over,
            Phase::Opening => Plan::Open(self.generation),
            Phase::Idle | Phase::Asking | Phase::Backoff { .. } => Plan::Rest,
            _ => Plan::Serve(self.generation),
        }
    }

    /// The status and its number.
    pub(super) fn transition(&self) -> Transition {
        Transition { status: self.status, number: self.transition }
    }

    /// The connection epoch.
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether the connection of this generation was ever ready.
    pub(super) fn was_ready_in(&self, generation: u32) -> bool {
        self.ready_generation == Some(generation)
    }

    /// Failed attempts since the last success.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The commands without an answer.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Subscriptions of this client.
    pub(super) fn subscriptions(&self) -> usize {
        self.subscriptions.count()
    }

    /// Whether the handshake of this generation is still under way.
    pub(super) fn is_shaking_hands(&self, generation: u32) -> bool {
        generation == self.generation && matches!(self.phase, Phase::Handshaking { .. })
    }

    /// Whether `connect()` never happened or the client has ended.
    pub(super) fn is_over(&self) -> bool {
        self.abandoned || matches!(self.phase, Phase::Ended)
    }

    /// Whether a driver is needed: anything but `wait` and the end.
    pub(super) fn is_alive(&self) -> bool {
        self.plan() != Plan::Over && self.phase != Phase::Idle
    }

    /// Whether commands are sent as they come.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Keeps a script's text.
    pub(super) fn register_script(&mut self, id: i32, source: &str) {
        self.scripts.register(id, source);
    }

    /// The name for the next handshake.
    pub(super) fn set_connection_name(&mut self, name: String) {
        self.connection_name = (!name.is_empty()).then_some(name);
    }

    /// What has happened since the last call, if anything.
    pub(super) fn take_chunk(&mut self) -> Option<Chunk> {
        (!self.out.is_empty()).then(|| self.out.take())
    }

    fn set_status(&mut self, status: Status, extra: u32) {
        self.status = status;
        self.transition = self.transition.wrapping_add(1);
        let control = [token::STATUS, status as i32, self.transition.cast_signed(), extra.cast_signed()];
        self.out.control(&control);
    }

    fn emit_error(&mut self, error: WireError) {
        if !self.by_hand {
            let failure = self.out.failure(Failure::from(error));
            self.out.control(&[token::ERROR_EVENT, failure, 0]);
        }
    }

    fn notice(&mut self, kind: i32, number: u32, failure: Option<WireError>) {
        let failure = failure.map_or(-1, |error| self.out.failure(Failure::from(error)));
        self.out.control(&[token::NOTICE, kind, i32::try_from(number).unwrap_or(i32::MAX), failure]);
    }

    /// Settles one command with a failure of its own.
    fn refuse(&mut self, seq: u32, error: WireError) {
        let failure = self.out.failure(Failure::from(error));
        self.out.fail(seq, failure, false);
    }

    /// Settles everything that is unanswered with one failure. True if QUIT was among it, which is answered: the end must follow.
    fn settle_all(&mut self, error: &WireError) -> bool {
        let losses = self.ledger.clear();
        if losses.is_empty() {
            return false;
        }
        self.forget_selects();
        let failure = self.out.failure(Failure::from(error.clone()));
        for loss in &losses {
            self.fail_lost(*loss, failure);
        }
        losses.iter().any(|loss| loss.quits)
    }

    fn tell_subscribed(&mut self, count: usize) {
        if self.told_subscribed != count {
            self.told_subscribed = count;
            self.out.control(&[token::SUBSCRIBED, i32::try_from(count).unwrap_or(i32::MAX)]);
        }
    }

    fn push_own(&mut self, origin: Origin, args: &[&[u8]]) {
        self.own.push_back(Entry::internal(origin, args));
    }
}
