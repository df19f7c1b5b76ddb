//! Instance profiles: a role under another name, for machines.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};

use super::error::Found;
use super::names::{Subject, arn, folded, new_subject, subject};
use super::roles::{self, Role, TaggedRole};
use super::tags::{self, Tag};
use super::{IamCode, IamError, Listed, Page, attached};
use crate::Store;
use crate::database::{micros, time};
use crate::error::StoreError;

/// How many instance profiles an account may have.
pub(crate) const PROFILES: u32 = 5000;

const COLUMNS: &str = "profile_id, account_id, name, path, created_at, role_id, folded";
const ABSENT: &str = "Instance Profile";

/// An instance profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProfile {
    /// `AIPA…`, never used again.
    pub id: String,
    /// `arn:aws:iam::ACCOUNT:instance-profile/path/name`
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Begins and ends with a slash.
    pub path: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its role.
    pub role: Option<TaggedRole>,
    /// Its tags, by their keys.
    pub tags: Vec<Tag>,
}

struct Profile {
    shown: InstanceProfile,
    role_id: Option<String>,
}

impl Store {
    /// Path, name and tags of the instance profile of this name, for whoever has yet to ask whether its caller may see it.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn instance_profile_place(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<(String, String, Vec<Tag>)>, StoreError> {
        self.database.read(|connection| {
            let Some(found) = find(connection, account, name)? else {
                return Ok(None);
            };
            let tags = tags::of(connection, &found.shown.id)?;
            Ok(Some((found.shown.path, found.shown.name, tags)))
        })
    }

    /// Makes the instance profile that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: the name is taken, a quota.
    pub fn create_instance_profile(
        &self,
        permit: &Permit<iam::CreateInstanceProfile>,
        id: &str,
        tags: &[Tag],
        now: Timestamp,
    ) -> Result<InstanceProfile, IamError> {
        let subject = new_subject(permit, "instance-profile")?;
        let (account, name) = (subject.account, subject.name);
        self.changed(|transaction| {
            if find(transaction, account, name)?.is_some() {
                let message = format!("{ABSENT} {name} already exists.");
                return Err(IamCode::EntityAlreadyExists.because(message).into());
            }
            let there = count(transaction, account)?;
            attached::within("InstanceProfilesPerAccount", there.saturating_add(1), PROFILES)?;
            transaction
                .prepare(
                    "INSERT INTO iam_instance_profile VALUES (:id, :account, :name, :folded, :path, NULL, :now)",
                )?
                .execute(named_params! {
                    ":id": id,
                    ":account": account.as_str(),
                    ":name": name,
                    ":folded": folded(name),
                    ":path": subject.path,
                    ":now": micros(now),
                })?;
            tags::put(transaction, id, tags)?;
            let made = required(transaction, &subject)?;
            Ok(whole(transaction, account, made)?)
        })
    }

    /// The instance profile that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn get_instance_profile(
        &self,
        permit: &Permit<iam::GetInstanceProfile>,
    ) -> Result<InstanceProfile, IamError> {
        let subject = subject(permit, "instance-profile")?;
        self.database.look(|connection| {
            let found = required(connection, &subject)?;
            Ok(whole(connection, subject.account, found)?)
        })
    }

    /// Instance profiles of the caller's account by their names, those whose paths begin with `prefix`.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn list_instance_profiles(
        &self,
        permit: &Permit<iam::ListInstanceProfiles>,
        prefix: &str,
        page: Page<'_>,
    ) -> Result<Listed<InstanceProfile>, IamError> {
        let account = permit.session().account();
        self.database.look(|connection| {
            let mut select = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM iam_instance_profile
                 WHERE account_id = ?1 AND folded > ?2 AND substr(path, 1, length(?3)) = ?3 ORDER BY folded LIMIT ?4"
            ))?;
            let values = params![account.as_str(), page.start(), prefix, page.rows()];
            Ok(gathered(connection, account, select.query(values)?, page.limit)?)
        })
    }

    /// The instance profiles of the role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn list_instance_profiles_for_role(
        &self,
        permit: &Permit<iam::ListInstanceProfilesForRole>,
        page: Page<'_>,
    ) -> Result<Listed<InstanceProfile>, IamError> {
        let subject = subject(permit, "role")?;
        self.database.look(|connection| {
            let role = roles::required(connection, &subject)?;
            let mut select = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM iam_instance_profile WHERE role_id = ?1 AND folded > ?2 ORDER BY folded LIMIT ?3"
            ))?;
            let values = params![role.id, page.start(), page.rows()];
            Ok(gathered(connection, subject.account, select.query(values)?, page.limit)?)
        })
    }

    /// Removes the instance profile that the permit is for, which must have no role any more.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `DeleteConflict`.
    pub fn delete_instance_profile(
        &self,
        permit: &Permit<iam::DeleteInstanceProfile>,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "instance-profile")?;
        self.changed(|transaction| {
            let found = required(transaction, &subject)?;
            if found.role_id.is_some() {
                let message = "Cannot delete entity, must remove roles from instance profile first.";
                return Err(IamCode::DeleteConflict.because(message).into());
            }
            tags::forget(transaction, &found.shown.id)?;
            transaction
                .prepare("DELETE FROM iam_instance_profile WHERE profile_id = ?1")?
                .execute([&found.shown.id])?;
            Ok(())
        })
    }

    /// Puts the role that `pass` is for into the instance profile that `permit` is for. Whoever does so passes the role on,
    /// and must be allowed to.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `LimitExceeded`.
    pub fn add_role_to_instance_profile(
        &self,
        permit: &Permit<iam::AddRoleToInstanceProfile>,
        pass: &Permit<iam::PassRole>,
    ) -> Result<(), IamError> {
        let (profile, role) = (subject(permit, "instance-profile")?, subject(pass, "role")?);
        self.changed(|transaction| {
            let found = required(transaction, &profile)?;
            let role = roles::modifiable(transaction, &role)?;
            attached::within(
                "InstanceSessionsPerInstanceProfile",
                if found.role_id.is_some() { 2 } else { 1 },
                1,
            )?;
            put_role(transaction, &found, Some(&role))
        })
    }

    /// Takes a role out of the instance profile that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn remove_role_from_instance_profile(
        &self,
        permit: &Permit<iam::RemoveRoleFromInstanceProfile>,
        role: &str,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "instance-profile")?;
        self.changed(|transaction| {
            let found = required(transaction, &subject)?;
            let there = roles::find(transaction, subject.account, role)?;
            if there.is_none_or(|role| Some(&role.id) != found.role_id.as_ref()) {
                let message = format!("The role with name {role} cannot be found.");
                return Err(IamCode::NoSuchEntity.because(message).into());
            }
            put_role(transaction, &found, None)
        })
    }
}

