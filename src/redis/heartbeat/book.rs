//! The locks that are held, when each is due, and what became of them. Pure: the clock is handed in.
//!
//! Guarantees: a lock that was let go of or refused is never asked for again; what is told of it is told once; nothing here grows beyond the jobs that run.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// A lock that is asked for again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// The job.
    pub id: String,
    pub token: String,
    /// Which time the job is tracked: a queue of Bull takes a job that it runs again with the same token.
    number: u64,
}

/// The shortest time between two attempts for one lock.
const SHORTEST: Duration = Duration::from_millis(20);
/// How long a failed renewal waits at most.
const RETRY: Duration = Duration::from_millis(500);
/// Random share by which a renewal comes early, so that processes do not renew in step.
const JITTER: f64 = 0.15;

/// What has happened since somebody last looked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Jobs whose locks were renewed, at least once.
    pub renewed: Vec<String>,
    /// Jobs whose locks are another's or gone.
    pub refused: Vec<String>,
    /// Jobs that were let go because the event loop was silent for too long.
    pub let_go: Vec<String>,
}

/// The locks of one worker.
pub(super) struct Book {
    jobs: HashMap<String, Held>,
    /// Jobs tracked so far.
    tracked: u64,
    /// Time between two renewals of one lock.
    period: Duration,
    /// Silence of the event loop after which everything is let go.
    patience: Duration,
    /// When the event loop last gave a sign.
    seen: Instant,
    /// When the driver will look by itself.
    looks_at: Option<Instant>,
    renewed: BTreeSet<String>,
    refused: BTreeSet<String>,
    let_go: BTreeSet<String>,
    random: fn() -> f64,
}

struct Held {
    token: String,
    number: u64,
    due: Instant,
    /// A renewal is under way.
    asked: bool,
}

impl Book {
    pub(super) fn new(lock: Duration, patience: Duration, now: Instant, random: fn() -> f64) -> Self {
        Self {
            jobs: HashMap::new(),
            tracked: 0,
            period: (lock / 3).max(SHORTEST),
            patience,
            seen: now,
            looks_at: None,
            renewed: BTreeSet::new(),
            refused: BTreeSet::new(),
            let_go: BTreeSet::new(),
            random,
        }
    }

    /// How long one renewal may take before it is asked again.
    pub(super) fn period(&self) -> Duration {
        self.period
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// A job runs; its lock was taken `age` ago. True: it is due before the driver looks by itself.
    pub(super) fn track(&mut self, id: String, token: String, age: Duration, now: Instant) -> bool {
        self.seen = now;
        self.refused.remove(&id);
        self.let_go.remove(&id);
        let due = now + self.early(self.period).saturating_sub(age);
        self.tracked += 1;
        self.jobs.insert(id, Held { token, number: self.tracked, due, asked: false });
        self.looks_at.is_none_or(|at| at > due)
    }

    /// A job has ended.
    pub(super) fn untrack(&mut self, id: &str, now: Instant) {
        self.seen = now;
        self.jobs.remove(id);
        // What became of its lock no longer matters to anybody.
        for news in [&mut self.renewed, &mut self.refused, &mut self.let_go] {
            news.remove(id);
        }
    }

    /// The event loop lives. What it has not been told yet.
    pub(super) fn beat(&mut self, now: Instant) -> News {
        self.seen = now;
        let told = |ids: &mut BTreeSet<String>| std::mem::take(ids).into_iter().collect();
        News { renewed: told(&mut self.renewed), refused: told(&mut self.refused), let_go: told(&mut self.let_go) }
    }

    /// When to look again: by itself, while nothing runs, at `otherwise`.
    pub(super) fn next(&mut self, otherwise: Option<Instant>) -> Option<Instant> {
        let due = self.jobs.values().filter(|held| !held.asked).map(|held| held.due).min();
        self.looks_at =
            if self.jobs.is_empty() { otherwise } else { due.into_iter().chain([self.seen + self.patience]).min() };
        self.looks_at
    }

    /// The locks to renew now, with those that would be due soon: one call for all. Lets go of everything when the event loop was silent for too long.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Claim> {
        if self.seen + self.patience <= now {
            self.let_go.extend(self.jobs.drain().map(|(id, _)| id));
            self.renewed.clear();
        }
        if !self.jobs.values().any(|held| !held.asked && held.due <= now) {
            return Vec::new();
        }
        let soon = now + self.period / 4;
        let due = self.jobs.iter_mut().filter(|(_, held)| !held.asked && held.due <= soon);
        due.map(|(id, held)| {
            held.asked = true;
            Claim { id: id.clone(), token: held.token.clone(), number: held.number }
        })
        .collect()
    }

    /// The server answered for `claims`; those in `refused` are another's or gone.
    pub(super) fn answered(&mut self, claims: Vec<Claim>, refused: &[&[u8]], now: Instant) {
        for Claim { id, number, .. } in claims {
            let next = now + self.early(self.period);
            // A job that ended in the meantime, or was taken anew, is another matter.
            let Some(held) = self.jobs.get_mut(&id).filter(|held| held.number == number) else {
                continue;
            };
            if refused.contains(&id.as_bytes()) {
                self.jobs.remove(&id);
                self.renewed.remove(&id);
                self.refused.insert(id);
            } else {
                (held.due, held.asked) = (next, false);
                self.renewed.insert(id);
            }
        }
    }

