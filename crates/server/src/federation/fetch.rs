//! An issuer's keys, from where it says that they are, if that is where they may be.

use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, StatusCode};
use http_body_util::Full;
use moho_iam::oidc::{Discovery, DiscoveryError, KeySet};
use rustls_pki_types::InvalidDnsNameError;
use tokio_rustls::TlsConnector;

use super::Unreachable;
use crate::outbound::{ExchangeError, HttpsUrl, Origin, Peer};

/// For the description and the keys together.
const WHOLE: Duration = Duration::from_secs(5);
/// Bytes of a description, and of a set of keys.
const LONGEST_DESCRIPTION: usize = 128 << 10;
const LONGEST_KEYS: usize = 512 << 10;

/// Where an issuer's keys come from.
pub(super) struct Source {
    issuer: HttpsUrl,
    /// Itself first, then the other hosts that its keys may be on.
    hosts: Vec<(Origin, Peer)>,
}

impl Source {
    pub(super) fn new(
        issuer: &HttpsUrl,
        key_hosts: &[Origin],
        tls: &TlsConnector,
    ) -> Result<Self, InvalidDnsNameError> {
        let hosts = std::iter::once(issuer.origin()).chain(key_hosts).map(|origin| {
            let peer = Peer::over_tls(&origin.host, origin.port, tls.clone())?;
            Ok((origin.clone(), peer))
        });
        Ok(Self {
            issuer: issuer.clone(),
            hosts: hosts.collect::<Result<_, _>>()?,
        })
    }

    /// Asks for the description and then for the keys.
    pub(super) async fn fetch(&self) -> Result<KeySet, Unreachable> {
        tokio::time::timeout(WHOLE, self.ask())
            .await
            .unwrap_or(Err(Unreachable::Slow))
    }

    async fn ask(&self) -> Result<KeySet, Unreachable> {
        let issuer = self.issuer.as_str();
        let description = self.get(&Discovery::url(issuer), LONGEST_DESCRIPTION).await?;
        let description = Discovery::parse(issuer, &description).map_err(|error| match error {
            DiscoveryError::Issuer => Unreachable::Issuer,
            DiscoveryError::Malformed | DiscoveryError::NoKeys => Unreachable::Answer,
        })?;
        let keys = self.get(&description.jwks_uri, LONGEST_KEYS).await?;
        KeySet::parse(issuer, &keys).map_err(|_no_keys| Unreachable::Keys)
    }

    async fn get(&self, url: &str, longest: usize) -> Result<Bytes, Unreachable> {
        let url: HttpsUrl = url.parse().map_err(|_no_url| Unreachable::Elsewhere)?;
        let named = self.hosts.iter().find(|(origin, _)| origin == url.origin());
        let (_, peer) = named.ok_or(Unreachable::Elsewhere)?;
        let request = Request::get(url.path())
            .header(ACCEPT, "application/json")
            .body(Full::default())
            .map_err(|_no_request| Unreachable::Answer)?;
        let answer = peer
            .exchange(request, longest)
            .await
            .map_err(|error| match error {
                ExchangeError::Io(_) => Unreachable::Connect,
                ExchangeError::Http(_) | ExchangeError::Request(_) => Unreachable::Answer,
            })?;
        if answer.status != StatusCode::OK {
            return Err(Unreachable::Answer);
        }
        answer.body.ok_or(Unreachable::Long)
    }
}
