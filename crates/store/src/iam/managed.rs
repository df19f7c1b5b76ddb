//! Managed policies: the customer's with their versions, and AWS's own, which nobody can change.

use moho_iam::action::{Action, iam};
use moho_iam::authz::Permit;
use moho_iam::managed::{self as aws, AwsManaged};
use moho_iam::policy::PolicyDocument;
use moho_terms::{AccountId, Arn, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};

use super::error::Found;
use super::names::{arn, folded, new_subject};
use super::tags::{self, Tag};
use super::{IamCode, IamError, Listed, Page, attached, bound, entities};
use crate::Store;
use crate::database::{micros, time};
use crate::error::StoreError;

pub(crate) use super::attachable::{document, not_found, path_of, require_attachable, require_boundary};

/// How many managed policies an account may have.
pub(crate) const POLICIES: u32 = 5000;

const COLUMNS: &str =
    "policy_id, account_id, name, path, description, default_version, created_at, updated_at, folded";

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// `ANPA…`, never used again.
    pub id: String,
    /// `arn:aws:iam::ACCOUNT:policy/path/name`, or of `aws` itself.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Begins and ends with a slash.
    pub path: String,
    /// What its maker says of it.
    pub description: Option<String>,
    /// The version that holds.
    pub default_version: u32,
    /// To how many roles, users and groups of the account it is attached.
    pub attached: u32,
    /// Of how many roles and users of the account it is the boundary.
    pub bounding: u32,
    /// Whether it can be attached by anybody.
    pub attachable: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its last version was made, or another made the default.
    pub updated_at: Timestamp,
}

/// A managed policy with its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedPolicy {
    /// The policy.
    pub policy: ManagedPolicy,
    /// By their keys.
    pub tags: Vec<Tag>,
}

/// A version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// 1, 2, and so on; never used again.
    pub version: u32,
    /// What it says.
    pub document: String,
    /// Whether it is the one that holds.
    pub default: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a policy is to begin with; the permit says its name, its path and its account.
#[derive(Debug, Clone)]
pub struct NewPolicy {
    /// From [`unique_id`](super::unique_id).
    pub id: String,
    /// Its first version.
    pub document: PolicyDocument,
    /// What its maker says of it.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// Which policies a list is to have.
#[derive(Debug, Clone, Default)]
pub struct PolicyFilter {
    /// AWS's own.
    pub aws: bool,
    /// The account's own.
    pub local: bool,
    /// Only such as are attached.
    pub only_attached: bool,
    /// Only such as bound somebody (`true`) or are attached to somebody (`false`).
    pub usage_is_boundary: Option<bool>,
    /// What their paths begin with.
    pub prefix: String,
}

/// A policy that a permit is for.
pub(crate) enum Named {
    /// The account's own.
    Own(Box<ManagedPolicy>),
    /// AWS's.
    Aws(&'static AwsManaged),
}

impl Store {
    /// The tags of the managed policy of this ARN, for whoever has yet to ask whether its caller may see it; none if the
    /// account has no such policy. Nobody looks after other accounts' policies, so that these are all alike.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn policy_tags(&self, account: AccountId, arn: &Arn) -> Result<Vec<Tag>, StoreError> {
        if arn.account() != account.as_str() {
            return Ok(Vec::new());
        }
        self.database.read(|connection| {
            let found = find_arn(connection, account, arn.as_str())?;
            found.map_or(Ok(Vec::new()), |policy| tags::of(connection, &policy.id))
        })
    }

