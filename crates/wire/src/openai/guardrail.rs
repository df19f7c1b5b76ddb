//! Bedrock's guardrails around OpenAI's APIs. None exists here, so none is ever skipped: whoever asks for one is told.

use super::fields::{Fields, unsupported};
use crate::Failure;
use crate::json::Json;
use crate::route::Headers;

/// Headers that ask for a guardrail.
const HEADERS: [&str; 2] = [
    "X-Amzn-Bedrock-GuardrailIdentifier",
    "X-Amzn-Bedrock-GuardrailVersion",
];
/// The header that asks what a guardrail did, unless it says `DISABLED`.
const TRACE: &str = "X-Amzn-Bedrock-Trace";
/// What the keys of a body begin with that are Bedrock's and not the model's.
const KEYS: &str = "amazon-bedrock-";
/// Those that clients send.
const KNOWN_KEYS: [&str; 2] = ["amazon-bedrock-guardrailConfig", "amazon-bedrock-trace"];

/// Refuses a request whose headers ask for a guardrail.
pub(crate) fn refuse_headers(headers: &Headers<'_>) -> Result<(), Failure> {
    let sent = |name: &str| headers(&name.to_ascii_lowercase());
    for name in HEADERS {
        if !sent(name).is_empty() {
            return Err(refused(name));
        }
    }
    if sent(TRACE).iter().all(|asked| asked.trim_ascii() == b"DISABLED") {
        Ok(())
    } else {
        Err(refused(TRACE))
    }
}

/// Refuses a body whose keys ask for a guardrail.
pub(crate) fn refuse_keys(request: &Fields<'_>) -> Result<(), Failure> {
    if let Some(name) = KNOWN_KEYS.into_iter().find(|name| request.get(name).is_some()) {
        return Err(refused(name));
    }
    if asks(request) {
        Err(refused("amazon-bedrock-*"))
    } else {
        Ok(())
    }
}

/// Whether a body has keys that are Bedrock's.
pub(crate) fn asks(request: &Fields<'_>) -> bool {
    let mut pairs = request.pairs().iter();
    pairs.any(|(key, value)| key.expose().starts_with(KEYS) && !matches!(value, Json::Null))
}

fn refused(name: &str) -> Failure {
    unsupported(name, "there are no guardrails on this server")
}