fn put_role(transaction: &Transaction<'_>, profile: &Profile, role: Option<&Role>) -> Found<()> {
    transaction
        .prepare("UPDATE iam_instance_profile SET role_id = ?2 WHERE profile_id = ?1")?
        .execute(params![profile.shown.id, role.map(|role| &role.id)])?;
    Ok(())
}

/// How many instance profiles an account has.
pub(crate) fn count(connection: &Connection, account: AccountId) -> rusqlite::Result<u32> {
    connection
        .prepare("SELECT count(*) FROM iam_instance_profile WHERE account_id = ?1")?
        .query_row([account.as_str()], |row| row.get(0))
}

/// All instance profiles of a role.
pub(crate) fn of_role(connection: &Connection, role: &Role) -> rusqlite::Result<Vec<InstanceProfile>> {
    let mut select = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM iam_instance_profile WHERE role_id = ?1 ORDER BY folded"
    ))?;
    let rows = select.query([&role.id])?;
    Ok(gathered(connection, role.account, rows, usize::MAX)?.items)
}

fn gathered(
    connection: &Connection,
    account: AccountId,
    mut found: rusqlite::Rows<'_>,
    limit: usize,
) -> rusqlite::Result<Listed<InstanceProfile>> {
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let key = row.get(6)?;
        rows.push((key, whole(connection, account, profile(row)?)?));
    }
    Ok(Listed::cut(rows, limit))
}

fn find(connection: &Connection, account: AccountId, name: &str) -> rusqlite::Result<Option<Profile>> {
    connection
        .prepare(&format!(
            "SELECT {COLUMNS} FROM iam_instance_profile WHERE account_id = ?1 AND folded = ?2"
        ))?
        .query_row(params![account.as_str(), folded(name)], profile)
        .optional()
}

/// The instance profile that a permit is for. What was made anew under another path after the decision is another resource.
fn required(connection: &Connection, subject: &Subject<'_>) -> Found<Profile> {
    let Subject { account, path, name } = *subject;
    let found = find(connection, account, name)?;
    let decided =
        found.filter(|found| (found.shown.path.as_str(), found.shown.name.as_str()) == (path, name));
    decided.ok_or_else(|| {
        IamCode::NoSuchEntity
            .because(format!("{ABSENT} {name} cannot be found."))
            .into()
    })
}

fn profile(row: &Row<'_>) -> rusqlite::Result<Profile> {
    let (account, name, path): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(Profile {
        role_id: row.get(5)?,
        shown: InstanceProfile {
            id: row.get(0)?,
            arn: arn(&account, "instance-profile", &path, &name),
            name,
            path,
            created_at: time(row, 4)?,
            role: None,
            tags: Vec::new(),
        },
    })
}

/// With its role and tags.
fn whole(connection: &Connection, account: AccountId, profile: Profile) -> rusqlite::Result<InstanceProfile> {
    let Profile { mut shown, role_id } = profile;
    shown.tags = tags::of(connection, &shown.id)?;
    if let Some(id) = role_id
        && let Some(mut role) = roles::find_id(connection, account, &id)?
    {
        roles::shown(connection, &mut role)?;
        let tags = tags::of(connection, &role.id)?;
        shown.role = Some(TaggedRole { role, tags });
    }
    Ok(shown)
}
