//! Accounts beyond the first: each with a key of its own, and a role that the management account may take on.

use moho_iam::action::organizations;
use moho_iam::authz::Permit;
use moho_kms::{KeptKey, Kms};
use moho_terms::{AccountId, Entropy, Region, RoleName, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::error::Stopped;
use super::tags::{check_tags, put_tags};
use super::units::attach_defaults;
use super::{
    AccountState, Constraint, NodeId, Organisation, OrganisationError, OrganisationNames, Tags, names,
};
use crate::Store;
use crate::database::{micros, term, time};
use crate::iam::{IdKind, unique_id};
use crate::keys;

/// Accounts in an organisation, closed ones among them.
const ACCOUNTS: usize = 10_000;

/// Of how many attempts to make an account it is remembered how they went, the newest.
const MOST_CREATIONS: u32 = 1000;

/// What the role of a new account may do: everything.
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// An account that is to be.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// What it is to be called.
    pub name: String,
    /// Whom it is to belong to; no two accounts have the same.
    pub email: String,
    /// The role through which the management account administers it.
    pub role: RoleName,
    /// Its tags.
    pub tags: Tags,
    /// Where its key is.
    pub region: Region,
}

/// How the creation of an account went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountCreation {
    /// `car-…`
    pub id: String,
    /// What the account was to be called.
    pub name: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was done.
    pub completed_at: Timestamp,
    /// The account, or why there is none.
    pub outcome: CreationOutcome,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreationOutcome {
    /// The account.
    Created(AccountId),
    /// Why there is none.
    Failed(CreationFailure),
}

/// Why no account was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreationFailure {
    /// Another account has the address.
    EmailAlreadyExists,
    /// There are as many as there may be.
    AccountLimitExceeded,
}

impl CreationFailure {
    /// As AWS Organizations writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailAlreadyExists => "EMAIL_ALREADY_EXISTS",
            Self::AccountLimitExceeded => "ACCOUNT_LIMIT_EXCEEDED",
        }
    }
}

impl Store {
    /// Makes an account right below the root, with a key of its own and a role that trusts the management account and may
    /// do everything. That an address is taken is told in what comes of it, as AWS does.
    ///
    /// # Errors
    /// [`OrganisationError`]; then nothing was made.
    pub fn create_account(
        &self,
        permit: &Permit<organizations::CreateAccount>,
        (kms, entropy): (&Kms, &dyn Entropy),
        new: &NewAccount,
        now: Timestamp,
    ) -> Result<AccountCreation, OrganisationError> {
        let account = self.unused_account(entropy)?;
        let key = kms.key_for_account(permit, account, &new.region, now)?;
        let id = names::new_request(entropy)?;
        let role = unique_id(IdKind::Role, entropy)?;
        self.change_organisation(|organisation, transaction| {
            check_tags(&new.tags)?;
            let outcome = match would_fail(organisation, new) {
                Some(failure) => CreationOutcome::Failed(failure),
                None => {
                    found(organisation, transaction, (new, &key, &role), now)?;
                    CreationOutcome::Created(account)
                }
            };
            let creation = AccountCreation {
                id,
                name: new.name.clone(),
                requested_at: now,
                completed_at: now,
                outcome,
            };
            put_creation(transaction, &creation)?;
            Ok(creation)
        })
    }

    /// An id that no account has.
    fn unused_account(&self, entropy: &dyn Entropy) -> Result<AccountId, OrganisationError> {
        let whole = self.whole_organisation()?;
        loop {
            let mut random = [0; 8];
            entropy.fill(&mut random)?;
            let account = AccountId::from_random(u64::from_be_bytes(random));
            let taken = whole
                .as_ref()
                .is_some_and(|whole| whole.account(account).is_some());
            if !taken {
                return Ok(account);
            }
        }
    }

    /// How the creation of an account went.
    ///
    /// # Errors
    /// [`OrganisationError::CreateAccountStatusNotFound`] if there was none of this id.
    pub fn account_creation(
        &self,
        _permit: &Permit<organizations::DescribeCreateAccountStatus>,
        id: &str,
    ) -> Result<AccountCreation, OrganisationError> {
        let select = "SELECT request_id, name, requested_at, completed_at, account_id, failure_reason
            FROM account_creation WHERE request_id = ?1";
        let found = self.database.read(|connection| {
            let mut select = connection.prepare(select)?;
            select.query_row([id], creation).optional()
        })?;
        found.ok_or(OrganisationError::CreateAccountStatusNotFound)
    }

