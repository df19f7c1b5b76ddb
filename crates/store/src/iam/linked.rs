//! Service-linked roles: made for a service, with the service's own policy, and protected from everybody else.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_iam::managed::LinkedService;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_terms::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::names::subject;
use super::roles::{self, NewRole, TaggedRole};
use super::{IamCode, IamError, tags};
use crate::Store;
use crate::database::micros;

/// How many removals are remembered of each account, the newest.
const MOST: u32 = 1000;

const FORGET: &str = "DELETE FROM iam_role_deletion WHERE account_id = ?1 AND rowid IN
    (SELECT rowid FROM iam_role_deletion WHERE account_id = ?1 ORDER BY rowid DESC LIMIT -1 OFFSET ?2)";

impl Store {
    /// Makes the role of `service` in the caller's account, under the name that the permit is for; `id` is from
    /// [`unique_id`](super::unique_id).
    ///
    /// # Errors
    /// [`IamError`]: `InvalidInput` if it is there already.
    pub fn create_service_linked_role(
        &self,
        permit: &Permit<iam::CreateServiceLinkedRole>,
        service: &LinkedService,
        (id, description): (String, Option<String>),
        now: Timestamp,
    ) -> Result<TaggedRole, IamError> {
        let subject = subject(permit, "role")?;
        let trust = PolicyDocument::parse(PolicyKind::Trust, &service.trust_policy())
            .map_err(|error| IamCode::MalformedPolicyDocument.because(error.to_string()))?;
        let new = NewRole {
            id,
            trust,
            description: description.or_else(|| Some(service.description.to_owned())),
            max_session_seconds: 3600,
            boundary: None,
            tags: Vec::new(),
        };
        self.changed(|transaction| {
            if roles::find(transaction, subject.account, subject.name)?.is_some() {
                let message = format!(
                    "Service role name {} has been taken in this account, please try a different suffix.",
                    subject.name
                );
                return Err(IamCode::InvalidInput.because(message).into());
            }
            roles::add(transaction, &subject, &new, Some(service.principal), now)?;
            transaction
                .prepare("INSERT INTO iam_role_attachment VALUES (?1, ?2, ?3)")?
                .execute(params![new.id, service.policy.arn(), subject.account.as_str()])?;
            let role = roles::required(transaction, &subject)?;
            let tags = tags::of(transaction, &role.id)?;
            Ok(TaggedRole { role, tags })
        })
    }

    /// Removes the service-linked role that the permit is for, and remembers that under `task`.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, also if the role is linked to no service.
    pub fn delete_service_linked_role(
        &self,
        permit: &Permit<iam::DeleteServiceLinkedRole>,
        task: &str,
        now: Timestamp,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = roles::required(transaction, &subject)?;
            if role.service.is_none() {
                let message = format!("The role with name {} cannot be found.", subject.name);
                return Err(IamCode::NoSuchEntity.because(message).into());
            }
            transaction
                .prepare("DELETE FROM iam_role_attachment WHERE role_id = ?1")?
                .execute([&role.id])?;
            roles::remove(transaction, &role.id)?;
            transaction
                .prepare("INSERT INTO iam_role_deletion VALUES (?1, ?2, ?3)")?
                .execute(params![task, subject.account.as_str(), micros(now)])?;
            transaction
                .prepare(FORGET)?
                .execute(params![subject.account.as_str(), MOST])?;
            Ok(())
        })
    }

    /// Whether a removal of the caller's account succeeded; those that did are remembered.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn service_linked_role_deleted(
        &self,
        permit: &Permit<iam::GetServiceLinkedRoleDeletionStatus>,
        task: &str,
    ) -> Result<(), IamError> {
        let account = permit.session().account();
        self.database.look(|connection| {
            connection
                .prepare("SELECT 1 FROM iam_role_deletion WHERE task_id = ?1 AND account_id = ?2")?
                .query_row(params![task, account.as_str()], |_| Ok(()))
                .optional()?
                .ok_or_else(|| {
                    let message = format!("No deletion task with id {task} found.");
                    IamCode::NoSuchEntity.because(message).into()
                })
        })
    }
}
