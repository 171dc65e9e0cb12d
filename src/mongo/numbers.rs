//! Transaction numbers: which one each server session of a client stands at.
//!
//! The crate counts them with the transactions that it begins and shows them to nobody. All of them are begun through here, so the count is the same, also when
//! the crate's pool hands a server session out again. A retryable write in an explicit session takes the next number, which the session's next transaction
//! then follows. A write lane counts by itself from where its session stands.

use mongodb::ClientSession;
use mongodb::bson::{Bson, Document};
use mongodb::error::Error;
use mongodb::options::TransactionOptions;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Server sessions that are remembered. The crate's pool hands out the youngest first and drops those that are idle for half an hour, so that far fewer live.
const MAX_KNOWN: usize = 1 << 16;

/// The numbers of a client's server sessions.
#[derive(Default)]
pub(super) struct Numbers {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    sessions: HashMap<Vec<u8>, Count>,
    uses: u64,
}

#[derive(Clone, Copy)]
struct Count {
    number: i64,
    last_use: u64,
}

impl Numbers {
    /// Begins a transaction in the crate, without I/O, and counts it.
    pub(super) async fn begin(
        &self,
        session: &mut ClientSession,
        options: Option<TransactionOptions>,
    ) -> Result<i64, Error> {
        match options {
            Some(options) => session.start_transaction().with_options(options).await?,
            None => session.start_transaction().await?,
        }
        Ok(self.count(session.id()))
    }

    /// Takes the next number for a write outside of a transaction: that of a transaction which is given up before anything of it is sent.
    pub(super) async fn take(&self, session: &mut ClientSession) -> Result<i64, Error> {
        let number = self.begin(session, None).await?;
        session.abort_transaction().await?;
        Ok(number)
    }

    /// The number that a session stands at.
    pub(super) fn of(&self, session: &ClientSession) -> i64 {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.sessions.get(&key(session.id())).map_or(0, |count| count.number)
    }

    fn count(&self, id: &Document) -> i64 {
        let key = key(id);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.uses += 1;
        let last_use = known.uses;
        if known.sessions.len() >= MAX_KNOWN && !known.sessions.contains_key(&key) {
            let oldest = last_use.saturating_sub(u64::try_from(MAX_KNOWN / 2).unwrap_or(0));
            known.sessions.retain(|_, count| count.last_use >= oldest);
        }
        let count = known.sessions.entry(key).or_insert(Count { number: 0, last_use });
        count.number += 1;
        count.last_use = last_use;
        count.number
    }
}

fn key(id: &Document) -> Vec<u8> {
    match id.get("id") {
        Some(Bson::Binary(binary)) => binary.bytes.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_KNOWN, Numbers};
    use mongodb::bson::spec::BinarySubtype;
    use mongodb::bson::{Binary, Document, doc};

    fn id(number: usize) -> Document {
        doc! { "id": Binary { subtype: BinarySubtype::Uuid, bytes: number.to_le_bytes().to_vec() } }
    }

    #[test]
    fn counts_each_server_session_by_itself() {
        let numbers = Numbers::default();
        assert_eq!([numbers.count(&id(1)), numbers.count(&id(2)), numbers.count(&id(1))], [1, 1, 2]);
    }

    #[test]
    fn forgets_the_sessions_that_were_used_longest_ago() {
        let numbers = Numbers::default();
        for number in 0..MAX_KNOWN * 2 {
            numbers.count(&id(number));
        }
        assert!(numbers.known.lock().unwrap().sessions.len() <= MAX_KNOWN);
        assert_eq!(numbers.count(&id(MAX_KNOWN * 2 - 1)), 2);
    }
}