    /// Closes the account that the permit is for: from now on nobody of it can do anything, and nothing can be done with
    /// what it has. What it stored stays, sealed.
    ///
    /// # Errors
    /// [`OrganisationError`]; then it is as it was.
    pub fn close_account(
        &self,
        permit: &Permit<organizations::CloseAccount>,
        now: Timestamp,
    ) -> Result<(), OrganisationError> {
        let account = OrganisationNames::named::<NodeId>(permit.resource()).and_then(|node| node.account());
        let account = account.ok_or(OrganisationError::OtherPermit)?;
        self.change_organisation(|organisation, transaction| {
            let member = organisation
                .account(account)
                .ok_or(OrganisationError::AccountNotFound)?;
            if account == organisation.names().management {
                return Err(Constraint::ManagementAccount.into());
            }
            if member.state == AccountState::Suspended {
                return Err(OrganisationError::AccountAlreadyClosed.into());
            }
            transaction.execute(
                "UPDATE member_account SET state = 'SUSPENDED', closed_at = ?2 WHERE account_id = ?1",
                params![account.as_str(), micros(now)],
            )?;
            Ok(())
        })
    }
}

fn would_fail(organisation: &Organisation, new: &NewAccount) -> Option<CreationFailure> {
    let mut accounts = organisation.accounts();
    if accounts.any(|account| account.email.eq_ignore_ascii_case(&new.email)) {
        Some(CreationFailure::EmailAlreadyExists)
    } else if organisation.accounts().count() >= ACCOUNTS {
        Some(CreationFailure::AccountLimitExceeded)
    } else {
        None
    }
}

/// Writes all that an account begins with.
fn found(
    organisation: &Organisation,
    transaction: &Transaction<'_>,
    (new, key, role): (&NewAccount, &KeptKey, &str),
    now: Timestamp,
) -> Result<(), Stopped> {
    let (account, node) = (key.account, NodeId::from(key.account));
    transaction.execute(
        "INSERT INTO account VALUES (?1, ?2, ?3)",
        params![account.as_str(), new.region.as_str(), micros(now)],
    )?;
    keys::insert(transaction, key)?;
    transaction.execute(
        "INSERT INTO account_key VALUES (?1, ?2)",
        params![account.as_str(), key.key_id.as_str()],
    )?;
    transaction.execute(
        "INSERT INTO organisation_node VALUES (?1, 'ACCOUNT', ?2, ?3)",
        params![node.as_str(), organisation.names().root.as_str(), new.name],
    )?;
    transaction.execute(
        "INSERT INTO member_account VALUES (?1, ?2, 'CREATED', ?3, 'ACTIVE', NULL)",
        params![account.as_str(), new.email, micros(now)],
    )?;
    attach_defaults(organisation, transaction, &node, now)?;
    put_tags(transaction, node.as_str(), &Tags::new(), &new.tags)?;
    let trust = trust_policy(organisation.names().management);
    transaction.execute(
        "INSERT INTO iam_role VALUES (?1, ?2, ?3, lower(?3), '/', ?4, NULL, 3600, NULL, NULL, ?5)",
        params![role, account.as_str(), new.role.as_str(), trust, micros(now)],
    )?;
    transaction.execute(
        "INSERT INTO iam_role_attachment VALUES (?1, ?2, ?3)",
        params![role, ADMINISTRATOR, account.as_str()],
    )?;
    Ok(())
}

/// The management account is trusted: its identity policies say who in it may assume the role.
fn trust_policy(management: AccountId) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{management}:root"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}

fn put_creation(transaction: &Transaction<'_>, creation: &AccountCreation) -> Result<(), Stopped> {
    let (account, failure) = match &creation.outcome {
        CreationOutcome::Created(account) => (Some(account.as_str()), None),
        CreationOutcome::Failed(failure) => (None, Some(failure.as_str())),
    };
    transaction.execute(
        "INSERT INTO account_creation VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            creation.id,
            creation.name,
            micros(creation.requested_at),
            micros(creation.completed_at),
            account,
            failure
        ],
    )?;
    // Their rows are numbered as they came, so the oldest of too many are those with the lowest numbers.
    transaction.execute(
        "DELETE FROM account_creation WHERE rowid IN
            (SELECT rowid FROM account_creation ORDER BY rowid DESC LIMIT -1 OFFSET ?1)",
        [MOST_CREATIONS],
    )?;
    Ok(())
}

fn creation(row: &Row<'_>) -> rusqlite::Result<AccountCreation> {
    let failure: Option<String> = row.get(5)?;
    Ok(AccountCreation {
        id: row.get(0)?,
        name: row.get(1)?,
        requested_at: time(row, 2)?,
        completed_at: time(row, 3)?,
        outcome: match failure.as_deref() {
            None => CreationOutcome::Created(term(row, 4)?),
            Some("ACCOUNT_LIMIT_EXCEEDED") => CreationOutcome::Failed(CreationFailure::AccountLimitExceeded),
            Some(_) => CreationOutcome::Failed(CreationFailure::EmailAlreadyExists),
        },
    })
}
