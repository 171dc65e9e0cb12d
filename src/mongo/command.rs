//! Commands: Node's option names to the server's command fields, copied raw.
//!
//! Tables, not code: an option is honoured with its type checked, or refused; unknown ones are ignored as in the Node driver. Values are copied as bytes.

use super::body::{self, invalid};
use crate::error::Failure;
use mongodb::bson::raw::{CStr, RawBsonRef, RawDocument, RawDocumentBuf, cstr};

/// What an option must be, and what is sent.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Anything; copied.
    Any,
    /// A document.
    Document,
    /// A list.
    List,
    /// An integer; integral doubles are sent as integers.
    Integer,
    /// Truthiness.
    Flag,
}

/// One option of an operation: its name in Node and in the command.
pub(super) type Field = (&'static str, &'static CStr, Shape);

use Shape::{Any, Document, Flag, Integer, List};

/// Options of find and findOne. `limit`, `batchSize` and `singleBatch` depend on each other: see [`paging`].
pub(super) const FIND: &[Field] = &[
    ("sort", cstr!("sort"), Document),
    ("projection", cstr!("projection"), Document),
    ("hint", cstr!("hint"), Any),
    ("skip", cstr!("skip"), Integer),
    ("collation", cstr!("collation"), Document),
    ("comment", cstr!("comment"), Any),
    ("maxTimeMS", cstr!("maxTimeMS"), Integer),
    ("min", cstr!("min"), Document),
    ("max", cstr!("max"), Document),
    ("returnKey", cstr!("returnKey"), Flag),
    ("showRecordId", cstr!("showRecordId"), Flag),
    ("noCursorTimeout", cstr!("noCursorTimeout"), Flag),
    ("tailable", cstr!("tailable"), Flag),
    ("awaitData", cstr!("awaitData"), Flag),
    ("allowDiskUse", cstr!("allowDiskUse"), Flag),
    ("allowPartialResults", cstr!("allowPartialResults"), Flag),
    ("let", cstr!("let"), Document),
    ("oplogReplay", cstr!("oplogReplay"), Flag),
];

/// Options of aggregate, without `batchSize`, which sits in `cursor`.
pub(super) const AGGREGATE: &[Field] = &[
    ("allowDiskUse", cstr!("allowDiskUse"), Flag),
    ("bypassDocumentValidation", cstr!("bypassDocumentValidation"), Flag),
    ("collation", cstr!("collation"), Document),
    ("comment", cstr!("comment"), Any),
    ("hint", cstr!("hint"), Any),
    ("let", cstr!("let"), Document),
    ("maxTimeMS", cstr!("maxTimeMS"), Integer),
];

/// Options of countDocuments, sent with its aggregation.
pub(super) const COUNT: &[Field] = &[
    ("allowDiskUse", cstr!("allowDiskUse"), Flag),
    ("bypassDocumentValidation", cstr!("bypassDocumentValidation"), Flag),
    ("let", cstr!("let"), Document),
    ("collation", cstr!("collation"), Document),
    ("comment", cstr!("comment"), Any),
    ("hint", cstr!("hint"), Any),
    ("maxTimeMS", cstr!("maxTimeMS"), Integer),
];

/// Options of the command `count`.
pub(super) const ESTIMATED_COUNT: &[Field] = &[
    ("skip", cstr!("skip"), Integer),
    ("limit", cstr!("limit"), Integer),
    ("hint", cstr!("hint"), Any),
    ("collation", cstr!("collation"), Document),
    ("comment", cstr!("comment"), Any),
    ("maxTimeMS", cstr!("maxTimeMS"), Integer),
];

/// Options of distinct.
pub(super) const DISTINCT: &[Field] = &[
    ("collation", cstr!("collation"), Document),
    ("comment", cstr!("comment"), Any),
    ("hint", cstr!("hint"), Any),
    ("maxTimeMS", cstr!("maxTimeMS"), Integer),
];

