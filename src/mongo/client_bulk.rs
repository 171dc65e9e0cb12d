//! `bulkWrite` of the client (server 8.0): writes on any collections, as the command of that name on `admin`, in as many commands as the server's limits ask for.
//!
//! The crate has a `bulk_write` of its own. It is not used: it counts transaction numbers where nobody can read them, also on sessions that its pool hands out
//! again, so that our next numbered write would come with one that the server has seen (decision 0009); it forgoes the second try of a batch for what comes in
//! later ones; it takes no `maxTimeMS`, and documents only through serde (decision 0004).
//!
//! Guarantees: nothing is sent while one of the models is wrong; a batch without an `updateMany` or `deleteMany` is sent at most twice with one number.

use super::body::{self, invalid};
use super::bulk::Kind;
use super::client_bulk_result::{Done, Results};
use super::command::{self, DELETE_STATEMENT, UPDATE_STATEMENT, WRITE};
use super::dispatch::Reply;
use super::driver::Surroundings;
use super::{read, write};
use crate::error::{ErrorCode, Failure};
use bytes::Bytes;
use mongodb::bson::Document;
use mongodb::bson::raw::{CStr, RawArray, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use std::collections::HashMap;

/// That of server 8.0.
const WIRE_VERSION: i64 = 25;
/// The server's limit on a document, which a command is: the crate sends raw commands as one.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// What a document costs in a list beside itself: its type and its key.
const KEY: usize = 8;
/// An operation's first field, which names its namespace; and a namespace beside its text.
const VERB: usize = 12;
const NAMESPACE: usize = 14;

/// One write as it came in.
struct Model<'a> {
    namespace: &'a str,
    kind: Kind,
    /// The operation without its first field, which depends on the batch.
    rest: RawDocumentBuf,
}

impl<'a> Model<'a> {
    fn parse(given: &'a RawDocument, index: usize) -> Result<Self, Failure> {
        let wrong = |what: &str| invalid("models", format!("model {index} {what}"));
        let namespace = body::text(given, "namespace")?;
        if !namespace.split_once('.').is_some_and(|(db, coll)| !db.is_empty() && !coll.is_empty()) {
            return Err(wrong("must have a namespace of the form database.collection"));
        }
        let mut rest = RawDocumentBuf::new();
        let kind = match body::text(given, "name")? {
            "insertOne" => Kind::InsertOne,
            "updateOne" => Kind::UpdateOne,
            "updateMany" => Kind::UpdateMany,
            "replaceOne" => Kind::ReplaceOne,
            "deleteOne" => Kind::DeleteOne,
            "deleteMany" => Kind::DeleteMany,
            other => return Err(wrong(&format!("has the unknown name {other}"))),
        };
        if kind == Kind::InsertOne {
            rest.append(cstr!("document"), body::required_document(given, "document")?);
        } else {
            rest.append(cstr!("multi"), kind.is_many());
            rest.append(cstr!("filter"), body::required_document(given, "filter")?);
            match kind {
                Kind::DeleteOne | Kind::DeleteMany => command::copy_options(given, DELETE_STATEMENT, &mut rest)?,
                _ => {
                    let field = if kind == Kind::ReplaceOne { "replacement" } else { "update" };
                    let change = body::field(given, field).ok_or_else(|| wrong(&format!("must have the {field}")))?;
                    command::check_update(change, kind == Kind::ReplaceOne)?;
                    rest.append(cstr!("updateMods"), change);
                    command::copy_options(given, UPDATE_STATEMENT, &mut rest)?;
                }
            }
        }
        let size = rest.as_bytes().len().saturating_add(VERB);
        if size > MAX_BYTES {
            return Err(wrong(&format!("has {size} bytes, more than the {MAX_BYTES} that a document may have")));
        }
        Ok(Self { namespace, kind, rest })
    }

    fn verb(&self) -> &'static CStr {
        match self.kind {
            Kind::InsertOne => cstr!("insert"),
            Kind::UpdateOne | Kind::UpdateMany | Kind::ReplaceOne => cstr!("update"),
            Kind::DeleteOne | Kind::DeleteMany => cstr!("delete"),
        }
    }

    /// The operation as the command says it: the server looks at the first field for what it is.
    fn operation(&self, namespace: i32) -> Result<RawDocumentBuf, Failure> {
        let mut operation = RawDocumentBuf::new();
        operation.append(self.verb(), namespace);
        for element in &self.rest {
            let (name, value) = element.map_err(|_| invalid("models", "model is not well-formed"))?;
            operation.append(name, value);
        }
        Ok(operation)
    }
}

