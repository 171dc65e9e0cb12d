//! Slots that answers of this pool must not be older than: what `readYourWrites` has learnt from confirmed sends, and what `getSlot` has said before.

use crate::solana::call::reply;
use crate::solana::call::request::Prepared;
use crate::solana::endpoint::slot::{Commitment, PerCommitment, reachable};
use crate::solana::error::{AttemptError, RpcRefusal};
use crate::solana::pool::Pool;
use bytes::Bytes;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A height that nothing has reached again for this long was wrong, or the chain began anew.
const BELIEVED: Duration = Duration::from_secs(10);
/// The network makes about 2.5 slots a second.
const SLOTS_PER_SECOND: u64 = 10;

/// The floors of one pool.
#[derive(Default)]
pub(in crate::solana) struct Floor(Mutex<Floors>);

#[derive(Default)]
struct Floors {
    writes: PerCommitment<u64>,
    slot: PerCommitment<Option<Seen>>,
    height: PerCommitment<Option<Seen>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    value: u64,
    at: Instant,
}

impl Floor {
    fn floors(&self) -> MutexGuard<'_, Floors> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot that reads at `commitment` must have reached; `None` before the first write.
    pub(in crate::solana) fn of_writes(&self, commitment: Commitment) -> Option<u64> {
        Some(*self.floors().writes.get(commitment)).filter(|slot| *slot > 0)
    }

    fn raise(&self, slot: u64, commitment: Commitment) {
        let mut floors = self.floors();
        for reached in [Commitment::Processed, Commitment::Confirmed, Commitment::Finalized] {
            if reached <= commitment {
                let floor = floors.writes.get_mut(reached);
                *floor = slot.max(*floor);
            }
        }
    }

    /// `value`, or the larger one that was answered before.
    fn monotone(&self, height: bool, commitment: Commitment, value: u64, now: Instant) -> u64 {
        let mut floors = self.floors();
        let seen = if height { &mut floors.height } else { &mut floors.slot };
        let seen = seen.get_mut(commitment);
        match *seen {
            Some(last) if value <= last.value && now.saturating_duration_since(last.at) < BELIEVED => {
                if value == last.value {
                    *seen = Some(Seen { value, at: now });
                }
                last.value
            }
            Some(last) if value > reachable(last.value, now.saturating_duration_since(last.at), SLOTS_PER_SECOND) => {
                value
            }
            _ => {
                *seen = Some(Seen { value, at: now });
                value
            }
        }
    }
}

impl Pool {
    /// A send of this pool has reached `commitment` in `slot`: later reads see it, if the pool was asked for that.
    pub(in crate::solana) fn wrote(&self, slot: u64, commitment: Commitment) {
        if self.options.read_your_writes {
            self.floor.raise(slot, commitment);
            // Reads under way were begun below the floor: nobody joins them any more.
            self.next_generation();
        }
    }

    /// The call with the floor of this pool.
    pub(in crate::solana) fn above_floor(&self, mut call: Prepared) -> Prepared {
        if !call.is_send() {
            call.min_slot = call.min_slot.max(self.floor.of_writes(call.commitment));
        }
        call
    }

    /// An answer as the caller may see it: slots and heights of one pool do not go backwards.
    pub(in crate::solana) fn monotone(&self, call: &Prepared, result: Bytes) -> Bytes {
        let height = match call.name.as_str() {
            "getSlot" => false,
            "getBlockHeight" => true,
            _ => return result,
        };
        let Some(value) = reply::number(&result) else { return result };
        let shown = self.floor.monotone(height, call.commitment, value, Instant::now());
        if shown == value { result } else { shown.to_string().into() }
    }
}

/// Whether a kept or received result is from before `min`. One that does not tell is not known to be.
pub(in crate::solana) fn is_below(result: &[u8], min: Option<u64>) -> Option<u64> {
    let slot = reply::context_slot(result)?;
    min.filter(|min| slot < *min).map(|_| slot)
}

/// What a node would have said that checks `minContextSlot` itself.
pub(in crate::solana) fn not_reached(slot: u64) -> AttemptError {
    let message = "Minimum context slot has not been reached".to_owned();
    let body = format!("{{\"code\":-32016,\"message\":\"{message}\",\"data\":{{\"contextSlot\":{slot}}}}}");
    AttemptError::Rpc(RpcRefusal { code: -32016, message, body: body.into() })
}

#[cfg(test)]
mod tests {
    use super::{Floor, is_below};
    use crate::solana::endpoint::slot::Commitment::{Confirmed, Finalized, Processed};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn a_confirmed_write_binds_reads_that_can_see_it() {
        let floor = Floor::default();
        assert_eq!(floor.of_writes(Processed), None);
        floor.raise(7, Confirmed);
        floor.raise(5, Confirmed);
        let floors = [Processed, Confirmed, Finalized].map(|commitment| floor.of_writes(commitment));
        assert_eq!(floors, [Some(7), Some(7), None]);
        assert_eq!(is_below(br#"{"context":{"slot":6},"value":1}"#, Some(7)), Some(6));
        assert_eq!(is_below(br#"{"context":{"slot":7},"value":1}"#, Some(7)), None);
        assert_eq!(is_below(b"5", Some(7)), None);
    }

    #[test]
    fn never_goes_backwards_and_does_not_believe_a_jump() {
        let (floor, now) = (Floor::default(), Instant::now());
        let ask = |value, seconds| floor.monotone(false, Processed, value, now + Duration::from_secs(seconds));
        assert_eq!((ask(100, 0), ask(90, 1), ask(101, 2), ask(99, 3)), (100, 100, 101, 101));
        assert_eq!(ask(1_000_000, 4), 1_000_000, "shown, not believed");
        assert_eq!(ask(102, 5), 102);
        assert_eq!(ask(3, 16), 3, "the chain began anew");
        assert_eq!(floor.monotone(true, Processed, 50, now), 50, "heights are apart");
    }

    #[test]
    fn the_largest_slot_there_is_is_forgotten_like_any_other() {
        let (floor, now) = (Floor::default(), Instant::now());
        let ask = |value, seconds| floor.monotone(false, Processed, value, now + Duration::from_secs(seconds));
        assert_eq!((ask(u64::MAX, 0), ask(5, 1), ask(6, 12), ask(7, 13)), (u64::MAX, u64::MAX, 6, 7));
    }
}
