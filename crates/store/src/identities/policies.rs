//! What users and groups may: inline and attached policies, and boundaries of users.

use std::collections::BTreeMap;

use moho_iam::action::{Action, iam};
use moho_iam::authz::Permit;
use moho_iam::policy::PolicyDocument;
use moho_terms::{AccountId, Arn};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{count, entities, over_quota, refused};
use crate::Store;
use crate::iam::attached::weight;
use crate::iam::error::Found;
use crate::iam::managed::{path_of, require_attachable, require_boundary};
use crate::iam::{AttachedPolicy, EntityKind, IamCode, IamError, Listed, Page, tags};

/// Managed policies attached to one user or group, as at AWS.
const ATTACHED: u32 = 10;

macro_rules! on_both {
    ($($(#[$doc:meta])* $operation:ident: $user:ident, $group:ident;)+) => {$(
        $(#[$doc])*
        pub trait $operation: Action {
            /// On users or on groups.
            const KIND: EntityKind;
        }
        impl $operation for iam::$user {
            const KIND: EntityKind = EntityKind::User;
        }
        impl $operation for iam::$group {
            const KIND: EntityKind = EntityKind::Group;
        }
    )+};
}
on_both! {
    /// Actions that write an inline policy.
    PutsPolicy: PutUserPolicy, PutGroupPolicy;
    /// Actions that read an inline policy.
    GetsPolicy: GetUserPolicy, GetGroupPolicy;
    /// Actions that list inline policies.
    ListsPolicies: ListUserPolicies, ListGroupPolicies;
    /// Actions that remove an inline policy.
    DeletesPolicy: DeleteUserPolicy, DeleteGroupPolicy;
    /// Actions that attach a managed policy.
    Attaches: AttachUserPolicy, AttachGroupPolicy;
    /// Actions that detach a managed policy.
    Detaches: DetachUserPolicy, DetachGroupPolicy;
    /// Actions that list attached policies.
    ListsAttached: ListAttachedUserPolicies, ListAttachedGroupPolicies;
}

/// What bears on a user: the policies of its own and of its groups, its boundary and its tags.
pub(crate) struct UserPolicies {
    /// Inline policies: `user/NAME/inline:POLICY` or `group/NAME/inline:POLICY`, and the document.
    pub(crate) inline: Vec<(String, String)>,
    /// The ARNs of managed policies, each once.
    pub(crate) managed: Vec<String>,
    /// The ARN of the managed policy that bounds it.
    pub(crate) boundary: Option<Arn>,
    /// Its tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// What bears on the user of this name; `None` if there is none. Whether the organisation lets it act is
/// [`Store::long_lived_credentials_allowed`]'s to say.
pub(crate) fn user_policies(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> rusqlite::Result<Option<UserPolicies>> {
    let user = entities::find(connection, account, EntityKind::User, name)?;
    let Some(user) = user.filter(|user| user.name == name) else {
        return Ok(None);
    };
    let inline = connection
        .prepare(
            "SELECT kind || '/' || iam_identity.name || '/inline:' || iam_identity_policy.name, document
             FROM iam_identity_policy JOIN iam_identity USING (identity_id)
             WHERE identity_id = ?1 OR identity_id IN (SELECT group_id FROM iam_member WHERE user_id = ?1)
             ORDER BY kind DESC, folded, iam_identity_policy.name",
        )?
        .query_map([&user.id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let managed = connection
        .prepare(
            "SELECT DISTINCT policy_arn FROM iam_identity_attachment
             WHERE identity_id = ?1 OR identity_id IN (SELECT group_id FROM iam_member WHERE user_id = ?1)
             ORDER BY policy_arn",
        )?
        .query_map([&user.id], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(UserPolicies {
        tags: tags::of(connection, &user.id)?.into_iter().collect(),
        inline,
        managed,
        boundary: user.boundary,
    }))
}

impl Store {
    /// Gives the user or group that the permit is for an inline policy, or another text to one it has.
    ///
    /// # Errors
    /// [`IamError`]: there is no such identity, or its inline policies are too long together.
    pub fn put_identity_policy<A: PutsPolicy>(
        &self,
        permit: &Permit<A>,
        name: &str,
        document: &PolicyDocument,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let identity = entities::required(transaction, permit, A::KIND)?;
            transaction.execute(
                "INSERT INTO iam_identity_policy (identity_id, name, document) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET document = excluded.document",
                [identity.id.as_str(), name, document.as_str()],
            )?;
            let bytes: usize = inline(transaction, &identity.id)?
                .iter()
                .map(|(_, text)| weight(text))
                .sum();
            let most = A::KIND.inline_bytes();
            if bytes > most {
                let (kind, name) = (A::KIND.as_str(), &identity.name);
                let sentence = format!("Maximum policy size of {most} bytes exceeded for {kind} {name}");
                return refused(IamCode::LimitExceeded, sentence);
            }
            Ok(())
        })
    }

    /// An inline policy of the user or group that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn identity_policy<A: GetsPolicy>(&self, permit: &Permit<A>, name: &str) -> Result<String, IamError> {
        self.database.look(|connection| {
            let identity = entities::required(connection, permit, A::KIND)?;
            let document = connection
                .prepare("SELECT document FROM iam_identity_policy WHERE identity_id = ?1 AND name = ?2")?
                .query_row([identity.id.as_str(), name], |row| row.get(0))
                .optional()?;
            document.map_or_else(|| no_policy(A::KIND, name), Ok)
        })
    }

    /// The names of inline policies of the user or group that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn identity_policies<A: ListsPolicies>(
        &self,
        permit: &Permit<A>,
        page: Page<'_>,
    ) -> Result<Listed<String>, IamError> {
        self.database.look(|connection| {
            let identity = entities::required(connection, permit, A::KIND)?;
            let mut select = connection.prepare(
                "SELECT name FROM iam_identity_policy WHERE identity_id = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
            )?;
            let names = select.query_map(params![identity.id, page.start(), page.rows()], |row| {
                Ok((row.get(0)?, row.get(0)?))
            })?;
            Ok(Listed::cut(names.collect::<rusqlite::Result<_>>()?, page.limit))
        })
    }

    /// Removes an inline policy of the user or group that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn delete_identity_policy<A: DeletesPolicy>(
        &self,
        permit: &Permit<A>,
        name: &str,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let identity = entities::required(transaction, permit, A::KIND)?;
            let deleted = transaction.execute(
                "DELETE FROM iam_identity_policy WHERE identity_id = ?1 AND name = ?2",
                [identity.id.as_str(), name],
            )?;
            match deleted {
                0 => no_policy(A::KIND, name),
                _ => Ok(()),
            }
        })
    }

    /// Attaches a managed policy to the user or group that the permit is for; one that is attached stays so.
    ///
    /// # Errors
    /// [`IamError`]: one of them is not there, or there are too many.
    pub fn attach_identity_policy<A: Attaches>(
        &self,
        permit: &Permit<A>,
        policy: &str,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let identity = entities::required(transaction, permit, A::KIND)?;
            require_attachable(transaction, identity.account, policy)?;
            transaction.execute(
                "INSERT INTO iam_identity_attachment (identity_id, policy_arn, account_id) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                [identity.id.as_str(), policy, identity.account.as_str()],
            )?;
            let there = "SELECT count(*) FROM iam_identity_attachment WHERE identity_id = ?1";
            if count(transaction, there, &identity.id)? > ATTACHED {
                return match A::KIND {
                    EntityKind::User => over_quota("PoliciesPerUser", ATTACHED),
                    EntityKind::Group | EntityKind::Role => over_quota("PoliciesPerGroup", ATTACHED),
                };
            }
            Ok(())
        })
    }

    /// Detaches a managed policy from the user or group that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn detach_identity_policy<A: Detaches>(
        &self,
        permit: &Permit<A>,
        policy: &str,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let identity = entities::required(transaction, permit, A::KIND)?;
            let deleted = transaction.execute(
                "DELETE FROM iam_identity_attachment WHERE identity_id = ?1 AND policy_arn = ?2",
                [identity.id.as_str(), policy],
            )?;
            match deleted {
                0 => refused(IamCode::NoSuchEntity, format!("Policy {policy} was not found.")),
                _ => Ok(()),
            }
        })
    }

    /// The ARNs of the managed policies attached to the user or group that the permit is for, whose path begins with
    /// `prefix`.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn attached_identity_policies<A: ListsAttached>(
        &self,
        permit: &Permit<A>,
        prefix: &str,
        page: Page<'_>,
    ) -> Result<Listed<AttachedPolicy>, IamError> {
        self.database.look(|connection| {
            let identity = entities::required(connection, permit, A::KIND)?;
            let rows = attached(connection, &identity.id)?.into_iter();
            let rows = rows.filter(|arn| arn.as_str() > page.start() && path_of(arn).starts_with(prefix));
            Ok(Listed::cut(
                rows.map(|arn| (arn.clone(), AttachedPolicy::of(arn))).collect(),
                page.limit,
            ))
        })
    }

    /// Bounds the user that the permit is for by a managed policy.
    ///
    /// # Errors
    /// [`IamError`] if one of them is not there.
    pub fn put_user_boundary(
        &self,
        permit: &Permit<iam::PutUserPermissionsBoundary>,
        policy: &Arn,
    ) -> Result<(), IamError> {
        self.changed(|transaction| bound(transaction, permit, policy))
    }

    /// Takes its boundary from the user that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`] if the user is not there or has none.
    pub fn delete_user_boundary(
        &self,
        permit: &Permit<iam::DeleteUserPermissionsBoundary>,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let user = entities::required(transaction, permit, EntityKind::User)?;
            if user.boundary.is_none() {
                let sentence = format!("The user {} has no permissions boundary.", user.name);
                return refused(IamCode::NoSuchEntity, sentence);
            }
            set_boundary(transaction, &user.id, None)
        })
    }
}

