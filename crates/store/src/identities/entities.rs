//! Users and groups: made, found, renamed, removed.

use moho_iam::action::{Action, iam};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, Entropy, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{count, iam_arn, new_id, over_quota, policies, refused};
use crate::Store;
use crate::database::{micros, term, time};
use crate::iam::bound::path_and_name;
use crate::iam::error::Found;
use crate::iam::names::{Subject, folded, new_subject, subject};
use crate::iam::{EntityKind, IamCode, IamError, IdKind, Listed, Page, Tag, tags};

/// Quotas of an account, as at AWS.
const USERS: u32 = 5000;
const GROUPS: u32 = 300;

pub(super) const COLUMNS: &str = "identity_id, name, path, created_at, folded, boundary";

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Whose it is.
    pub account: AccountId,
    /// `AIDA…`, never given twice.
    pub id: String,
    /// Its name, unique in the account whatever the case.
    pub name: String,
    /// Where it is: begins and ends with `/`.
    pub path: String,
    /// The managed policy that bounds what it may do.
    pub boundary: Option<Arn>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its tags, in the order of their keys.
    pub tags: Vec<Tag>,
}

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Whose it is.
    pub account: AccountId,
    /// `AGPA…`, never given twice.
    pub id: String,
    /// Its name, unique in the account whatever the case.
    pub name: String,
    /// Where it is: begins and ends with `/`.
    pub path: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl User {
    /// `arn:aws:iam::ACCOUNT:user/path/name`
    ///
    /// # Errors
    /// [`IamError::Store`] if the store holds what no ARN can.
    pub fn arn(&self) -> Result<Arn, IamError> {
        iam_arn(self.account, &format!("user{}{}", self.path, self.name))
    }
}

impl Group {
    /// `arn:aws:iam::ACCOUNT:group/path/name`
    ///
    /// # Errors
    /// [`IamError::Store`] if the store holds what no ARN can.
    pub fn arn(&self) -> Result<Arn, IamError> {
        iam_arn(self.account, &format!("group{}{}", self.path, self.name))
    }
}

/// What a user is to begin with, beside its name and path, which the permit has.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// The managed policy that is to bound it.
    pub boundary: Option<Arn>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// What is decided on before a user or group is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFacts {
    /// `arn:aws:iam::ACCOUNT:user/path/name`, or a group's.
    pub arn: Arn,
    /// The managed policy that bounds a user.
    pub boundary: Option<Arn>,
    /// Tags of a user.
    pub tags: Vec<Tag>,
}

/// A row of either kind.
pub(super) struct Identity {
    pub(super) account: AccountId,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) path: String,
    created_at: Timestamp,
    pub(super) folded: String,
    pub(super) boundary: Option<Arn>,
}

impl Identity {
    /// Reads [`COLUMNS`].
    pub(super) fn read(row: &Row<'_>, account: AccountId) -> rusqlite::Result<Self> {
        Ok(Self {
            account,
            id: row.get(0)?,
            name: row.get(1)?,
            path: row.get(2)?,
            created_at: time(row, 3)?,
            folded: row.get(4)?,
            boundary: row
                .get::<_, Option<String>>(5)?
                .map(|_| term(row, 5))
                .transpose()?,
        })
    }

    pub(super) fn user(self, connection: &Connection) -> rusqlite::Result<User> {
        Ok(User {
            account: self.account,
            boundary: self.boundary,
            tags: tags::of(connection, &self.id)?,
            id: self.id,
            name: self.name,
            path: self.path,
            created_at: self.created_at,
        })
    }

    pub(super) fn group(self) -> Group {
        Group {
            account: self.account,
            id: self.id,
            name: self.name,
            path: self.path,
            created_at: self.created_at,
        }
    }
}

/// The identity of this name, whatever the case.
pub(super) fn find(
    connection: &Connection,
    account: AccountId,
    kind: EntityKind,
    name: &str,
) -> rusqlite::Result<Option<Identity>> {
    let select =
        format!("SELECT {COLUMNS} FROM iam_identity WHERE account_id = ?1 AND kind = ?2 AND folded = ?3");
    connection
        .prepare(&select)?
        .query_row(params![account.as_str(), kind.as_str(), folded(name)], |row| {
            Identity::read(row, account)
        })
        .optional()
}

/// What a permit names, or that there is none. What was moved after the decision is another resource.
pub(super) fn required<A: Action>(
    connection: &Connection,
    permit: &Permit<A>,
    kind: EntityKind,
) -> Found<Identity> {
    let named = subject(permit, kind.as_str())?;
    match find(connection, named.account, kind, named.name)? {
        Some(found) if (found.path.as_str(), found.name.as_str()) == (named.path, named.name) => Ok(found),
        _ => absent(kind, named.name),
    }
}

pub(super) fn absent<T>(kind: EntityKind, name: &str) -> Found<T> {
    let kind = kind.as_str();
    refused(
        IamCode::NoSuchEntity,
        format!("The {kind} with name {name} cannot be found."),
    )
}

