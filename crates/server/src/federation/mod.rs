//! Who other people's identity providers say the caller is: tokens in, proofs out, and their keys fetched and kept.
//!
//! The only issuers that are ever asked are those that the settings name; nothing in a token, and nothing in a
//! provider's answer, leads anywhere else. Each issuer is asked by one task at a time, within bounds of time and bytes,
//! and nobody but those who bring its tokens waits for it, no peer with more than its share of them.

mod cache;
mod fetch;

use std::collections::BTreeMap;
use std::sync::Arc;

use moho_iam::oidc::{IdToken, SignedToken, TokenError};
use moho_terms::Clock;

use self::cache::{IssuerKeys, MOST_WAITING};
use self::fetch::Source;
use crate::config::FederationConfig;
use crate::net::Limits;
use crate::net::pool::Sharer;
use crate::outbound::{AuthoritiesError, connector};

/// Why federation cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FederationError {
    #[error("the providers' certificates cannot be checked: `federation.ca` names the authorities to trust")]
    Authorities(#[from] AuthoritiesError),
    #[error("no certificate can be for the host of {issuer} in `federation.issuers`")]
    Name { issuer: String },
}

/// Why an issuer's keys are not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("it cannot be connected to")]
    Connect,
    #[error("it does not answer in time")]
    Slow,
    #[error("it does not answer as such a provider does")]
    Answer,
    #[error("its answer is too long")]
    Long,
    #[error("its description is not of this issuer")]
    Issuer,
    #[error("its keys are on a host that the settings do not name")]
    Elsewhere,
    #[error("its keys cannot be read")]
    Keys,
    #[error("too many requests wait for it")]
    Crowded,
}

/// Why nobody could come in by an issuer's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoWayIn {
    #[error("the server's setting `federation.issuers` does not name it")]
    Unnamed,
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

/// The issuers whose tokens are taken.
pub(crate) struct Federation {
    issuers: BTreeMap<String, IssuerKeys>,
}

impl Federation {
    /// The issuers of the settings. Nobody is asked for anything yet.
    pub(crate) fn new(
        config: &FederationConfig,
        limits: &Limits,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, FederationError> {
        // As great a share of the places to wait as of the connections.
        let each = limits.share_per_peer(MOST_WAITING).max(1);
        let mut issuers = BTreeMap::new();
        if config.issuers.is_empty() {
            return Ok(Self { issuers });
        }
        let tls = connector(config.ca.as_deref())?;
        for issuer in &config.issuers {
            let source = Source::new(issuer, &config.key_hosts, &tls);
            let source = source.map_err(|_no_name| FederationError::Name {
                issuer: issuer.to_string(),
            })?;
            let source = Arc::new(source);
            let fetch = move || {
                let source = Arc::clone(&source);
                Box::pin(async move { source.fetch().await }) as cache::Fetching
            };
            let keys = IssuerKeys::new(issuer.to_string(), (Box::new(fetch), each), Arc::clone(clock));
            issuers.insert(issuer.to_string(), keys);
        }
        Ok(Self { issuers })
    }

    /// Whether tokens of this issuer are taken.
    pub(crate) fn takes(&self, issuer: &str) -> bool {
        self.issuers.contains_key(issuer)
    }

    /// Whether tokens of this issuer could be checked now. It is asked for its keys, within seconds, unless it gave them just
    /// now: only for who may set it as a provider.
    ///
    /// # Errors
    /// [`NoWayIn`]: nobody could come in by its tokens.
    pub(crate) async fn reach(&self, issuer: &str) -> Result<(), NoWayIn> {
        let keys = self.issuers.get(issuer).ok_or(NoWayIn::Unnamed)?;
        Ok(keys.reach().await?)
    }

    /// Whether a token is signed by a key of its issuer's as it was last seen: nobody is asked, and nobody waits, so that
    /// it says no more than that the token is worth [`Self::check`]. `may` is asked before the signature is looked at.
    pub(crate) fn knows(&self, token: &IdToken<'_>, may: impl FnOnce() -> bool) -> Option<SignedToken> {
        let kept = self.issuers.get(token.issuer())?.last_seen()?;
        may().then(|| token.check_signature(&kept.keys).ok()).flatten()
    }

    /// Checks a token that `peer` brings: its signature by its issuer's keys. A key that is not known yet is asked for, but
    /// not often.
    ///
    /// # Errors
    /// [`TokenError`]: the token proves nothing, now or ever.
    pub(crate) async fn check(&self, token: &IdToken<'_>, peer: Sharer) -> Result<SignedToken, TokenError> {
        let issuer = self.issuers.get(token.issuer());
        let issuer = issuer.ok_or(TokenError::UnknownIssuer)?;
        let away = |why: Unreachable| {
            tracing::debug!(%why, "a token could not be checked");
            TokenError::Unreachable
        };
        let keys = issuer.keys(peer).await.map_err(away)?;
        match token.check_signature(&keys.keys) {
            Err(TokenError::NoKey) => {
                let newer = issuer.newer(&keys, peer).await.map_err(away)?;
                token.check_signature(&newer.ok_or(TokenError::NoKey)?.keys)
            }
            checked => checked,
        }
    }
}
