//! Concerns and preferences with Node's names as the crate's types.

use super::body;
use crate::error::Failure;
use mongodb::bson::raw::{RawBsonRef, RawDocument};
use mongodb::options::{
    Acknowledgment, ReadConcern, ReadPreference, ReadPreferenceOptions, SelectionCriteria, TransactionOptions,
    WriteConcern,
};
use std::time::Duration;

/// A read preference: its mode, or a document with `mode`, `tags` and `maxStalenessSeconds`.
pub(super) fn read_preference(value: RawBsonRef<'_>) -> Result<SelectionCriteria, Failure> {
    let wrong = |message: String| body::invalid("readPreference", message);
    let (mode, options) = match value {
        RawBsonRef::String(mode) => (mode, None),
        RawBsonRef::Document(document) => {
            let mut options = ReadPreferenceOptions::default();
            let tags = tag_sets(document)?;
            options.tag_sets =
                (!tags.is_empty()).then(|| tags.into_iter().map(|set| set.into_iter().collect()).collect());
            let seconds =
                body::integer(document, "maxStalenessSeconds")?.and_then(|seconds| u64::try_from(seconds).ok());
            options.max_staleness = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
            (body::text(document, "mode")?, Some(options))
        }
        _ => return Err(wrong("readPreference must be a string or a document".to_owned())),
    };
    if mode == "primary" && options.as_ref().is_some_and(|given| *given != ReadPreferenceOptions::default()) {
        return Err(wrong("read preference mode primary must not have tags or maxStalenessSeconds".to_owned()));
    }
    let preference = match mode {
        "primary" => ReadPreference::Primary,
        "primaryPreferred" => ReadPreference::PrimaryPreferred { options },
        "secondary" => ReadPreference::Secondary { options },
        "secondaryPreferred" => ReadPreference::SecondaryPreferred { options },
        "nearest" => ReadPreference::Nearest { options },
        other => return Err(wrong(format!("read preference mode {other} does not exist"))),
    };
    Ok(preference.into())
}

/// One set: names and values.
pub(super) type Tags = Vec<(String, String)>;

/// The tag sets of a read preference.
pub(super) fn tag_sets(preference: &RawDocument) -> Result<Vec<Tags>, Failure> {
    let Some(value) = body::field(preference, "tags").or_else(|| body::field(preference, "tagSets")) else {
        return Ok(Vec::new());
    };
    let wrong = || body::invalid("readPreference", "tags must be an array of documents with string values");
    let RawBsonRef::Array(list) = value else {
        return Err(wrong());
    };
    let mut sets = Vec::new();
    for item in list {
        let Ok(RawBsonRef::Document(set)) = item else {
            return Err(wrong());
        };
        let tags = set.iter().map(|tag| match tag {
            Ok((name, RawBsonRef::String(value))) => Ok((name.as_str().to_owned(), value.to_owned())),
            _ => Err(wrong()),
        });
        sets.push(tags.collect::<Result<Tags, Failure>>()?);
    }
    Ok(sets)
}

/// Options of a transaction, with Node's names.
pub(super) fn transaction(options: &RawDocument) -> Result<TransactionOptions, Failure> {
    let mut made = TransactionOptions::default();
    made.read_concern = match body::field(options, "readConcern") {
        Some(RawBsonRef::String(level)) => Some(ReadConcern::custom(level)),
        Some(RawBsonRef::Document(concern)) => body::optional_text(concern, "level")?.map(ReadConcern::custom),
        Some(_) => return Err(body::invalid("readConcern", "readConcern must be a string or a document")),
        None => None,
    };
    made.write_concern = body::document(options, "writeConcern")?.map(write_concern).transpose()?;
    made.selection_criteria = body::field(options, "readPreference").map(read_preference).transpose()?;
    made.max_commit_time = body::millis(options, "maxCommitTimeMS")?;
    Ok(made)
}

/// Whether the server answers a write with this concern.
pub(super) fn is_acknowledged(concern: &WriteConcern) -> bool {
    !matches!(concern.w, Some(Acknowledgment::Nodes(0))) || concern.journal == Some(true)
}

fn write_concern(concern: &RawDocument) -> Result<WriteConcern, Failure> {
    let mut made = WriteConcern::default();
    made.w = match body::field(concern, "w") {
        None => None,
        Some(RawBsonRef::String(name)) => Some(name.to_owned().into()),
        Some(_) => body::count(concern, "w")?.map(Into::into),
    };
    made.journal = body::flag(concern, "j").or_else(|| body::flag(concern, "journal"));
    made.w_timeout = body::millis(concern, "wtimeoutMS")?.or(body::millis(concern, "wtimeout")?);
    Ok(made)
}
