//! Whether a transaction that nobody has seen can still land.
//!
//! It cannot when the block height is past its limit on two endpoints (or on the only one), or when a node at or past the slot of its blockhash says that the
//! blockhash is no longer valid, or when its nonce account holds another value. It has expired when then a last look through the history finds nothing, on a node
//! that is not behind the one that told. Whatever cannot be told stays pending: nothing here says `expired` for want of an answer.

use crate::solana::call::request::Prepared;
use crate::solana::call::{CallOptions, reply};
use crate::solana::endpoint::Endpoint;
use crate::solana::endpoint::slot::{Commitment, JUMP, reachable};
use crate::solana::pool::Pool;
use crate::solana::queue::Priority;
use crate::solana::transaction::pending::Unseen;
use crate::solana::transaction::status::CHUNK;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::join_all;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often the unseen ones are looked at.
const LOOK: Duration = Duration::from_secs(1);
const HEIGHT_LIMIT: Duration = Duration::from_secs(2);
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// Blocks that a second can bring at most, generously: a node that catches up is faster than the network.
const BLOCKS_PER_SECOND: u64 = 5;
/// A blockhash or nonce that was not seen through this pool may be newer than the best node's slot by as much as nodes lag.
const MARGIN_SLOTS: u64 = 32;
/// Blockhashes asked for in one look. With more the rest has its turn later.
const HASHES: usize = 16;
/// Accounts per `getMultipleAccounts`.
const ACCOUNTS: usize = 100;
/// Where a nonce account keeps its value: version, state and authority come first.
const NONCE_VALUE: std::ops::Range<usize> = 40..72;

/// The height of one endpoint with the slot it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Height {
    absolute_slot: u64,
    block_height: u64,
}

/// What heights say about a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    /// The limit is not reached, or not everywhere.
    Young,
    /// Past it: nodes at or past this slot have seen every block that could hold the transaction.
    Past(u64),
    /// Heights alone cannot tell.
    Unsure,
}

/// What a node says about a blockhash or a nonce, and its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Alive {
    alive: bool,
    slot: u64,
}

#[derive(Deserialize)]
struct WithValue<T> {
    value: T,
}

#[derive(Deserialize)]
struct Account {
    data: (String, String),
}

impl Height {
    /// No block comes without a slot.
    fn is_possible(self) -> bool {
        self.block_height <= self.absolute_slot
    }

    /// A height right behind the limit, or one that is clearly no slot.
    fn is_believable(self, last_valid: u64) -> bool {
        self.block_height - last_valid <= JUMP || self.block_height != self.absolute_slot
    }
}

/// Judges `heights` of `wanted` endpoints (less when some could not tell).
fn age(last_valid: Option<u64>, heights: &[Height], wanted: usize) -> Age {
    let Some(last) = last_valid else { return Age::Unsure };
    let past: Vec<_> = heights.iter().filter(|height| height.block_height > last).collect();
    if past.len() < heights.len() {
        return Age::Young;
    }
    let slot = past.iter().map(|height| height.absolute_slot).min();
    match slot {
        Some(slot) if past.len() >= wanted && past.iter().all(|height| height.is_believable(last)) => Age::Past(slot),
        _ => Age::Unsure,
    }
}

/// From which slot on a look through the history decides; `None`: it may still land.
fn dead_at(age: Age, hash: Option<Alive>, floor: u64) -> Option<u64> {
    match (age, hash) {
        // A valid blockhash is stronger than a limit that the caller mixed up.
        (Age::Young, _) | (_, Some(Alive { alive: true, .. })) => None,
        (Age::Past(slot), _) => Some(slot),
        (Age::Unsure, Some(Alive { slot, .. })) if slot >= floor => Some(slot),
        (Age::Unsure, _) => None,
    }
}

impl Pool {
    pub(in crate::solana) async fn watch_expiry(self: &Arc<Self>) {
        while !self.stop.is_cancelled() {
            tokio::time::sleep(LOOK).await;
            let unseen =
                self.pending.unseen(Instant::now(), self.known_slot().map(|slot| slot.saturating_add(MARGIN_SLOTS)));
            let (nonces, others): (Vec<_>, Vec<_>) = unseen.into_iter().partition(|one| one.nonce.is_some());
            let mut dead = self.past_their_block(others).await;
            dead.extend(self.past_their_nonce(nonces).await);
            for chunk in dead.chunks(CHUNK) {
                self.look_back(chunk).await;
            }
        }
    }

    /// The slot from which on a node can tell whether this blockhash or nonce is over.
    pub(in crate::solana) fn floor_of(&self, blockhash: Option<&str>) -> Option<u64> {
        let seen = blockhash.and_then(|blockhash| self.slot_of_blockhash(blockhash));
        seen.or_else(|| self.known_slot().map(|slot| slot.saturating_add(MARGIN_SLOTS)))
    }

