//! Identical reads share one request. The flight belongs to the pool: one caller who leaves does not disturb the others, the last one to leave ends it.

use crate::solana::call::Progress;
use crate::solana::error::PoolError;
use bytes::Bytes;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

type Landed = Option<Result<Bytes, PoolError>>;

/// The flights of one pool.
#[derive(Default)]
pub(in crate::solana) struct Flights {
    next: AtomicU64,
    flying: Mutex<HashMap<Bytes, Flight>>,
}

struct Flight {
    waiting: usize,
    number: u64,
    progress: Arc<Progress>,
    landed: watch::Receiver<Landed>,
    stop: CancellationToken,
}

/// One caller's seat; leaving it is a drop.
pub(in crate::solana) struct Seat {
    flights: Arc<Flights>,
    key: Bytes,
    number: u64,
    /// How far the shared request is.
    pub progress: Arc<Progress>,
    landed: watch::Receiver<Landed>,
}

impl Seat {
    /// Waits for the shared result.
    pub(in crate::solana) async fn land(mut self) -> Result<Bytes, PoolError> {
        let landed = self.landed.wait_for(Option::is_some).await.map(|landed| landed.clone());
        // The sender goes away without a result only when the flight was stopped, that is when nobody waits.
        landed.ok().flatten().unwrap_or(Err(PoolError::Closed { state: "closed" }))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut flying = self.flights.flying();
        let Some(flight) = flying.get_mut(&self.key).filter(|flight| flight.number == self.number) else { return };
        flight.waiting -= 1;
        if flight.waiting == 0 {
            flight.stop.cancel();
            flying.remove(&self.key);
        }
    }
}

impl Flights {
    /// Boards the flight of `key`, or starts it with `fly`.
    pub(in crate::solana) fn board<F>(self: &Arc<Self>, key: Bytes, fly: impl FnOnce(Arc<Progress>) -> F) -> Seat
    where
        F: Future<Output = Result<Bytes, PoolError>> + Send + 'static,
    {
        let mut flying = self.flying();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(flight) = flying.get_mut(&key) {
            flight.waiting += 1;
            return Seat {
                flights: Arc::clone(self),
                key,
                number: flight.number,
                progress: Arc::clone(&flight.progress),
                landed: flight.landed.clone(),
            };
        }
        let (sender, landed) = watch::channel(None);
        let (stop, progress) = (CancellationToken::new(), Arc::<Progress>::default());
        let flight =
            Flight { waiting: 1, number, progress: Arc::clone(&progress), landed: landed.clone(), stop: stop.clone() };
        flying.insert(key.clone(), flight);
        drop(flying);
        let (flights, flight_key, future) = (Arc::clone(self), key.clone(), fly(Arc::clone(&progress)));
        drop(tokio::spawn(async move {
            let result = tokio::select! {
                result = future => result,
                () = stop.cancelled() => return,
            };
            // Callers who come now start anew: what they get must not be older than their question.
            flights.land(&flight_key, number);
            sender.send_replace(Some(result));
        }));
        Seat { flights: Arc::clone(self), key, number, progress, landed }
    }

    /// Whether one is under way.
    pub(in crate::solana) fn has(&self, key: &Bytes) -> bool {
        self.flying().contains_key(key)
    }

    fn land(&self, key: &Bytes, number: u64) {
        let mut flying = self.flying();
        if flying.get(key).is_some_and(|flight| flight.number == number) {
            flying.remove(key);
        }
    }

    fn flying(&self) -> MutexGuard<'_, HashMap<Bytes, Flight>> {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Flights;
    use bytes::Bytes;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn identical_callers_share_one_flight_and_the_next_one_starts_anew() {
        let (flights, started) = (Arc::new(Flights::default()), Arc::new(AtomicU32::new(0)));
        let join = || {
            let started = Arc::clone(&started);
            let seat = flights.board(Bytes::from_static(b"k"), move |_| async move {
                started.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(Bytes::from_static(b"v"))
            });
            seat.land()
        };
        let (one, two, three) = tokio::join!(join(), join(), join());
        assert!([one, two, three].iter().all(|result| result.as_deref() == Ok(&b"v"[..])));
        assert_eq!(started.load(Ordering::SeqCst), 1);
        join().await.unwrap();
        assert_eq!(started.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn the_last_caller_to_leave_ends_the_flight() {
        let (flights, ended) = (Arc::new(Flights::default()), Arc::new(()));
        let fly = |held: Arc<()>| {
            move |_| async move {
                tokio::time::sleep(Duration::from_mins(1)).await;
                drop(held);
                Ok(Bytes::new())
            }
        };
        let first =
            tokio::time::timeout(Duration::from_millis(1), flights.board(Bytes::new(), fly(Arc::clone(&ended))).land());
        let second = tokio::time::timeout(
            Duration::from_millis(20),
            flights.board(Bytes::new(), fly(Arc::clone(&ended))).land(),
        );
        let (first, second) = tokio::join!(first, second);
        assert!(first.is_err() && second.is_err());
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(Arc::strong_count(&ended), 1, "the request was dropped");
    }
}
