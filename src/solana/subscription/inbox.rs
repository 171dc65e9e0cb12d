//! What one subscription has for its subscriber: notifications, gaps and its end, in order, in a bounded queue that drops the oldest notifications of feeds.

use crate::solana::error::PoolError;
use bytes::Bytes;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes that may wait per subscription, whatever their number.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A stretch of slots that nobody watched for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The last slot that was watched.
    pub from_slot: u64,
    /// The first slot that is watched again.
    pub to_slot: u64,
    /// Whether something may be missing for good; false when a read has caught up.
    pub lost: bool,
}

/// One thing for a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The `result` of a notification, as JSON text.
    Notification(Bytes),
    /// Slots that were not watched.
    Gap(Gap),
    /// The last item: `Ok` when all is said, an error when the subscription cannot go on.
    End(Result<(), PoolError>),
}

/// Called when something arrives in an empty queue. Must not block.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// The queue.
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Notify,
    wake: Option<Wake>,
    most: usize,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    notifications: usize,
    bytes: usize,
    dropped: u64,
    ended: bool,
}

impl Inbox {
    /// Holds at most `most` notifications.
    pub(super) fn new(most: usize, wake: Option<Wake>) -> Self {
        Self { queue: Mutex::default(), arrived: Notify::new(), wake, most }
    }

    /// Adds a notification and returns how many older ones had to go. A lossless queue drops nothing: signatures have at most two.
    pub(super) fn notify(&self, result: Bytes, lossless: bool) -> u64 {
        self.push(|queue| {
            queue.notifications += 1;
            queue.bytes += result.len();
            queue.items.push_back(Item::Notification(result));
            let mut gone = 0;
            while !lossless
                && queue.notifications > 1
                && (queue.notifications > self.most || queue.bytes > MAX_BYTES)
                && queue.drop_oldest()
            {
                gone += 1;
            }
            queue.dropped += gone;
            gone
        })
    }

    /// Adds a gap; one that follows another widens it.
    pub(super) fn gap(&self, gap: Gap) {
        self.push(|queue| {
            match queue.items.back_mut() {
                Some(Item::Gap(last)) => *last = merged(*last, gap),
                _ => queue.items.push_back(Item::Gap(gap)),
            }
            0
        });
    }

    /// Adds the end; nothing follows it.
    pub(super) fn end(&self, outcome: Result<(), PoolError>) {
        self.push(|queue| {
            queue.items.push_back(Item::End(outcome));
            queue.ended = true;
            0
        });
    }

    /// Everything that waits, and how many notifications were dropped so far.
    pub(super) fn take(&self) -> (Vec<Item>, u64) {
        let mut queue = self.queue();
        (queue.notifications, queue.bytes) = (0, 0);
        (queue.items.drain(..).collect(), queue.dropped)
    }

    /// The next item; `None` after the end.
    pub(super) async fn next(&self) -> Option<Item> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut queue = self.queue();
                if let Some(item) = queue.pop() {
                    return Some(item);
                }
                if queue.ended {
                    return None;
                }
            }
            arrived.await;
        }
    }

    fn push(&self, add: impl FnOnce(&mut Queue) -> u64) -> u64 {
        let mut queue = self.queue();
        if queue.ended {
            return 0;
        }
        let was_empty = queue.items.is_empty();
        let gone = add(&mut queue);
        drop(queue);
        self.arrived.notify_one();
        if was_empty && let Some(wake) = &self.wake {
            wake();
        }
        gone
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if let Item::Notification(result) = &item {
            self.notifications -= 1;
            self.bytes -= result.len();
        }
        Some(item)
    }

    /// Drops the oldest notification. Gaps before it stay, and meet what comes after.
    fn drop_oldest(&mut self) -> bool {
        let Some(at) = self.items.iter().position(|item| matches!(item, Item::Notification(_))) else { return false };
        if let Some(Item::Notification(result)) = self.items.remove(at) {
            self.notifications -= 1;
            self.bytes -= result.len();
        }
        let before = at.checked_sub(1).and_then(|before| self.items.get(before)).cloned();
        if let (Some(Item::Gap(first)), Some(Item::Gap(second))) = (before, self.items.get_mut(at)) {
            *second = merged(first, *second);
            self.items.remove(at - 1);
        }
        true
    }
}

fn merged(first: Gap, second: Gap) -> Gap {
    Gap {
        from_slot: first.from_slot.min(second.from_slot),
        to_slot: first.to_slot.max(second.to_slot),
        lost: first.lost || second.lost,
    }
}

#[cfg(test)]
mod tests {
    use super::{Gap, Inbox, Item};
    use bytes::Bytes;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn text(number: u32) -> Bytes {
        Bytes::from(number.to_string())
    }

    fn gap(from_slot: u64, to_slot: u64) -> Gap {
        Gap { from_slot, to_slot, lost: false }
    }

    #[test]
    fn drops_the_oldest_notifications_of_a_feed_and_counts_them() {
        let inbox = Inbox::new(3, None);
        let gone: u64 = (0..5).map(|number| inbox.notify(text(number), false)).sum();
        let (items, dropped) = inbox.take();
        assert_eq!((gone, dropped), (2, 2));
        assert_eq!(items, (2..5).map(|number| Item::Notification(text(number))).collect::<Vec<_>>());
        (0..5).for_each(|number| assert_eq!(inbox.notify(text(number), true), 0));
        assert_eq!(inbox.take().0.len(), 5, "never of signatures");
    }

    #[test]
    fn gaps_stay_and_join_when_what_is_between_them_is_dropped() {
        let inbox = Inbox::new(1, None);
        inbox.gap(gap(1, 2));
        inbox.notify(text(1), false);
        inbox.gap(gap(5, 6));
        inbox.gap(gap(7, 9));
        inbox.notify(text(2), false);
        assert_eq!(inbox.take().0, [Item::Gap(gap(1, 9)), Item::Notification(text(2))]);
    }

    #[tokio::test]
    async fn wakes_once_per_filling_and_ends_once() {
        let wakes = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&wakes);
        let inbox = Inbox::new(
            10,
            Some(Box::new(move || {
                counted.fetch_add(1, Ordering::Relaxed);
            })),
        );
        inbox.notify(text(1), false);
        inbox.notify(text(2), false);
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        inbox.end(Ok(()));
        inbox.notify(text(3), false);
        inbox.end(Ok(()));
        assert_eq!(inbox.next().await, Some(Item::Notification(text(1))));
        assert_eq!(inbox.take().0, [Item::Notification(text(2)), Item::End(Ok(()))]);
        assert_eq!(inbox.next().await, None);
    }
}
