//! Exports of the redis room.
