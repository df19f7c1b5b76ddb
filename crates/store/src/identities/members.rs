//! Who is in which group.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use rusqlite::{Connection, Transaction, params};

use super::entities::{self, Group, Identity, User};
use super::{count, over_quota};
use crate::Store;
use crate::iam::error::Found;
use crate::iam::{EntityKind, IamError, Listed, Page};

/// Groups that one user can be in, as at AWS.
const GROUPS: u32 = 10;

const OF_GROUP: &str = "SELECT identity_id, name, path, created_at, folded, boundary FROM iam_member
    JOIN iam_identity ON identity_id = user_id WHERE group_id = ?1 AND folded > ?2 ORDER BY folded LIMIT ?3";
const OF_USER: &str = "SELECT identity_id, name, path, created_at, folded, boundary FROM iam_member
    JOIN iam_identity ON identity_id = group_id WHERE user_id = ?1 AND folded > ?2 ORDER BY folded LIMIT ?3";

impl Store {
    /// The group that the permit is for, and the users in it.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`](crate::iam::IamCode::NoSuchEntity)
    pub fn get_group(
        &self,
        permit: &Permit<iam::GetGroup>,
        page: Page<'_>,
    ) -> Result<(Group, Listed<User>), IamError> {
        self.database.look(|connection| {
            let group = entities::required(connection, permit, EntityKind::Group)?;
            let members = list(connection, OF_GROUP, &group, page)?;
            let users = members
                .into_iter()
                .map(|found| Ok((found.folded.clone(), found.user(connection)?)));
            let users = Listed::cut(users.collect::<rusqlite::Result<_>>()?, page.limit);
            Ok((group.group(), users))
        })
    }

    /// The groups that the permit's user is in.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`](crate::iam::IamCode::NoSuchEntity)
    pub fn groups_of_user(
        &self,
        permit: &Permit<iam::ListGroupsForUser>,
        page: Page<'_>,
    ) -> Result<Listed<Group>, IamError> {
        self.database.look(|connection| {
            let user = entities::required(connection, permit, EntityKind::User)?;
            let groups = list(connection, OF_USER, &user, page)?;
            let groups = groups
                .into_iter()
                .map(|found| (found.folded.clone(), found.group()));
            Ok(Listed::cut(groups.collect(), page.limit))
        })
    }

    /// Puts a user into the group that the permit is for; a member stays one.
    ///
    /// # Errors
    /// [`IamError`]: one of them is not there, or the user is in too many groups.
    pub fn add_to_group(&self, permit: &Permit<iam::AddUserToGroup>, user: &str) -> Result<(), IamError> {
        self.changed(|transaction| {
            let group = entities::required(transaction, permit, EntityKind::Group)?;
            let user = member(transaction, &group, user)?;
            transaction.execute(
                "INSERT INTO iam_member (group_id, user_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                [&group.id, &user],
            )?;
            let groups = "SELECT count(*) FROM iam_member WHERE user_id = ?1";
            if count(transaction, groups, &user)? > GROUPS {
                return over_quota("GroupsPerUser", GROUPS);
            }
            Ok(())
        })
    }

    /// Takes a user out of the group that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`](crate::iam::IamCode::NoSuchEntity) if one of them is not there.
    pub fn remove_from_group(
        &self,
        permit: &Permit<iam::RemoveUserFromGroup>,
        user: &str,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let group = entities::required(transaction, permit, EntityKind::Group)?;
            let user = member(transaction, &group, user)?;
            transaction.execute(
                "DELETE FROM iam_member WHERE group_id = ?1 AND user_id = ?2",
                [&group.id, &user],
            )?;
            Ok(())
        })
    }
}

/// The id of a user of the group's account.
fn member(transaction: &Transaction<'_>, group: &Identity, user: &str) -> Found<String> {
    match entities::find(transaction, group.account, EntityKind::User, user)? {
        Some(found) => Ok(found.id),
        None => entities::absent(EntityKind::User, user),
    }
}

fn list(
    connection: &Connection,
    query: &str,
    of: &Identity,
    page: Page<'_>,
) -> rusqlite::Result<Vec<Identity>> {
    connection
        .prepare(query)?
        .query_map(params![of.id, page.start(), page.rows()], |row| {
            Identity::read(row, of.account)
        })?
        .collect()
}
