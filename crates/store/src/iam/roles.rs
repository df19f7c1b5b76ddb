//! Roles: made, found, changed, removed.

use moho_iam::RoleFacts;
use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_iam::policy::PolicyDocument;
use moho_terms::{AccountId, Arn, RoleName, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};

use super::error::Found;
use super::names::{Subject, folded, new_subject, subject};
use super::tags::{self, Tag};
use super::{IamCode, IamError, Listed, Page, attached, bound, managed, trust};
use crate::Store;
use crate::database::{micros, term, time};
use crate::error::StoreError;

/// How many roles an account may have.
pub(crate) const ROLES: u32 = 20_000;

const COLUMNS: &str =
    "role_id, account_id, name, path, trust_policy, description, max_session_seconds, service,
    boundary, created_at";

/// A role as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `AROA…`, never used again.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// Its name, unique in the account whatever the case.
    pub name: RoleName,
    /// Begins and ends with a slash.
    pub path: String,
    /// Its trust policy, as its account sees it now.
    pub trust_policy: String,
    /// What its maker says of it.
    pub description: Option<String>,
    /// The longest session, in seconds.
    pub max_session_seconds: u32,
    /// The service it is linked to: then nobody else may change it.
    pub service: Option<String>,
    /// The managed policy that is its boundary.
    pub boundary: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Role {
    /// `arn:aws:iam::ACCOUNT:role/path/name`
    ///
    /// # Errors
    /// [`StoreError::Name`], which the rules for paths and names rule out.
    pub fn arn(&self) -> Result<Arn, StoreError> {
        let resource = format!("role{}{}", self.path, self.name);
        Ok(Arn::of("iam", "", self.account.as_str(), &resource)?)
    }
}

/// A role with its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedRole {
    /// The role.
    pub role: Role,
    /// By their keys.
    pub tags: Vec<Tag>,
}

/// What a role is to begin with; the permit says its name, its path and its account.
#[derive(Debug, Clone)]
pub struct NewRole {
    /// From [`unique_id`](super::unique_id).
    pub id: String,
    /// Who may assume it.
    pub trust: PolicyDocument,
    /// What its maker says of it.
    pub description: Option<String>,
    /// The longest session, in seconds: 3600 to 43200.
    pub max_session_seconds: u32,
    /// The ARN of the managed policy that is its boundary.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// What is to change of a role; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct RoleChange {
    /// What its maker says of it.
    pub description: Option<String>,
    /// The longest session, in seconds.
    pub max_session_seconds: Option<u32>,
}

/// Actions that change something of a role.
pub trait ChangesRole: moho_iam::action::Action {}
impl ChangesRole for iam::UpdateRole {}
impl ChangesRole for iam::UpdateRoleDescription {}

