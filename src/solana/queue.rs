//! Who starts next: the pool-wide limit of one class and those who wait for it, in four lines by priority. Pools over the same endpoints share one.
//!
//! One task serves all who wait, and only while somebody does: no timer per caller, nothing that grows with the number of callers but the lines themselves.
//! The first line goes first; one start in ten goes to the last one, so that it never stands still.

use crate::solana::endpoint::rate_limit::{Gcra, Wanted};
use crate::solana::shared_limits::Leases;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// One start in so many is the last line's.
const FLOOR: u32 = 10;
/// A line is swept when it holds this many more than are still there, and twice as many.
const SWEEP: usize = 64;

/// How urgent a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Sends.
    Send,
    /// What a confirmation waits for.
    Confirm,
    /// Normal reads.
    Read,
    /// What may wait.
    Bulk,
}

const LINES: usize = 4;

impl Priority {
    /// From its number in a frame, `None` for 0.
    pub fn from_number(number: u16) -> Option<Self> {
        [None, Some(Self::Send), Some(Self::Confirm), Some(Self::Read), Some(Self::Bulk)]
            .get(usize::from(number))
            .copied()
            .flatten()
    }

    fn line(self) -> usize {
        self as usize
    }
}

/// The pool-wide starts of one class.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    bucket: Option<Gcra>,
    wanted: Wanted,
    /// Pools of this queue that share their limit with other processes; the first one's slots are used.
    lenders: Vec<(usize, Arc<Leases>)>,
    lines: [VecDeque<oneshot::Sender<()>>; LINES],
    /// Callers in each line who have not given up.
    present: [usize; LINES],
    started: u32,
    serving: bool,
}

/// A place in a line; dropping it is leaving.
struct Place<'a> {
    queue: &'a Queue,
    line: usize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        if let Some(present) = state.present.get_mut(self.line) {
            *present -= 1;
        }
        if state.waiting() == 0 {
            self.queue.changed.notify_one();
        }
    }
}