    /// Makes the managed policy that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: the name is taken, a quota.
    pub fn create_policy(
        &self,
        permit: &Permit<iam::CreatePolicy>,
        new: &NewPolicy,
        now: Timestamp,
    ) -> Result<TaggedPolicy, IamError> {
        let subject = new_subject(permit, "policy")?;
        self.changed(|transaction| {
            let (account, name) = (subject.account, subject.name);
            if find(transaction, account, name)?.is_some() {
                let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
                return Err(IamCode::EntityAlreadyExists.because(message).into());
            }
            let there = count(transaction, account)?;
            attached::within("PoliciesPerAccount", there.saturating_add(1), POLICIES)?;
            transaction
                .prepare(
                    "INSERT INTO iam_policy VALUES (:id, :account, :name, :folded, :path, :description, 1, 1, :now, :now)",
                )?
                .execute(named_params! {
                    ":id": new.id,
                    ":account": account.as_str(),
                    ":name": name,
                    ":folded": folded(name),
                    ":path": subject.path,
                    ":description": new.description,
                    ":now": micros(now),
                })?;
            add_version(transaction, &new.id, 1, &new.document, now)?;
            tags::put(transaction, &new.id, &new.tags)?;
            let policy = own(transaction, account, permit.resource())?;
            let tags = tags::of(transaction, &policy.id)?;
            Ok(TaggedPolicy { policy, tags })
        })
    }

    /// The managed policy that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn get_policy(&self, permit: &Permit<iam::GetPolicy>) -> Result<TaggedPolicy, IamError> {
        let account = permit.session().account();
        self.database.look(|connection| match named(connection, permit)? {
            Named::Own(policy) => Ok(TaggedPolicy {
                tags: tags::of(connection, &policy.id)?,
                policy: *policy,
            }),
            Named::Aws(policy) => Ok(TaggedPolicy {
                policy: of_aws(connection, account, policy)?,
                tags: Vec::new(),
            }),
        })
    }

    /// Managed policies: first AWS's, then the account's, each by their names.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn list_policies(
        &self,
        permit: &Permit<iam::ListPolicies>,
        filter: &PolicyFilter,
        page: Page<'_>,
    ) -> Result<Listed<ManagedPolicy>, IamError> {
        let account = permit.session().account();
        self.database
            .look(|connection| Ok(list(connection, account, filter, page)?))
    }

    /// Removes the managed policy that the permit is for, which nobody may have any more.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `DeleteConflict`.
    pub fn delete_policy(&self, permit: &Permit<iam::DeletePolicy>) -> Result<(), IamError> {
        self.changed(|transaction| {
            let policy = own_of(transaction, permit)?;
            if policy.attached > 0 || policy.bounding > 0 {
                let message = "Cannot delete a policy attached to entities.";
                return Err(IamCode::DeleteConflict.because(message).into());
            }
            if versions(transaction, &policy)?.len() > 1 {
                let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.";
                return Err(IamCode::DeleteConflict.because(message).into());
            }
            tags::forget(transaction, &policy.id)?;
            transaction
                .prepare("DELETE FROM iam_policy WHERE policy_id = ?1")?
                .execute([&policy.id])?;
            Ok(())
        })
    }

    /// Adds tags to the managed policy that the permit is for, or changes their values.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `LimitExceeded`, `InvalidInput`.
    pub fn tag_policy(&self, permit: &Permit<iam::TagPolicy>, tags: &[Tag]) -> Result<(), IamError> {
        self.changed(|transaction| tags::put(transaction, &own_of(transaction, permit)?.id, tags))
    }

    /// Takes tags from the managed policy that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn untag_policy(&self, permit: &Permit<iam::UntagPolicy>, keys: &[String]) -> Result<(), IamError> {
        self.changed(|transaction| {
            let policy = own_of(transaction, permit)?;
            Ok(tags::remove(transaction, &policy.id, keys)?)
        })
    }

    /// Tags of the managed policy that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn list_policy_tags(
        &self,
        permit: &Permit<iam::ListPolicyTags>,
        page: Page<'_>,
    ) -> Result<Listed<Tag>, IamError> {
        self.database.look(|connection| match named(connection, permit)? {
            Named::Own(policy) => Ok(tags::page(connection, &policy.id, page)?),
            Named::Aws(_) => Ok(Listed::cut(Vec::new(), page.limit)),
        })
    }

    /// The roles, users and groups that have the managed policy that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn list_entities_for_policy(
        &self,
        permit: &Permit<iam::ListEntitiesForPolicy>,
        filter: &entities::EntityFilter,
        page: Page<'_>,
    ) -> Result<Listed<entities::PolicyEntity>, IamError> {
        let account = permit.session().account();
        self.database.look(|connection| {
            named(connection, permit)?;
            let all = entities::having(connection, account, permit.resource().as_str(), filter)?;
            let rows = all.into_iter().map(|entity| (entity.key(), entity));
            let rows = rows.filter(|(key, _)| key.as_str() > page.start()).collect();
            Ok(Listed::cut(rows, page.limit))
        })
    }
}

