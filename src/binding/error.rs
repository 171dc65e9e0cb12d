//! The error codes as a TypeScript union, made from the one list in `error::code`.

use crate::error::code::with_error_codes;
use napi_derive::napi;

macro_rules! export_error_code {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// What kind of failure an error is.
        #[napi(string_enum)]
        pub enum ErrorCode { $($(#[$doc])* #[napi(value = $text)] $variant,)+ }
    };
}
with_error_codes!(export_error_code);
