//! The ledger pairs replies with commands and decides what is lost, kept or sent again.

use super::super::command::{Entry, Flags, Origin};
use super::super::options::Resend;
use super::{Ledger, LossRule};
use std::time::Duration;
use tokio::time::Instant;

fn entry(seq: u32, flags: i32) -> Entry {
    Entry { seq, flags: Flags(flags), ..Entry::internal(Origin::User, &[b"X"]) }
}

fn member(seq: u32, flags: i32, group: i32, index: i32) -> Entry {
    Entry { group, index, ..entry(seq, flags) }
}

fn rule(resend: Resend) -> LossRule {
    LossRule { resend, resend_blocking: true }
}

/// A ledger whose first `written` commands were written and whose others wait.
fn ledger(entries: &[Entry], written: usize) -> Ledger {
    let mut ledger = Ledger::default();
    for entry in entries {
        ledger.enqueue(entry.clone());
    }
    for _ in 0..written {
        let entry = ledger.take().unwrap();
        let length = entry.bytes.len();
        ledger.launch(entry, length);
        ledger.wrote(length);
    }
    ledger
}

/// What a loss settles (number, aborted, maybe sent) and what is left to send.
fn lose(ledger: &mut Ledger, resend: Resend) -> (Vec<(u32, bool, bool)>, Vec<u32>) {
    let losses = ledger.lose(rule(resend)).iter().map(|loss| (loss.seq, loss.aborted, loss.maybe_sent)).collect();
    let mut left = Vec::new();
    while let Some(entry) = ledger.take() {
        left.push(entry.seq);
    }
    assert_eq!(ledger.queued_bytes(), 0);
    (losses, left)
}

const READ: i32 = 1;
const BLOCKING: i32 = 4;
const MULTI: i32 = 64;
const EXEC: i32 = 128;

#[test]
fn a_loss_keeps_what_was_not_sent_and_judges_singles_by_the_rule() {
    let entries = [entry(0, READ), entry(1, 0), entry(2, BLOCKING), entry(3, 0)];
    assert_eq!(lose(&mut ledger(&entries, 3), Resend::All), (vec![], vec![0, 1, 2, 3]));
    assert_eq!(lose(&mut ledger(&entries, 3), Resend::Safe), (vec![(1, false, true)], vec![0, 2, 3]));
    let none = (vec![(0, false, true), (1, false, true), (2, false, true)], vec![3]);
    assert_eq!(lose(&mut ledger(&entries, 3), Resend::None), none);
}

#[test]
fn a_command_whose_last_byte_was_not_accepted_counts_as_not_sent() {
    let mut ledger = ledger(&[entry(0, 0)], 0);
    let entry = ledger.take().unwrap();
    let length = entry.bytes.len();
    ledger.launch(entry, length);
    ledger.wrote(length - 1);
    assert_eq!(lose(&mut ledger, Resend::Safe), (vec![], vec![0]));
}

#[test]
fn a_pipeline_is_resent_whole_or_aborted() {
    let unsafe_one = [member(0, READ, 7, 0), member(1, 0, 7, 1), entry(2, READ)];
    assert_eq!(lose(&mut ledger(&unsafe_one, 2), Resend::All), (vec![], vec![0, 1, 2]));
    assert_eq!(lose(&mut ledger(&unsafe_one, 2), Resend::Safe), (vec![(0, true, true), (1, true, true)], vec![2]));
    let safe = [member(0, READ, 7, 0), member(1, READ, 7, 1)];
    assert_eq!(lose(&mut ledger(&safe, 1), Resend::Safe), (vec![], vec![0, 1]));
    let mut begun = ledger(&safe, 2);
    begun.answered();
    assert_eq!(lose(&mut begun, Resend::All), (vec![(1, true, true)], vec![]));
}

