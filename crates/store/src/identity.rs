//! Identity providers, and the door that closes for good when the first one is set.

use moho_iam::action::iam::CreateOpenIDConnectProvider;
use moho_iam::authz::Permit;
use moho_iam::bootstrap::IdentityProvider;
use moho_terms::Timestamp;
use rusqlite::{named_params, params};

use crate::Store;
use crate::database::micros;
use crate::error::StoreError;

/// Set when an identity provider is set. No statement unsets a flag: the schema forbids it.
const DOOR_CLOSED: &str = "identity-provider-set";

/// An OpenID Connect provider that an account trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    /// `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`
    pub arn: moho_terms::Arn,
    /// Its issuer URL, with the scheme.
    pub url: String,
    /// The audiences it may issue tokens for.
    pub client_ids: Vec<String>,
}

/// An OpenID Connect provider that an account is to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdentityProvider {
    /// Its issuer URL.
    pub url: String,
    /// The audiences it may issue tokens for.
    pub client_ids: Vec<String>,
    /// SHA-1 thumbprints of its authority's certificate.
    pub thumbprints: Vec<String>,
}

impl Store {
    /// Sets an identity provider under the ARN the permit is for, and closes the bootstrap door for good; `false` if
    /// there is one with this ARN already.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be kept; then the door is as it was.
    pub fn create_identity_provider(
        &self,
        permit: &Permit<CreateOpenIDConnectProvider>,
        provider: &NewIdentityProvider,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let lines = |words: &[String]| words.join("\n");
        self.database.write(|transaction| {
            transaction.execute(
                "INSERT INTO flag (name, set_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![DOOR_CLOSED, micros(now)],
            )?;
            let created = transaction.execute(
                "INSERT INTO identity_provider (arn, account_id, url, client_ids, thumbprints, created_at)
                 VALUES (:arn, :account, :url, :client_ids, :thumbprints, :now) ON CONFLICT DO NOTHING",
                named_params! {
                    ":arn": permit.resource().as_str(),
                    ":account": permit.session().account().as_str(),
                    ":url": provider.url,
                    ":client_ids": lines(&provider.client_ids),
                    ":thumbprints": lines(&provider.thumbprints),
                    ":now": micros(now),
                },
            )?;
            Ok(created > 0)
        })
    }

    /// The provider of this ARN, for whoever has to verify what it issued: nobody's permit is there yet.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn oidc_provider(&self, arn: &moho_terms::Arn) -> Result<Option<OidcProvider>, StoreError> {
        self.database.find(|connection| {
            connection
                .prepare("SELECT url, client_ids FROM identity_provider WHERE arn = ?1")?
                .query_row([arn.as_str()], |row| {
                    let client_ids: String = row.get(1)?;
                    Ok(OidcProvider {
                        arn: arn.clone(),
                        url: row.get(0)?,
                        client_ids: client_ids.lines().map(str::to_owned).collect(),
                    })
                })
        })
    }

    /// Whether an identity provider is set, or ever was: then the bootstrap door stays closed.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; treat the door as closed.
    pub fn identity_provider(&self) -> Result<IdentityProvider, StoreError> {
        let set = self.database.read(|connection| {
            connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM flag WHERE name = ?1)",
                [DOOR_CLOSED],
                |row| row.get(0),
            )
        })?;
        Ok(if set {
            IdentityProvider::Set
        } else {
            IdentityProvider::None
        })
    }
}
