//! The lane: what Rust has for JavaScript waits in a queue, and one wake-up per batch tells JavaScript to fetch it.
//!
//! Guarantees: whatever was pushed, or added and woken for, before `close` is seen by a drain that follows its wake-up; between two drains the waker is called at most once;
//! after `close` nothing is queued and the waker is gone. Modelled with loom in `tests/lane_loom.rs`.

use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering};

/// Tells the JavaScript thread that there is something to drain. Must not block.
pub trait Waker: Send + Sync {
    /// Wakes once; further calls before a drain do not happen.
    fn wake(&self);
}

/// A queue `Q` with a coalesced wake-up.
pub struct Lane<Q> {
    shared: Mutex<Shared<Q>>,
    awake: AtomicBool,
}

struct Shared<Q> {
    queue: Q,
    /// `None` once closed.
    waker: Option<Box<dyn Waker>>,
}

impl<Q: Default> Lane<Q> {
    /// An open lane.
    pub fn new(waker: Box<dyn Waker>) -> Self {
        Self { shared: Mutex::new(Shared { queue: Q::default(), waker: Some(waker) }), awake: AtomicBool::new(false) }
    }

    /// Lets `add` put something into the queue, then wakes JavaScript unless it was woken already. False when closed: `add` did not run.
    pub fn push(&self, add: impl FnOnce(&mut Q)) -> bool {
        let mut shared = self.lock();
        let shared = &mut *shared;
        let Some(waker) = shared.waker.as_ref() else {
            return false;
        };
        add(&mut shared.queue);
        self.wake_once(waker.as_ref());
        true
    }

    /// Lets `add` put something into the queue; [`Lane::wake`] must follow soon. False when closed: `add` did not run.
    pub fn add(&self, add: impl FnOnce(&mut Q)) -> bool {
        let mut shared = self.lock();
        let open = shared.waker.is_some();
        if open {
            add(&mut shared.queue);
        }
        open
    }

    /// Wakes JavaScript for what was added, unless it was woken already.
    pub fn wake(&self) {
        let shared = self.lock();
        if let Some(waker) = shared.waker.as_ref() {
            self.wake_once(waker.as_ref());
        }
    }

    fn wake_once(&self, waker: &dyn Waker) {
        if !self.awake.swap(true, Ordering::AcqRel) {
            waker.wake();
        }
    }

    /// Lets `take` look at the queue without touching the wake-up, for bounds and statistics.
    pub fn peek<R>(&self, look: impl FnOnce(&Q) -> R) -> R {
        look(&self.lock().queue)
    }

    /// Lets `take` empty the queue. The flag is cleared first: a push that follows wakes again, and an empty drain does no harm.
    pub fn drain<R>(&self, take: impl FnOnce(&mut Q) -> R) -> R {
        let mut shared = self.lock();
        self.awake.store(false, Ordering::Release);
        take(&mut shared.queue)
    }

    /// Closes the lane: drops the waker and what is still queued. Idempotent.
    pub fn close(&self) {
        let (waker, queue) = {
            let mut shared = self.lock();
            (shared.waker.take(), std::mem::take(&mut shared.queue))
        };
        // Dropped outside the lock: dropping a thread-safe function takes locks of its own.
        drop(waker);
        drop(queue);
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().waker.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Shared<Q>> {
        self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
