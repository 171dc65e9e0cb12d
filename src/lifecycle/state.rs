//! The five states of everything that opens and closes.

use std::sync::atomic::{AtomicU8, Ordering};

/// `Idle -> Opening -> Ready -> Draining -> Closed`; `Closed` is final. `Opening` may fall back to `Idle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing was opened yet.
    Idle,
    /// Being opened.
    Opening,
    /// Serving.
    Ready,
    /// Refuses new work, finishes what runs.
    Draining,
    /// Over.
    Closed,
}

impl State {
    /// The text that crosses to JavaScript.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Opening => "opening",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Closed => "closed",
        }
    }

    /// Whether new work is refused.
    pub fn refuses_work(self) -> bool {
        matches!(self, Self::Draining | Self::Closed)
    }

    fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Idle,
            1 => Self::Opening,
            2 => Self::Ready,
            3 => Self::Draining,
            _ => Self::Closed,
        }
    }

    fn as_u8(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Opening => 1,
            Self::Ready => 2,
            Self::Draining => 3,
            Self::Closed => 4,
        }
    }

    fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Opening, Self::Idle) => true,
            (from, to) => to.as_u8() > from.as_u8(),
        }
    }
}

/// A state shared by threads; only legal moves happen.
#[derive(Debug)]
pub struct StateCell(AtomicU8);

impl Default for StateCell {
    fn default() -> Self {
        Self(AtomicU8::new(State::Idle.as_u8()))
    }
}

impl StateCell {
    /// The present state.
    pub fn get(&self) -> State {
        State::from_u8(self.0.load(Ordering::Acquire))
    }

    /// Moves to `next` if that is legal; returns whether this call moved it.
    pub fn advance(&self, next: State) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                State::from_u8(now).may_become(next).then_some(next.as_u8())
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{State, StateCell};

    #[test]
    fn closed_is_final_and_opening_may_fall_back() {
        let cell = StateCell::default();
        assert!(cell.advance(State::Opening));
        assert!(cell.advance(State::Idle));
        assert!(cell.advance(State::Ready));
        assert!(!cell.advance(State::Idle));
        assert!(cell.advance(State::Closed));
        assert!(!cell.advance(State::Closed));
        assert!(!cell.advance(State::Ready));
    }
}
