//! An account's alias: at most one, and no two accounts have the same.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use rusqlite::{OptionalExtension, params};

use super::refused;
use crate::Store;
use crate::iam::{IamCode, IamError};

impl Store {
    /// Gives the caller's account this alias instead of what it had.
    ///
    /// # Errors
    /// [`IamCode::EntityAlreadyExists`] if some account has it already.
    pub fn create_account_alias(
        &self,
        permit: &Permit<iam::CreateAccountAlias>,
        alias: &str,
    ) -> Result<(), IamError> {
        let account = permit.session().account();
        self.changed(|transaction| {
            let owner: Option<String> = transaction
                .query_row(
                    "SELECT account_id FROM account_alias WHERE alias = ?1",
                    [alias],
                    |row| row.get(0),
                )
                .optional()?;
            if owner.is_some() {
                let sentence = format!("The account alias {alias} already exists.");
                return refused(IamCode::EntityAlreadyExists, sentence);
            }
            transaction.execute(
                "INSERT INTO account_alias (account_id, alias) VALUES (?1, ?2)
                 ON CONFLICT (account_id) DO UPDATE SET alias = excluded.alias",
                params![account.as_str(), alias],
            )?;
            Ok(())
        })
    }

    /// The alias of the caller's account, if it has one.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn account_alias(
        &self,
        permit: &Permit<iam::ListAccountAliases>,
    ) -> Result<Option<String>, IamError> {
        let account = permit.session().account();
        let select = "SELECT alias FROM account_alias WHERE account_id = ?1";
        Ok(self
            .database
            .find(|connection| connection.query_row(select, [account.as_str()], |row| row.get(0)))?)
    }

    /// Takes this alias from the caller's account.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`] if it has another or none.
    pub fn delete_account_alias(
        &self,
        permit: &Permit<iam::DeleteAccountAlias>,
        alias: &str,
    ) -> Result<(), IamError> {
        let account = permit.session().account();
        self.changed(|transaction| {
            let deleted = transaction.execute(
                "DELETE FROM account_alias WHERE account_id = ?1 AND alias = ?2",
                params![account.as_str(), alias],
            )?;
            if deleted == 0 {
                let sentence = format!("The account alias with name {alias} cannot be found.");
                return refused(IamCode::NoSuchEntity, sentence);
            }
            Ok(())
        })
    }
}
