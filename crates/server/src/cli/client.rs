//! Asking a running moho, with the credentials of the environment: for commands that show what it has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Arg, ArgMatches, value_parser};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use moho_iam::authn::TemporaryCredentials;
use moho_terms::{Clock, Region, Secret, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::credentials::endpoint;
use super::{Exit, Failure, surroundings, typed};
use crate::config;
use crate::outbound::{HttpsUrl, Peer, connector};
use crate::system::SystemClock;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of one answer: a thousand principals with their statements.
const LONGEST: usize = 32 << 20;
/// How long a bearer key made here lasts: as long as the command, and a little.
const BEARER_SECONDS: u32 = 900;

/// What to do for credentials.
const GET_CREDENTIALS: &str = "get some with `eval \"$(moho credentials --role Admin)\"` on the machine that serves, or with \
                               `eval \"$(moho login)\"`";

/// A moho, and who asks it.
pub(super) struct Client {
    url: HttpsUrl,
    ca: Option<PathBuf>,
    bearer: Zeroizing<String>,
}

/// An error as OpenAI's protocol has it.
#[derive(Deserialize)]
struct Problem {
    error: Said,
}

#[derive(Deserialize)]
struct Said {
    message: String,
}

/// What was refused, and how.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    pub(super) message: String,
}

#[expect(
    clippy::disallowed_methods,
    reason = "credentials are in the environment, as AWS's and OpenAI's tools have them"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Arguments that say where moho is.
pub(super) fn given() -> [Arg; 2] {
    [
        Arg::new("endpoint")
            .long("endpoint")
            .value_name("URL")
            .env("MOHO_ENDPOINT")
            .help("Where moho is, such as https://moho.example.com:8443"),
        Arg::new("ca-file")
            .long("ca-file")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Authority to trust for moho's certificate, in PEM; else AWS_CA_BUNDLE, SSL_CERT_FILE, the data directory's, the system's"),
    ]
}

impl Client {
    /// The moho that the command line, the environment or the data directory leads to.
    pub(super) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let data = config::data(&typed(matches)?, &surroundings())?;
        let url = matches.get_one::<String>("endpoint").cloned();
        let ca = matches.get_one::<PathBuf>("ca-file").cloned();
        Self::found(&data, url, ca).map_err(Failure::of(Exit::Usage))
    }

    fn found(data: &Path, url: Option<String>, ca: Option<PathBuf>) -> anyhow::Result<Self> {
        let own = endpoint(data);
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        let region = region.or_else(|| own.as_ref().ok().map(|own| own.region.clone()));
        let bearer = match variable("OPENAI_API_KEY").filter(|key| is_of_bedrock(key)) {
            Some(bearer) => Zeroizing::new(bearer),
            None => signed_bearer(region, SystemClock.now())?,
        };
        let ca = ca.or_else(|| {
            ["AWS_CA_BUNDLE", "SSL_CERT_FILE"]
                .into_iter()
                .find_map(|name| variable(name).map(PathBuf::from))
        });
        let said = url.or_else(|| {
            ["OPENAI_BASE_URL", "AWS_ENDPOINT_URL"]
                .into_iter()
                .find_map(variable)
        });
        let (url, ca) = match (said, own) {
            (Some(url), own) => {
                let of_it = own
                    .ok()
                    .filter(|own| own.url == base(&url))
                    .and_then(|own| own.ca);
                (url, ca.or_else(|| of_it.map(PathBuf::from)))
            }
            (None, Ok(own)) => (own.url, ca.or_else(|| own.ca.map(PathBuf::from))),
            (None, Err(nowhere)) => return Err(nowhere.context("say where moho is with --endpoint")),
        };
        let parsed = base(&url).parse::<HttpsUrl>();
        Ok(Self {
            url: parsed.with_context(|| format!("{} is no address of moho's", base(&url).escape_debug()))?,
            ca,
            bearer,
        })
    }

    /// What a path answers, read as JSON, or how it was refused.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Result<T, Refused>, Failure> {
        let answered = tokio::time::timeout(PATIENCE, self.exchange(path)).await;
        let answered = answered
            .context("moho does not answer in time")
            .and_then(|answered| answered);
        let in_the_way = Failure::of(Exit::InTheWay);
        let (status, body) = answered.map_err(&in_the_way)?;
        if status.is_success() {
            let told = serde_json::from_slice(&body).context("this is not what a moho of this version says");
            return told.map(Ok).map_err(in_the_way);
        }
        let message = match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => problem.error.message,
            Err(_other) => "it does not speak as moho does".to_owned(),
        };
        Ok(Err(Refused { status, message }))
    }

    /// What a path that is open to all answers, as text.
    pub(super) async fn text(&self, path: &str) -> Result<String, Failure> {
        let in_the_way = Failure::of(Exit::InTheWay);
        let answered = tokio::time::timeout(PATIENCE, self.exchange(path)).await;
        let answered = answered
            .context("moho does not answer in time")
            .and_then(|answered| answered);
        let (status, body) = answered.map_err(&in_the_way)?;
        let text = std::str::from_utf8(&body).map(str::to_owned);
        match text {
            Ok(text) if status.is_success() => Ok(text),
            _ => Err(in_the_way(anyhow::anyhow!(
                "moho does not answer {path}: {status}"
            ))),
        }
    }

    async fn exchange(&self, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        let tls =
            connector(self.ca.as_deref()).context("moho's certificate cannot be checked (--ca-file)")?;
        let origin = self.url.origin();
        let peer = Peer::over_tls(&origin.host, origin.port, tls)?;
        let line = Zeroizing::new(format!("Bearer {}", &*self.bearer));
        let mut bearer = HeaderValue::from_str(&line).context("the bearer key is none")?;
        bearer.set_sensitive(true);
        let request = Request::get(path)
            .header(AUTHORIZATION, bearer)
            .body(Full::new(Bytes::new()))?;
        let answer = peer.exchange(request, LONGEST).await;
        let answer = answer.with_context(|| {
            format!(
                "moho at {} does not answer: does it run, and is --ca-file its authority?",
                self.url.as_str()
            )
        })?;
        Ok((answer.status, answer.body.context("the answer broke off")?))
    }
}

