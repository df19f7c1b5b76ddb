//! What is measured of requests and sequences that the tests make up.

use std::sync::Arc;

use http::{HeaderMap, Method};
use moho_terms::{ModelId, RequestId, Timestamp};

use super::*;
use crate::net::Peer;
use crate::system::{SystemClock, SystemEntropy};

/// The one served model.
pub(crate) fn model() -> ModelId {
    "m".parse().unwrap()
}

pub(crate) fn telemetry() -> Arc<Telemetry> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::default()));
    Arc::new(Telemetry::new(
        [model()].into_iter(),
        None,
        Closing::new(),
        clock,
        entropy,
    ))
}

pub(crate) fn head() -> Head {
    Head {
        method: Method::POST,
        raw_path: "/v1/chat/completions".to_owned(),
        raw_query: String::new(),
        authority: "moho.test:8443".to_owned(),
        headers: HeaderMap::new(),
        peer: Peer::Network("192.0.2.1:1234".parse().unwrap()),
        received: Timestamp::from_unix_seconds(1_800_000_000),
        request_id: RequestId::random(&SystemEntropy::default()).unwrap(),
    }
}

/// A request that somebody is measuring.
pub(crate) fn span() -> RequestSpan {
    RequestSpan::begin(&telemetry(), &head(), "/v1/chat/completions")
}