impl Queue {
    /// A queue without a limit, until somebody asks for one.
    pub(super) fn new() -> Self {
        let state = State {
            bucket: None,
            wanted: Wanted::default(),
            lenders: Vec::new(),
            lines: Default::default(),
            present: [0; LINES],
            started: 0,
            serving: false,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// The pool `member` asks for this rate (`None`: it leaves); the smallest of all counts.
    pub(super) fn want(&self, member: usize, rate: Option<f64>) {
        let mut state = self.state();
        state.wanted.set(member, rate);
        // With nobody left the last limit stays for those who still wait.
        match (state.wanted.least(), &mut state.bucket) {
            (Some(rate), Some(bucket)) => bucket.set_rate(rate),
            (Some(rate), bucket) => *bucket = Some(Gcra::new(rate)),
            (None, _) => {}
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The pool `member` shares the limit with other processes by these slots (`None`: it leaves).
    pub(super) fn lend(&self, member: usize, leases: Option<&Arc<Leases>>) {
        let mut state = self.state();
        state.lenders.retain(|(other, _)| *other != member);
        state.lenders.extend(leases.map(|leases| (member, Arc::clone(leases))));
        drop(state);
        self.look();
    }

    /// Something has changed that those who wait may profit from.
    pub(super) fn look(&self) {
        self.changed.notify_one();
    }

    /// Callers who wait.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.state().waiting()).unwrap_or(u32::MAX)
    }

    /// The rate in force.
    pub(super) fn rate(&self) -> Option<f64> {
        self.state().wanted.least()
    }

    /// Waits for a start. When it would come after `deadline`: at once, with the time at which it would.
    pub(super) async fn start(self: &Arc<Self>, priority: Priority, deadline: Instant) -> Result<(), Instant> {
        let (turn, place) = {
            let mut state = self.state();
            let now = Instant::now();
            if state.waiting() == 0 && state.take_start(now).is_ok() {
                return Ok(());
            }
            let at = state.expected(priority, now);
            if at > deadline {
                return Err(at);
            }
            let turn = state.join(priority);
            if !std::mem::replace(&mut state.serving, true) {
                drop(tokio::spawn(serve(Arc::clone(self))));
            }
            (turn, Place { queue: self, line: priority.line() })
        };
        // The sender is dropped only with the queue, which this future holds.
        let turn = turn.await;
        drop(place);
        turn.map_err(|_| deadline)
    }

    /// Takes a start only if one is free and nobody waits for it.
    pub(super) fn start_now(&self) -> bool {
        let mut state = self.state();
        state.waiting() == 0 && state.take_start(Instant::now()).is_ok()
    }

    /// When a caller who comes now would start, about.
    pub(super) fn expected(&self, priority: Priority) -> Instant {
        self.state().expected(priority, Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands starts out until nobody waits.
async fn serve(queue: Arc<Queue>) {
    loop {
        let Some(next) = queue.state().serve(Instant::now()) else { return };
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = queue.changed.notified() => {}
        }
    }
}

impl State {
    /// The one place where a start is taken; otherwise says when there may be one.
    fn take_start(&mut self, now: Instant) -> Result<(), Instant> {
        let Some(bucket) = &mut self.bucket else { return Ok(()) };
        let Some((_, leases)) = self.lenders.first() else { return bucket.reserve(now, now).map(drop) };
        let at = bucket.next(now);
        if at > now {
            return Err(at);
        }
        leases.start(now)?;
        bucket.take(now);
        Ok(())
    }

    fn waiting(&self) -> usize {
        self.present.iter().sum()
    }

    fn join(&mut self, priority: Priority) -> oneshot::Receiver<()> {
        let (turn, receiver) = oneshot::channel();
        if let (Some(line), Some(present)) =
            (self.lines.get_mut(priority.line()), self.present.get_mut(priority.line()))
        {
            *present += 1;
            if line.len() > 2 * *present + SWEEP {
                line.retain(|one| !one.is_closed());
            }
            line.push_back(turn);
        }
        receiver
    }

    /// Gives starts to those whose turn it is. When the next one is due; `None` when nobody waits any more.
    fn serve(&mut self, now: Instant) -> Option<Instant> {
        loop {
            let Some(line) = self.next_line() else {
                self.serving = false;
                return None;
            };
            if let Err(at) = self.take_start(now) {
                return Some(at);
            }
            self.started = self.started.wrapping_add(1);
            // One who leaves at this very moment takes the start along: that errs on the side of the limit.
            if let Some(turn) = self.lines.get_mut(line).and_then(VecDeque::pop_front) {
                let _ = turn.send(());
            }
        }
    }

    /// The line whose turn it is, its first caller being one who still waits.
    fn next_line(&mut self) -> Option<usize> {
        for line in &mut self.lines {
            while line.front().is_some_and(oneshot::Sender::is_closed) {
                line.pop_front();
            }
        }
        let mut waiting = self.lines.iter().enumerate().filter(|(_, line)| !line.is_empty()).map(|(index, _)| index);
        if self.started % FLOOR == FLOOR - 1 { waiting.next_back() } else { waiting.next() }
    }

    fn expected(&self, priority: Priority, now: Instant) -> Instant {
        let Some(bucket) = &self.bucket else { return now };
        let line = priority.line();
        let ahead: usize = self.present.iter().take(line + 1).sum();
        let behind: usize = self.present.iter().skip(line + 1).sum();
        let floor = usize::try_from(FLOOR).unwrap_or(1);
        // Those behind get one start in ten; the last line waits for at most ten times its own length.
        let turns = if behind > 0 {
            ahead + (ahead / (floor - 1)).min(behind)
        } else {
            ahead.min(self.present.get(line).copied().unwrap_or(0).saturating_mul(floor).saturating_add(floor))
        };
        let leased = self.lenders.first().map_or(now, |(_, leases)| leases.next(now));
        bucket.next(now).max(leased) + times(bucket.interval(), turns)
    }
}

fn times(interval: Duration, turns: usize) -> Duration {
    interval.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX))
}

#[cfg(all(test, feature = "test-util"))]
mod tests {
    use super::{Priority, Queue};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    fn queue(rate: f64) -> Arc<Queue> {
        let queue = Arc::new(Queue::new());
        queue.want(1, Some(rate));
        queue
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_hours(1)
    }

    #[tokio::test(start_paused = true)]
    async fn urgent_callers_go_first_and_the_last_line_gets_one_start_in_ten() {
        let (queue, order) = (queue(10.0), Arc::new(Mutex::new(Vec::new())));
        assert!(queue.start_now());
        let call = |priority| {
            let (queue, order) = (Arc::clone(&queue), Arc::clone(&order));
            tokio::spawn(async move {
                queue.start(priority, far()).await.unwrap();
                order.lock().unwrap().push(priority);
            })
        };
        let bulk: Vec<_> = (0..10).map(|_| call(Priority::Bulk)).collect();
        sleep(Duration::from_millis(1)).await;
        let urgent: Vec<_> = (0..30).map(|_| call(Priority::Send)).collect();
        for one in bulk.into_iter().chain(urgent) {
            one.await.unwrap();
        }
        let order = order.lock().unwrap();
        let first_thirty = order.iter().take(30).filter(|one| **one == Priority::Bulk).count();
        assert_eq!(first_thirty, 3, "{order:?}");
        assert!(!queue.state().serving);
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_holds_more_than_the_limit_and_no_more_time_passes_than_needed() {
        let (queue, started) = (queue(100.0), Instant::now());
        let calls = (0..300).map(|_| queue.start(Priority::Read, far()));
        assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
        let took = started.elapsed();
        assert!(took > Duration::from_millis(2900) && took < Duration::from_millis(3300), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_start_in_time_is_told_at_once_and_who_leaves_frees_the_place() {
        let queue = queue(1.0);
        assert!(queue.start_now() && !queue.start_now());
        let soon = Instant::now() + Duration::from_millis(3500);
        let (one, two) = (queue.start(Priority::Read, soon), queue.start(Priority::Read, soon));
        let (mut one, mut two) = (Box::pin(one), Box::pin(two));
        assert!(futures_util::poll!(&mut one).is_pending() && futures_util::poll!(&mut two).is_pending());
        let third = queue.start(Priority::Read, Instant::now() + Duration::from_millis(2500)).await.unwrap_err();
        assert_eq!(third - Instant::now(), Duration::from_secs(3));
        drop(two);
        assert_eq!(queue.expected(Priority::Read) - Instant::now(), Duration::from_secs(2));
        one.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_nobody_waits_in_has_no_task_and_no_dead_places() {
        let queue = queue(0.01);
        assert!(queue.start_now());
        for _ in 0..1000 {
            let mut call = Box::pin(queue.start(Priority::Bulk, far()));
            assert!(futures_util::poll!(&mut call).is_pending());
        }
        assert!(queue.state().lines[3].len() < 200);
        sleep(Duration::from_millis(1)).await;
        assert!(!queue.state().serving);
    }
}