fn models(list: &RawArray) -> Result<Vec<Model<'_>>, Failure> {
    let mut models = Vec::new();
    for (index, given) in list.into_iter().enumerate() {
        match given {
            Ok(RawBsonRef::Document(given)) => models.push(Model::parse(given, index)?),
            _ => return Err(invalid("models", format!("model {index} must be a document"))),
        }
    }
    if models.is_empty() {
        return Err(invalid("models", "models must not be empty"));
    }
    Ok(models)
}

/// The operations of one command, with the namespaces that they name by their place.
#[derive(Default)]
struct Batch {
    operations: RawArrayBuf,
    namespaces: RawArrayBuf,
    size: usize,
    many: bool,
}

impl Batch {
    /// Takes as many of `models`, but at least one, as fit into `room` bytes and `most` operations.
    fn cut(models: &[Model<'_>], room: usize, most: usize) -> Result<Self, Failure> {
        let mut batch = Self::default();
        let mut places: HashMap<&str, i32> = HashMap::new();
        let mut bytes = 0_usize;
        for model in models.iter().take(most.max(1)) {
            let known = places.get(model.namespace).copied();
            let named = if known.is_some() { 0 } else { model.namespace.len() + NAMESPACE + KEY };
            bytes = bytes.saturating_add(model.rest.as_bytes().len() + VERB + KEY).saturating_add(named);
            if batch.size > 0 && bytes > room {
                break;
            }
            let place = known.unwrap_or_else(|| i32::try_from(places.len()).unwrap_or(i32::MAX));
            if known.is_none() {
                places.insert(model.namespace, place);
                let mut namespace = RawDocumentBuf::new();
                namespace.append(cstr!("ns"), model.namespace);
                batch.namespaces.push(namespace);
            }
            batch.operations.push(model.operation(place)?);
            batch.size += 1;
            batch.many |= model.kind.is_many();
        }
        Ok(batch)
    }

    fn command(&self, head: &RawDocumentBuf) -> RawDocumentBuf {
        let mut command = head.clone();
        command.append(cstr!("ops"), &self.operations);
        command.append(cstr!("nsInfo"), &self.namespaces);
        command
    }
}

/// `bulkWrite` of the client.
pub(super) async fn run(around: &mut Surroundings, given: &RawDocument) -> Result<Reply, Failure> {
    let options = body::options(given)?;
    let ordered = body::flag(options, "ordered").unwrap_or(true);
    let verbose = body::flag(options, "verboseResults").unwrap_or(false);
    let models = models(body::array(given, "models")?)?;
    let mut head = command::start(cstr!("bulkWrite"), None);
    head.append(cstr!("errorsOnly"), !verbose);
    head.append(cstr!("ordered"), ordered);
    command::copy_options(options, WRITE, &mut head)?;
    let acknowledged = around.add_write_concern(options, &mut head)?;
    if !acknowledged {
        refuse_unacknowledged(ordered, verbose)?;
    }
    require_version(around).await?;
    let room = MAX_BYTES.saturating_sub(head.as_bytes().len());
    let most = around.client.watch.write_batch();
    let mut done = Done::new(ordered, verbose);
    let mut left = models.as_slice();
    while !left.is_empty() {
        let batch = Batch::cut(left, room, most)?;
        let mut command = batch.command(&head);
        let limited = around.add_time_limit(&mut command);
        let wrapped = |failure: Failure, done: &Done| done.cut(read::own_limit(failure, limited));
        if acknowledged {
            let sent = write::send::<Results>(around, "admin", command, !batch.many).await;
            let failed = done.add(sent.map_err(|failure| wrapped(failure, &done))?, batch.size);
            failed.map_err(|failure| wrapped(failure, &done))?;
        } else {
            let sent = write::send::<Document>(around, "admin", command, false).await;
            sent.map_err(|failure| wrapped(failure, &done))?;
        }
        if done.stops() {
            break;
        }
        left = left.get(batch.size..).unwrap_or_default();
    }
    match done.failure() {
        Some(failure) => Err(failure),
        None if acknowledged => Ok(Reply::Bytes(Bytes::from(done.to_raw().into_bytes()))),
        None => Ok(Reply::Nothing),
    }
}

fn refuse_unacknowledged(ordered: bool, verbose: bool) -> Result<(), Failure> {
    let message = "Cannot request unacknowledged write concern and";
    if verbose {
        return Err(invalid("verboseResults", format!("{message} verbose results")));
    }
    if ordered { Err(invalid("ordered", format!("{message} ordered writes"))) } else { Ok(()) }
}

/// A server that does not know the command would say so too, but not what to do.
async fn require_version(around: &Surroundings) -> Result<(), Failure> {
    let version = around.client.wire_version(&around.driver).await?;
    let Some(version) = version.filter(|version| *version < WIRE_VERSION) else {
        return Ok(());
    };
    let message = format!(
        "client.bulkWrite needs a server of version 8.0 (wire version {WIRE_VERSION}), this one has wire version {version}: use collection.bulkWrite"
    );
    let failure = Failure::new(ErrorCode::InvalidArgument, message);
    Err(failure.with_text("kind", "incompatible").with_text("argument", "bulkWrite").not_executed())
}

#[cfg(test)]
mod tests {
    use super::{Batch, MAX_BYTES, Model, models};
    use mongodb::bson::{RawArrayBuf, RawDocumentBuf, rawdoc};

