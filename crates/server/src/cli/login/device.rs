//! Logging in on another device (RFC 8628): a code is shown here and typed in there.

use std::time::Duration;

use anyhow::bail;
use serde::Deserialize;

use super::kept::{Token, Tokens};
use super::provider::{OpenIdProvider, ProviderSays};
use super::{shown, tell};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What RFC 8628 says of who is told nothing, and of who is told to slow down.
const USUAL_INTERVAL: u64 = 5;
const SLOWER: u64 = 5;
/// However long a provider wants pauses to be.
const LONGEST_INTERVAL: u64 = 60;

#[derive(Deserialize)]
struct Code {
    device_code: Token,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    interval: Option<u64>,
}

/// Shows the code, and asks until somebody has typed it in.
pub(super) async fn log_in(provider: &OpenIdProvider, scope: &str) -> anyhow::Result<Tokens> {
    let code: Code = provider.device_code(scope).await?;
    tell(&format!(
        "moho: open {} on any device and enter the code {}",
        shown(&code.verification_uri),
        shown(&code.user_code)
    ));
    if let Some(complete) = &code.verification_uri_complete {
        tell(&format!("moho: or open {}", shown(complete)));
    }
    let mut interval = code.interval.unwrap_or(USUAL_INTERVAL).clamp(1, LONGEST_INTERVAL);
    let grant = [("grant_type", GRANT), ("device_code", code.device_code.expose())];
    loop {
        tokio::time::sleep(Duration::from_secs(interval)).await;
        let error = match provider.tokens(&grant).await {
            Ok(tokens) => return Ok(tokens),
            Err(error) => error,
        };
        match error.downcast_ref::<ProviderSays>().map(|says| says.0.as_str()) {
            Some("authorization_pending") => {}
            Some("slow_down") => interval = interval.saturating_add(SLOWER).min(LONGEST_INTERVAL),
            Some("access_denied") => bail!("the login was declined"),
            Some("expired_token") => bail!("nobody entered the code in time"),
            Some(_) | None => return Err(error),
        }
    }
}
