//! Who could let people into the management account once its bootstrap door is closed: for whoever has to know that nobody can.

use std::path::Path;

use moho_iam::bootstrap::IdentityProvider;
use rusqlite::Connection;

use super::oidc::DOOR_CLOSED;
use super::survey::look;
use crate::Store;
use crate::error::StoreError;

/// The ways into the management account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaysIn {
    /// Whether it has, or ever had, an identity provider: then the bootstrap door is closed for good.
    pub provider: IdentityProvider,
    /// The issuers of the OpenID Connect providers that it has.
    pub issuers: Vec<String>,
}

impl WaysIn {
    /// In the store of a data directory, which is only looked at, whoever has it open; `None` if there is none that this moho
    /// has written.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn of_directory(directory: &Path) -> Result<Option<Self>, StoreError> {
        look(directory, Self::read)
    }

    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let set: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM flag WHERE name = ?1)",
            [DOOR_CLOSED],
            |row| row.get(0),
        )?;
        let issuers = connection
            .prepare(
                "SELECT url FROM identity_provider
                 WHERE account_id = (SELECT account_id FROM organisation_management) ORDER BY url",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(Self {
            provider: if set {
                IdentityProvider::Set
            } else {
                IdentityProvider::None
            },
            issuers,
        })
    }
}

impl Store {
    /// The ways into the management account.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn ways_in(&self) -> Result<WaysIn, StoreError> {
        self.database.read(WaysIn::read)
    }
}
