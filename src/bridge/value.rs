//! What synchronous and rare exports return, and arrays handed over by JavaScript.

use super::settle::FailureRecord;
use crate::error::Failure;
use napi::bindgen_prelude::{Either, Int32ArraySlice, Uint8ArraySlice};

/// A value, or a failure record that TypeScript throws.
pub(crate) type Checked<T> = Either<T, FailureRecord>;

/// Turns a room's result into what a synchronous or rare export returns.
pub(crate) fn checked<T>(result: Result<T, Failure>) -> Checked<T> {
    match result {
        Ok(value) => Either::A(value),
        Err(failure) => Either::B(failure.into()),
    }
}

/// The integers of an array handed over by JavaScript, to be filled before the export returns.
#[expect(unsafe_code, reason = "the only way to write into a typed array handed over by JavaScript")]
pub(crate) fn integers<'a>(array: &'a mut Int32ArraySlice<'_>) -> &'a mut [i32] {
    // SAFETY: JavaScript does not run while a synchronous export does, so nobody else reads or writes the array.
    unsafe { array.as_mut() }
}

/// The bytes of an array handed over by JavaScript, to be filled before the export returns.
#[expect(unsafe_code, reason = "the only way to write into a typed array handed over by JavaScript")]
pub(crate) fn bytes<'a>(array: &'a mut Uint8ArraySlice<'_>) -> &'a mut [u8] {
    // SAFETY: as above.
    unsafe { array.as_mut() }
}
