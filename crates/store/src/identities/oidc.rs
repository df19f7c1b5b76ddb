//! OpenID Connect providers, and the door that closes for good when the management account, into which it leads, sets one.

use moho_iam::action::{Action, iam};
use moho_iam::authz::Permit;
use moho_iam::bootstrap::IdentityProvider;
use moho_terms::{AccountId, Arn, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};

use super::{over_quota, refused};
use crate::Store;
use crate::database::{micros, term, time};
use crate::error::StoreError;
use crate::iam::error::Found;
use crate::iam::{IamCode, IamError, Tag, tags};

/// Set when the management account sets an identity provider. No statement unsets a flag: the schema forbids it.
pub(super) const DOOR_CLOSED: &str = "identity-provider-set";

/// Quotas, as at AWS.
const PROVIDERS: u32 = 100;
const CLIENT_IDS: u32 = 100;
const THUMBPRINTS: usize = 5;

const COLUMNS: &str = "arn, url, client_ids, thumbprints, created_at";

/// An OpenID Connect provider that an account is to trust; the permit has its ARN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewOidcProvider {
    /// Its issuer URL, with the scheme.
    pub url: String,
    /// The audiences it may issue tokens for.
    pub client_ids: Vec<String>,
    /// SHA-1 thumbprints of its authority's certificate.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// An OpenID Connect provider that an account trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    /// `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`
    pub arn: Arn,
    /// Its issuer URL, with the scheme.
    pub url: String,
    /// The audiences it may issue tokens for.
    pub client_ids: Vec<String>,
    /// SHA-1 thumbprints of its authority's certificate.
    pub thumbprints: Vec<String>,
    /// When it was set.
    pub created_at: Timestamp,
    /// Its tags, in the order of their keys.
    pub tags: Vec<Tag>,
}

impl OidcProvider {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let lines = |column| -> rusqlite::Result<Vec<String>> {
            let text: String = row.get(column)?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        Ok(Self {
            arn: term(row, 0)?,
            url: row.get(1)?,
            client_ids: lines(2)?,
            thumbprints: lines(3)?,
            created_at: time(row, 4)?,
            tags: Vec::new(),
        })
    }
}

impl Store {
    /// Sets an identity provider under the ARN that the permit is for. One of the management account closes the bootstrap
    /// door for good; a member account's does not, as nobody comes by it where the door leads to.
    ///
    /// # Errors
    /// [`IamError`]: there is one already, or there are too many of something. Then the door is as it was.
    pub fn create_oidc_provider(
        &self,
        permit: &Permit<iam::CreateOpenIDConnectProvider>,
        new: &NewOidcProvider,
        now: Timestamp,
    ) -> Result<OidcProvider, IamError> {
        let (arn, account) = own(permit)?;
        self.changed(|transaction| {
            if find(transaction, arn)?.is_some() {
                let sentence = format!("Provider with url {} already exists.", new.url);
                return refused(IamCode::EntityAlreadyExists, sentence);
            }
            within_quotas(transaction, account, new)?;
            transaction.execute(
                "INSERT INTO flag (name, set_at) SELECT ?1, ?2
                 WHERE EXISTS (SELECT 1 FROM organisation_management WHERE account_id = ?3)
                 ON CONFLICT DO NOTHING",
                params![DOOR_CLOSED, micros(now), account.as_str()],
            )?;
            transaction.execute(
                "INSERT INTO identity_provider (arn, account_id, url, client_ids, thumbprints, created_at)
                 VALUES (:arn, :account, :url, :client_ids, :thumbprints, :now)",
                named_params! {
                    ":arn": arn.as_str(),
                    ":account": account.as_str(),
                    ":url": new.url,
                    ":client_ids": lines(&new.client_ids)?,
                    ":thumbprints": lines(&new.thumbprints)?,
                    ":now": micros(now),
                },
            )?;
            tags::put(transaction, arn.as_str(), &new.tags)?;
            required(transaction, permit)
        })
    }

