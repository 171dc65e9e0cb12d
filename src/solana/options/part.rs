//! One object among the options: its values by name, with the name that an error shows.

use super::{MAX_MILLIS, Object, bad, present};
use crate::solana::error::PoolError;
use serde_json::Value;
use std::time::Duration;

/// An object, and what stands before its names.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) object: &'a Object,
    prefix: &'static str,
}

impl<'a> Part<'a> {
    pub(super) fn of(object: &'a Object, prefix: &'static str) -> Self {
        Self { object, prefix }
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        present(self.object, name)
    }

    /// The object under `name`; `prefix` is for its own names.
    pub(super) fn part(&self, name: &str, prefix: &'static str) -> Result<Option<Part<'a>>, PoolError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let object = value.as_object().ok_or_else(|| self.wrong(name, "an object"))?;
        Ok(Some(Part::of(object, prefix)))
    }

    pub(super) fn refuse_unknown(&self, names: &[&str]) -> Result<(), PoolError> {
        let Some(key) = self.object.keys().find(|key| !names.contains(&key.as_str())) else { return Ok(()) };
        let name = format!("{}{key}", self.prefix);
        Err(bad(&name, format!("unknown option {name}")))
    }

    pub(super) fn number(&self, name: &str, (min, max): (f64, f64), default: f64) -> Result<f64, PoolError> {
        let Some(value) = self.value(name) else { return Ok(default) };
        let number = value.as_f64().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| self.wrong(name, &format!("a number between {min} and {max}")))
    }

    pub(super) fn integer(&self, name: &str, (min, max): (u32, u32), default: u32) -> Result<u32, PoolError> {
        let Some(value) = self.value(name) else { return Ok(default) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| self.wrong(name, &format!("a whole number between {min} and {max}")))
    }

    pub(super) fn millis(&self, name: &str, min: f64, default: f64) -> Result<Duration, PoolError> {
        Ok(Duration::from_secs_f64(self.number(name, (min, MAX_MILLIS), default)? / 1000.0))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, PoolError> {
        let value = self.value(name);
        value.map(|value| value.as_bool().ok_or_else(|| self.wrong(name, "true or false"))).transpose()
    }

    fn wrong(&self, name: &str, what: &str) -> PoolError {
        let name = format!("{}{name}", self.prefix);
        bad(&name, format!("{name} must be {what}"))
    }
}
