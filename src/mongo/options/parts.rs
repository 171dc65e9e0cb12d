//! Options that are objects or have a form of their own: checked, and written into the query where the crate reads them.
//!
//! Guarantees: what is wrong inside of one is refused under the option's own name.

use super::config;
use super::kind::{Kind, row};
use super::query::{Query, authority, encode, encode_user, read};
use crate::error::Failure;
use crate::mongo::body;
use crate::mongo::concern::{Tags, read_preference, tag_sets};
use mongodb::bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::options::{DriverInfo, ServerApi, ServerApiVersion};

/// Puts one of them into the query.
pub(super) fn merge(query: &mut Query, name: &str, value: RawBsonRef<'_>) -> Result<(), Failure> {
    match name {
        "auth" => merge_auth(query, object(name, value)?),
        "authMechanismProperties" => merge_properties(query, name, value),
        "readConcern" => merge_read_concern(query, value),
        "readPreference" => merge_preference(query, value),
        "readPreferenceTags" => merge_tags(query, value),
        "writeConcern" => merge_write_concern(query, value),
        // Read behind the crate's parser, which does not know them.
        _ => Ok(()),
    }
}

fn object<'a>(name: &str, value: RawBsonRef<'a>) -> Result<&'a RawDocument, Failure> {
    match value {
        RawBsonRef::Document(document) => Ok(document),
        _ => Err(config(name, format!("{name} must be an object"))),
    }
}

/// The option of a failure that names a part of it.
fn within<T>(name: &str, read: Result<T, Failure>) -> Result<T, Failure> {
    read.map_err(|failure| config(name, format!("{name}.{}", failure.message)))
}

/// The user, in place of the URI's: what the crate checks of a mechanism it checks of the user as well.
fn merge_auth(query: &mut Query, auth: &RawDocument) -> Result<(), Failure> {
    let username = within("auth", body::optional_text(auth, "username"))?.unwrap_or_default();
    let password = within("auth", body::optional_text(auth, "password"))?;
    if username.is_empty() {
        // As in the Node driver, two empty texts are no credentials.
        let none = password.is_some_and(str::is_empty) && body::field(auth, "username").is_some();
        return if none { Ok(()) } else { Err(config("auth", "auth.username must be a non-empty string")) };
    }
    let (scheme, hosts) = authority(&query.base);
    let password = password.map(|password| format!(":{}", encode_user(password))).unwrap_or_default();
    let base = format!("{scheme}://{}{password}@{hosts}", encode_user(username));
    query.before_auth = Some(std::mem::replace(&mut query.base, base));
    Ok(())
}

fn merge_properties(query: &mut Query, name: &str, value: RawBsonRef<'_>) -> Result<(), Failure> {
    let mut parts = Vec::new();
    match value {
        RawBsonRef::String(text) if !text.is_empty() => parts.push(encode(text)),
        RawBsonRef::Document(properties) => {
            for element in properties {
                let (key, value) = element.map_err(|_| config(name, format!("{name} is not well-formed")))?;
                let text = match value {
                    RawBsonRef::Boolean(flag) => flag.to_string(),
                    value => {
                        let wrong = |what| config(name, format!("{name}.{} must be {what}", key.as_str()));
                        Kind::Text.read(value).map_err(wrong)?
                    }
                };
                parts.push(format!("{}:{}", encode(key.as_str()), encode(&text)));
            }
        }
        _ => return Err(config(name, format!("{name} must be an object"))),
    }
    query.remove(name);
    if !parts.is_empty() {
        query.add(name, &parts.join(","));
    }
    Ok(())
}

fn merge_read_concern(query: &mut Query, value: RawBsonRef<'_>) -> Result<(), Failure> {
    let level = match value {
        RawBsonRef::String(level) => level,
        value => within("readConcern", body::text(object("readConcern", value)?, "level"))?,
    };
    query.set("readConcernLevel", &encode(level));
    Ok(())
}

fn merge_write_concern(query: &mut Query, value: RawBsonRef<'_>) -> Result<(), Failure> {
    let concern = match value {
        RawBsonRef::Document(concern) => concern,
        value => return part(query, "w", "writeConcern", value),
    };
    for name in ["w", "j", "journal", "wtimeout", "wtimeoutMS"] {
        if let Some(value) = body::field(concern, name) {
            part(query, name, &format!("writeConcern.{name}"), value)?;
        }
    }
    Ok(())
}

