//! The waker that reaches JavaScript: one weak thread-safe function per client, dropped when its lane closes.
//!
//! Weak: an idle client must not keep the process alive. `lib/lane.ts` holds the loop while work is in flight.

use super::lane::Waker;
use napi::Status;
use napi::bindgen_prelude::{Function, Result};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

type WeakFunction = ThreadsafeFunction<(), (), (), Status, false, true>;

/// Calls a JavaScript function without arguments on its thread.
pub(crate) struct JsWaker(WeakFunction);

impl JsWaker {
    /// Wraps the function handed over by TypeScript.
    pub(crate) fn new(wake: &Function<'_, (), ()>) -> Result<Box<Self>> {
        let function = wake.build_threadsafe_function::<()>().weak::<true>().callee_handled::<false>().build()?;
        Ok(Box::new(Self(function)))
    }
}

impl Waker for JsWaker {
    fn wake(&self) {
        // A closing environment answers `Closing`: there is nobody left to wake.
        self.0.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }
}
