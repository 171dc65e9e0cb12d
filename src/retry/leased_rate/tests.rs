//! The planner against a timeline with the rule of the script, and its single decisions.

use super::{COVER, LeasedRate, PATIENCE};
use crate::retry::limit_store::{Ask, BACKLOG, Lease, spacing};
use fastrand::Rng;
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::Instant;

/// The rule of the store's script.
struct Timeline {
    following: Instant,
    processes: u32,
}

impl Timeline {
    fn lease(&mut self, now: Instant, ask: Ask) -> Lease {
        let idle = self.following <= now;
        let first = self.following.max(now.checked_sub(BACKLOG).unwrap());
        let slots_in = |time: Duration| u32::try_from(time.as_nanos() / ask.interval.as_nanos()).unwrap();
        let stretch = slots_in(ask.cover);
        let most = if idle { stretch } else { stretch / self.processes }.max(1);
        let unused = now.checked_duration_since(first).map_or(0, |ago| slots_in(ago) + 1);
        let count = ask.need.max((ask.need + ask.soon).min(unused)).min(most);
        self.following = first + ask.interval * count;
        let since =
            first.saturating_duration_since(now).as_secs_f64() - now.saturating_duration_since(first).as_secs_f64();
        Lease { first: since, interval: ask.interval, count, processes: self.processes }
    }
}

/// A process, and the ask that is on its way: when the store sees it, when the answer is back.
struct Process {
    rate: LeasedRate,
    waiting: u32,
    asked: Option<(Instant, Instant, Ask)>,
    answer: Option<(Instant, Lease)>,
    /// Its callers do not run before.
    asleep: Instant,
}

impl Process {
    fn exchange(&mut self, now: Instant, store: &mut Timeline, dice: &mut Rng) {
        if let Some((_, back, ask)) = self.asked.take_if(|(seen, ..)| *seen <= now) {
            // The store runs the script any time between the ask and the answer.
            self.answer = Some((back, store.lease(now, ask)));
        }
        if let Some((_, lease)) = self.answer.take_if(|(back, _)| *back <= now) {
            self.rate.answered(now, lease);
        }
        if self.asked.is_none()
            && self.answer.is_none()
            && let Some(ask) = self.rate.ask(now, self.waiting)
        {
            let seen = now + Duration::from_micros(dice.u64(..8000));
            self.asked = Some((seen, seen + Duration::from_micros(dice.u64(..8000)), ask));
        }
    }
}

fn most_in_a_second(starts: &[Instant]) -> usize {
    let inside = |(index, start): (usize, &Instant)| {
        starts.iter().skip(index).take_while(|other| **other < *start + Duration::from_secs(1)).count()
    };
    starts.iter().enumerate().map(inside).max().unwrap_or(0)
}

/// Lets processes run against one timeline for three seconds. Their callers come in crowds, and sleep up to `sleep_ms` over what they could have had.
fn starts_of(limit: f64, count: u32, (crowd, sleep_ms): (u32, u64), seed: u64) -> Vec<Instant> {
    let mut dice = Rng::with_seed(seed);
    let begin = Instant::now() + Duration::from_secs(10);
    let mut store = Timeline { following: begin, processes: count };
    let make = |_| Process {
        rate: LeasedRate::new(limit, None, || 0.5),
        waiting: 0,
        asked: None,
        answer: None,
        asleep: begin,
    };
    let mut processes: Vec<_> = (0..count).map(make).collect();
    let (mut now, mut starts) = (begin, Vec::new());
    while now < begin + Duration::from_secs(3) {
        now += Duration::from_micros(200 + dice.u64(..2000));
        for process in &mut processes {
            if process.waiting == 0 && dice.u64(..20) == 0 {
                process.waiting = crowd;
            }
            process.exchange(now, &mut store, &mut dice);
            while process.asleep <= now && process.waiting > 0 && process.rate.start(now).is_ok() {
                process.waiting -= 1;
                starts.push(now);
                if sleep_ms > 0 && dice.u64(..4) == 0 {
                    process.asleep = now + Duration::from_millis(dice.u64(..sleep_ms));
                }
            }
        }
    }
    starts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn no_sliding_second_of_any_number_of_processes_holds_more_than_the_limit(
        limit in 1u32..300, count in 1u32..8, habits in (1u32..200, 0u64..400), seed in any::<u64>(),
    ) {
        let starts = starts_of(f64::from(limit), count, habits, seed);
        prop_assert!(most_in_a_second(&starts) <= limit as usize, "{} starts of {limit}", most_in_a_second(&starts));
    }

    #[test]
    fn processes_under_load_use_almost_all_slots(count in 1u32..6, seed in any::<u64>()) {
        let starts = starts_of(100.0, count, (500, 0), seed);
        prop_assert!(starts.len() >= 255, "{} starts in three seconds", starts.len());
    }
}

