//! The two probes: whether moho lives, and whether it should be sent requests. Open to all; they say nothing else.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};

use crate::net::{Body, Head, Outbound};
use crate::startup::Platform;

/// Whether a request is a probe.
pub(super) fn is_probe(head: &Head) -> bool {
    matches!(head.method, Method::GET | Method::HEAD) && matches!(&*head.raw_path, "/healthz" | "/readyz")
}

/// The answer to a probe, and the probe's route; `None` if the request is none.
pub(super) fn probe(head: &Head, platform: &Platform) -> Option<(&'static str, Outbound)> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return None;
    }
    let (route, answer) = answer(&head.raw_path, platform)?;
    Some((route, answer.outbound()))
}

/// What a probe is told.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

/// The probe of a path, and what it is told.
pub(crate) fn answer(raw_path: &str, platform: &Platform) -> Option<(&'static str, Answer)> {
    match raw_path {
        "/healthz" => Some(("/healthz", health(platform))),
        "/readyz" => Some(("/readyz", readiness(platform))),
        _ => None,
    }
}

/// `GET /healthz`: whether moho does its work at all, and what stands behind the root key.
fn health(platform: &Platform) -> Answer {
    let (status, word) = if platform.works() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    let attestation = platform.attestation.as_str();
    Answer {
        status,
        body: format!("{{\"status\":\"{word}\",\"attestation\":\"{attestation}\"}}\n"),
    }
}

/// `GET /readyz`: whether requests should come here now, and a word for each thing that they need.
fn readiness(platform: &Platform) -> Answer {
    let checks = platform.readiness();
    let ready = checks.iter().all(|(_, wrong)| wrong.is_none());
    let (status, word) = if ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unready")
    };
    let checks: Vec<String> = checks
        .iter()
        .map(|(name, wrong)| format!("\"{name}\":\"{}\"", wrong.unwrap_or("ok")))
        .collect();
    Answer {
        status,
        body: format!("{{\"status\":\"{word}\",\"checks\":{{{}}}}}\n", checks.join(",")),
    }
}

impl Answer {
    fn outbound(self) -> Outbound {
        Outbound {
            status: self.status,
            headers: vec![
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ],
            body: Body::Full(Bytes::from(self.body)),
            told: None,
        }
    }
}