    fn list(given: Vec<RawDocumentBuf>) -> RawArrayBuf {
        let mut list = RawArrayBuf::new();
        for model in given {
            list.push(model);
        }
        list
    }

    fn insert(namespace: &str, text: &str) -> RawDocumentBuf {
        rawdoc! { "name": "insertOne", "namespace": namespace, "document": { "_id": 1, "x": text } }
    }

    #[test]
    fn names_each_namespace_once_a_batch() {
        let given = list(vec![
            insert("a.b", "x"),
            rawdoc! { "name": "updateMany", "namespace": "a.c", "filter": {}, "update": { "$set": { "x": 1 } }, "upsert": true },
            rawdoc! { "name": "deleteOne", "namespace": "a.b", "filter": { "x": 1 }, "hint": "x_1" },
        ]);
        let models = models(&given).unwrap();
        let batch = Batch::cut(&models, MAX_BYTES, 100).unwrap();
        assert_eq!((batch.size, batch.many), (3, true));
        let command = batch.command(&rawdoc! { "bulkWrite": 1 });
        let wanted = rawdoc! {
            "bulkWrite": 1,
            "ops": [
                { "insert": 0, "document": { "_id": 1, "x": "x" } },
                { "update": 1, "multi": true, "filter": {}, "updateMods": { "$set": { "x": 1 } }, "upsert": true },
                { "delete": 0, "multi": false, "filter": { "x": 1 }, "hint": "x_1" },
            ],
            "nsInfo": [{ "ns": "a.b" }, { "ns": "a.c" }],
        };
        assert_eq!(command, wanted);
        let rest = Batch::cut(&models[1..], MAX_BYTES, 1).unwrap();
        assert_eq!((rest.size, rest.namespaces.into_iter().count()), (1, 1));
    }

    #[test]
    fn cuts_where_a_command_would_become_too_large() {
        let text = "x".repeat(6 * 1024 * 1024);
        let given = list((0..5).map(|_| insert("a.b", &text)).collect());
        let models = models(&given).unwrap();
        let mut sizes = Vec::new();
        let mut left = models.as_slice();
        while !left.is_empty() {
            let batch = Batch::cut(left, MAX_BYTES, 100).unwrap();
            assert!(batch.command(&rawdoc! {}).as_bytes().len() <= MAX_BYTES + 64);
            sizes.push(batch.size);
            left = &left[batch.size..];
        }
        assert_eq!(sizes, [2, 2, 1]);
        assert_eq!(Batch::cut(&models, 10, 100).unwrap().size, 1);
    }

    #[test]
    fn refuses_models_that_are_none() {
        let wrong = |model: RawDocumentBuf| Model::parse(&model, 3).err().unwrap().message;
        assert_eq!(wrong(insert("a", "x")), "model 3 must have a namespace of the form database.collection");
        assert_eq!(wrong(rawdoc! { "name": "x", "namespace": "a.b" }), "model 3 has the unknown name x");
        let update = rawdoc! { "name": "updateOne", "namespace": "a.b", "filter": {}, "update": { "x": 1 } };
        assert_eq!(wrong(update), "update document requires atomic operators");
        assert!(wrong(insert("a.b", &"x".repeat(MAX_BYTES))).contains("more than the 16777216"));
        assert!(models(&RawArrayBuf::new()).is_err());
    }
}
