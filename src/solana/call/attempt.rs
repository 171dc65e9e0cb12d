//! One attempt on one endpoint, and what its outcome says about the endpoint. Which one and whether again is `plan.rs`.

use crate::solana::call::floor::{is_below, not_reached};
use crate::solana::call::request::Prepared;
use crate::solana::classify::{Health, rule};
use crate::solana::endpoint::breaker::Trip;
use crate::solana::endpoint::{Endpoint, Need};
use crate::solana::error::AttemptError;
use crate::solana::method::Class;
use crate::solana::pool::Pool;
use crate::solana::transaction;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

impl Pool {
    /// One request on one endpoint; its outcome is remembered there.
    pub(in crate::solana) async fn attempt(
        &self,
        endpoint: &Endpoint,
        call: &Prepared,
        limit: Duration,
    ) -> Result<Bytes, AttemptError> {
        let _busy = Busy::new(endpoint);
        endpoint.counts.requests.fetch_add(1, Ordering::Relaxed);
        // Sockets that hang are held until their attempts end: this one goes elsewhere then, and says nothing about the endpoint.
        let _socket = match tokio::time::timeout(limit, endpoint.sockets.acquire()).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(_)) => return Err(AttemptError::Connect { detail: "pool is closed".to_owned() }),
            Err(_) => return Err(AttemptError::Connect { detail: "all of its sockets are in use".to_owned() }),
        };
        let began = Instant::now();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let post = endpoint.post(call.body(id), id, call.method.class == Class::Heavy);
        let answer = tokio::time::timeout(limit, post).await.unwrap_or(Err(AttemptError::Timeout { limit }));
        let result = answer.and_then(|result| transaction::check_answer(call, result));
        let result = result.and_then(|result| match is_below(&result, call.min_slot) {
            // Some nodes ignore `minContextSlot`, and a load balancer knows nothing of it.
            Some(slot) if !call.is_send() => Err(not_reached(slot)),
            _ => Ok(result),
        });
        self.record(endpoint, call, began, &result);
        result
    }

    /// The eligible endpoints for `call`, best first, at most `most`; the least bad one when there is none.
    pub(in crate::solana) fn best_endpoints(&self, call: &Prepared, most: usize) -> Vec<Arc<Endpoint>> {
        let endpoints = self.endpoints.load_full();
        let need = need(self, call);
        let mut candidates: Vec<_> =
            endpoints.iter().enumerate().map(|(index, endpoint)| endpoint.candidate(index, &need)).collect();
        candidates.sort_by(|left, right| {
            (right.eligible, left.tier).cmp(&(left.eligible, right.tier)).then(left.cost.total_cmp(&right.cost))
        });
        let eligible = candidates.iter().filter(|one| one.eligible).count().max(1);
        candidates.iter().take(eligible.min(most)).filter_map(|one| endpoints.get(one.index)).cloned().collect()
    }

    fn record(&self, endpoint: &Endpoint, call: &Prepared, began: Instant, result: &Result<Bytes, AttemptError>) {
        let now = Instant::now();
        let (class, write) = (call.method.class, call.is_send());
        let mut facts = endpoint.facts();
        let health = result.as_ref().err().map_or(Health::Good, |error| rule(error, write).health);
        let unheard = matches!(
            result,
            Err(AttemptError::Connect { .. } | AttemptError::Lost { .. } | AttemptError::Timeout { .. })
        );
        if !unheard {
            facts.last_answer = Some(now);
        }
        if class != Class::Heavy {
            let took = now.duration_since(began);
            match health {
                Health::Good => facts.latency.observe(took, now),
                // Failing fast is not being fast.
                Health::Failed => facts.latency.at_least(took, now),
                _ => {}
            }
        }
        let mut change = None;
        match health {
            Health::Good | Health::Unsupported => {
                facts.served(class, began, now);
                change = facts.breaker.succeeded(now).then_some(true);
                if health == Health::Unsupported {
                    facts.mark_unsupported(&call.name, now);
                }
            }
            Health::Failed => {
                change = facts.breaker.failed(now, fastrand::f64()).then_some(false);
                if let Err(AttemptError::Http { retry_after: Some(after), .. }) = result {
                    facts.limited(class, Some(*after), began, now);
                }
            }
            Health::Limited { retry_after } => facts.limited(class, retry_after, began, now),
            Health::Unusable => change = facts.trip(Trip::Unusable, now).then_some(false),
        }
        drop(facts);
        let count = match health {
            Health::Failed | Health::Unusable => Some(&endpoint.counts.failures),
            Health::Limited { .. } => Some(&endpoint.counts.limited),
            Health::Good | Health::Unsupported => None,
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if result.is_ok() && class == Class::Read {
            self.hedge.observe(&call.name, now.duration_since(began));
        }
        if let Some(up) = change {
            self.report_endpoint(endpoint, up, result.as_ref().err());
        }
        self.harvest_slot(endpoint, call, result);
    }
}

/// What `call` needs of an endpoint, now.
pub(in crate::solana) fn need<'c>(pool: &Pool, call: &'c Prepared) -> Need<'c> {
    Need {
        method: &call.name,
        class: call.method.class,
        commitment: call.commitment,
        min_slot: call.min_slot,
        max_lag: pool.options.max_slot_lag,
        now: Instant::now(),
    }
}

/// Counts an attempt on its endpoint, also when it is dropped half way.
struct Busy<'a>(&'a Endpoint);

impl<'a> Busy<'a> {
    fn new(endpoint: &'a Endpoint) -> Self {
        endpoint.facts().in_flight += 1;
        Self(endpoint)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.facts().in_flight -= 1;
    }
}
