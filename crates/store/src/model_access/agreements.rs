//! Agreements: what an account accepts, and ends. No prompt reaches a model without.

use moho_iam::action::bedrock::{CreateFoundationModelAgreement, DeleteFoundationModelAgreement};
use moho_iam::authz::Permit;
use moho_terms::{ModelId, Timestamp};
use rusqlite::params;

use crate::Store;
use crate::database::micros;
use crate::error::StoreError;

impl Store {
    /// The permit's account agrees to use a model; `false` if it had. It holds for the next decision.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn accept_model_agreement(
        &self,
        permit: &Permit<CreateFoundationModelAgreement>,
        model: &ModelId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let account = permit.session().account();
        let accepted = self.database.write(|transaction| {
            let names = params![account.as_str(), model.as_str()];
            transaction.execute(
                "DELETE FROM model_agreement_ended WHERE account_id = ?1 AND model_id = ?2",
                names,
            )?;
            transaction.execute(
                "INSERT INTO model_agreement (account_id, model_id, accepted_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                params![account.as_str(), model.as_str(), micros(now)],
            )
        })?;
        self.policies.forget();
        Ok(accepted > 0)
    }

    /// The permit's account ends its agreement; `false` if there is none. It holds for the next decision, and what the
    /// installation began with does not come back with its next start.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn end_model_agreement(
        &self,
        permit: &Permit<DeleteFoundationModelAgreement>,
        model: &ModelId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let account = permit.session().account();
        let ended = self.database.write(|transaction| {
            let ended = transaction.execute(
                "DELETE FROM model_agreement WHERE account_id = ?1 AND model_id = ?2",
                params![account.as_str(), model.as_str()],
            )?;
            if ended > 0 {
                transaction.execute(
                    "INSERT INTO model_agreement_ended (account_id, model_id, ended_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (account_id, model_id) DO UPDATE SET ended_at = excluded.ended_at",
                    params![account.as_str(), model.as_str(), micros(now)],
                )?;
            }
            Ok(ended)
        })?;
        self.policies.forget();
        Ok(ended > 0)
    }
}
