//! `GET /.well-known/moho/attestation?nonce=…`: the keys of this moho, and what vouches for them. Open to all, as whoever asks has yet to learn
//! whether to trust it.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use moho_attest::session::Nonce;

use super::failure::chain;
use crate::attested::{AttestedError, NoTpm};
use crate::net::pool::Sharer;
use crate::net::{Admission, Body, Head, Outbound, Taking};
use crate::startup::Platform;

/// Its path.
pub(super) const PATH: &str = "/.well-known/moho/attestation";

/// What is said where there is no answer.
const NOTHING: &str = "There is no evidence: what vouches for this moho does not answer.";

/// Whether a request is for it.
pub(super) fn is_asked_for(head: &Head) -> bool {
    head.raw_path == PATH && matches!(head.method, Method::GET | Method::HEAD)
}

/// By whose leave it comes in: nobody's, and without a body.
pub(super) fn admission(head: &Head) -> Option<Admission> {
    is_asked_for(head).then_some(Admission {
        body: 0,
        claims: None,
        taking: Taking::Whole,
    })
}

/// The answer.
pub(super) async fn answer(head: &Head, platform: &Platform) -> Outbound {
    let nonce = head.raw_query.strip_prefix("nonce=").and_then(Nonce::from_hex);
    let Some(nonce) = nonce else {
        let told = "Ask with ?nonce= and 64 digits of lower-case hexadecimal: 32 bytes that nobody can guess, made for this one question.";
        return said(StatusCode::BAD_REQUEST, told);
    };
    match platform.attested.answer(nonce, Sharer::of(head.peer)).await {
        Ok(json) => outbound(StatusCode::OK, json),
        Err(AttestedError::Tpm(NoTpm::Busy)) => {
            let mut reply = said(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many wait for the TPM: come again in a second.",
            );
            reply.headers.push((RETRY_AFTER, HeaderValue::from_static("1")));
            reply
        }
        // Said once, where it is: strangers may ask as often as they like.
        Err(AttestedError::Tpm(_)) => said(StatusCode::SERVICE_UNAVAILABLE, NOTHING),
        Err(error @ (AttestedError::Keys(_) | AttestedError::Entropy(_) | AttestedError::NoCertificate)) => {
            tracing::error!(error = %chain(&error), "this moho cannot say by which keys it is spoken to");
            said(StatusCode::SERVICE_UNAVAILABLE, NOTHING)
        }
    }
}

/// An error, for people and programs.
fn said(status: StatusCode, told: &'static str) -> Outbound {
    outbound(status, format!("{{\"error\":\"{told}\"}}\n").into_bytes())
}

fn outbound(status: StatusCode, json: Vec<u8>) -> Outbound {
    Outbound {
        status,
        headers: vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ],
        body: Body::Full(Bytes::from(json)),
        told: None,
    }
}
