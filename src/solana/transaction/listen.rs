//! The websocket's part in following a transaction: a node tells the moment it is there, and its status is read at once instead of with the next round.
//!
//! Only an acceleration. Statuses are asked for all the same, so nothing depends on a socket: neither on one that is not there, nor on one that says nothing.

use crate::solana::call::CallOptions;
use crate::solana::endpoint::slot::Commitment;
use crate::solana::pool::Pool;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// With more transactions under way than this, a round of statuses costs less than their subscriptions.
const LISTENED_TO: usize = 16;
/// An endpoint that has no websocket by then has none for a while.
const SOCKET_LIMIT: Duration = Duration::from_secs(3);
const DEAF_FOR: Duration = Duration::from_mins(1);
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);
const LOOK_LIMIT: Duration = Duration::from_secs(2);

impl Pool {
    /// Has the status read when a node tells that the transaction has reached the commitment. Never resolves: the follower hears it from the table.
    pub(in crate::solana) async fn listen(self: &Arc<Self>, signature: &Arc<str>, commitment: Commitment) {
        if self.pending.waiting() <= LISTENED_TO && !self.is_deaf() {
            tokio::select! {
                told = self.signature_notification(signature, commitment.as_str()) => {
                    if let Ok(told) = told {
                        self.look_now(signature, told.slot).await;
                    }
                }
                () = self.no_socket() => {}
            }
        }
        std::future::pending::<()>().await;
    }

    /// Asks a node that is at or past the slot in which another one told.
    async fn look_now(self: &Arc<Self>, signature: &Arc<str>, slot: u64) {
        for _ in 0..LOOKS {
            let options = CallOptions { deadline: Some(LOOK_LIMIT), ..CallOptions::default() };
            let one = [Arc::clone(signature)];
            if let Ok((_, statuses)) = self.statuses_of(&one, false, Some(slot), options).await
                && let Some(Some(status)) = statuses.into_iter().next()
            {
                self.pending.saw(signature, Some(status));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Resolves when there is no websocket to be had; then none is tried for a minute.
    async fn no_socket(&self) {
        tokio::time::sleep(SOCKET_LIMIT).await;
        if self.hub.stats().sockets > 0 {
            std::future::pending::<()>().await;
        }
        *self.pending.deaf_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + DEAF_FOR);
    }

    fn is_deaf(&self) -> bool {
        let until = *self.pending.deaf_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| until > Instant::now()) && self.hub.stats().sockets == 0
    }
}