    /// The provider that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn get_oidc_provider(
        &self,
        permit: &Permit<iam::GetOpenIDConnectProvider>,
    ) -> Result<OidcProvider, IamError> {
        self.database.look(|connection| required(connection, permit))
    }

    /// The provider of this ARN, for whoever has to verify what it issued: nobody's permit is there yet.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn oidc_provider(&self, arn: &Arn) -> Result<Option<OidcProvider>, StoreError> {
        self.database.read(|connection| find(connection, arn))
    }

    /// The ARNs of the account's providers.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn list_oidc_providers(
        &self,
        permit: &Permit<iam::ListOpenIDConnectProviders>,
    ) -> Result<Vec<Arn>, IamError> {
        let account = permit.session().account();
        Ok(self.database.read(|connection| {
            connection
                .prepare("SELECT arn FROM identity_provider WHERE account_id = ?1 ORDER BY arn")?
                .query_map([account.as_str()], |row| term(row, 0))?
                .collect()
        })?)
    }

    /// Removes the provider that the permit is for. The bootstrap door stays closed.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn delete_oidc_provider(
        &self,
        permit: &Permit<iam::DeleteOpenIDConnectProvider>,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let provider = required(transaction, permit)?;
            tags::forget(transaction, provider.arn.as_str())?;
            transaction.execute(
                "DELETE FROM identity_provider WHERE arn = ?1",
                [provider.arn.as_str()],
            )?;
            Ok(())
        })
    }

    /// Gives the provider that the permit is for other thumbprints.
    ///
    /// # Errors
    /// [`IamError`]: it is not there, or there are too many.
    pub fn set_oidc_thumbprints(
        &self,
        permit: &Permit<iam::UpdateOpenIDConnectProviderThumbprint>,
        thumbprints: &[String],
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let provider = required(transaction, permit)?;
            few_thumbprints(thumbprints)?;
            transaction.execute(
                "UPDATE identity_provider SET thumbprints = ?2 WHERE arn = ?1",
                params![provider.arn.as_str(), lines(thumbprints)?],
            )?;
            Ok(())
        })
    }

    /// Lets the provider that the permit is for issue tokens for one more audience; one that it has stays.
    ///
    /// # Errors
    /// [`IamError`]: it is not there, or has too many.
    pub fn add_oidc_client(
        &self,
        permit: &Permit<iam::AddClientIDToOpenIDConnectProvider>,
        client_id: &str,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let mut provider = required(transaction, permit)?;
            if !provider.client_ids.iter().any(|known| known == client_id) {
                provider.client_ids.push(client_id.to_owned());
            }
            few_clients(&provider.client_ids)?;
            set_clients(transaction, &provider)
        })
    }

    /// Takes an audience from the provider that the permit is for, if it has it.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn remove_oidc_client(
        &self,
        permit: &Permit<iam::RemoveClientIDFromOpenIDConnectProvider>,
        client_id: &str,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let mut provider = required(transaction, permit)?;
            provider.client_ids.retain(|known| known != client_id);
            set_clients(transaction, &provider)
        })
    }

    /// Whether the management account has an identity provider, or ever had one: then the bootstrap door stays closed.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; treat the door as closed.
    pub fn identity_provider(&self) -> Result<IdentityProvider, StoreError> {
        Ok(self.ways_in()?.provider)
    }
}

/// The ARN that a permit is for, of the caller's account.
fn own<A: Action>(permit: &Permit<A>) -> Result<(&Arn, AccountId), IamError> {
    let (arn, account) = (permit.resource(), permit.session().account());
    let own = arn.service() == "iam" && arn.account() == account.as_str();
    match arn.resource().strip_prefix("oidc-provider/") {
        Some(address) if own && !address.is_empty() => Ok((arn, account)),
        _ => Err(StoreError::OtherPermit.into()),
    }
}

fn find(connection: &Connection, arn: &Arn) -> rusqlite::Result<Option<OidcProvider>> {
    let select = format!("SELECT {COLUMNS} FROM identity_provider WHERE arn = ?1");
    let provider = connection
        .prepare(&select)?
        .query_row([arn.as_str()], OidcProvider::read)
        .optional()?;
    match provider {
        Some(provider) => Ok(Some(OidcProvider {
            tags: tags::of(connection, arn.as_str())?,
            ..provider
        })),
        None => Ok(None),
    }
}

/// The provider that a permit is for, or that there is none. Another account's is none.
pub(super) fn required<A: Action>(connection: &Connection, permit: &Permit<A>) -> Found<OidcProvider> {
    let found = match own(permit) {
        Ok((arn, _)) => find(connection, arn)?,
        Err(_) => None,
    };
    match found {
        Some(provider) => Ok(provider),
        None => refused(
            IamCode::NoSuchEntity,
            format!("OpenIDConnect Provider not found for arn {}", permit.resource()),
        ),
    }
}

fn within_quotas(transaction: &Transaction<'_>, account: AccountId, new: &NewOidcProvider) -> Found<()> {
    few_clients(&new.client_ids)?;
    few_thumbprints(&new.thumbprints)?;
    let there = "SELECT count(*) FROM identity_provider WHERE account_id = ?1";
    if super::count(transaction, there, account.as_str())? >= PROVIDERS {
        return over_quota("OpenIDConnectProvidersPerAccount", PROVIDERS);
    }
    Ok(())
}

fn few_clients(client_ids: &[String]) -> Found<()> {
    if u32::try_from(client_ids.len()).is_ok_and(|count| count <= CLIENT_IDS) {
        Ok(())
    } else {
        over_quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS)
    }
}

fn few_thumbprints(thumbprints: &[String]) -> Found<()> {
    if thumbprints.len() > THUMBPRINTS {
        let sentence = format!("Thumbprint list must contain at most {THUMBPRINTS} entries.");
        return refused(IamCode::InvalidInput, sentence);
    }
    Ok(())
}

fn set_clients(transaction: &Transaction<'_>, provider: &OidcProvider) -> Found<()> {
    transaction.execute(
        "UPDATE identity_provider SET client_ids = ?2 WHERE arn = ?1",
        params![provider.arn.as_str(), lines(&provider.client_ids)?],
    )?;
    Ok(())
}

/// One a line, each once. What would be more than one line is refused.
fn lines(words: &[String]) -> Found<String> {
    if words.iter().any(|word| word.chars().any(char::is_control)) {
        let sentence = "A client id or thumbprint holds control characters.".to_owned();
        return refused(IamCode::InvalidInput, sentence);
    }
    let mut once: Vec<&str> = Vec::new();
    for word in words {
        if !once.contains(&word.as_str()) {
            once.push(word);
        }
    }
    Ok(once.join("\n"))
}