    /// A last look through the history, on a node that is not behind the one that told. `dead`: signatures and the slot that decides;
    /// without one only what is found counts.
    pub(in crate::solana) async fn look_back(self: &Arc<Self>, dead: &[(Arc<str>, Option<u64>)]) {
        let signatures: Vec<_> = dead.iter().map(|(signature, _)| Arc::clone(signature)).collect();
        let floor = dead.iter().filter_map(|(_, slot)| *slot).max();
        let options = CallOptions { deadline: Some(ASK_LIMIT), ..CallOptions::default() };
        let Ok((at, statuses)) = self.statuses_of(&signatures, true, floor, options).await else { return };
        for ((signature, slot), status) in dead.iter().zip(statuses) {
            match status {
                Some(status) => self.pending.saw(signature, Some(status)),
                None if slot.is_some_and(|slot| at >= slot) => self.pending.expired(signature),
                None => {}
            }
        }
    }

    async fn past_their_block(self: &Arc<Self>, unseen: Vec<Unseen>) -> Vec<(Arc<str>, Option<u64>)> {
        let wanted = self.endpoints.load().len().min(2);
        let limited = unseen.iter().any(|one| one.last_valid.is_some());
        let heights = if limited { self.heights(wanted).await } else { Vec::new() };
        let aged = unseen.into_iter().map(|one| (age(one.last_valid, &heights, wanted), one));
        let old: Vec<_> = aged.filter(|(age, _)| *age != Age::Young).collect();
        let hashes = self.blockhashes(&old).await;
        let mut dead = Vec::new();
        for (age, one) in old {
            let hash = one.transaction.as_ref().and_then(|transaction| hashes.get(&transaction.blockhash).copied());
            if let Some(slot) = dead_at(age, hash, one.floor) {
                dead.push((one.signature, Some(slot)));
            } else if let Some(Alive { alive: true, slot }) = hash {
                self.pending.alive_at(&one.signature, slot);
            }
        }
        dead
    }