/// The id of the user that has this ARN.
pub(crate) fn user_with_arn(
    connection: &Connection,
    account: AccountId,
    arn: &Arn,
) -> rusqlite::Result<Option<String>> {
    let (path, name) = path_and_name(arn, "user");
    let found = find(connection, account, EntityKind::User, name)?;
    let same = |user: &Identity| {
        let whole = format!("arn:aws:iam::{account}:user{}{}", user.path, user.name);
        (user.path.as_str(), user.name.as_str()) == (path, name) && whole == arn.as_str()
    };
    Ok(found.filter(same).map(|user| user.id))
}

/// The ARN that the user of this id has now.
pub(crate) fn arn_of_user(connection: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare(
            "SELECT 'arn:aws:iam::' || account_id || ':user' || path || name FROM iam_identity
             WHERE identity_id = ?1 AND kind = 'user'",
        )?
        .query_row([id], |row| row.get(0))
        .optional()
}

impl Store {
    /// What has to be decided on before a user or group is touched; `None` if there is none of this name. Whether it is there
    /// is told only to who may.
    ///
    /// # Errors
    /// [`IamError::Store`] if that cannot be said.
    pub fn identity_facts(
        &self,
        account: AccountId,
        kind: EntityKind,
        name: &str,
    ) -> Result<Option<IdentityFacts>, IamError> {
        self.database.look(|connection| {
            let Some(found) = find(connection, account, kind, name)? else {
                return Ok(None);
            };
            let resource = format!("{}{}{}", kind.as_str(), found.path, found.name);
            Ok(Some(IdentityFacts {
                arn: iam_arn(account, &resource)?,
                tags: tags::of(connection, &found.id)?,
                boundary: found.boundary,
            }))
        })
    }

    /// Makes the user that the permit names.
    ///
    /// # Errors
    /// [`IamError`]: the organisation allows no users here, the name is taken, a quota is used up, the boundary is no
    /// policy.
    pub fn create_user(
        &self,
        permit: &Permit<iam::CreateUser>,
        new: &NewUser,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<User, IamError> {
        let named = new_subject(permit, "user")?;
        self.require_long_lived(named.account)?;
        let id = new_id(IdKind::User, entropy)?;
        self.changed(|transaction| {
            insert(transaction, &named, EntityKind::User, (&id, now))?;
            tags::put(transaction, &id, &new.tags)?;
            if let Some(boundary) = &new.boundary {
                policies::bound(transaction, permit, boundary)?;
            }
            Ok(required(transaction, permit, EntityKind::User)?.user(transaction)?)
        })
    }

    /// Makes the group that the permit names.
    ///
    /// # Errors
    /// [`IamError`]: the name is taken, a quota is used up.
    pub fn create_group(
        &self,
        permit: &Permit<iam::CreateGroup>,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Group, IamError> {
        let named = new_subject(permit, "group")?;
        let id = new_id(IdKind::Group, entropy)?;
        self.changed(|transaction| {
            insert(transaction, &named, EntityKind::Group, (&id, now))?;
            Ok(required(transaction, permit, EntityKind::Group)?.group())
        })
    }

    /// The user that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn get_user(&self, permit: &Permit<iam::GetUser>) -> Result<User, IamError> {
        self.database.look(|connection| {
            let found = required(connection, permit, EntityKind::User)?;
            Ok(found.user(connection)?)
        })
    }

    /// Users of the caller's account whose path begins with `prefix`, in the order of their names.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn list_users(
        &self,
        permit: &Permit<iam::ListUsers>,
        prefix: &str,
        page: Page<'_>,
    ) -> Result<Listed<User>, IamError> {
        let account = permit.session().account();
        self.database.look(|connection| {
            let found = list(connection, (account, EntityKind::User), prefix, page)?;
            let users = found
                .into_iter()
                .map(|found| Ok((found.folded.clone(), found.user(connection)?)));
            Ok(Listed::cut(users.collect::<rusqlite::Result<_>>()?, page.limit))
        })
    }

