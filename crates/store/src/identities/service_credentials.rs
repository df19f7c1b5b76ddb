//! Service-specific credentials: long-term bearer keys for Bedrock. Of a key only a digest is kept.

use moho_iam::action::{Action, iam};
use moho_iam::authz::Permit;
use moho_terms::{Entropy, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{entities, new_id, over_quota, refused};
use crate::Store;
use crate::database::{micros, time};
use crate::iam::error::Found;
use crate::iam::{EntityKind, IamCode, IamError, IdKind, Listed, Page};

/// Of one user for one service, as at AWS.
const MOST: u32 = 2;

const COLUMNS: &str =
    "credential_id, iam_identity.name, service, alias, active, service_credential.created_at, expires_at";

/// A service-specific credential, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCredential {
    /// `ACCA…`
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// For which service, such as `bedrock.amazonaws.com`.
    pub service: String,
    /// `BedrockAPIKey-…-at-ACCOUNT`
    pub alias: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

impl ServiceCredential {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let ends: Option<i64> = row.get(6)?;
        Ok(Self {
            id: row.get(0)?,
            user: row.get(1)?,
            service: row.get(2)?,
            alias: row.get(3)?,
            active: row.get(4)?,
            created_at: time(row, 5)?,
            expires_at: ends.map(|_| time(row, 6)).transpose()?,
        })
    }
}

impl Store {
    /// Keeps a new long-term bearer key for Bedrock of the user that the permit is for: its name, the digest of its secret
    /// and when it ends.
    ///
    /// # Errors
    /// [`IamError`]: the organisation allows none, there is no such user, or it has two already.
    pub fn create_service_credential(
        &self,
        permit: &Permit<iam::CreateServiceSpecificCredential>,
        (alias, sha256, expires_at): (&str, &[u8; 32], Option<Timestamp>),
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<ServiceCredential, IamError> {
        const SERVICE: &str = "bedrock.amazonaws.com";
        self.require_long_lived(permit.session().account())?;
        let id = new_id(IdKind::ServiceCredential, entropy)?;
        self.changed(|transaction| {
            let user = entities::required(transaction, permit, EntityKind::User)?;
            let there: u32 = transaction.query_row(
                "SELECT count(*) FROM service_credential WHERE user_id = ?1 AND service = ?2",
                [user.id.as_str(), SERVICE],
                |row| row.get(0),
            )?;
            if there >= MOST {
                return over_quota("ServiceSpecificCredentialsPerUser", MOST);
            }
            transaction.execute(
                "INSERT INTO service_credential
                     (credential_id, user_id, service, alias, active, created_at, expires_at, secret_sha256)
                 VALUES (:id, :user, :service, :alias, 1, :now, :ends, :digest)",
                named_params! {
                    ":id": id,
                    ":user": user.id,
                    ":service": SERVICE,
                    ":alias": alias,
                    ":now": micros(now),
                    ":ends": expires_at.map(micros),
                    ":digest": sha256,
                },
            )?;
            required(transaction, &user.id, &id)
        })
    }

    /// The service-specific credentials of the user that the permit is for, or of all users of its account if it is for
    /// `user/*`, for one service or for all.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn list_service_credentials(
        &self,
        permit: &Permit<iam::ListServiceSpecificCredentials>,
        service: Option<&str>,
        page: Page<'_>,
    ) -> Result<Listed<ServiceCredential>, IamError> {
        let account = permit.session().account();
        let everybody = permit.resource().resource() == "user/*";
        self.database.look(|connection| {
            let user = if everybody {
                None
            } else {
                Some(entities::required(connection, permit, EntityKind::User)?.id)
            };
            let select = format!(
                "SELECT {COLUMNS} FROM service_credential JOIN iam_identity ON identity_id = user_id
                 WHERE account_id = ?1 AND (?2 IS NULL OR user_id = ?2) AND (?3 IS NULL OR service = ?3)
                 AND credential_id > ?4 ORDER BY credential_id LIMIT ?5"
            );
            let values = params![account.as_str(), user, service, page.start(), page.rows()];
            let mut select = connection.prepare(&select)?;
            let found = select.query_map(values, |row| Ok((row.get(0)?, ServiceCredential::read(row)?)))?;
            Ok(Listed::cut(found.collect::<rusqlite::Result<_>>()?, page.limit))
        })
    }

    /// Lets a credential of the user that the permit is for be used, or not.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn update_service_credential(
        &self,
        permit: &Permit<iam::UpdateServiceSpecificCredential>,
        id: &str,
        active: bool,
    ) -> Result<(), IamError> {
        self.on_service_credential(permit, id, |connection| {
            connection.execute(
                "UPDATE service_credential SET active = ?2 WHERE credential_id = ?1",
                params![id, active],
            )
        })
    }

    /// Removes a credential of the user that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn delete_service_credential(
        &self,
        permit: &Permit<iam::DeleteServiceSpecificCredential>,
        id: &str,
    ) -> Result<(), IamError> {
        self.on_service_credential(permit, id, |connection| {
            connection.execute("DELETE FROM service_credential WHERE credential_id = ?1", [id])
        })
    }

    /// Gives a credential of the user that the permit is for another key, by its name and the digest of its secret; the one before is worth nothing any more.
    ///
    /// # Errors
    /// [`IamError`]: the organisation allows none, or there is no such credential.
    pub fn reset_service_credential(
        &self,
        permit: &Permit<iam::ResetServiceSpecificCredential>,
        id: &str,
        (alias, sha256): (&str, &[u8; 32]),
    ) -> Result<ServiceCredential, IamError> {
        self.require_long_lived(permit.session().account())?;
        self.changed(|transaction| {
            let user = entities::required(transaction, permit, EntityKind::User)?;
            required(transaction, &user.id, id)?;
            transaction.execute(
                "UPDATE service_credential SET alias = ?2, secret_sha256 = ?3 WHERE credential_id = ?1",
                params![id, alias, sha256],
            )?;
            required(transaction, &user.id, id)
        })
    }

    fn on_service_credential<A: Action>(
        &self,
        permit: &Permit<A>,
        id: &str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let user = entities::required(transaction, permit, EntityKind::User)?;
            required(transaction, &user.id, id)?;
            change(transaction)?;
            Ok(())
        })
    }
}

/// A credential of this user, or that there is none.
fn required(connection: &Connection, user: &str, id: &str) -> Found<ServiceCredential> {
    let select = format!(
        "SELECT {COLUMNS} FROM service_credential JOIN iam_identity ON identity_id = user_id
         WHERE user_id = ?1 AND credential_id = ?2"
    );
    let found = connection
        .prepare(&select)?
        .query_row([user, id], ServiceCredential::read)
        .optional()?;
    match found {
        Some(found) => Ok(found),
        None => refused(IamCode::NoSuchEntity, format!("No such credential {id} exists.")),
    }
}