/// The policy that a permit is for, AWS's or the account's own.
///
/// # Errors
/// `NoSuchEntity`; `AccessDenied` for another account's, whether or not it is there.
pub(crate) fn named<A: Action>(connection: &Connection, permit: &Permit<A>) -> Found<Named> {
    let arn = permit.resource();
    if arn.account() == "aws" {
        let policy = aws::find(arn.as_str()).ok_or_else(|| not_found(arn.as_str()))?;
        return Ok(Named::Aws(policy));
    }
    let account = permit.session().account();
    Ok(Named::Own(Box::new(own(connection, account, arn)?)))
}

/// The policy of the caller's own account that a permit is for.
///
/// # Errors
/// `NoSuchEntity`; `AccessDenied` for AWS's and other accounts'.
pub(crate) fn own_of<A: Action>(connection: &Connection, permit: &Permit<A>) -> Found<ManagedPolicy> {
    own(connection, permit.session().account(), permit.resource())
}

fn own(connection: &Connection, account: AccountId, arn: &Arn) -> Found<ManagedPolicy> {
    if arn.service() != "iam" || arn.account() != account.as_str() {
        return Err(IamCode::AccessDenied
            .because("Policy is outside your own account.")
            .into());
    }
    let found = find_arn(connection, account, arn.as_str())?;
    let found = found.ok_or_else(|| not_found(arn.as_str()))?;
    Ok(counted(connection, account, found)?)
}

/// The policy of the account with this very ARN, without how many have it.
pub(crate) fn find_arn(
    connection: &Connection,
    account: AccountId,
    arn: &str,
) -> rusqlite::Result<Option<ManagedPolicy>> {
    let Ok(parsed) = arn.parse::<Arn>() else {
        return Ok(None);
    };
    let (_path, name) = bound::path_and_name(&parsed, "policy");
    let found = find(connection, account, name)?;
    Ok(found.filter(|policy| policy.arn == arn))
}

fn find(connection: &Connection, account: AccountId, name: &str) -> rusqlite::Result<Option<ManagedPolicy>> {
    connection
        .prepare(&format!(
            "SELECT {COLUMNS} FROM iam_policy WHERE account_id = ?1 AND folded = ?2"
        ))?
        .query_row(params![account.as_str(), folded(name)], policy)
        .optional()
}

fn policy(row: &Row<'_>) -> rusqlite::Result<ManagedPolicy> {
    let (account, name, path): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(ManagedPolicy {
        id: row.get(0)?,
        arn: arn(&account, "policy", &path, &name),
        name,
        path,
        description: row.get(4)?,
        default_version: row.get(5)?,
        attached: 0,
        bounding: 0,
        attachable: true,
        created_at: time(row, 6)?,
        updated_at: time(row, 7)?,
    })
}

/// With how many have it.
fn counted(
    connection: &Connection,
    account: AccountId,
    mut policy: ManagedPolicy,
) -> rusqlite::Result<ManagedPolicy> {
    policy.attached = entities::attached(connection, account, &policy.arn)?;
    policy.bounding = entities::bounded(connection, account, &policy.arn)?;
    Ok(policy)
}

