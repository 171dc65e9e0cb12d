//! The inbox of a keyed lane: JavaScript's thread leaves its frames here and goes on; a task of the shared runtime takes them.
//!
//! Starting an operation means making its future, its token and its task, and waking a worker for each: more than JavaScript's thread pays for all the rest of a
//! submission. Guarantees: frames are taken once, in the order of submission, by one thread at a time; what was put before `take` begins has been taken when it returns.

use super::frame::{self, Frame};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A buffer that has grown beyond this is not kept.
const KEPT_BYTES: usize = 256 * 1024;

/// Frames that wait for a worker.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pending: Mutex<Pending>,
    /// Held while frames are taken; the spare buffer of the next turn.
    turn: Mutex<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    announced: bool,
}

impl Inbox {
    /// Copies whole frames in. True when somebody must call [`Inbox::take`]: nobody was asked since the last one began.
    pub(crate) fn put(&self, frames: &[u8]) -> bool {
        let mut pending = lock(&self.pending);
        pending.bytes.extend_from_slice(frames);
        !std::mem::replace(&mut pending.announced, true)
    }

    /// Hands everything that waits to `start`, after whoever is at it now. How many frames there were.
    pub(crate) fn take(&self, mut start: impl FnMut(Frame<'_>)) -> usize {
        let mut turn = lock(&self.turn);
        {
            let mut pending = lock(&self.pending);
            pending.announced = false;
            std::mem::swap(&mut pending.bytes, &mut turn);
        }
        let mut count = 0;
        // Whole frames went in: `put` is given nothing else.
        let _whole = frame::each(&turn, |frame| {
            count += 1;
            start(frame);
        });
        turn.clear();
        turn.shrink_to(KEPT_BYTES);
        count
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Inbox;
    use std::sync::Mutex;

    /// A frame without a body.
    fn frame(id: u32) -> Vec<u8> {
        let mut bytes = vec![0; 20];
        bytes.get_mut(4..8).unwrap().copy_from_slice(&id.to_le_bytes());
        bytes
    }

    #[test]
    fn asks_once_for_all_that_waits() {
        let inbox = Inbox::default();
        assert!(inbox.put(&frame(1)));
        assert!(!inbox.put(&frame(2)));
        let mut seen = Vec::new();
        inbox.take(|frame| seen.push(frame.id));
        assert_eq!(seen, [1, 2]);
        assert!(inbox.put(&frame(3)));
        inbox.take(|frame| seen.push(frame.id));
        inbox.take(|frame| seen.push(frame.id));
        assert_eq!(seen, [1, 2, 3]);
    }

    #[test]
    fn several_takers_keep_the_order() {
        let inbox = Inbox::default();
        let seen = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        inbox.take(|frame| seen.lock().unwrap().push(frame.id));
                        std::thread::yield_now();
                    }
                });
            }
            for id in 0..2_000 {
                inbox.put(&frame(id));
            }
        });
        inbox.take(|frame| seen.lock().unwrap().push(frame.id));
        assert_eq!(*seen.lock().unwrap(), (0..2_000).collect::<Vec<_>>());
    }
}
