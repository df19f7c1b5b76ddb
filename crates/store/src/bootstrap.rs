//! The first organisation, account, key and roles: made once, together or not at all.

use moho_iam::bootstrap::Door;
use moho_iam::policy::builtin;
use moho_kms::{KeptKey, Kms};
use moho_terms::{AccountId, Arn, Entropy, EntropyUnavailable, KeyId, ModelId, Region, RoleName, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::Store;
use crate::database::{micros, term};
use crate::error::StoreError;
use crate::iam::{IdKind, unique_id};
use crate::keys;
use crate::organizations::{NodeId, OrganisationNames};

/// What a new installation is to begin with.
#[derive(Debug, Clone)]
pub struct BootstrapPlan {
    organisation: String,
    account: AccountId,
    region: Region,
    models: Vec<ModelId>,
    /// Unique ids of the roles.
    role_ids: Vec<String>,
}

/// A role the first account begins with, and its policy.
const ROLES: [(&str, &str, &str); 2] = [
    ("Admin", "AdministratorAccess", builtin::ADMINISTRATOR),
    ("Developer", "DeveloperAccess", builtin::DEVELOPER),
];

impl BootstrapPlan {
    /// An organisation with one account in `region`, which has the roles `Admin` and `Developer`, a KmsKey of its own,
    /// and has agreed to use `models` and no others. Who in the account may assume the roles is left to its identity
    /// policies.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes for the names.
    pub fn new(
        region: Region,
        models: Vec<ModelId>,
        entropy: &dyn Entropy,
    ) -> Result<Self, EntropyUnavailable> {
        let mut random = [0; 8];
        entropy.fill(&mut random)?;
        let account = AccountId::from_random(u64::from_be_bytes(random));
        entropy.fill(&mut random)?;
        let organisation = format!("o-{:016x}", u64::from_be_bytes(random));
        let role_ids = ROLES.iter().map(|_| unique_id(IdKind::Role, entropy));
        let role_ids = role_ids.collect::<Result<_, _>>()?;
        Ok(Self {
            organisation,
            account,
            region,
            models,
            role_ids,
        })
    }

    /// The same plan for an account of this number, if there is no account yet.
    #[must_use]
    pub fn in_account(self, account: AccountId) -> Self {
        Self { account, ..self }
    }
}

/// What the installation began with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrapped {
    /// The organisation's id.
    pub organisation: String,
    /// The root of its tree.
    pub root: NodeId,
    /// The first account.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// The key that seals what the account stores.
    pub account_key: Arn,
}

impl Bootstrapped {
    /// The organisation's own names. The first account manages it.
    #[must_use]
    pub fn names(&self) -> OrganisationNames {
        OrganisationNames {
            id: self.organisation.clone(),
            management: self.account,
            root: self.root.clone(),
        }
    }

    /// The ARN of a role of the account.
    ///
    /// # Errors
    /// Never, in fact: an account and a role name always make an ARN.
    pub fn role(&self, name: &RoleName) -> Result<Arn, StoreError> {
        Ok(Arn::of(
            "iam",
            "",
            self.account.as_str(),
            &format!("role/{name}"),
        )?)
    }
}

impl Store {
    /// Makes what is planned, in one transaction, if there is nothing yet; otherwise returns what is there and only adds
    /// the plan's model agreements to it. The open door is the permit: there is nobody yet who could hold another.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was made.
    pub fn ensure_bootstrap(
        &self,
        door: &Door,
        kms: &Kms,
        plan: &BootstrapPlan,
        now: Timestamp,
    ) -> Result<Bootstrapped, StoreError> {
        let key = match self.bootstrapped()? {
            Some(_) => None,
            None => Some(kms.bootstrap_key(door, plan.account, &plan.region, now)?),
        };
        let (row, changed) = self.database.write(|transaction| {
            let mut changed = 0;
            if let (Some(key), None) = (&key, find(transaction)?) {
                found(transaction, plan, key, now)?;
                changed = 1;
            }
            let row = find(transaction)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            changed += agree(transaction, row.account, &plan.models, now)?;
            Ok((row, changed))
        })?;
        if changed > 0 {
            self.organisation.forget();
            self.policies.forget();
        }
        row.bootstrapped()
    }

