//! Options of a pool as JSON text: defaults, and the names of what is wrong.

use super::PoolOptions;
use crate::solana::endpoint::slot::Commitment;
use crate::solana::error::PoolError;
use std::time::Duration;

fn option_of(text: &str) -> String {
    match PoolOptions::from_json(text) {
        Err(PoolError::Config { option, message }) => {
            assert!(!message.contains("SECRET"), "{message}");
            option
        }
        other => panic!("expected a configuration error, got {other:?}"),
    }
}

#[test]
fn fills_in_the_documented_defaults() {
    let options = PoolOptions::from_json("{}").unwrap();
    assert!((options.reads_per_second - 100.0).abs() < 1e-9 && (options.sends_per_second - 10.0).abs() < 1e-9);
    assert_eq!((options.read_attempts, options.send_attempts), (None, 2));
    assert_eq!(options.commitment, Commitment::Processed);
    assert_eq!(options.ttl.status, Duration::from_millis(500));
    assert_eq!(options.deadline, Duration::from_secs(30));
    assert!(options.heavy_max == 25 && options.hedge.on() && !options.read_your_writes);
    assert!(!PoolOptions::from_json(r#"{"hedge":false}"#).unwrap().hedge.on());
}

#[test]
fn merges_a_partial_cache_configuration() {
    let options = PoolOptions::from_json(r#"{"cacheConfig":{"balanceTTL":0}}"#).unwrap();
    assert_eq!(options.ttl.balance, Duration::ZERO);
    assert_eq!(options.ttl.blockhash, Duration::from_secs(2));
}

#[test]
fn names_the_option_that_is_wrong_and_never_quotes_a_url() {
    assert_eq!(option_of(r#"{"nope":1}"#), "nope");
    assert_eq!(option_of(r#"{"maxRequestsPerSecond":-1}"#), "maxRequestsPerSecond");
    assert_eq!(option_of(r#"{"readAttempts":1.5}"#), "readAttempts");
    assert_eq!(option_of(r#"{"commitment":"max"}"#), "commitment");
    assert_eq!(option_of(r#"{"endpoints":["ftp://h/SECRET"]}"#), "endpoints");
    assert_eq!(option_of(r#"{"endpoints":["SECRET"]}"#), "endpoints");
    assert_eq!(option_of(r#"{"endpoints":[{"url":"http://h","wight":1}]}"#), "endpoints.wight");
    assert_eq!(option_of(r#"{"endpoints":[{"url":"http://h","wsUrl":"http://h/SECRET"}]}"#), "endpoints.wsUrl");
    assert_eq!(option_of(r#"{"cacheConfig":{"x":1}}"#), "cacheConfig.x");
    assert_eq!(option_of(r#"{"endpoints":[{"url":"http://h","limits":{"x":1}}]}"#), "endpoints.limits.x");
    assert_eq!(option_of(r#"{"endpoints":[{"url":"http://h","limits":{"heavy":0}}]}"#), "endpoints.limits.heavy");
    assert_eq!(option_of(r#"{"hedge":{"x":1}}"#), "hedge.x");
    assert_eq!(option_of(r#"{"hedge":1}"#), "hedge");
    assert_eq!(option_of(r#"{"hedge":{"maxExtra":0.6}}"#), "hedge.maxExtra");
    assert_eq!(option_of(r#"{"readYourWrites":1}"#), "readYourWrites");
    assert_eq!(option_of("[]"), "options");
    assert_eq!(option_of(r#"{"hedge":{"minDelayMs":50,"maxDelayMs":20}}"#), "hedge.minDelayMs");
    assert_eq!(option_of(r#"{"hedge":{"minDelayMs":1001}}"#), "hedge.minDelayMs");
    assert_eq!(option_of(r#"{"proxy":"SECRET"}"#), "proxy");
    assert_eq!(option_of(r#"{"tls":[]}"#), "tls");
    assert_eq!(option_of(r#"{"endpoints":[{"url":"http://h","weight":0}]}"#), "endpoints.weight");
    assert_eq!(
        option_of(r#"{"endpoints":[{"url":"http://h","headers":{"Content-Length":"5"}}]}"#),
        "endpoints.headers"
    );
}