    /// There was no answer for `claims`: soon again.
    pub(super) fn unanswered(&mut self, claims: Vec<Claim>, now: Instant) {
        let again = now + self.early((self.period / 4).clamp(SHORTEST, RETRY));
        for Claim { id, number, .. } in claims {
            if let Some(held) = self.jobs.get_mut(&id).filter(|held| held.number == number) {
                (held.due, held.asked) = (again, false);
            }
        }
    }

    /// Nothing is held any more.
    pub(super) fn clear(&mut self) {
        self.jobs.clear();
    }

    fn early(&self, time: Duration) -> Duration {
        time.mul_f64(1.0 - JITTER * (self.random)())
    }
}

#[cfg(test)]
mod tests {
    use super::{Book, Claim, News};
    use std::time::Duration;
    use tokio::time::Instant;

    const MS: Duration = Duration::from_millis(1);

    fn book(now: Instant) -> Book {
        Book::new(900 * MS, 5000 * MS, now, || 0.0)
    }

    /// Ids and tokens of what is due.
    fn shown(claims: &[Claim]) -> Vec<(&str, &str)> {
        claims.iter().map(|claim| (&*claim.id, &*claim.token)).collect()
    }

    fn track(book: &mut Book, id: &str, now: Instant) {
        book.track(id.to_owned(), "t".to_owned(), Duration::ZERO, now);
    }

    #[test]
    fn renews_after_a_third_of_the_lock_and_what_is_due_soon_with_it() {
        let start = Instant::now();
        let mut book = book(start);
        assert_eq!(book.next(None), None);
        track(&mut book, "a", start);
        track(&mut book, "b", start + 50 * MS);
        track(&mut book, "c", start + 200 * MS);
        assert_eq!(book.next(None), Some(start + 300 * MS));
        assert_eq!(book.take_due(start + 299 * MS), []);
        let mut due = book.take_due(start + 300 * MS);
        due.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(shown(&due), [("a", "t"), ("b", "t")]);
        // Those are under way.
        assert_eq!(book.next(None), Some(start + 500 * MS));
        book.answered(due, &[], start + 310 * MS);
        assert_eq!(book.next(None), Some(start + 500 * MS));
        assert_eq!(book.beat(start + 310 * MS).renewed, ["a", "b"]);
        assert_eq!(book.beat(start + 310 * MS), News::default());
    }

    #[test]
    fn a_lock_that_was_taken_long_ago_is_renewed_at_once() {
        let start = Instant::now();
        let mut book = book(start);
        assert!(book.track("a".to_owned(), "t".to_owned(), 800 * MS, start));
        assert_eq!(book.take_due(start).len(), 1);
        // The driver need not be woken for what is due after its next look.
        assert_eq!(book.next(None), Some(start + 5000 * MS));
        assert!(book.track("b".to_owned(), "t".to_owned(), Duration::ZERO, start));
        assert_eq!(book.next(None), Some(start + 300 * MS));
        assert!(!book.track("c".to_owned(), "t".to_owned(), Duration::ZERO, start));
    }

    #[test]
    fn a_refused_lock_is_told_once_and_never_asked_again() {
        let start = Instant::now();
        let mut book = book(start);
        for id in ["a", "b", "c"] {
            track(&mut book, id, start);
        }
        let due = book.take_due(start + 300 * MS);
        book.answered(due, &[b"a", b"c"], start + 300 * MS);
        book.untrack("c", start + 300 * MS);
        let news = book.beat(start + 300 * MS);
        assert_eq!((news.refused, news.renewed), (vec!["a".to_owned()], vec!["b".to_owned()]));
        assert_eq!(shown(&book.take_due(start + 600 * MS)), [("b", "t")]);
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn an_answer_for_an_earlier_run_is_nothing_to_the_one_of_now() {
        // A queue of Bull takes the job that it runs again with the same token.
        for token in ["second", "t"] {
            let start = Instant::now();
            let mut book = book(start);
            track(&mut book, "a", start);
            let due = book.take_due(start + 300 * MS);
            book.untrack("a", start + 310 * MS);
            book.track("a".to_owned(), token.to_owned(), Duration::ZERO, start + 320 * MS);
            book.answered(due, &[b"a"], start + 330 * MS);
            assert_eq!(book.beat(start + 330 * MS), News::default());
            assert_eq!(shown(&book.take_due(start + 620 * MS)), [("a", token)]);
        }
    }

    #[test]
    fn without_an_answer_it_asks_soon_again() {
        let start = Instant::now();
        let mut book = book(start);
        track(&mut book, "a", start);
        let due = book.take_due(start + 300 * MS);
        book.unanswered(due, start + 600 * MS);
        assert_eq!(book.next(None), Some(start + 675 * MS));
        assert_eq!(book.take_due(start + 675 * MS).len(), 1);
    }

    #[test]
    fn a_silent_event_loop_loses_its_jobs_after_the_patience() {
        let start = Instant::now();
        let mut book = book(start);
        track(&mut book, "a", start);
        let mut now = start;
        while now + 300 * MS < start + 5000 * MS {
            now += 300 * MS;
            let due = book.take_due(now);
            assert_eq!(due.len(), 1);
            book.answered(due, &[], now);
        }
        assert_eq!(book.take_due(start + 5000 * MS), []);
        let news = book.beat(start + 5100 * MS);
        assert_eq!((news.let_go, news.renewed), (vec!["a".to_owned()], Vec::new()));
        assert_eq!(book.next(None), None);
    }
}
