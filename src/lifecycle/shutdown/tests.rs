//! Order, deadline and joining of a shutdown, on paused time and things that close as told.

use super::Shutdown;
use crate::lifecycle::registry::{CloseFuture, CloseSummary, Kind, Managed, Registry};
use crate::lifecycle::state::State;
use crate::retry::Deadline;
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Thing {
    kind: Kind,
    takes: Duration,
    log: Arc<Mutex<Vec<String>>>,
}

impl Thing {
    fn end(&self, verb: &str) -> CloseFuture {
        let (takes, log, entry) = (self.takes, Arc::clone(&self.log), format!("{verb} {}", self.kind.as_str()));
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            log.lock().unwrap().push(entry);
            CloseSummary::of(1, 0)
        })
    }
}

impl Managed for Thing {
    fn kind(&self) -> Kind {
        self.kind
    }
    fn name(&self) -> String {
        "thing".to_owned()
    }
    fn state(&self) -> State {
        State::Ready
    }
    fn in_flight(&self) -> u32 {
        3
    }
    fn drain(&self, _deadline: Deadline) -> CloseFuture {
        self.end("drain")
    }
    fn close(&self, _deadline: Deadline) -> CloseFuture {
        self.end("close")
    }
    fn abandon(&self) {}
}

fn registry(
    things: &[(Kind, u64)],
    log: &Arc<Mutex<Vec<String>>>,
) -> (Arc<Registry>, Vec<crate::lifecycle::Registration>) {
    let registry = Arc::new(Registry::default());
    let register = |(kind, millis): &(Kind, u64)| {
        let thing = Thing { kind: *kind, takes: Duration::from_millis(*millis), log: Arc::clone(log) };
        registry.register(Arc::new(thing)).unwrap()
    };
    let kept = things.iter().map(register).collect();
    (registry, kept)
}

#[tokio::test(start_paused = true)]
async fn closes_transactions_then_rpc_then_redis_then_mongo() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let (registry, _kept) = registry(&[(Kind::Mongo, 10), (Kind::Redis, 10), (Kind::Solana, 10)], &log);
    let shutdown = Shutdown::default();
    assert!(shutdown.begin());
    let report = shutdown.finish(&registry, Deadline::after(Duration::from_secs(5)), Vec::new()).await;
    assert_eq!(*log.lock().unwrap(), ["drain mongo", "close solana", "close redis", "close mongo"]);
    assert!(report.clean);
    assert_eq!(report.phases.iter().map(|phase| phase.drained).sum::<u32>(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_thing_that_breaks_its_promise_does_not_hold_the_rest_up() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let (registry, _kept) = registry(&[(Kind::Mongo, 10), (Kind::Redis, 3_600_000)], &log);
    let started = tokio::time::Instant::now();
    let shutdown = Shutdown::default();
    assert!(shutdown.begin());
    let report = shutdown.finish(&registry, Deadline::after(Duration::from_secs(2)), Vec::new()).await;
    assert!(started.elapsed() < Duration::from_millis(2200));
    assert!(!report.clean);
    assert_eq!(report.phases.iter().map(|phase| phase.aborted).sum::<u32>(), 3);
    assert_eq!(*log.lock().unwrap(), ["drain mongo", "close mongo"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_request_joins_and_one_after_the_end_starts_anew() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let (registry, _kept) = registry(&[(Kind::Redis, 100)], &log);
    let shutdown = Shutdown::default();
    assert!(shutdown.begin());
    assert!(!shutdown.begin());
    let (first, second) =
        tokio::join!(shutdown.finish(&registry, Deadline::after(Duration::from_secs(2)), Vec::new()), shutdown.join());
    assert_eq!(first, second);
    assert!(shutdown.begin(), "after the end a new one may start");
}
