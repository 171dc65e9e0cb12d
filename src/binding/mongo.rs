//! Exports of the mongo room.
