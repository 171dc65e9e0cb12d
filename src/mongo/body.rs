//! Bodies of operations: BSON documents made by the host's encoder, read raw.
//!
//! Guarantees: nothing here goes through serde, so that `{$oid: '…'}` inside a user's document stays what it is; nesting is checked without recursion.
//! Does not interpret documents: it finds fields and converts the few that are ours.

use crate::error::{ErrorCode, Failure};
use mongodb::bson::raw::{RawArray, RawBsonRef, RawDocument, RawDocumentBuf, RawElement, RawIter};
use mongodb::bson::spec::ElementType;
use std::time::Duration;

/// The deepest nesting that is accepted. The server refuses more than 200 levels; some of the crate's paths recurse and would end the process.
const MAX_DEPTH: usize = 200;

/// A failure that names what was wrong in the caller's argument.
pub(super) fn invalid(argument: &str, message: impl Into<String>) -> Failure {
    Failure::invalid_argument(argument, message).with_text("kind", "invalidArgument")
}

/// Checks that `bytes` is one well-formed document, nested at most 200 deep.
pub(super) fn parse(bytes: Vec<u8>) -> Result<RawDocumentBuf, Failure> {
    if bytes.is_empty() {
        return Ok(RawDocumentBuf::new());
    }
    let body = RawDocumentBuf::from_bytes(bytes).map_err(|_| malformed())?;
    check(&body)?;
    Ok(body)
}

fn malformed() -> Failure {
    Failure::new(ErrorCode::InvalidArgument, "document is not well-formed BSON")
        .with_text("argument", "document")
        .with_text("kind", "bson")
        .not_executed()
}

/// Walks all containers with a stack of its own: recursion would overflow a worker's stack.
fn check(document: &RawDocument) -> Result<(), Failure> {
    let mut open: Vec<RawIter<'_>> = vec![document.iter_elements()];
    while let Some(iterator) = open.last_mut() {
        match iterator.next() {
            None => drop(open.pop()),
            Some(element) => {
                let element = element.map_err(|_| malformed())?;
                if let Some(inner) = container(&element)? {
                    // The body itself and its list of documents are ours: two levels more than a user's document.
                    if open.len() > MAX_DEPTH + 2 {
                        return Err(invalid("document", format!("document is nested deeper than {MAX_DEPTH} levels")));
                    }
                    open.push(inner);
                }
            }
        }
    }
    Ok(())
}

fn container<'a>(element: &RawElement<'a>) -> Result<Option<RawIter<'a>>, Failure> {
    match element.element_type() {
        ElementType::EmbeddedDocument | ElementType::Array | ElementType::JavaScriptCodeWithScope => {}
        _ => return Ok(None),
    }
    match element.value().map_err(|_| malformed())? {
        RawBsonRef::Document(inner) => Ok(Some(inner.iter_elements())),
        RawBsonRef::Array(inner) => Ok(Some(inner.iter_elements())),
        RawBsonRef::JavaScriptCodeWithScope(inner) => Ok(Some(inner.scope.iter_elements())),
        _ => Ok(None),
    }
}

/// A field that is present and not null.
pub(super) fn field<'a>(document: &'a RawDocument, name: &str) -> Option<RawBsonRef<'a>> {
    match document.get(name) {
        Ok(Some(RawBsonRef::Null | RawBsonRef::Undefined) | None) | Err(_) => None,
        Ok(Some(value)) => Some(value),
    }
}

/// A text that must be there.
pub(super) fn text<'a>(document: &'a RawDocument, name: &str) -> Result<&'a str, Failure> {
    match optional_text(document, name)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(invalid(name, format!("{name} must be a non-empty string"))),
    }
}

/// A text that may be absent.
pub(super) fn optional_text<'a>(document: &'a RawDocument, name: &str) -> Result<Option<&'a str>, Failure> {
    match field(document, name) {
        None => Ok(None),
        Some(RawBsonRef::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(name, format!("{name} must be a string"))),
    }
}

/// A document that may be absent.
pub(super) fn document<'a>(body: &'a RawDocument, name: &str) -> Result<Option<&'a RawDocument>, Failure> {
    match field(body, name) {
        None => Ok(None),
        Some(RawBsonRef::Document(found)) => Ok(Some(found)),
        Some(_) => Err(invalid(name, format!("{name} must be a document"))),
    }
}

/// A document that must be there.
pub(super) fn required_document<'a>(body: &'a RawDocument, name: &str) -> Result<&'a RawDocument, Failure> {
    document(body, name)?.ok_or_else(|| invalid(name, format!("{name} must be a document")))
}

/// A list that must be there.
pub(super) fn array<'a>(body: &'a RawDocument, name: &str) -> Result<&'a RawArray, Failure> {
    match field(body, name) {
        Some(RawBsonRef::Array(found)) => Ok(found),
        _ => Err(invalid(name, format!("{name} must be an array"))),
    }
}

/// An integer that may be absent; integral doubles are integers.
pub(super) fn integer(document: &RawDocument, name: &str) -> Result<Option<i64>, Failure> {
    match field(document, name) {
        None => Ok(None),
        Some(value) => as_integer(value).map(Some).ok_or_else(|| invalid(name, format!("{name} must be an integer"))),
    }
}