impl Store {
    /// What sessions of a role have to know of it; `None` if there is none with this very ARN.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn role_facts(&self, role: &Arn) -> Result<Option<RoleFacts>, StoreError> {
        let Ok(account) = role.account().parse::<AccountId>() else {
            return Ok(None);
        };
        let (_path, name) = bound::path_and_name(role, "role");
        let Some(found) = self.role_by_name(account, name)? else {
            return Ok(None);
        };
        let arn = found.role.arn()?;
        Ok((arn == *role).then(|| RoleFacts {
            arn,
            path: found.role.path,
            name: found.role.name,
            id: found.role.id,
            max_session_seconds: found.role.max_session_seconds,
            tags: found.tags.into_iter().collect(),
        }))
    }

    /// The role of this name, for whoever has yet to ask whether its caller may see it.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn role_by_name(&self, account: AccountId, name: &str) -> Result<Option<TaggedRole>, StoreError> {
        self.role_with_trust(account, name, shown)
    }

    /// The same with the trust policy as decisions read it.
    pub(crate) fn trusting_role(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<TaggedRole>, StoreError> {
        self.role_with_trust(account, name, |connection, role| {
            role.trust_policy = trust::decided_by(connection, &role.id, &role.trust_policy)?;
            Ok(())
        })
    }

    fn role_with_trust(
        &self,
        account: AccountId,
        name: &str,
        read: impl Fn(&Connection, &mut Role) -> rusqlite::Result<()>,
    ) -> Result<Option<TaggedRole>, StoreError> {
        self.database.read(|connection| {
            let Some(mut role) = find(connection, account, name)? else {
                return Ok(None);
            };
            read(connection, &mut role)?;
            let tags = tags::of(connection, &role.id)?;
            Ok(Some(TaggedRole { role, tags }))
        })
    }

    /// Makes the role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: the name is taken, the trust policy names nobody, the boundary is none, a quota.
    pub fn create_role(
        &self,
        permit: &Permit<iam::CreateRole>,
        new: &NewRole,
        now: Timestamp,
    ) -> Result<TaggedRole, IamError> {
        let subject = new_subject(permit, "role")?;
        self.changed(|transaction| {
            add(transaction, &subject, new, None, now)?;
            let mut role = required(transaction, &subject)?;
            shown(transaction, &mut role)?;
            let tags = tags::of(transaction, &role.id)?;
            Ok(TaggedRole { role, tags })
        })
    }

    /// The role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn get_role(&self, permit: &Permit<iam::GetRole>) -> Result<TaggedRole, IamError> {
        let subject = subject(permit, "role")?;
        self.database.look(|connection| {
            let mut role = required(connection, &subject)?;
            shown(connection, &mut role)?;
            let tags = tags::of(connection, &role.id)?;
            Ok(TaggedRole { role, tags })
        })
    }

    /// Roles of the caller's account by their names, those whose paths begin with `prefix`.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn list_roles(
        &self,
        permit: &Permit<iam::ListRoles>,
        prefix: &str,
        page: Page<'_>,
    ) -> Result<Listed<Role>, IamError> {
        let account = permit.session().account();
        self.database
            .look(|connection| Ok(list(connection, account, prefix, page)?))
    }

    /// Changes the role that the permit is for. Of a service-linked role the description may be changed, as at AWS.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`.
    pub fn update_role<A: ChangesRole>(
        &self,
        permit: &Permit<A>,
        change: &RoleChange,
    ) -> Result<Role, IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let mut role = match change.max_session_seconds {
                Some(_) => modifiable(transaction, &subject)?,
                None => required(transaction, &subject)?,
            };
            transaction
                .prepare(
                    "UPDATE iam_role SET description = coalesce(?2, description),
                        max_session_seconds = coalesce(?3, max_session_seconds) WHERE role_id = ?1",
                )?
                .execute(params![role.id, change.description, change.max_session_seconds])?;
            role = required(transaction, &subject)?;
            shown(transaction, &mut role)?;
            Ok(role)
        })
    }

    /// Gives the role that the permit is for another trust policy.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`, or the policy names nobody.
    pub fn update_assume_role_policy(
        &self,
        permit: &Permit<iam::UpdateAssumeRolePolicy>,
        trust: &PolicyDocument,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = modifiable(transaction, &subject)?;
            let bound = trust::bind(transaction, subject.account, trust)?;
            transaction
                .prepare("UPDATE iam_role SET trust_policy = ?2 WHERE role_id = ?1")?
                .execute(params![role.id, trust.as_str()])?;
            Ok(trust::rebind(transaction, &role.id, &bound)?)
        })
    }

    /// Removes the role that the permit is for, which nothing may hang on any more.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`, `DeleteConflict`.
    pub fn delete_role(&self, permit: &Permit<iam::DeleteRole>) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = modifiable(transaction, &subject)?;
            for (query, first) in HANGING_ON {
                if transaction.prepare(query)?.exists([&role.id])? {
                    let message = format!("Cannot delete entity, must {first} first.");
                    return Err(IamCode::DeleteConflict.because(message).into());
                }
            }
            Ok(remove(transaction, &role.id)?)
        })
    }

    /// Adds tags to the role that the permit is for, or changes their values.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`, `LimitExceeded`, `InvalidInput`.
    pub fn tag_role(&self, permit: &Permit<iam::TagRole>, tags: &[Tag]) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| tags::put(transaction, &modifiable(transaction, &subject)?.id, tags))
    }

    /// Takes tags from the role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`.
    pub fn untag_role(&self, permit: &Permit<iam::UntagRole>, keys: &[String]) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = modifiable(transaction, &subject)?;
            Ok(tags::remove(transaction, &role.id, keys)?)
        })
    }

    /// Tags of the role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn list_role_tags(
        &self,
        permit: &Permit<iam::ListRoleTags>,
        page: Page<'_>,
    ) -> Result<Listed<Tag>, IamError> {
        let subject = subject(permit, "role")?;
        self.database.look(|connection| {
            let role = required(connection, &subject)?;
            Ok(tags::page(connection, &role.id, page)?)
        })
    }

    /// Changes something of IAM's; what was remembered of policies is forgotten.
    pub(crate) fn changed<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Found<T>,
    ) -> Result<T, IamError> {
        let done = self.database.change(change)?;
        self.policies.forget();
        Ok(done)
    }
}

/// What keeps a role from being deleted, and what to do about it.
const HANGING_ON: [(&str, &str); 3] = [
    (
        "SELECT 1 FROM iam_instance_profile WHERE role_id = ?1",
        "remove roles from instance profile",
    ),
    (
        "SELECT 1 FROM iam_role_attachment WHERE role_id = ?1",
        "detach all policies",
    ),
    (
        "SELECT 1 FROM iam_role_policy WHERE role_id = ?1",
        "delete policies",
    ),
];

