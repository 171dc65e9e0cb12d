//! One record of something that happened, and the trait by which rooms report it.

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details for debugging.
    Debug,
    /// Normal life: connected, closed.
    Info,
    /// Something was repaired or will be tried again.
    Warn,
    /// Something was given up.
    Error,
}

impl Level {
    /// The logger method of this level.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A value of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// Text, already redacted.
    Text(String),
    /// A number.
    Number(f64),
}

/// Something that happened, past tense: `reconnected`, `endpoint ejected`.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Stable machine name, such as `rpc.attempt_failed`.
    pub name: &'static str,
    /// How loud.
    pub level: Level,
    /// The line for people.
    pub message: String,
    /// Named facts.
    pub fields: Vec<(&'static str, Field)>,
}

impl Event {
    /// An event without fields.
    pub fn new(name: &'static str, level: Level, message: impl Into<String>) -> Self {
        Self { name, level, message: message.into(), fields: Vec::new() }
    }

    /// Adds a number.
    #[must_use]
    pub fn with_number(mut self, name: &'static str, value: f64) -> Self {
        self.fields.push((name, Field::Number(value)));
        self
    }

    /// Adds text.
    #[must_use]
    pub fn with_text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, Field::Text(value.into())));
        self
    }

    /// The record as JSON: `{event, level, message, ...fields}`.
    pub fn to_json(&self) -> String {
        let mut record = serde_json::Map::new();
        record.insert("event".to_owned(), self.name.into());
        record.insert("level".to_owned(), self.level.as_str().into());
        record.insert("message".to_owned(), self.message.as_str().into());
        for (name, value) in &self.fields {
            let value = match value {
                Field::Text(text) => text.as_str().into(),
                Field::Number(number) => (*number).into(),
            };
            record.insert((*name).to_owned(), value);
        }
        serde_json::Value::Object(record).to_string()
    }
}

/// Where a room reports its events. Must not block and must not fail.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy)]
pub struct NoSink;

impl EventSink for NoSink {
    fn emit(&self, _event: Event) {}
}