/// Options of write commands that sit beside the statements.
pub(super) const WRITE: &[Field] = &[
    ("bypassDocumentValidation", cstr!("bypassDocumentValidation"), Flag),
    ("comment", cstr!("comment"), Any),
    ("let", cstr!("let"), Document),
    ("maxTimeMS", cstr!("maxTimeMS"), Integer),
];

/// Options of one statement of an update.
pub(super) const UPDATE_STATEMENT: &[Field] = &[
    ("upsert", cstr!("upsert"), Flag),
    ("arrayFilters", cstr!("arrayFilters"), List),
    ("collation", cstr!("collation"), Document),
    ("hint", cstr!("hint"), Any),
    ("sort", cstr!("sort"), Document),
];

/// Options of one statement of a delete.
pub(super) const DELETE_STATEMENT: &[Field] =
    &[("collation", cstr!("collation"), Document), ("hint", cstr!("hint"), Any)];

/// Options of findAndModify.
pub(super) const FIND_AND_MODIFY: &[Field] = &[
    ("sort", cstr!("sort"), Document),
    ("projection", cstr!("fields"), Document),
    ("upsert", cstr!("upsert"), Flag),
    ("arrayFilters", cstr!("arrayFilters"), List),
    ("collation", cstr!("collation"), Document),
    ("hint", cstr!("hint"), Any),
    ("let", cstr!("let"), Document),
    ("comment", cstr!("comment"), Any),
    ("bypassDocumentValidation", cstr!("bypassDocumentValidation"), Flag),
    ("maxTimeMS", cstr!("maxTimeMS"), Integer),
];

/// Copies the options of a table into a command.
pub(super) fn copy_options(options: &RawDocument, table: &[Field], into: &mut RawDocumentBuf) -> Result<(), Failure> {
    if options.is_empty() {
        return Ok(());
    }
    for (name, target, shape) in table {
        let Some(value) = body::field(options, name) else {
            continue;
        };
        match (shape, value) {
            (Any, value) => into.append(target, value),
            (Document, RawBsonRef::Document(document)) => into.append(target, document),
            (List, RawBsonRef::Array(list)) => into.append(target, list),
            (Flag, value) => into.append(target, body::truthy(value)),
            (Integer, value) => {
                let number = body::as_integer(value)
                    .filter(|number| *number >= 0)
                    .ok_or_else(|| invalid(name, format!("{name} must be an integer, 0 or more")))?;
                into.append(target, number);
            }
            (Document, _) => return Err(invalid(name, format!("{name} must be a document"))),
            (List, _) => return Err(invalid(name, format!("{name} must be an array"))),
        }
    }
    Ok(())
}

/// `limit`, `batchSize` and `singleBatch` of a find, with Node's meaning of negative numbers.
pub(super) fn paging(options: &RawDocument, into: &mut RawDocumentBuf) -> Result<Option<u32>, Failure> {
    let limit = body::integer(options, "limit")?.unwrap_or(0);
    let batch = body::integer(options, "batchSize")?;
    let mut single = body::flag(options, "singleBatch").unwrap_or(false);
    if limit != 0 {
        into.append(cstr!("limit"), limit.saturating_abs());
        single |= limit < 0;
    }
    let mut size = batch;
    if let Some(batch) = batch {
        single |= batch < 0;
        // A batch that ends exactly at the limit would leave a cursor open on the server.
        let batch = if batch > 0 && batch == limit { batch.saturating_add(1) } else { batch.saturating_abs() };
        into.append(cstr!("batchSize"), batch);
        size = Some(batch);
    }
    if single {
        into.append(cstr!("singleBatch"), true);
    }
    Ok(size.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0))
}

/// Starts a command: its name with its collection, or with 1 for a database.
pub(super) fn start(name: &CStr, collection: Option<&str>) -> RawDocumentBuf {
    let mut command = RawDocumentBuf::new();
    match collection {
        Some(collection) => command.append(name, collection),
        None => command.append(name, 1),
    }
    command
}