/// The integer in a value; integral doubles are integers.
pub(super) fn as_integer(value: RawBsonRef<'_>) -> Option<i64> {
    match value {
        RawBsonRef::Int32(number) => Some(i64::from(number)),
        RawBsonRef::Int64(number) => Some(number),
        RawBsonRef::Double(number) => integral(number),
        _ => None,
    }
}

fn integral(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || number.abs() > EXACT {
        return None;
    }
    // Exact: the text of an integral double below 2^53 is an integer.
    format!("{number:.0}").parse().ok()
}

/// A count of something that may be absent.
pub(super) fn count(document: &RawDocument, name: &str) -> Result<Option<u32>, Failure> {
    let Some(number) = integer(document, name)? else {
        return Ok(None);
    };
    u32::try_from(number).map(Some).map_err(|_| invalid(name, format!("{name} must be between 0 and 4294967295")))
}

/// A number of milliseconds that may be absent.
pub(super) fn millis(document: &RawDocument, name: &str) -> Result<Option<Duration>, Failure> {
    let value = match field(document, name) {
        None => return Ok(None),
        Some(RawBsonRef::Double(number)) if number.is_finite() && number >= 0.0 => {
            Duration::try_from_secs_f64(number / 1000.0).ok()
        }
        Some(other) => as_integer(other).and_then(|number| u64::try_from(number).ok()).map(Duration::from_millis),
    };
    value.map(Some).ok_or_else(|| invalid(name, format!("{name} must be a number of milliseconds, 0 or more")))
}

/// A flag: truthiness is JavaScript's.
pub(super) fn flag(document: &RawDocument, name: &str) -> Option<bool> {
    field(document, name).map(truthy)
}

/// What JavaScript would say about a value.
pub(super) fn truthy(value: RawBsonRef<'_>) -> bool {
    match value {
        RawBsonRef::Boolean(flag) => flag,
        RawBsonRef::Int32(number) => number != 0,
        RawBsonRef::Int64(number) => number != 0,
        RawBsonRef::Double(number) => number != 0.0 && !number.is_nan(),
        RawBsonRef::String(text) => !text.is_empty(),
        RawBsonRef::Null | RawBsonRef::Undefined => false,
        _ => true,
    }
}

/// An empty document, for bodies and options that were not given.
pub(super) fn empty() -> &'static RawDocument {
    const EMPTY: &[u8] = &[5, 0, 0, 0, 0];
    static DOCUMENT: std::sync::LazyLock<RawDocumentBuf> = std::sync::LazyLock::new(RawDocumentBuf::new);
    RawDocument::from_bytes(EMPTY).unwrap_or(&DOCUMENT)
}

/// The `options` of a body.
pub(super) fn options(body: &RawDocument) -> Result<&RawDocument, Failure> {
    Ok(document(body, "options")?.unwrap_or_else(|| empty()))
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, count, flag, integer, millis, parse};
    use mongodb::bson::{RawDocumentBuf, rawdoc};
    use proptest::prelude::*;
    use std::time::Duration;

    fn nested(levels: usize) -> Vec<u8> {
        let mut bytes = vec![5, 0, 0, 0, 0];
        for _ in 0..levels {
            let mut outer = vec![0u8; 4];
            outer.extend([3, b'a', 0]);
            outer.extend(&bytes);
            outer.push(0);
            let length = i32::try_from(outer.len()).unwrap();
            outer[..4].copy_from_slice(&length.to_le_bytes());
            bytes = outer;
        }
        bytes
    }

    #[test]
    fn refuses_ten_thousand_levels_without_overflowing_the_stack() {
        assert!(parse(nested(MAX_DEPTH)).is_ok());
        let failure = parse(nested(10_000)).unwrap_err();
        assert!(failure.message.contains("nested deeper than 200 levels"), "{failure}");
    }

    #[test]
    fn keeps_what_looks_like_extended_json() {
        let body = rawdoc! { "filter": { "_id": { "$oid": "65f000000000000000000000" } } };
        assert_eq!(parse(body.as_bytes().to_vec()).unwrap(), body);
    }

    #[test]
    fn reads_numbers_as_javascript_writes_them() {
        let body = rawdoc! { "a": 100.0, "b": 1.5, "c": 7_i64, "d": -1, "e": null };
        assert_eq!(integer(&body, "a").unwrap(), Some(100));
        assert!(integer(&body, "b").is_err());
        assert_eq!(count(&body, "c").unwrap(), Some(7));
        assert!(count(&body, "d").is_err());
        assert!(millis(&body, "d").is_err());
        assert_eq!(millis(&body, "b").unwrap(), Some(Duration::from_micros(1500)));
        assert_eq!(integer(&body, "e").unwrap(), None);
        assert_eq!(flag(&body, "a"), Some(true));
    }

    proptest! {
        #[test]
        fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(bytes);
        }

        #[test]
        fn never_panics_on_damaged_documents(at in 0usize..60, value in any::<u8>()) {
            let mut bytes = RawDocumentBuf::try_from(&mongodb::bson::doc! { "a": { "b": [1, "x", { "c": 2.5 }] }, "d": "text", "e": true }).unwrap().into_bytes();
            let length = bytes.len();
            bytes[at % length] = value;
            let _ = parse(bytes);
        }
    }
}
