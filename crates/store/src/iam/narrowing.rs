//! Managed session policies: they must be there when a session is made, and are bound to their unique ids.
//!
//! A session that named a policy which is not there yet would be widened by whoever makes one of that name later.

use moho_iam::action::{Action, sts};
use moho_iam::authz::Permit;
use moho_iam::managed as aws;
use moho_iam::{Narrowing, NarrowingRequest, PolicyRef};
use moho_terms::AccountId;
use rusqlite::Connection;

use super::managed::{document, find_arn};
use super::{IamCode, IamError};
use crate::Store;
use crate::error::StoreError;

/// Actions that make a session in the account of the resource that they are on.
pub trait MakesSession: Action {}
impl MakesSession for sts::AssumeRole {}
impl MakesSession for sts::AssumeRoleWithWebIdentity {}
impl MakesSession for sts::GetFederationToken {}

impl Store {
    /// What the session that the permit is for is narrowed by: AWS's own managed policies, and those of its account. Whether
    /// one is there is told only to who may make the session, which the permit shows.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn narrowing<A: MakesSession>(
        &self,
        permit: &Permit<A>,
        asked: NarrowingRequest,
    ) -> Result<Narrowing, IamError> {
        let account = permit.resource().account().parse::<AccountId>();
        let account = account.map_err(|_nobodys| StoreError::OtherPermit)?;
        self.database.look(|connection| {
            asked.bound(|arn| {
                let found = id(connection, account, arn.as_str())?;
                found.ok_or_else(|| {
                    let message = format!("Policy {arn} does not exist or is not attachable.");
                    IamCode::NoSuchEntity.because(message).into()
                })
            })
        })
    }
}

/// The unique id of a managed policy; `None` if the account has none of this ARN.
fn id(connection: &Connection, account: AccountId, arn: &str) -> rusqlite::Result<Option<String>> {
    if let Some(policy) = aws::find(arn) {
        return Ok(Some(policy.id()));
    }
    Ok(find_arn(connection, account, arn)?.map(|policy| policy.id))
}

/// The document of a managed policy that a session is narrowed by; `None` if it is gone, also if there is another of its
/// name since.
pub(super) fn session_document(
    connection: &Connection,
    account: AccountId,
    policy: &PolicyRef,
) -> rusqlite::Result<Option<String>> {
    let arn = policy.arn.as_str();
    if id(connection, account, arn)?.as_ref() == Some(&policy.id) {
        document(connection, account, arn)
    } else {
        Ok(None)
    }
}
