//! What nodes say to the hub: confirmations, refusals, notifications, and the answers of reads that catch up. Pure.

use crate::solana::error::{AttemptError, PoolError, RpcRefusal};
use crate::solana::subscription::book::{Book, Place};
use crate::solana::subscription::protocol::{Identity, Incoming, Kind, identify, slot_of};
use crate::solana::subscription::socket::Asked;
use bytes::Bytes;
use std::collections::VecDeque;
use tokio::time::Instant;

/// Notifications kept that overtook their confirmation.
const MAX_ORPHANS: usize = 64;

/// What a message may need besides the book.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// The time.
    pub now: Instant,
    /// Uniform in 0.0..1.0.
    pub random: f64,
    /// How many endpoints there are.
    pub endpoints: usize,
}

impl Book {
    /// Takes a message of socket `on`.
    pub(super) fn received(&mut self, on: u64, incoming: Incoming, with: Circumstances) {
        match incoming {
            Incoming::Reply { id, outcome } => self.replied(on, id, outcome, with),
            Incoming::Notice { server, result } => self.noticed(on, server, result, with.now),
            Incoming::Other => {}
        }
    }

    fn replied(&mut self, on: u64, request: u64, outcome: Result<Option<u64>, RpcRefusal>, with: Circumstances) {
        let Some(socket) = self.sockets.get_mut(&on) else { return };
        let Some(asked) = socket.answered(request, with.now) else { return };
        match (asked, outcome) {
            (Asked::Life, Ok(Some(server))) if !socket.confirmed(request, server) => socket.ask_again(None),
            (Asked::Life, Ok(server)) => (socket.life, socket.slot_at) = (server, with.now),
            // A node without a slot feed: pings alone tell whether it lives.
            (Asked::Life, Err(refusal)) if refusal.code == -32601 => {}
            (Asked::Life, Err(refusal)) => socket.break_off(format!("slot feed refused with code {}", refusal.code)),
            (Asked::Subscribe(id), Ok(Some(server))) if !socket.confirmed(request, server) => {
                socket.ask_again(Some(id));
            }
            (Asked::Subscribe(id), Ok(Some(server))) => {
                if self.activate(id, server, with.now) {
                    self.catch_up.push_back(id);
                }
                self.replay(on, server, with.now);
            }
            (Asked::Subscribe(id), outcome) => {
                socket.load = socket.load.saturating_sub(1);
                socket.note_idle(with.now);
                let garbled = RpcRefusal { code: -32603, message: "no number".to_owned(), body: Bytes::new() };
                self.refused(on, id, outcome.err().unwrap_or(garbled), with);
            }
            (Asked::Abandoned(kind, gone), Ok(Some(server))) => {
                socket.end_server(kind, server, gone);
                socket.note_idle(with.now);
            }
            (Asked::Abandoned(_, gone) | Asked::Unsubscribe(_, gone), _) => {
                socket.load = socket.load.saturating_sub(1);
                socket.note_idle(with.now);
                gone.cancel();
            }
        }
    }

    /// Invalid parameters are final; what a node does not serve is final when no node does; all else is tried elsewhere.
    fn refused(&mut self, on: u64, id: u64, refusal: RpcRefusal, with: Circumstances) {
        let (Some(entry), Some(socket)) = (self.entries.get_mut(&id), self.sockets.get_mut(&on)) else { return };
        entry.refusals += 1;
        let everywhere = usize::try_from(entry.refusals).unwrap_or(usize::MAX) >= with.endpoints;
        if matches!(refusal.code, -32600 | -32602 | -32700) || (refusal.code == -32601 && everywhere) {
            if let Some(entry) = self.entries.remove(&id) {
                entry.core.end(Err(PoolError::Refused(AttemptError::Rpc(refusal))));
                entry.core.gone.cancel();
            }
            return;
        }
        socket.full |= refusal.message.to_ascii_lowercase().contains("limit");
        let endpoint = socket.endpoint;
        self.refuse(id, endpoint, with.now, with.random);
    }

    fn replay(&mut self, on: u64, server: u64, now: Instant) {
        let Some(socket) = self.sockets.get_mut(&on) else { return };
        let (mine, others): (VecDeque<_>, VecDeque<_>) =
            socket.orphans.drain(..).partition(|(owner, _)| *owner == server);
        socket.orphans = others;
        for (server, result) in mine {
            self.noticed(on, server, result, now);
        }
    }