    /// Groups of the caller's account whose path begins with `prefix`, in the order of their names.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn list_groups(
        &self,
        permit: &Permit<iam::ListGroups>,
        prefix: &str,
        page: Page<'_>,
    ) -> Result<Listed<Group>, IamError> {
        let account = permit.session().account();
        self.database.look(|connection| {
            let found = list(connection, (account, EntityKind::Group), prefix, page)?;
            let groups = found
                .into_iter()
                .map(|found| (found.folded.clone(), found.group()));
            Ok(Listed::cut(groups.collect(), page.limit))
        })
    }

    /// Renames or moves the user that `permit` is for to the name that `onto` is for. What it has stays with it.
    ///
    /// # Errors
    /// [`IamError`]: there is none, the new name is taken.
    pub fn update_user(
        &self,
        permit: &Permit<iam::UpdateUser>,
        onto: &Permit<iam::UpdateUser>,
    ) -> Result<(), IamError> {
        let (kind, new) = (EntityKind::User, new_subject(onto, "user")?);
        self.changed(|transaction| {
            let old = required(transaction, permit, kind)?;
            if old.folded != folded(new.name) && is_taken(transaction, &new, kind)? {
                return taken(kind, new.name);
            }
            transaction.execute(
                "UPDATE iam_identity SET name = ?2, folded = ?3, path = ?4 WHERE identity_id = ?1",
                params![old.id, new.name, folded(new.name), new.path],
            )?;
            Ok(())
        })
    }

    /// Removes the user that the permit is for, on which nothing may hang any more.
    ///
    /// # Errors
    /// [`IamError`]: there is none, or it has policies, groups or credentials.
    pub fn delete_user(&self, permit: &Permit<iam::DeleteUser>) -> Result<(), IamError> {
        self.remove(permit, EntityKind::User)
    }

    /// Removes the group that the permit is for, on which nothing may hang any more.
    ///
    /// # Errors
    /// [`IamError`]: there is none, or it has policies or members.
    pub fn delete_group(&self, permit: &Permit<iam::DeleteGroup>) -> Result<(), IamError> {
        self.remove(permit, EntityKind::Group)
    }

    fn remove<A: Action>(&self, permit: &Permit<A>, kind: EntityKind) -> Result<(), IamError> {
        self.changed(|transaction| {
            let found = required(transaction, permit, kind)?;
            for (query, what) in hangs_on(kind) {
                if count(transaction, query, &found.id)? > 0 {
                    let sentence = format!("Cannot delete entity, must {what} first.");
                    return refused(IamCode::DeleteConflict, sentence);
                }
            }
            tags::forget(transaction, &found.id)?;
            transaction.execute("DELETE FROM iam_identity WHERE identity_id = ?1", [&found.id])?;
            Ok(())
        })
    }
}

const ATTACHED: &str = "SELECT count(*) FROM iam_identity_attachment WHERE identity_id = ?1";
const INLINE: &str = "SELECT count(*) FROM iam_identity_policy WHERE identity_id = ?1";

/// What keeps an identity from being removed, and what to do about it.
fn hangs_on(kind: EntityKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        EntityKind::User => &[
            (ATTACHED, "detach all policies"),
            (INLINE, "delete policies"),
            (
                "SELECT count(*) FROM iam_member WHERE user_id = ?1",
                "remove user from all groups",
            ),
            (
                "SELECT count(*) FROM access_key WHERE user_id = ?1",
                "delete access keys",
            ),
            (
                "SELECT count(*) FROM service_credential WHERE user_id = ?1",
                "delete service specific credentials",
            ),
        ],
        EntityKind::Group | EntityKind::Role => &[
            (ATTACHED, "detach all policies"),
            (INLINE, "delete policies"),
            (
                "SELECT count(*) FROM iam_member WHERE group_id = ?1",
                "remove users from group",
            ),
        ],
    }
}

fn is_taken(connection: &Connection, new: &Subject<'_>, kind: EntityKind) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM iam_identity WHERE account_id = ?1 AND kind = ?2 AND folded = ?3")?
        .exists(params![new.account.as_str(), kind.as_str(), folded(new.name)])
}

fn taken<T>(kind: EntityKind, name: &str) -> Found<T> {
    let kind = match kind {
        EntityKind::User => "User",
        EntityKind::Group | EntityKind::Role => "Group",
    };
    refused(
        IamCode::EntityAlreadyExists,
        format!("{kind} with name {name} already exists."),
    )
}

fn insert(
    connection: &Connection,
    new: &Subject<'_>,
    kind: EntityKind,
    (id, now): (&str, Timestamp),
) -> Found<()> {
    if is_taken(connection, new, kind)? {
        return taken(kind, new.name);
    }
    let (quota, most) = match kind {
        EntityKind::User => ("UsersPerAccount", USERS),
        EntityKind::Group | EntityKind::Role => ("GroupsPerAccount", GROUPS),
    };
    let there: u32 = connection.query_row(
        "SELECT count(*) FROM iam_identity WHERE account_id = ?1 AND kind = ?2",
        params![new.account.as_str(), kind.as_str()],
        |row| row.get(0),
    )?;
    if there >= most {
        return over_quota(quota, most);
    }
    connection.execute(
        "INSERT INTO iam_identity (identity_id, account_id, kind, name, folded, path, created_at)
         VALUES (:id, :account, :kind, :name, :folded, :path, :now)",
        named_params! {
            ":id": id,
            ":account": new.account.as_str(),
            ":kind": kind.as_str(),
            ":name": new.name,
            ":folded": folded(new.name),
            ":path": new.path,
            ":now": micros(now),
        },
    )?;
    Ok(())
}

fn list(
    connection: &Connection,
    (account, kind): (AccountId, EntityKind),
    prefix: &str,
    page: Page<'_>,
) -> rusqlite::Result<Vec<Identity>> {
    let select = format!(
        "SELECT {COLUMNS} FROM iam_identity
         WHERE account_id = ?1 AND kind = ?2 AND folded > ?3 AND substr(path, 1, length(?4)) = ?4
         ORDER BY folded LIMIT ?5"
    );
    let values = params![account.as_str(), kind.as_str(), page.start(), prefix, page.rows()];
    connection
        .prepare(&select)?
        .query_map(values, |row| Identity::read(row, account))?
        .collect()
}
