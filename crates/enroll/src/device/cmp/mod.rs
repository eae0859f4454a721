//! CMP (RFC 9810, 9483).

use std::sync::Arc;

use audit::Timestamp;

use super::{Devices, Endpoint, Reply, Request};

/// Answers a request to `endpoint`. `rest` is what follows the endpoint's name in the path, without a slash before it.
pub(super) async fn handle(
    _devices: &Devices,
    _endpoint: Arc<Endpoint>,
    _rest: &str,
    _request: &Request<'_>,
    _now: Timestamp,
) -> Reply {
    Reply::empty(404)
}
