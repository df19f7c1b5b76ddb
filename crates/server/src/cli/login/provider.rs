//! The identity provider as a client without a secret sees it (RFC 6749, RFC 8628, OpenID Connect Discovery).

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::Full;
use moho_iam::oidc::{Discovery, IdToken};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_rustls::TlsConnector;

use super::kept::{Token, Tokens};
use crate::cli::sts::form;
use crate::outbound::{Answer, HttpsUrl, Peer, connector};

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of one answer.
const LONGEST: usize = 256 << 10;

/// A provider, found by its issuer.
pub(super) struct OpenIdProvider {
    issuer: String,
    client_id: String,
    description: Discovery,
    tls: TlsConnector,
}

/// What a token endpoint says when it does not give tokens (RFC 6749 §5.2).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity provider says `{0}`")]
pub(super) struct ProviderSays(pub(super) String);

#[derive(Deserialize)]
struct Granted {
    id_token: Option<Token>,
    refresh_token: Option<Token>,
}

#[derive(Deserialize)]
struct Denied {
    error: String,
}

impl OpenIdProvider {
    /// Asks the issuer for its description.
    pub(super) async fn find(issuer: &str, client_id: &str, ca: Option<&Path>) -> anyhow::Result<Self> {
        let tls = connector(ca)
            .context("the identity provider's certificate cannot be checked (--issuer-ca-file)")?;
        let request = Request::get("/")
            .header(ACCEPT, "application/json")
            .body(Full::default())?;
        let url = Discovery::url(issuer);
        let answer = ask(&tls, &url, request)
            .await
            .context("the identity provider does not describe itself")?;
        if answer.status != StatusCode::OK {
            bail!(
                "the identity provider does not describe itself: {url} answers {}",
                answer.status
            );
        }
        let body = answer
            .body
            .context("the identity provider's description is too long")?;
        let description = Discovery::parse(issuer, &body).with_context(|| format!("{url} is of no use"))?;
        Ok(Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            description,
            tls,
        })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether it lets people log in by a code.
    pub(super) fn has_device_codes(&self) -> bool {
        self.description.device_authorization_endpoint.is_some()
    }

    /// Where a browser is sent.
    pub(super) fn authorization_endpoint(&self) -> anyhow::Result<&str> {
        let endpoint = self.description.authorization_endpoint.as_deref();
        let endpoint =
            endpoint.context("the identity provider lets nobody log in with a browser: try --device")?;
        let plain = endpoint.starts_with("https://") && endpoint.bytes().all(|b| b.is_ascii_graphic());
        if plain && !endpoint.contains('#') {
            Ok(endpoint)
        } else {
            bail!("the identity provider's page for logging in has no https address")
        }
    }

    /// Asks for a code that a person types in elsewhere.
    pub(super) async fn device_code<T: DeserializeOwned>(&self, scope: &str) -> anyhow::Result<T> {
        let endpoint = self.description.device_authorization_endpoint.as_deref();
        let endpoint = endpoint.context("the identity provider has no codes for devices: try --browser")?;
        let answer = self.post(endpoint, &[("scope", scope)]).await?;
        let body = answer
            .body
            .context("the identity provider's answer is too long")?;
        if answer.status != StatusCode::OK {
            return Err(denied(answer.status, &body));
        }
        serde_json::from_slice(&body).context("the identity provider's answer is none")
    }

    /// Asks for tokens by what `grant` says. What the provider answers instead of tokens is [`ProviderSays`].
    pub(super) async fn tokens(&self, grant: &[(&str, &str)]) -> anyhow::Result<Tokens> {
        let endpoint = self.description.token_endpoint.as_deref();
        let endpoint = endpoint.context("the identity provider gives no tokens")?;
        let answer = self.post(endpoint, grant).await?;
        let body = answer
            .body
            .context("the identity provider's answer is too long")?;
        if answer.status != StatusCode::OK {
            return Err(denied(answer.status, &body));
        }
        let granted: Granted =
            serde_json::from_slice(&body).context("the identity provider's answer is none")?;
        let id_token = granted
            .id_token
            .context("the identity provider gave no ID Token")?;
        let token = IdToken::parse(id_token.expose()).context("the identity provider's ID Token is none")?;
        if token.issuer() != self.issuer {
            bail!("the identity provider's ID Token is another's");
        }
        if !token.is_for(&self.client_id) {
            bail!("the identity provider's ID Token is for another client");
        }
        Ok(Tokens {
            id_token,
            refresh_token: granted.refresh_token,
        })
    }

    async fn post(&self, endpoint: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut all = vec![("client_id", self.client_id.as_str())];
        all.extend_from_slice(parameters);
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(Full::new(Bytes::from(form(&all))))?;
        ask(&self.tls, endpoint, request)
            .await
            .context("the identity provider does not answer")
    }
}

fn denied(status: StatusCode, body: &[u8]) -> anyhow::Error {
    let plain = |word: &String| word.len() <= 64 && word.bytes().all(|b| b.is_ascii_graphic());
    let denied = serde_json::from_slice::<Denied>(body)
        .ok()
        .map(|denied| denied.error)
        .filter(plain);
    match denied {
        Some(word) => ProviderSays(word).into(),
        None => anyhow::anyhow!("the identity provider answers {status}"),
    }
}

/// Sends a request to where `url` leads.
async fn ask(tls: &TlsConnector, url: &str, mut request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    let url: HttpsUrl = url
        .parse()
        .with_context(|| format!("`{}` is no address", url.escape_debug()))?;
    *request.uri_mut() = url.path().parse()?;
    let origin = url.origin();
    let peer = Peer::over_tls(&origin.host, origin.port, tls.clone())?;
    let exchange = peer.exchange(request, LONGEST);
    let answer = tokio::time::timeout(PATIENCE, exchange).await;
    answer
        .context("it does not answer in time")?
        .with_context(|| url.to_string())
}