fn of_aws(
    connection: &Connection,
    account: AccountId,
    policy: &'static AwsManaged,
) -> rusqlite::Result<ManagedPolicy> {
    let made = Timestamp::from_unix_seconds(aws::MADE_AT);
    let described = ManagedPolicy {
        id: policy.id(),
        arn: policy.arn(),
        name: policy.name.to_owned(),
        path: policy.path.to_owned(),
        description: Some(policy.description.to_owned()),
        default_version: 1,
        attached: 0,
        bounding: 0,
        attachable: policy.attachable,
        created_at: made,
        updated_at: made,
    };
    counted(connection, account, described)
}

/// How many policies an account has.
pub(crate) fn count(connection: &Connection, account: AccountId) -> rusqlite::Result<u32> {
    connection
        .prepare("SELECT count(*) FROM iam_policy WHERE account_id = ?1")?
        .query_row([account.as_str()], |row| row.get(0))
}

/// AWS's policies have keys that begin with 0, the account's such as begin with 1.
pub(crate) fn list(
    connection: &Connection,
    account: AccountId,
    filter: &PolicyFilter,
    page: Page<'_>,
) -> rusqlite::Result<Listed<ManagedPolicy>> {
    let fits = |policy: &ManagedPolicy| {
        policy.path.starts_with(&filter.prefix)
            && (!filter.only_attached || policy.attached > 0)
            && filter.usage_is_boundary.is_none_or(|boundary| {
                (boundary && policy.bounding > 0) || (!boundary && policy.attached > 0)
            })
    };
    let mut rows = Vec::new();
    if filter.aws {
        for policy in aws::ALL {
            let key = format!("0{}", policy.name);
            if key.as_str() > page.start() {
                rows.push((key, of_aws(connection, account, policy)?));
            }
        }
        rows.retain(|(_, policy)| fits(policy));
        rows.sort_by(|(one, _), (two, _)| one.cmp(two));
    }
    if filter.local {
        let after = page.start().strip_prefix('1').unwrap_or("");
        let mut select = connection.prepare(&format!(
            "SELECT {COLUMNS} FROM iam_policy WHERE account_id = ?1 AND folded > ?2 ORDER BY folded"
        ))?;
        let mut found = select.query(params![account.as_str(), after])?;
        while let Some(row) = found.next()?
            && rows.len() <= page.limit
        {
            let policy = counted(connection, account, policy(row)?)?;
            if fits(&policy) {
                rows.push((format!("1{}", row.get::<_, String>(8)?), policy));
            }
        }
    }
    Ok(Listed::cut(rows, page.limit))
}

/// The versions of a policy, the newest first.
pub(crate) fn versions(
    connection: &Connection,
    policy: &ManagedPolicy,
) -> rusqlite::Result<Vec<PolicyVersion>> {
    connection
        .prepare(
            "SELECT version, document, created_at FROM iam_policy_version WHERE policy_id = ?1 ORDER BY version DESC",
        )?
        .query_map([&policy.id], |row| {
            let version = row.get(0)?;
            Ok(PolicyVersion {
                version,
                document: row.get(1)?,
                default: version == policy.default_version,
                created_at: time(row, 2)?,
            })
        })?
        .collect()
}

pub(crate) fn add_version(
    transaction: &Transaction<'_>,
    policy: &str,
    version: u32,
    document: &PolicyDocument,
    now: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare("INSERT INTO iam_policy_version VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![policy, version, document.as_str(), micros(now)])
        .map(|_| ())
}

/// The one version of a policy of AWS's.
pub(crate) fn aws_version(policy: &'static AwsManaged) -> PolicyVersion {
    PolicyVersion {
        version: 1,
        document: policy.document.to_owned(),
        default: true,
        created_at: Timestamp::from_unix_seconds(aws::MADE_AT),
    }
}