/// A role and its tags, which nothing hangs on.
pub(crate) fn remove(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<()> {
    tags::forget(transaction, id)?;
    transaction
        .prepare("DELETE FROM iam_role WHERE role_id = ?1")?
        .execute([id])
        .map(|_| ())
}

/// Replaces the trust policy by what its account sees of it.
pub(crate) fn shown(connection: &Connection, role: &mut Role) -> rusqlite::Result<()> {
    role.trust_policy = trust::shown(connection, (role.account, &role.id), &role.trust_policy)?;
    Ok(())
}

pub(crate) fn find(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> rusqlite::Result<Option<Role>> {
    connection
        .prepare(&format!(
            "SELECT {COLUMNS} FROM iam_role WHERE account_id = ?1 AND folded = ?2"
        ))?
        .query_row(params![account.as_str(), folded(name)], role)
        .optional()
}

/// The role of this unique id.
pub(crate) fn find_id(
    connection: &Connection,
    account: AccountId,
    id: &str,
) -> rusqlite::Result<Option<Role>> {
    connection
        .prepare(&format!(
            "SELECT {COLUMNS} FROM iam_role WHERE account_id = ?1 AND role_id = ?2"
        ))?
        .query_row(params![account.as_str(), id], role)
        .optional()
}

/// The role that a permit is for. What was made anew under another path after the decision is another resource.
///
/// # Errors
/// `NoSuchEntity`.
pub(crate) fn required(connection: &Connection, subject: &Subject<'_>) -> Found<Role> {
    let Subject { account, path, name } = *subject;
    let found = find(connection, account, name)?;
    let decided = found.filter(|role| (role.path.as_str(), role.name.as_str()) == (path, name));
    decided.ok_or_else(|| {
        IamCode::NoSuchEntity
            .because(format!("The role with name {name} cannot be found."))
            .into()
    })
}

/// The role that a permit is for, if it may be changed.
///
/// # Errors
/// `NoSuchEntity`, `UnmodifiableEntity`.
pub(crate) fn modifiable(connection: &Connection, subject: &Subject<'_>) -> Found<Role> {
    let role = required(connection, subject)?;
    if role.service.is_some() {
        let message = format!(
            "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
            role.name
        );
        return Err(IamCode::UnmodifiableEntity.because(message).into());
    }
    Ok(role)
}

pub(crate) fn list(
    connection: &Connection,
    account: AccountId,
    prefix: &str,
    page: Page<'_>,
) -> rusqlite::Result<Listed<Role>> {
    let rows = connection
        .prepare(&format!(
            "SELECT {COLUMNS}, folded FROM iam_role
             WHERE account_id = ?1 AND folded > ?2 AND substr(path, 1, length(?3)) = ?3
             ORDER BY folded LIMIT ?4"
        ))?
        .query_map(
            params![account.as_str(), page.start(), prefix, page.rows()],
            |row| Ok((row.get(10)?, role(row)?)),
        )?
        .collect::<rusqlite::Result<Vec<(String, Role)>>>()?;
    let mut listed = Listed::cut(rows, page.limit);
    for role in &mut listed.items {
        shown(connection, role)?;
    }
    Ok(listed)
}

/// Makes a role in an account, of a service if it is to be linked to one.
pub(crate) fn add(
    transaction: &Transaction<'_>,
    subject: &Subject<'_>,
    new: &NewRole,
    service: Option<&str>,
    now: Timestamp,
) -> Found<()> {
    let Subject { account, path, name } = *subject;
    if find(transaction, account, name)?.is_some() {
        let message = format!("Role with name {name} already exists.");
        return Err(IamCode::EntityAlreadyExists.because(message).into());
    }
    let there: u32 = transaction
        .prepare("SELECT count(*) FROM iam_role WHERE account_id = ?1")?
        .query_row([account.as_str()], |row| row.get(0))?;
    attached::within("RolesPerAccount", there.saturating_add(1), ROLES)?;
    if let Some(boundary) = &new.boundary {
        managed::require_boundary(transaction, account, boundary)?;
    }
    let bound = trust::bind(transaction, account, &new.trust)?;
    transaction
        .prepare(
            "INSERT INTO iam_role VALUES (:id, :account, :name, :folded, :path, :trust, :description, :seconds,
                :service, :boundary, :now)",
        )?
        .execute(named_params! {
            ":id": new.id,
            ":account": account.as_str(),
            ":name": name,
            ":folded": folded(name),
            ":path": path,
            ":trust": new.trust.as_str(),
            ":description": new.description,
            ":seconds": new.max_session_seconds,
            ":service": service,
            ":boundary": new.boundary,
            ":now": micros(now),
        })?;
    trust::rebind(transaction, &new.id, &bound)?;
    tags::put(transaction, &new.id, &new.tags)
}

fn role(row: &Row<'_>) -> rusqlite::Result<Role> {
    Ok(Role {
        id: row.get(0)?,
        account: term(row, 1)?,
        name: term(row, 2)?,
        path: row.get(3)?,
        trust_policy: row.get(4)?,
        description: row.get(5)?,
        max_session_seconds: row.get(6)?,
        service: row.get(7)?,
        boundary: row.get(8)?,
        created_at: time(row, 9)?,
    })
}
