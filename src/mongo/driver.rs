//! The crate's client with what is inherited from it, and the surroundings in which one operation runs.

use super::client::Client;
use super::session::Held;
use super::trace::Trace;
use super::{body, concern};
use crate::error::{ErrorCode, Failure};
use crate::retry::Deadline;
use mongodb::ClientSession;
use mongodb::bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::options::{ReadPreference, SelectionCriteria};
use std::sync::Arc;

/// The crate's client, made on first use, with the concerns that operations inherit.
pub(super) struct Driver {
    pub(super) client: mongodb::Client,
    read_concern: Option<RawDocumentBuf>,
    write_concern: Option<RawDocumentBuf>,
    pub(super) criteria: Option<SelectionCriteria>,
}

impl Driver {
    /// Reads what is inherited once.
    pub(super) fn new(client: mongodb::Client) -> Self {
        // The crate's own types: no user data passes serde here.
        let read_concern =
            client.read_concern().and_then(|concern| mongodb::bson::serialize_to_raw_document_buf(concern).ok());
        let write_concern =
            client.write_concern().and_then(|concern| mongodb::bson::serialize_to_raw_document_buf(concern).ok());
        let criteria = client.selection_criteria().cloned();
        Self { client, read_concern, write_concern, criteria }
    }

    /// A database by name.
    pub(super) fn database(&self, name: &str) -> mongodb::Database {
        self.client.database(name)
    }
}

fn require_primary(criteria: Option<&SelectionCriteria>) -> Result<(), Failure> {
    match criteria {
        None | Some(SelectionCriteria::ReadPreference(ReadPreference::Primary)) => Ok(()),
        Some(_) => Err(Failure::new(ErrorCode::InvalidArgument, "read preference in a transaction must be primary")
            .with_text("kind", "transaction")
            .with_text("argument", "readPreference")
            .not_executed()),
    }
}

/// What one operation runs with.
pub(super) struct Surroundings {
    pub(super) client: Arc<Client>,
    pub(super) driver: Arc<Driver>,
    pub(super) trace: Arc<Trace>,
    pub(super) held: Option<Held>,
    pub(super) deadline: Option<Deadline>,
}

impl Surroundings {
    /// Whether the operation runs in a transaction.
    pub(super) fn in_transaction(&self) -> bool {
        self.held.as_ref().is_some_and(Held::in_transaction)
    }

    /// Its explicit session.
    pub(super) fn session(&mut self) -> Option<&mut ClientSession> {
        self.held.as_mut().and_then(Held::session)
    }

    /// Where a read goes: the operation's preference, else the client's; in a transaction to the primary, and its own preference, else the client's, must say so.
    pub(super) fn criteria(&self, given: &RawDocument) -> Result<Option<SelectionCriteria>, Failure> {
        if let Some(attempt) = self.held.as_ref().and_then(|held| held.attempt.as_ref()) {
            require_primary(attempt.preference().or(self.driver.criteria.as_ref()))?;
            return Ok(None);
        }
        match body::field(given, "readPreference") {
            Some(preference) => concern::read_preference(preference).map(Some),
            None => Ok(self.driver.criteria.clone()),
        }
    }

    /// Where a command goes that inherits nothing: where it was told, else to the primary, which is all that a transaction allows.
    pub(super) fn own_criteria(&self, given: &RawDocument) -> Result<Option<SelectionCriteria>, Failure> {
        let own = body::field(given, "readPreference").map(concern::read_preference).transpose()?;
        if !self.in_transaction() {
            return Ok(own);
        }
        let attempt = self.held.as_ref().and_then(|held| held.attempt.as_ref());
        require_primary(own.as_ref().or_else(|| attempt.and_then(|attempt| attempt.preference())))?;
        Ok(Some(ReadPreference::Primary.into()))
    }

    /// Adds the read concern: the operation's level, else the client's, and the point in time that a causally consistent session must see.
    pub(super) fn add_read_concern(&self, given: &RawDocument, command: &mut RawDocumentBuf) -> Result<(), Failure> {
        if self.in_transaction() || self.held.as_ref().is_some_and(Held::is_snapshot) {
            return Ok(());
        }
        let mut concern = match body::field(given, "readConcern") {
            Some(RawBsonRef::Document(concern)) => concern.to_owned(),
            Some(RawBsonRef::String(level)) => {
                let mut concern = RawDocumentBuf::new();
                concern.append(cstr!("level"), level);
                concern
            }
            Some(_) => return Err(body::invalid("readConcern", "readConcern must be a string or a document")),
            None => self.driver.read_concern.clone().unwrap_or_default(),
        };
        if let Some(time) = self.held.as_ref().and_then(Held::causal_time) {
            concern.append(cstr!("afterClusterTime"), time);
        }
        if !concern.is_empty() {
            command.append(cstr!("readConcern"), concern);
        }
        Ok(())
    }

    /// Adds the write concern, the operation's or the client's. False when it asks for no acknowledgement.
    pub(super) fn add_write_concern(&self, given: &RawDocument, command: &mut RawDocumentBuf) -> Result<bool, Failure> {
        let own = body::document(given, "writeConcern")?;
        let Some(concern) = own.or(self.driver.write_concern.as_deref()) else {
            return Ok(true);
        };
        let acknowledged =
            body::integer(concern, "w").ok().flatten() != Some(0) || body::flag(concern, "j") == Some(true);
        if self.in_transaction() || concern.is_empty() {
            return Ok(true);
        }
        if !acknowledged && self.held.is_some() {
            return Err(body::invalid("writeConcern", "an unacknowledged write must not have a session"));
        }
        let mut sent = RawDocumentBuf::new();
        for element in concern {
            let Ok((name, value)) = element else {
                return Err(body::invalid("writeConcern", "writeConcern is not well-formed"));
            };
            match name.as_str() {
                "wtimeoutMS" => sent.append(cstr!("wtimeout"), value),
                "journal" => sent.append(cstr!("j"), value),
                "w" | "j" | "wtimeout" | "fsync" => sent.append(name, value),
                _ => {}
            }
        }
        if !sent.is_empty() {
            command.append(cstr!("writeConcern"), sent);
        }
        Ok(acknowledged)
    }

    /// Lets the server stop by itself shortly before the operation's own deadline. Returns whether it was added.
    pub(super) fn add_time_limit(&self, command: &mut RawDocumentBuf) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        if self.in_transaction() || body::field(command, "maxTimeMS").is_some() {
            return false;
        }
        let left = i64::try_from(deadline.remaining().as_millis()).unwrap_or(i64::MAX);
        command.append(cstr!("maxTimeMS"), left.clamp(1, i64::from(i32::MAX)));
        true
    }
}