/// Whether a pipeline writes: its last stage is `$out` or `$merge`.
pub(super) fn pipeline_writes(pipeline: &mongodb::bson::raw::RawArray) -> bool {
    let last = pipeline.into_iter().filter_map(Result::ok).last();
    let Some(RawBsonRef::Document(stage)) = last else {
        return false;
    };
    stage.iter().next().is_some_and(|first| first.is_ok_and(|(name, _)| matches!(name.as_str(), "$out" | "$merge")))
}

/// Refuses an update that is a replacement, and a replacement that is an update, as the Node driver does before any I/O.
pub(super) fn check_update(update: RawBsonRef<'_>, replacement: bool) -> Result<(), Failure> {
    match (update, replacement) {
        (RawBsonRef::Array(_), false) => Ok(()),
        (RawBsonRef::Document(document), _) => {
            let first = document.iter().next().and_then(Result::ok);
            let atomic = first.is_some_and(|(name, _)| name.as_str().starts_with('$'));
            match (atomic, replacement) {
                (true, true) => Err(invalid("replacement", "replacement document must not contain atomic operators")),
                (false, false) => Err(invalid("update", "update document requires atomic operators")),
                _ => Ok(()),
            }
        }
        (_, true) => Err(invalid("replacement", "replacement must be a document")),
        (_, false) => Err(invalid("update", "update must be a document or a pipeline")),
    }
}

#[cfg(test)]
mod tests {
    use super::{AGGREGATE, FIND, check_update, copy_options, paging, pipeline_writes, start};
    use mongodb::bson::raw::{RawBsonRef, cstr};
    use mongodb::bson::{RawArrayBuf, RawDocumentBuf, rawdoc};

    #[test]
    fn sends_integral_doubles_as_integers_and_refuses_wrong_types() {
        let mut command = RawDocumentBuf::new();
        copy_options(
            &rawdoc! { "maxTimeMS": 100.0, "sort": { "a": 1 }, "unknown": 1, "hint": null },
            FIND,
            &mut command,
        )
        .unwrap();
        assert_eq!(command, rawdoc! { "sort": { "a": 1 }, "maxTimeMS": 100_i64 });
        let failure = copy_options(&rawdoc! { "maxTimeMS": "soon" }, AGGREGATE, &mut command).unwrap_err();
        assert!(failure.message.starts_with("maxTimeMS must be"), "{failure}");
        assert!(copy_options(&rawdoc! { "sort": "a" }, FIND, &mut command).is_err());
    }

    #[test]
    fn gives_negative_limits_and_exact_batches_their_meaning() {
        let mut command = start(cstr!("find"), Some("c"));
        assert_eq!(paging(&rawdoc! { "limit": -5 }, &mut command).unwrap(), None);
        assert_eq!(command, rawdoc! { "find": "c", "limit": 5_i64, "singleBatch": true });
        let mut command = RawDocumentBuf::new();
        assert_eq!(paging(&rawdoc! { "limit": 3, "batchSize": 3 }, &mut command).unwrap(), Some(4));
        assert_eq!(command, rawdoc! { "limit": 3_i64, "batchSize": 4_i64 });
    }

    #[test]
    fn knows_updates_from_replacements_and_pipelines_that_write() {
        let set = rawdoc! { "$set": { "a": 1 } };
        let plain = rawdoc! { "a": 1 };
        assert!(check_update(RawBsonRef::Document(&set), false).is_ok());
        assert!(check_update(RawBsonRef::Document(&set), true).is_err());
        assert!(check_update(RawBsonRef::Document(&plain), false).is_err());
        assert!(check_update(RawBsonRef::Document(&plain), true).is_ok());
        assert!(check_update(RawBsonRef::Int32(1), false).is_err());
        let mut pipeline = RawArrayBuf::new();
        pipeline.push(rawdoc! { "$match": {} });
        assert!(!pipeline_writes(&pipeline));
        pipeline.push(rawdoc! { "$out": "x" });
        assert!(pipeline_writes(&pipeline));
    }
}