#[test]
fn a_transaction_without_exec_is_aborted_with_its_later_members() {
    let parts = [member(0, MULTI, 7, 0), member(1, 0, 7, 1)];
    let mut broken = ledger(&parts, 1);
    assert_eq!(lose(&mut broken, Resend::All), (vec![(0, true, true), (1, true, false)], vec![]));
    assert!(broken.is_broken(&member(2, 0, 7, 2)));
    assert!(broken.is_broken(&member(3, EXEC, 7, 3)));
    assert!(!broken.is_broken(&member(4, 0, 7, 0)), "forgotten with EXEC");
    let whole = [member(0, MULTI, 7, 0), member(1, READ, 7, 1), member(2, EXEC, 7, 2)];
    assert_eq!(lose(&mut ledger(&whole, 3), Resend::All), (vec![], vec![0, 1, 2]));
    assert_eq!(lose(&mut ledger(&whole, 3), Resend::Safe).1, Vec::<u32>::new());
}

#[test]
fn a_deadline_removes_what_was_not_sent_and_buries_what_was() {
    let now = Instant::now();
    let late = |seq| Entry { deadline: Some(now), ..entry(seq, 0) };
    let mut ledger = ledger(&[late(0), late(1), entry(2, 0)], 1);
    let expiry = ledger.expire(now);
    let expired: Vec<_> = expiry.expired.iter().map(|expired| (expired.seq, expired.maybe_sent)).collect();
    assert_eq!(expired, [(1, false), (0, true)]);
    assert!(!expiry.recycle);
    assert!(ledger.answered().unwrap().settled, "its reply is still due");
    assert_eq!(ledger.take().unwrap().seq, 2);
    assert!(ledger.take().is_none());
}

#[test]
fn a_tombstone_is_never_sent_again() {
    let now = Instant::now();
    let mut ledger = ledger(&[Entry { deadline: Some(now), ..entry(0, READ) }, entry(1, READ)], 2);
    assert_eq!(ledger.expire(now).expired.len(), 1);
    assert_eq!(lose(&mut ledger, Resend::All), (vec![], vec![1]));
}

#[test]
fn an_expired_command_that_was_partly_written_costs_its_connection() {
    let now = Instant::now();
    let mut ledger = ledger(&[Entry { deadline: Some(now), ..entry(0, 0) }], 0);
    let entry = ledger.take().unwrap();
    let length = entry.bytes.len();
    ledger.launch(entry, length);
    ledger.wrote(1);
    let expiry = ledger.expire(now);
    assert!(expiry.recycle && !expiry.expired[0].maybe_sent);
}

#[test]
fn a_blocking_command_past_its_deadline_costs_its_connection() {
    let now = Instant::now();
    let late = Entry { deadline: Some(now), ..entry(0, BLOCKING) };
    let expiry = ledger(&[late], 1).expire(now);
    assert!(expiry.recycle && expiry.expired[0].maybe_sent && !expiry.expired[0].blocking);
}

#[test]
fn old_tombstones_cost_their_connection() {
    let now = Instant::now();
    let mut ledger = ledger(&[Entry { deadline: Some(now), ..entry(0, 0) }], 1);
    assert!(!ledger.expire(now).recycle);
    assert!(ledger.next_look().is_some());
    assert!(ledger.expire(now + Duration::from_secs(61)).recycle);
}

#[test]
fn the_room_of_a_burst_is_given_back_when_it_is_over() {
    let burst: Vec<Entry> = (0..50_000).map(|seq| entry(seq, READ)).collect();
    let mut ledger = ledger(&burst, burst.len());
    while ledger.answered().is_some() {}
    assert!(ledger.queue.capacity() <= super::KEEP_ENTRIES && ledger.flight.capacity() <= super::KEEP_ENTRIES);
}

#[test]
fn a_server_that_answers_late_keeps_its_connection() {
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    let late = |seq: u32| Entry { deadline: Some(at(u64::from(seq))), ..entry(seq, 0) };
    let mut ledger = ledger(&(0..200).map(late).collect::<Vec<_>>(), 200);
    for second in 0..200 {
        assert!(!ledger.expire(at(second)).recycle, "{second}");
        // Two of them are due all the time.
        if second > 1 {
            assert!(ledger.answered().is_some());
        }
    }
    assert!(ledger.expire(at(300)).recycle, "one that never comes costs it");
}