/// Bounds the user that a permit is for.
pub(super) fn bound<A: Action>(transaction: &Transaction<'_>, permit: &Permit<A>, policy: &Arn) -> Found<()> {
    let user = entities::required(transaction, permit, EntityKind::User)?;
    require_boundary(transaction, user.account, policy.as_str())?;
    set_boundary(transaction, &user.id, Some(policy))
}

fn set_boundary(transaction: &Transaction<'_>, user: &str, policy: Option<&Arn>) -> Found<()> {
    transaction.execute(
        "UPDATE iam_identity SET boundary = ?2 WHERE identity_id = ?1",
        params![user, policy.map(Arn::as_str)],
    )?;
    Ok(())
}

/// Inline policies, by their names.
pub(super) fn inline(connection: &Connection, identity: &str) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare("SELECT name, document FROM iam_identity_policy WHERE identity_id = ?1 ORDER BY name")?
        .query_map([identity], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// ARNs of attached policies, in their order.
pub(super) fn attached(connection: &Connection, identity: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT policy_arn FROM iam_identity_attachment WHERE identity_id = ?1 ORDER BY policy_arn")?
        .query_map([identity], |row| row.get(0))?
        .collect()
}

fn no_policy<T>(kind: EntityKind, name: &str) -> Found<T> {
    let kind = kind.as_str();
    refused(
        IamCode::NoSuchEntity,
        format!("The {kind} policy with name {name} cannot be found."),
    )
}
