//! Events of the connection pools in Node's shapes.

use super::event::millis;
use mongodb::bson::oid::ObjectId;
use mongodb::event::cmap::{
    CmapEvent, ConnectionCheckoutFailedReason, ConnectionClosedReason, ConnectionPoolOptions, PoolCreatedEvent,
};
use serde_json::{Value, json};

/// Node's name of an event; `None` for one that is new in the crate.
pub(super) fn name(event: &CmapEvent) -> Option<&'static str> {
    Some(match event {
        CmapEvent::PoolCreated(_) => "connectionPoolCreated",
        CmapEvent::PoolReady(_) => "connectionPoolReady",
        CmapEvent::PoolCleared(_) => "connectionPoolCleared",
        CmapEvent::PoolClosed(_) => "connectionPoolClosed",
        CmapEvent::ConnectionCreated(_) => "connectionCreated",
        CmapEvent::ConnectionReady(_) => "connectionReady",
        CmapEvent::ConnectionClosed(_) => "connectionClosed",
        CmapEvent::ConnectionCheckoutStarted(_) => "connectionCheckOutStarted",
        CmapEvent::ConnectionCheckoutFailed(_) => "connectionCheckOutFailed",
        CmapEvent::ConnectionCheckedOut(_) => "connectionCheckedOut",
        CmapEvent::ConnectionCheckedIn(_) => "connectionCheckedIn",
        _ => return None,
    })
}

/// Its fields.
pub(super) fn data(event: &CmapEvent) -> Value {
    match event {
        CmapEvent::PoolCreated(event) => created(event),
        CmapEvent::PoolReady(event) => json!({ "address": event.address.to_string() }),
        CmapEvent::PoolCleared(event) => json!({
            "address": event.address.to_string(), "serviceId": event.service_id.map(ObjectId::to_hex),
            "interruptInUseConnections": event.interrupt_in_use_connections,
        }),
        CmapEvent::PoolClosed(event) => json!({ "address": event.address.to_string() }),
        CmapEvent::ConnectionCreated(event) => {
            json!({ "address": event.address.to_string(), "connectionId": event.connection_id })
        }
        CmapEvent::ConnectionReady(event) => json!({
            "address": event.address.to_string(), "connectionId": event.connection_id, "durationMS": millis(event.duration),
        }),
        CmapEvent::ConnectionClosed(event) => json!({
            "address": event.address.to_string(), "connectionId": event.connection_id, "reason": closed(&event.reason),
        }),
        CmapEvent::ConnectionCheckoutStarted(event) => json!({ "address": event.address.to_string() }),
        CmapEvent::ConnectionCheckoutFailed(event) => json!({
            "address": event.address.to_string(), "reason": failed(&event.reason), "durationMS": millis(event.duration),
        }),
        CmapEvent::ConnectionCheckedOut(event) => json!({
            "address": event.address.to_string(), "connectionId": event.connection_id, "durationMS": millis(event.duration),
        }),
        CmapEvent::ConnectionCheckedIn(event) => {
            json!({ "address": event.address.to_string(), "connectionId": event.connection_id })
        }
        _ => json!({}),
    }
}

fn created(event: &PoolCreatedEvent) -> Value {
    let options = event.options.as_ref().map(|options: &ConnectionPoolOptions| {
        json!({
            "maxPoolSize": options.max_pool_size, "minPoolSize": options.min_pool_size,
            "maxIdleTimeMS": options.max_idle_time.map(millis),
        })
    });
    json!({ "address": event.address.to_string(), "options": options })
}

/// The specification's words.
fn closed(reason: &ConnectionClosedReason) -> &'static str {
    match reason {
        ConnectionClosedReason::Stale => "stale",
        ConnectionClosedReason::Idle => "idle",
        ConnectionClosedReason::PoolClosed => "poolClosed",
        // One that was dropped under an operation is broken to the specification.
        _ => "error",
    }
}

fn failed(reason: &ConnectionCheckoutFailedReason) -> &'static str {
    match reason {
        ConnectionCheckoutFailedReason::Timeout => "timeout",
        _ => "connectionError",
    }
}