    /// What the installation began with; `None` if it has not begun.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn bootstrapped(&self) -> Result<Option<Bootstrapped>, StoreError> {
        self.database.read(find)?.map(FirstRow::bootstrapped).transpose()
    }
}

struct FirstRow {
    organisation: String,
    root: NodeId,
    account: AccountId,
    region: Region,
    key_region: Region,
    key_id: KeyId,
}

impl FirstRow {
    fn bootstrapped(self) -> Result<Bootstrapped, StoreError> {
        let resource = format!("key/{}", self.key_id);
        let account_key = Arn::of("kms", self.key_region.as_str(), self.account.as_str(), &resource)?;
        Ok(Bootstrapped {
            organisation: self.organisation,
            root: self.root,
            account: self.account,
            region: self.region,
            account_key,
        })
    }
}

/// The one organisation and the account that founded it, which manages it.
fn find(connection: &Connection) -> rusqlite::Result<Option<FirstRow>> {
    let select =
        "SELECT organisation_id, account.account_id, account.region, kms_key.region, kms_key.key_id, node_id
        FROM organisation, organisation_management
        JOIN organisation_node ON kind = 'ROOT'
        JOIN account ON account.account_id = organisation_management.account_id
        JOIN account_key ON account_key.account_id = account.account_id
        JOIN kms_key ON kms_key.key_id = account_key.key_id";
    let row = connection.query_row(select, [], |row| {
        Ok(FirstRow {
            organisation: row.get(0)?,
            account: term(row, 1)?,
            region: term(row, 2)?,
            key_region: term(row, 3)?,
            key_id: term(row, 4)?,
            root: term(row, 5)?,
        })
    });
    row.optional()
}

fn found(
    transaction: &Transaction<'_>,
    plan: &BootstrapPlan,
    key: &KeptKey,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (account, now) = (plan.account.as_str(), micros(now));
    transaction.execute(
        "INSERT INTO organisation VALUES (1, ?1, ?2)",
        params![plan.organisation, now],
    )?;
    transaction.execute(
        "INSERT INTO account VALUES (?1, ?2, ?3)",
        params![account, plan.region.as_str(), now],
    )?;
    keys::insert(transaction, key)?;
    transaction.execute(
        "INSERT INTO account_key VALUES (?1, ?2)",
        params![account, key.key_id.as_str()],
    )?;
    // With it come the root, and what is attached to root and account from the start.
    transaction.execute("INSERT INTO organisation_management VALUES (1, ?1)", [account])?;
    let trust = trust_policy(plan.account);
    for (planned, id) in ROLES.iter().zip(&plan.role_ids) {
        let (role, policy, document) = planned;
        transaction.execute(
            "INSERT INTO iam_role VALUES (?1, ?2, ?3, lower(?3), '/', ?4, NULL, 3600, NULL, NULL, ?5)",
            params![id, account, role, trust, now],
        )?;
        transaction.execute(
            "INSERT INTO iam_role_policy VALUES (?1, ?2, ?3)",
            params![id, policy, document],
        )?;
    }
    Ok(())
}

fn agree(
    transaction: &Transaction<'_>,
    account: AccountId,
    models: &[ModelId],
    now: Timestamp,
) -> rusqlite::Result<usize> {
    // What the account has ended itself stays ended.
    let insert = "INSERT INTO model_agreement (account_id, model_id, accepted_at) SELECT ?1, ?2, ?3
        WHERE NOT EXISTS (SELECT 1 FROM model_agreement_ended WHERE account_id = ?1 AND model_id = ?2)
        ON CONFLICT DO NOTHING";
    models.iter().try_fold(0_usize, |sum, model| {
        let added = transaction.execute(insert, params![account.as_str(), model.as_str(), micros(now)])?;
        Ok(sum.saturating_add(added))
    })
}

/// The account as a whole is trusted: its identity policies say who in it may assume the role.
fn trust_policy(account: AccountId) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"OwnAccount","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}