    /// Heights of the best endpoints; those that cannot be right are left out.
    async fn heights(self: &Arc<Self>, most: usize) -> Vec<Height> {
        let Ok(call) = Prepared::new("getEpochInfo", "", Commitment::Confirmed) else { return Vec::new() };
        let endpoints = self.best_endpoints(&call, most);
        let asked = endpoints.iter().map(|endpoint| self.height(endpoint, &call));
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn height(&self, endpoint: &Arc<Endpoint>, call: &Prepared) -> Option<Height> {
        self.take_token(call.method.class, Priority::Confirm, Instant::now() + HEIGHT_LIMIT).await.ok()?;
        let result = self.attempt(endpoint, call, HEIGHT_LIMIT).await.ok()?;
        let height: Height = serde_json::from_slice(&result).ok()?;
        (height.is_possible() && self.is_no_jump(&endpoint.name, height.block_height)).then_some(height)
    }

    /// Whether this endpoint can have come this far since it was last believed.
    fn is_no_jump(&self, endpoint: &str, height: u64) -> bool {
        let mut heights = self.pending.heights.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let before = heights.get(endpoint);
        let jumped =
            before.is_some_and(|(before, at)| height > reachable(*before, now.duration_since(*at), BLOCKS_PER_SECOND));
        if !jumped {
            heights.insert(endpoint.to_owned(), (height, now));
        }
        !jumped
    }

    /// What a node says about the blockhashes of these, each asked for once.
    async fn blockhashes(self: &Arc<Self>, old: &[(Age, Unseen)]) -> HashMap<String, Alive> {
        let mut floors: BTreeMap<&str, u64> = BTreeMap::new();
        for (transaction, floor) in old.iter().filter_map(|(_, one)| Some((one.transaction.as_ref()?, one.floor))) {
            let lowest = floors.entry(&transaction.blockhash).or_insert(floor);
            *lowest = floor.min(*lowest);
        }
        let skipped = if floors.len() > HASHES { fastrand::usize(..floors.len()) } else { 0 };
        let turn = floors.iter().cycle().skip(skipped).take(floors.len().min(HASHES));
        let asked = turn.map(|(blockhash, floor)| async move {
            Some(((*blockhash).to_owned(), self.blockhash(blockhash, *floor).await?))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn blockhash(self: &Arc<Self>, blockhash: &str, floor: u64) -> Option<Alive> {
        let params = serde_json::json!([blockhash, { "commitment": "confirmed" }]).to_string();
        let (slot, alive) = self.ask_value::<bool>("isBlockhashValid", &params, floor).await?;
        Some(Alive { alive, slot })
    }

    async fn past_their_nonce(self: &Arc<Self>, unseen: Vec<Unseen>) -> Vec<(Arc<str>, Option<u64>)> {
        let mut dead = Vec::new();
        for chunk in unseen.chunks(ACCOUNTS) {
            let accounts: Vec<_> = chunk.iter().filter_map(|one| Some(one.nonce.as_ref()?.account.as_str())).collect();
            let slice = serde_json::json!({ "offset": 0, "length": NONCE_VALUE.end });
            let config = serde_json::json!({ "encoding": "base64", "commitment": "confirmed", "dataSlice": slice });
            let params = serde_json::json!([accounts, config]).to_string();
            let floor = chunk.iter().map(|one| one.floor).min().unwrap_or(0);
            let found = self.ask_value::<Vec<Option<Account>>>("getMultipleAccounts", &params, floor).await;
            let Some((slot, found)) = found.filter(|(_, found)| found.len() == chunk.len()) else { continue };
            for (one, account) in chunk.iter().zip(found) {
                let value = one.nonce.as_ref().map(|nonce| nonce.value.as_str());
                if account.and_then(|account| nonce_value(&account)).as_deref() == value {
                    self.pending.alive_at(&one.signature, slot);
                } else if slot >= one.floor {
                    dead.push((Arc::clone(&one.signature), Some(slot)));
                }
            }
        }
        dead
    }

    /// The context slot and the value of a reply, from a node at or past `floor` if there is one.
    async fn ask_value<T: serde::de::DeserializeOwned>(
        self: &Arc<Self>,
        method: &str,
        params: &str,
        floor: u64,
    ) -> Option<(u64, T)> {
        let mut call = Prepared::new(method, params, Commitment::Confirmed).ok()?;
        call.min_slot = Some(floor);
        let options = CallOptions { deadline: Some(ASK_LIMIT), ..CallOptions::default() };
        let result = self.run(call, options).await.ok()?;
        let read: WithValue<T> = serde_json::from_slice(&result).ok()?;
        Some((reply::context_slot(&result)?, read.value))
    }

    /// The newest slot that any endpoint reported, whatever the commitment.
    fn known_slot(&self) -> Option<u64> {
        let endpoints = self.endpoints.load();
        let commitments = [Commitment::Processed, Commitment::Confirmed, Commitment::Finalized];
        let reports = endpoints.iter().flat_map(|endpoint| {
            let facts = endpoint.facts();
            commitments.map(|commitment| facts.slots.get(commitment).map(|report| report.slot))
        });
        reports.flatten().max()
    }
}

fn nonce_value(account: &Account) -> Option<String> {
    let data = BASE64.decode(&account.data.0).ok()?;
    Some(bs58::encode(data.get(NONCE_VALUE)?).into_string())
}

#[cfg(test)]
mod tests {
    use super::{Age, Alive, Height, age, dead_at};

    fn height(absolute_slot: u64, block_height: u64) -> Height {
        Height { absolute_slot, block_height }
    }

    #[test]
    fn two_endpoints_past_the_limit_decide_and_one_does_not() {
        let (near, far) = (height(9_000, 101), height(9_002, 103));
        assert_eq!(age(Some(100), &[near, far], 2), Age::Past(9_000));
        assert_eq!(age(Some(100), &[near], 1), Age::Past(9_000));
        assert_eq!(age(Some(100), &[near], 2), Age::Unsure, "the other one did not answer");
        assert_eq!(age(Some(100), &[near, height(8_000, 100)], 2), Age::Young, "they disagree");
        assert_eq!(age(Some(100), &[], 2), Age::Unsure);
        assert_eq!(age(None, &[near, far], 2), Age::Unsure);
    }

    #[test]
    fn a_slot_is_not_taken_for_a_height() {
        assert!(!height(100, 101).is_possible());
        let slots = [height(9_000, 9_000), height(9_001, 9_001)];
        assert_eq!(age(Some(100), &slots, 2), Age::Unsure);
        assert_eq!(age(Some(100), &[height(9_000, 8_000), height(9_001, 8_001)], 2), Age::Past(9_000), "long past");
        assert_eq!(
            age(Some(100), &[height(101, 101), height(102, 102)], 2),
            Age::Past(101),
            "no slot was ever skipped"
        );
    }

    #[test]
    fn a_blockhash_vetoes_heights_and_decides_where_they_cannot() {
        let says = |alive, slot| Some(Alive { alive, slot });
        assert_eq!(dead_at(Age::Past(50), None, 40), Some(50));
        assert_eq!(dead_at(Age::Past(50), says(true, 60), 40), None);
        assert_eq!(dead_at(Age::Unsure, says(false, 60), 40), Some(60));
        assert_eq!(dead_at(Age::Unsure, says(false, 39), 40), None, "that node cannot know the blockhash yet");
        assert_eq!(dead_at(Age::Unsure, None, 40), None);
        assert_eq!(dead_at(Age::Young, says(false, 60), 40), None);
    }
}