fn lease(first_ms: f64, count: u32) -> Lease {
    Lease { first: first_ms / 1000.0, interval: ms(10), count, processes: 4 }
}

/// A process that knows of four, with nothing left of its lease.
fn of_four(share: Option<f64>) -> (LeasedRate, Instant) {
    let (mut rate, now) = (LeasedRate::new(112.0, share, || 0.0), Instant::now() + Duration::from_mins(1));
    assert!(rate.ask(now, 1).is_some());
    rate.answered(now, lease(0.0, 1));
    assert_eq!(rate.start(now), Ok(()));
    (rate, now)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn slots_are_used_in_their_time_and_worthless_afterwards() {
    let (mut rate, now) = of_four(None);
    assert_eq!(rate.start(now), Err(None));
    assert!(rate.ask(now, 3).is_some_and(|ask| ask.need == 3 && ask.interval == ms(10) && ask.cover == COVER));
    assert!(rate.ask(now, 3).is_none(), "one ask at a time");
    rate.answered(now + ms(2), lease(8.0, 3));
    assert_eq!(rate.start(now + ms(2)), Err(Some(now + ms(10))));
    assert_eq!(rate.start(now + ms(10)), Ok(()));
    // The slot of 20 ms was good for 120 ms less the 2 ms that the answer took; the one of 30 ms still is.
    assert_eq!(rate.start(now + ms(139)), Ok(()));
    assert_eq!(rate.start(now + ms(139)), Err(None));
}

#[test]
fn asks_for_more_before_the_last_slot_and_not_earlier() {
    let (mut rate, now) = of_four(None);
    assert!(rate.ask(now, 100).is_some());
    rate.answered(now, lease(0.0, 9));
    assert_eq!(rate.ask(now + ms(20), 100), None);
    assert_eq!(rate.next_look(now + ms(20), 100), Some(now + ms(30)));
    assert!(rate.ask(now + ms(30), 100).is_some_and(|ask| ask.need == 91));
}

#[test]
fn keeps_to_its_share_when_the_store_is_slow_and_pays_for_it_later() {
    let (mut rate, now) = of_four(None);
    assert!(rate.ask(now, 9).is_some());
    assert_eq!(rate.start(now + PATIENCE), Err(None));
    assert_eq!(
        rate.start(now + ms(21)),
        Err(Some(now + ms(40))),
        "a quarter of the limit, counted from the last start"
    );
    assert_eq!(rate.start(now + ms(40)), Ok(()));
    assert_eq!(rate.start(now + ms(41)), Err(Some(now + ms(80))));
    // The late answer brings three slots. One pays for the start without a slot.
    rate.answered(now + ms(50), lease(0.0, 3));
    assert!(rate.is_alone());
    assert_eq!(rate.ask(now + ms(51), 9), None, "later than patience: not asked again at once");
    assert!(rate.ask(now + ms(100), 9).is_some());
    rate.answered(now + ms(101), lease(20.0, 3));
    // Away for 80 ms: within its share for that long again.
    assert!(rate.is_alone());
    assert_eq!(rate.start(now + ms(150)), Ok(()));
    assert_eq!(rate.start(now + ms(160)), Err(Some(now + ms(190))));
    assert_eq!(rate.next(now + ms(181)), Some(now + ms(181)), "two slots are left, in their time");
    assert!(!rate.is_alone());
}

#[test]
fn without_the_store_no_second_holds_more_than_the_configured_share() {
    let (mut rate, now) = of_four(Some(0.2));
    assert!(rate.ask(now, 9).is_some());
    rate.failed(now + ms(1));
    let mut starts = Vec::new();
    for step in 0..5000 {
        let now = now + ms(1 + step);
        if rate.ask(now, 9).is_some() {
            rate.failed(now);
        }
        if rate.start(now).is_ok() {
            starts.push(now);
        }
    }
    assert!(most_in_a_second(&starts) <= 20);
    assert!(starts.len() > 85, "{} starts in 5 s", starts.len());
}

#[test]
fn an_idle_process_is_counted_and_takes_nothing() {
    let (mut rate, now) = of_four(None);
    assert_eq!(rate.ask(now + ms(2999), 0), None);
    assert!(rate.ask(now + ms(3000), 0).is_some_and(|ask| (ask.need, ask.soon) == (0, 0)));
    rate.answered(now + ms(3001), Lease { processes: 7, ..lease(0.0, 0) });
    assert_eq!((rate.processes(), rate.start(now + ms(3001))), (Some(7), Err(None)));
}

#[test]
fn the_spacing_leaves_room_for_slots_that_are_used_late() {
    assert_eq!(spacing(112.0), ms(10), "the slots of 1.12 s are no more than the limit");
}
