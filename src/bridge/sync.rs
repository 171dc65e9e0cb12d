//! The synchronisation primitives of the lane. `tests/lane_loom.rs` compiles the lane with loom's in their place.

pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
