//! Loom model of the lane: every interleaving of push, drain and close. The lane's own source is compiled with loom's primitives.

#![cfg(feature = "test-util")]
#![expect(
    unreachable_pub,
    dead_code,
    reason = "the lane is a module of the crate; here it is compiled into a test binary"
)]

mod sync {
    pub(crate) use loom::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    };
}

#[path = "../src/bridge/lane.rs"]
mod lane;

use lane::{Lane, Waker};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};

struct Count(Arc<AtomicUsize>);
impl Waker for Count {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A lane and how often it woke.
fn counted() -> (Arc<Lane<Vec<u32>>>, Arc<AtomicUsize>) {
    let wakes = Arc::new(AtomicUsize::new(0));
    (Arc::new(Lane::new(Box::new(Count(Arc::clone(&wakes))))), wakes)
}

#[test]
fn nothing_pushed_is_left_without_a_wake_up() {
    loom::model(|| {
        let (lane, wakes) = counted();
        let pusher = {
            let lane = Arc::clone(&lane);
            loom::thread::spawn(move || {
                lane.push(|queue| queue.push(1));
                lane.push(|queue| queue.push(2));
            })
        };
        let first = lane.drain(std::mem::take).len();
        let seen = wakes.load(Ordering::SeqCst);
        pusher.join().unwrap();
        let rest = lane.drain(std::mem::take).len();
        assert_eq!(first + rest, 2);
        // Whatever the first drain did not take was announced by a wake-up that came after it or had not been consumed.
        assert!(rest == 0 || wakes.load(Ordering::SeqCst) > 0 || seen > 0);
    });
}

#[test]
fn close_loses_the_race_or_refuses_the_push() {
    loom::model(|| {
        let (lane, wakes) = counted();
        let pusher = {
            let lane = Arc::clone(&lane);
            loom::thread::spawn(move || lane.push(|queue| queue.push(1)))
        };
        lane.close();
        let accepted = pusher.join().unwrap();
        assert_eq!(accepted, wakes.load(Ordering::SeqCst) == 1);
        assert!(lane.drain(std::mem::take).is_empty());
        assert!(lane.is_closed());
    });
}

#[test]
fn wakes_once_per_batch_and_never_after_close() {
    loom::model(|| {
        let (lane, wakes) = counted();
        assert!(lane.push(|queue| queue.push(1)));
        assert!(lane.push(|queue| queue.push(2)));
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        assert_eq!(lane.drain(std::mem::take), vec![1, 2]);
        assert!(lane.push(|queue| queue.push(3)));
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
        lane.close();
        assert!(!lane.push(|queue| queue.push(4)));
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn whoever_wakes_last_wakes_for_all_that_was_added() {
    loom::model(|| {
        let (lane, wakes) = counted();
        let adder = {
            let lane = Arc::clone(&lane);
            loom::thread::spawn(move || {
                lane.add(|queue| queue.push(1));
                lane.wake();
            })
        };
        lane.add(|queue| queue.push(2));
        let first = lane.drain(std::mem::take).len();
        lane.wake();
        adder.join().unwrap();
        assert!(wakes.load(Ordering::SeqCst) > 0, "a wake-up follows the last thing added");
        assert_eq!(first + lane.drain(std::mem::take).len(), 2);
    });
}
