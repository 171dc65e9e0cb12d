//! Events that rooms report upward. A room names what happened; whoever listens decides what to do with it.
//!
//! Events hold names and numbers, never credentials, URIs or payloads.

mod event;

pub use event::{Event, EventSink, Field, Level, NoSink};