fn part(query: &mut Query, name: &str, label: &str, value: RawBsonRef<'_>) -> Result<(), Failure> {
    let Some(row) = row(name) else { return Ok(()) };
    let text = read(row, label, value)?;
    query.put(row, &text);
    Ok(())
}

/// A read preference: tags and staleness are options of their own in a URI, and those of the URI go with its mode.
fn merge_preference(query: &mut Query, value: RawBsonRef<'_>) -> Result<(), Failure> {
    const NAME: &str = "readPreference";
    let ours = |failure: Failure| config(NAME, format!("{NAME}: {}", failure.message));
    read_preference(value).map_err(ours)?;
    for part in [NAME, "readPreferenceTags", "maxStalenessSeconds"] {
        query.remove(part);
    }
    let preference = match value {
        RawBsonRef::String(mode) => {
            query.add(NAME, &encode(mode));
            return Ok(());
        }
        value => object(NAME, value)?,
    };
    query.add(NAME, &encode(body::text(preference, "mode").map_err(ours)?));
    // -1 is the specification's word for no limit.
    let seconds = body::integer(preference, "maxStalenessSeconds").map_err(ours)?;
    if let Some(seconds) = seconds.filter(|seconds| *seconds != -1) {
        let seconds = u32::try_from(seconds)
            .map_err(|_| config(NAME, format!("{NAME}.maxStalenessSeconds must be a whole number of 0 or more")))?;
        query.add("maxStalenessSeconds", &seconds.to_string());
    }
    for tags in tag_sets(preference).map_err(ours)? {
        query.add("readPreferenceTags", &spelled(&tags));
    }
    Ok(())
}

/// A tag set as the query spells it.
fn spelled(tags: &Tags) -> String {
    let tags: Vec<_> = tags.iter().map(|(tag, value)| format!("{tag}:{value}")).collect();
    encode(&tags.join(","))
}

/// The option `readPreferenceTags`: a list of tag sets, in place of the URI's.
fn merge_tags(query: &mut Query, value: RawBsonRef<'_>) -> Result<(), Failure> {
    const NAME: &str = "readPreferenceTags";
    let mut holder = RawDocumentBuf::new();
    holder.append(cstr!("tags"), value);
    let sets = tag_sets(&holder).map_err(|failure| config(NAME, format!("{NAME}: {}", failure.message)))?;
    query.remove(NAME);
    for tags in &sets {
        query.add(NAME, &spelled(tags));
    }
    Ok(())
}

/// The option `driverInfo`.
pub(super) fn driver_info(options: &RawDocument) -> Result<Option<DriverInfo>, Failure> {
    const NAME: &str = "driverInfo";
    let Some(value) = body::field(options, NAME) else { return Ok(None) };
    let info = object(NAME, value)?;
    let part = |name: &str| within(NAME, body::optional_text(info, name));
    let mut made = DriverInfo::builder().name(part("name")?.unwrap_or("mooring").to_owned()).build();
    made.version = part("version")?.map(str::to_owned);
    made.platform = part("platform")?.map(str::to_owned);
    Ok(Some(made))
}

/// The option `serverApi`.
pub(super) fn server_api(options: &RawDocument) -> Result<Option<ServerApi>, Failure> {
    const NAME: &str = "serverApi";
    let (version, document) = match body::field(options, NAME) {
        None => return Ok(None),
        Some(RawBsonRef::String(version)) => (version, body::empty()),
        Some(RawBsonRef::Document(document)) => (within(NAME, body::text(document, "version"))?, document),
        Some(_) => return Err(config(NAME, "serverApi must be a string or an object")),
    };
    if version != "1" {
        return Err(config(NAME, "serverApi must have version 1"));
    }
    let flag = |name: &str| match body::field(document, name) {
        None => Ok(None),
        Some(RawBsonRef::Boolean(flag)) => Ok(Some(flag)),
        Some(_) => Err(config(NAME, format!("{NAME}.{name} must be true or false"))),
    };
    let mut api = ServerApi::builder().version(ServerApiVersion::V1).build();
    api.strict = flag("strict")?;
    api.deprecation_errors = flag("deprecationErrors")?;
    Ok(Some(api))
}
