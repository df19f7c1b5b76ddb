//! SAML providers: kept and shown, with the metadata that was parsed before.

use moho_iam::action::{Action, iam};
use moho_iam::authz::Permit;
use moho_iam::saml::SamlMetadata;
use moho_terms::{AccountId, Arn, Entropy, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{new_id, over_quota, refused};
use crate::Store;
use crate::database::{micros, term, time};
use crate::error::StoreError;
use crate::iam::error::Found;
use crate::iam::{IamCode, IamError, IdKind, Tag, tags};

/// As at AWS.
const PROVIDERS: u32 = 100;

const COLUMNS: &str = "arn, provider_id, metadata, valid_until, created_at";

/// A SAML provider that an account knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlProvider {
    /// `arn:aws:iam::ACCOUNT:saml-provider/NAME`
    pub arn: Arn,
    /// A unique id, never given twice.
    pub id: String,
    /// Its metadata document.
    pub metadata: String,
    /// When its metadata end, if they do.
    pub valid_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its tags, in the order of their keys.
    pub tags: Vec<Tag>,
}

impl SamlProvider {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let ends: Option<i64> = row.get(3)?;
        Ok(Self {
            arn: term(row, 0)?,
            id: row.get(1)?,
            metadata: row.get(2)?,
            valid_until: ends.map(|_| time(row, 3)).transpose()?,
            created_at: time(row, 4)?,
            tags: Vec::new(),
        })
    }
}

impl Store {
    /// Makes the SAML provider that the permit names.
    ///
    /// # Errors
    /// [`IamError`]: there is one of this name, or there are too many.
    pub fn create_saml_provider(
        &self,
        permit: &Permit<iam::CreateSAMLProvider>,
        (metadata, tags): (&SamlMetadata, &[Tag]),
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<SamlProvider, IamError> {
        let (arn, account, name) = own(permit)?;
        let id = new_id(IdKind::SamlProvider, entropy)?;
        self.changed(|transaction| {
            if find(transaction, arn)?.is_some() {
                let sentence = format!("Provider with name {name} already exists.");
                return refused(IamCode::EntityAlreadyExists, sentence);
            }
            let there = "SELECT count(*) FROM saml_provider WHERE account_id = ?1";
            if super::count(transaction, there, account.as_str())? >= PROVIDERS {
                return over_quota("SAMLProvidersPerAccount", PROVIDERS);
            }
            transaction.execute(
                "INSERT INTO saml_provider (arn, account_id, provider_id, metadata, valid_until, created_at)
                 VALUES (:arn, :account, :id, :metadata, :ends, :now)",
                named_params! {
                    ":arn": arn.as_str(),
                    ":account": account.as_str(),
                    ":id": id,
                    ":metadata": metadata.as_str(),
                    ":ends": metadata.valid_until().map(micros),
                    ":now": micros(now),
                },
            )?;
            tags::put(transaction, arn.as_str(), tags)?;
            required(transaction, permit)
        })
    }

    /// The SAML provider that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn get_saml_provider(&self, permit: &Permit<iam::GetSAMLProvider>) -> Result<SamlProvider, IamError> {
        self.database.look(|connection| required(connection, permit))
    }

    /// The account's SAML providers.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn list_saml_providers(
        &self,
        permit: &Permit<iam::ListSAMLProviders>,
    ) -> Result<Vec<SamlProvider>, IamError> {
        let account = permit.session().account();
        let select = format!("SELECT {COLUMNS} FROM saml_provider WHERE account_id = ?1 ORDER BY arn");
        Ok(self.database.read(|connection| {
            connection
                .prepare(&select)?
                .query_map([account.as_str()], SamlProvider::read)?
                .collect()
        })?)
    }

    /// Gives the SAML provider that the permit is for other metadata.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn update_saml_provider(
        &self,
        permit: &Permit<iam::UpdateSAMLProvider>,
        metadata: &SamlMetadata,
    ) -> Result<Arn, IamError> {
        self.changed(|transaction| {
            let provider = required(transaction, permit)?;
            transaction.execute(
                "UPDATE saml_provider SET metadata = ?2, valid_until = ?3 WHERE arn = ?1",
                params![
                    provider.arn.as_str(),
                    metadata.as_str(),
                    metadata.valid_until().map(micros)
                ],
            )?;
            Ok(provider.arn)
        })
    }

    /// Removes the SAML provider that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn delete_saml_provider(&self, permit: &Permit<iam::DeleteSAMLProvider>) -> Result<(), IamError> {
        self.changed(|transaction| {
            let provider = required(transaction, permit)?;
            tags::forget(transaction, provider.arn.as_str())?;
            transaction.execute(
                "DELETE FROM saml_provider WHERE arn = ?1",
                [provider.arn.as_str()],
            )?;
            Ok(())
        })
    }
}

/// The ARN that a permit is for, of the caller's account, and the name in it.
fn own<A: Action>(permit: &Permit<A>) -> Result<(&Arn, AccountId, &str), IamError> {
    let (arn, account) = (permit.resource(), permit.session().account());
    let own = arn.service() == "iam" && arn.account() == account.as_str();
    match arn.resource().strip_prefix("saml-provider/") {
        Some(name) if own && !name.is_empty() => Ok((arn, account, name)),
        _ => Err(StoreError::OtherPermit.into()),
    }
}

fn find(connection: &Connection, arn: &Arn) -> rusqlite::Result<Option<SamlProvider>> {
    let select = format!("SELECT {COLUMNS} FROM saml_provider WHERE arn = ?1");
    let provider = connection
        .prepare(&select)?
        .query_row([arn.as_str()], SamlProvider::read)
        .optional()?;
    match provider {
        Some(provider) => Ok(Some(SamlProvider {
            tags: tags::of(connection, arn.as_str())?,
            ..provider
        })),
        None => Ok(None),
    }
}

/// The provider that a permit is for, or that there is none. Another account's is none.
pub(super) fn required<A: Action>(connection: &Connection, permit: &Permit<A>) -> Found<SamlProvider> {
    let found = match own(permit) {
        Ok((arn, ..)) => find(connection, arn)?,
        Err(_) => None,
    };
    match found {
        Some(provider) => Ok(provider),
        None => refused(
            IamCode::NoSuchEntity,
            format!("Manifest not found for arn {}", permit.resource()),
        ),
    }
}
