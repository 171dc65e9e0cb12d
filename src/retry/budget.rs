//! A token budget for retries: a share of the first attempts plus a floor, so that an outage cannot multiply traffic.
//!
//! Rule and figures: 20 % of first attempts over 10 s, 3 a second as a floor (<https://finagle.github.io/blog/2016/02/08/retry-budgets>).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Ten deposits of 0.2 must pay for two retries although their sum is a little below 2.
const ROUNDING: f64 = 1e-6;

/// How much retrying a budget allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetOptions {
    /// Tokens earned by a first attempt.
    pub ratio: f64,
    /// Tokens earned every second, traffic or not.
    pub floor_per_second: f64,
    /// Tokens present at the start.
    pub initial: f64,
    /// For how long unused tokens are kept: bounds the balance.
    pub window: Duration,
}

impl Default for BudgetOptions {
    fn default() -> Self {
        Self { ratio: 0.2, floor_per_second: 3.0, initial: 10.0, window: Duration::from_secs(10) }
    }
}

/// A shared retry budget. One per dependency and process.
#[derive(Debug)]
pub struct Budget {
    options: BudgetOptions,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    /// Tokens earned by attempts in the running window: the cap follows the traffic.
    earned: f64,
    refilled: Option<Instant>,
}

impl Budget {
    /// A budget with its initial tokens.
    pub fn new(options: BudgetOptions) -> Self {
        Self { options, state: Mutex::new(State { tokens: options.initial, earned: 0.0, refilled: None }) }
    }

    /// A first attempt was made: earns a share of a token.
    pub fn deposit(&self) {
        let mut state = self.lock();
        state.earned += self.options.ratio;
        state.tokens = (state.tokens + self.options.ratio).min(self.cap(state.earned));
    }

    /// Takes a token for one retry; false when the budget is spent.
    pub fn withdraw(&self) -> bool {
        let mut state = self.lock();
        let allowed = state.tokens >= 1.0 - ROUNDING;
        if allowed {
            state.tokens = (state.tokens - 1.0).max(0.0);
        }
        allowed
    }

    /// Whole tokens left, for statistics.
    pub fn balance(&self) -> f64 {
        self.lock().tokens
    }

    fn cap(&self, earned: f64) -> f64 {
        self.options.initial.max(self.options.floor_per_second * self.options.window.as_secs_f64()) + earned
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = state.refilled.map_or(Duration::ZERO, |at| now.duration_since(at));
        let decay = 1.0 - (elapsed.as_secs_f64() / self.options.window.as_secs_f64()).min(1.0);
        state.earned *= decay;
        let cap = self.cap(state.earned);
        state.tokens = (state.tokens + elapsed.as_secs_f64() * self.options.floor_per_second).min(cap);
        state.refilled = Some(now);
        state
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, BudgetOptions};
    use std::time::Duration;

    #[test]
    fn spends_the_initial_tokens_then_refuses() {
        let budget = Budget::new(BudgetOptions { floor_per_second: 0.0, ..BudgetOptions::default() });
        assert_eq!((0..20).filter(|_| budget.withdraw()).count(), 10);
        (0..10).for_each(|_| budget.deposit());
        assert_eq!((0..20).filter(|_| budget.withdraw()).count(), 2, "20 % of ten first attempts");
    }

    #[cfg(feature = "test-util")]
    #[tokio::test(start_paused = true)]
    async fn refills_by_the_floor_up_to_its_cap() {
        let budget = Budget::new(BudgetOptions::default());
        while budget.withdraw() {}
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..20).filter(|_| budget.withdraw()).count(), 3);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 30);
    }
}