    fn noticed(&mut self, on: u64, server: u64, result: Bytes, now: Instant) {
        let Some(socket) = self.sockets.get_mut(&on) else { return };
        let (is_life, owners) = (socket.life == Some(server), socket.servers.get(&server).cloned());
        let expected = socket.asked.values().any(|asked| matches!(asked, Asked::Subscribe(_)));
        if owners.is_none() && expected && !is_life && socket.orphans.len() < MAX_ORPHANS {
            socket.orphans.push_back((server, result.clone()));
        }
        if is_life {
            self.lives(on, slot_of(&result), now);
        }
        for id in owners.into_iter().flatten() {
            let Some(kind) = self.entries.get(&id).map(|entry| entry.core.kind) else { continue };
            if let Some(identity) = identify(kind, &result) {
                self.deliver(id, &identity, result.clone(), (true, now));
            }
        }
    }

    /// Hands a notification over unless it was before. `by_node`: the node said it, and has forgotten a signature that it told the end of.
    fn deliver(&mut self, id: u64, identity: &Identity, result: Bytes, (by_node, now): (bool, Instant)) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let kind = entry.core.kind;
        if !kind.can_catch_up() || identity.is_last {
            entry.tell_gap(identity.slot, !kind.can_catch_up());
        }
        if entry.seen.admit(kind, identity) {
            self.dropped += entry.core.inbox.notify(result, kind == Kind::Signature);
        }
        self.chain = self.chain.max(identity.slot);
        if identity.is_last
            && let Some(core) = self.remove(id, by_node, now)
        {
            core.end(Ok(()));
        }
    }

    fn lives(&mut self, on: u64, slot: Option<u64>, now: Instant) {
        let (Some(slot), Some(socket)) = (slot, self.sockets.get_mut(&on)) else { return };
        // A slot that is no news is no life: a frozen node may repeat itself.
        if socket.slot.is_none_or(|last| slot > last) {
            (socket.slot, socket.slot_at) = (Some(slot), now);
        }
        self.chain = self.chain.max(slot);
        for id in std::mem::take(&mut socket.gaps) {
            if let Some(entry) = self.entries.get_mut(&id)
                && matches!(entry.place, Place::On { socket, server: Some(_) } if socket == on)
            {
                entry.tell_gap(slot, true);
            }
        }
    }

    /// A read has caught up with a signature; it has this end, or none yet.
    pub(super) fn caught_up_with_signature(&mut self, id: u64, end: Option<(u64, &str)>, now: Instant) {
        let chain = self.chain;
        match end {
            Some((slot, error)) => {
                let result = format!(r#"{{"context":{{"slot":{slot}}},"value":{{"err":{error}}}}}"#);
                if let Some(identity) = identify(Kind::Signature, result.as_bytes()) {
                    self.deliver(id, &identity, result.into(), (false, now));
                }
            }
            // The node tells when it lands.
            None => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.tell_gap(chain, false);
                }
            }
        }
    }

    /// A read has caught up with an account: told when it is newer and differs. `value` is its JSON text; `None`: it does not exist.
    pub(super) fn caught_up_with_account(&mut self, id: u64, slot: u64, value: Option<&str>, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.tell_gap(slot, false);
        let gone = entry.seen.last_value().map(|_| no_account(&entry.core.request.params));
        let Some(value) = value.map(str::to_owned).or(gone) else { return };
        let result = format!(r#"{{"context":{{"slot":{slot}}},"value":{value}}}"#);
        let Some(identity) = identify(Kind::Account, result.as_bytes()) else { return };
        if entry.seen.last_value() != Some(identity.value) {
            self.deliver(id, &identity, result.into(), (false, now));
        }
    }

    /// A read could not catch up. True: it is worth another attempt.
    pub(super) fn could_not_catch_up(&mut self, id: u64, most: u32) -> bool {
        let chain = self.chain;
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        entry.catch_ups += 1;
        if entry.catch_ups < most {
            return true;
        }
        entry.tell_gap(chain, true);
        false
    }
}

/// What a node tells of an account that has ceased to exist.
fn no_account(params: &[u8]) -> String {
    let has = |encoding: &str| memchr::memmem::find(params, format!("\"{encoding}\"").as_bytes()).is_some();
    let data = match ["base64+zstd", "base64", "jsonParsed", "base58"].into_iter().find(|encoding| has(encoding)) {
        Some("jsonParsed") => r#"["","base64"]"#.to_owned(),
        Some(encoding) => format!(r#"["","{encoding}"]"#),
        None => r#""""#.to_owned(),
    };
    format!(
        r#"{{"data":{data},"executable":false,"lamports":0,"owner":"11111111111111111111111111111111","rentEpoch":0,"space":0}}"#
    )
}
