//! A change of the organisation: decided on what is there within its own transaction, then written, then seen by all.

use rusqlite::Transaction;

use super::error::Stopped;
use super::{Organisation, OrganisationError, load};
use crate::Store;

impl Store {
    /// Makes a change. What is refused has to be refused before anything is written.
    pub(super) fn change_organisation<T>(
        &self,
        change: impl FnOnce(&Organisation, &Transaction<'_>) -> Result<T, Stopped>,
    ) -> Result<T, OrganisationError> {
        let done = self.database.write(|transaction| {
            let organisation = match load::load(transaction)? {
                Some(Ok(organisation)) => organisation,
                Some(Err(damage)) => return Ok(Err(self.database.damaged(damage).into())),
                None => return Ok(Err(OrganisationError::OtherPermit)),
            };
            match change(&organisation, transaction) {
                Ok(changed) => Ok(Ok(changed)),
                Err(Stopped::Refused(refused)) => Ok(Err(refused)),
                Err(Stopped::Failed(error)) => Err(error),
            }
        })??;
        self.organisation.forget();
        self.policies.forget();
        Ok(done)
    }
}