/// A URL without what OpenAI's clients want behind it.
fn base(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v1").unwrap_or(url)
}

/// Whether it is a bearer key of Bedrock's kind, and not one for another service.
fn is_of_bedrock(key: &str) -> bool {
    key.starts_with("bedrock-api-key-") || key.starts_with("ABSK")
}

/// A bearer key of AWS's own making, from temporary credentials.
fn signed_bearer(region: Option<String>, now: Timestamp) -> anyhow::Result<Zeroizing<String>> {
    let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) else {
        bail!("there are no credentials in the environment: {GET_CREDENTIALS}");
    };
    let Some(token) = variable("AWS_SESSION_TOKEN") else {
        bail!("the credentials in the environment have no session token: {GET_CREDENTIALS}");
    };
    let region: Region = region
        .context("AWS_REGION is not set")?
        .parse()
        .context("AWS_REGION is no region")?;
    let credentials = TemporaryCredentials {
        access_key_id: id.parse().context("AWS_ACCESS_KEY_ID is none")?,
        secret_access_key: Secret::new(secret.into_bytes()),
        session_token: Secret::new(token.into_bytes()),
        expires_at: now.plus_seconds(u64::from(BEARER_SECONDS)),
        // Nothing of these is in a bearer key.
        principal_arn: "arn:aws:iam::000000000000:root".parse()?,
        user_id: String::new(),
        packed_percent: None,
        source_identity: None,
    };
    let bearer = credentials.bearer_key(&region, now, BEARER_SECONDS)?;
    Ok(Zeroizing::new(std::str::from_utf8(bearer.expose())?.to_owned()))
}

/// A refusal of what `command` asked for.
pub(super) fn refused(refused: &Refused, command: &str) -> Failure {
    let next = match refused.status {
        StatusCode::UNAUTHORIZED => format!(". The credentials are wrong or have ended: {GET_CREDENTIALS}"),
        StatusCode::FORBIDDEN => format!(". `{command} --help` says what it takes"),
        _ => String::new(),
    };
    let said = refused.message.trim_end_matches('.');
    Failure::new(
        Exit::Refused,
        anyhow::Error::msg(format!("moho refused ({}): {said}{next}", refused.status)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openai_s_base_url_leads_to_moho() {
        for url in [
            "https://moho:8443/v1",
            "https://moho:8443/v1/",
            "https://moho:8443",
            "https://moho:8443/",
        ] {
            assert_eq!(base(url), "https://moho:8443");
        }
    }

    #[test]
    fn keys_for_others_are_not_sent() {
        assert!(is_of_bedrock("bedrock-api-key-YQ==") && is_of_bedrock("ABSKYQ=="));
        assert!(!is_of_bedrock("sk-proj-abc") && !is_of_bedrock(""));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let told = |status| {
            let no = Refused {
                status,
                message: "No.".to_owned(),
            };
            refused(&no, "moho keys").to_string()
        };
        assert!(told(StatusCode::UNAUTHORIZED).contains("moho login"));
        assert!(told(StatusCode::FORBIDDEN).ends_with("No. `moho keys --help` says what it takes"));
        assert_eq!(told(StatusCode::NOT_FOUND), "moho refused (404 Not Found): No");
    }
}
