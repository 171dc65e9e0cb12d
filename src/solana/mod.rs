//! Solana RPC: one pool over several endpoints, its limits, cache, retries and transactions.
//!
//! Guarantees: every call has a deadline, every queue a bound, every retry a budget, every endpoint a breaker; a signed transaction is only ever sent as the
//! identical bytes. Does not sign, does not know JavaScript, and never shows the path or query of an endpoint's URL.

mod call;
mod classify;
mod decode;
mod endpoint;
mod error;
mod fetch;
mod limit;
mod mark;
mod method;
mod object;
mod options;
mod pool;
mod queue;
mod report;
mod rpc_sender;
mod shared_limits;
mod stats;
mod subscription;
mod transaction;

pub use call::{Call, CallOptions};
pub use classify::{Again, again_for_code, again_for_status};
pub use decode::{AccountMethod, AccountRead, AccountReply};
pub use error::{AttemptError, PoolError, RpcRefusal};
pub use mark::marked;
pub use options::{CacheTtl, EndpointOptions, HedgeOptions, Limits, PoolOptions};
pub use pool::Pool;
pub use queue::Priority;
pub use rpc_sender::PoolSender;
pub use shared_limits::SharedLimits;
pub use stats::PoolStats;
pub use subscription::{Gap, Item, Kind, SignatureNotification, SubscribeOptions, Subscription, Wake};
pub use transaction::track::{TrackOptions, Tracked, Verdict};
pub use transaction::{SendError, SendOptions, SignedTransaction};
