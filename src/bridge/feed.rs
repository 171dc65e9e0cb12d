//! The feed: events for JavaScript in a bounded ring that drops the oldest and counts what it dropped.

use super::lane::{Lane, Waker};
use crate::observe::{Event, EventSink};
use napi_derive::napi;
use std::collections::VecDeque;

/// The most events that wait for JavaScript; beyond it the oldest are dropped.
const FEED_LIMIT: usize = 1024;

/// Events of one client on their way to JavaScript.
pub(crate) struct Feed {
    lane: Lane<Ring>,
}

#[derive(Default)]
struct Ring {
    events: VecDeque<Event>,
    dropped: u32,
}

/// What one drain of a feed hands over.
#[napi(object)]
pub struct FeedBatch {
    /// Records as JSON, oldest first: `{event, level, message, ...fields}`.
    pub events: Vec<String>,
    /// How many were dropped since the last drain.
    pub dropped: u32,
}

impl Feed {
    /// A feed whose wake-ups go to `waker`.
    pub(crate) fn new(waker: Box<dyn Waker>) -> Self {
        Self { lane: Lane::new(waker) }
    }

    /// Hands the waiting events over.
    pub(crate) fn drain(&self) -> FeedBatch {
        let ring = self.lane.drain(std::mem::take);
        FeedBatch { events: ring.events.iter().map(Event::to_json).collect(), dropped: ring.dropped }
    }

    /// Drops the thread-safe function.
    pub(crate) fn close(&self) {
        self.lane.close();
    }
}

impl EventSink for Feed {
    fn emit(&self, event: Event) {
        self.lane.push(|ring| {
            if ring.events.len() == FEED_LIMIT {
                ring.events.pop_front();
                ring.dropped = ring.dropped.saturating_add(1);
            }
            ring.events.push_back(event);
        });
    }
}
