//! Prompts: templates that an account keeps, in a draft that changes and numbered versions that do not.
//!
//! What a prompt says is sealed under the KmsKey that its maker chose, each version by itself. Its name, tags and times are
//! in the clear, as names are.

mod making;
mod tags;
mod versions;

use moho_iam::action::Action;
use moho_iam::action::bedrock::{DeletePrompt, ListPrompts};
use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms};
use moho_terms::{AccountId, Arn, ContentBytes, KeyId, PromptId, Timestamp};
use rusqlite::{Connection, Row, ToSql, params};

pub use making::{NewPrompt, PromptChange, PromptChanged, PromptMade};
pub use versions::{NewPromptVersion, PromptVersionMade};

use crate::Store;
use crate::database::{counted, term, time};
use crate::error::StoreError;

/// The version that is called so is the one that changes.
const DRAFT: u32 = 0;

const SELECT: &str = "SELECT prompt_id, version, v.name, kms_key.account_id, v.key_id, key_chosen, v.created_at, updated_at,
        (SELECT last_version FROM prompt WHERE prompt.account_id = v.account_id AND prompt.prompt_id = v.prompt_id)
    FROM prompt_version AS v JOIN kms_key ON kms_key.key_id = v.key_id WHERE v.account_id = ?1";

/// What is known of a version of a prompt without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptFacts {
    /// The prompt's id.
    pub id: PromptId,
    /// Which version: 0 is the draft.
    pub version: u32,
    /// What its account calls it.
    pub name: String,
    /// The account and the id of the key that it is sealed under.
    pub key: (AccountId, KeyId),
    /// Whether the key was chosen by whoever made it, or is the account's own.
    pub key_chosen: bool,
    /// Since when it is there.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// The number of the prompt's newest version there ever was.
    pub last_version: u32,
}

/// The prompt that an ARN names, and which version: 0 for the draft. `None` if it names no prompt.
#[must_use]
pub fn prompt_of(arn: &Arn) -> Option<(PromptId, u32)> {
    let named = arn.resource().strip_prefix("prompt/")?;
    let (id, version) = match named.split_once(':') {
        None => (named, DRAFT),
        Some((id, version)) => {
            let digits = (1..=5).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_digit());
            let number: u32 = version.parse().ok().filter(|number| digits && *number > DRAFT)?;
            (id, number)
        }
    };
    (arn.service() == "bedrock").then_some((id.parse().ok()?, version))
}

/// What a version of a prompt is sealed under: whose it is, which, the version of this context, and the prompt as AWS's own
/// context names it. Permits for the key have to be asked for with its
/// [`condition_keys`](EncryptionContext::condition_keys).
///
/// # Errors
/// [`StoreError::Context`], which the terms' bounds rule out.
pub fn prompt_context(arn: &Arn) -> Result<EncryptionContext, StoreError> {
    let (whole, _version) = match arn.resource().split_once(':') {
        Some((prompt, version)) => (
            Arn::of(arn.service(), arn.region(), arn.account(), prompt)?,
            version,
        ),
        None => (arn.clone(), ""),
    };
    let pairs = [
        ("aws:bedrock-prompts:arn", whole.as_str()),
        ("moho:account", arn.account()),
        ("moho:resource", arn.resource()),
        ("moho:version", "1"),
    ];
    Ok(EncryptionContext::from_pairs(pairs)?)
}

/// The prompt of the caller's account that a permit is for, and which version.
fn named<A: Action>(permit: &Permit<A>) -> Result<(AccountId, PromptId, u32), StoreError> {
    let (account, resource) = (permit.session().account(), permit.resource());
    let own = resource.account() == account.as_str();
    match prompt_of(resource) {
        Some((id, version)) if own => Ok((account, id, version)),
        _ => Err(StoreError::OtherPermit),
    }
}

/// The id of the key that a permit is for.
fn key_id<A: Action>(permit: &Permit<A>) -> &str {
    permit.resource().resource().trim_start_matches("key/")
}

impl Store {
    /// What is known of the version of a prompt that a permit is for; `None` if its account has none such.
    ///
    /// # Errors
    /// [`StoreError::OtherPermit`] if the permit is for no prompt of its account.
    pub fn prompt_facts<A: Action>(&self, permit: &Permit<A>) -> Result<Option<PromptFacts>, StoreError> {
        let (account, id, version) = named(permit)?;
        self.database.find(|connection| {
            self.check_prompt(connection, (account, &id, version))?;
            connection
                .prepare(&format!("{SELECT} AND prompt_id = ?2 AND version = ?3"))?
                .query_row(params![account.as_str(), id.as_str(), version], facts)
        })
    }

    /// At most `most` drafts of the permit's account, in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn prompts(
        &self,
        permit: &Permit<ListPrompts>,
        after: &str,
        most: usize,
    ) -> Result<Vec<PromptFacts>, StoreError> {
        let account = permit.session().account();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.database.read(|connection| {
            let select = format!("{SELECT} AND version = 0 AND prompt_id > ?2 ORDER BY prompt_id LIMIT ?3");
            let mut select = connection.prepare(&select)?;
            let found = select.query_map(params![account.as_str(), after, most], facts)?;
            self.check_all(connection, account, found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// At most `most` versions of one prompt of the permit's account, its draft among them, from one number on.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn prompt_versions(
        &self,
        permit: &Permit<ListPrompts>,
        (id, from): (&PromptId, u32),
        most: usize,
    ) -> Result<Vec<PromptFacts>, StoreError> {
        let account = permit.session().account();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.database.read(|connection| {
            let select = format!("{SELECT} AND prompt_id = ?2 AND version >= ?3 ORDER BY version LIMIT ?4");
            let mut select = connection.prepare(&select)?;
            let found = select.query_map(params![account.as_str(), id.as_str(), from, most], facts)?;
            self.check_all(connection, account, found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Opens a version of a prompt of the caller's account, `arn`, which `read` allows by name or in a list; `None` if there
    /// is none such under the key that `key` is for, as it may be gone or be sealed under another one by now.
    ///
    /// # Errors
    /// [`StoreError::OtherPermit`] if `arn` is no prompt of the account of `read`; [`StoreError::Kms`] if it does not open.
    pub fn open_prompt<A: Action>(
        &self,
        (read, arn): (&Permit<A>, &Arn),
        key: &Permit<kms::Decrypt>,
        kms: &Kms,
    ) -> Result<Option<ContentBytes>, StoreError> {
        let account = read.session().account();
        let listed = A::NAME == ListPrompts::NAME;
        let (id, version) = prompt_of(arn).ok_or(StoreError::OtherPermit)?;
        if arn.account() != account.as_str() || !(listed || read.resource() == arn) {
            return Err(StoreError::OtherPermit);
        }
        let sealed: Option<Vec<u8>> = self.database.find(|connection| {
            self.check_prompt(connection, (account, &id, version))?;
            connection
                .prepare(
                    "SELECT sealed FROM prompt_version
                        WHERE account_id = ?1 AND prompt_id = ?2 AND version = ?3 AND key_id = ?4",
                )?
                .query_row(
                    params![account.as_str(), id.as_str(), version, key_id(key)],
                    |row| row.get(0),
                )
        })?;
        let Some(sealed) = sealed else { return Ok(None) };
        Ok(Some(kms.open(key, &prompt_context(arn)?, &sealed)?))
    }

    /// Whether a version's row is the one that was written last, or absent and rightly so.
    fn check_prompt(
        &self,
        connection: &Connection,
        (account, id, version): (AccountId, &PromptId, u32),
    ) -> rusqlite::Result<()> {
        let key: [&dyn ToSql; 3] = [&account.as_str(), &id.as_str(), &version];
        self.database.check(connection, "prompt_version", &key)
    }

    /// The same of some versions.
    fn check_all(
        &self,
        connection: &Connection,
        account: AccountId,
        found: Vec<PromptFacts>,
    ) -> rusqlite::Result<Vec<PromptFacts>> {
        for one in &found {
            self.check_prompt(connection, (account, &one.id, one.version))?;
        }
        Ok(found)
    }

    /// Deletes the prompt that the permit is for with all its versions, or, if it is for a version, that version; `false` if
    /// there is none such. Its sealed bytes are overwritten, in the write-ahead log, too.
    ///
    /// # Errors
    /// [`StoreError`]; then it is still there.
    pub fn delete_prompt(&self, permit: &Permit<DeletePrompt>) -> Result<bool, StoreError> {
        let (account, id, version) = named(permit)?;
        let deleted = self.database.write(|transaction| {
            if version == DRAFT {
                let delete = "DELETE FROM prompt WHERE account_id = ?1 AND prompt_id = ?2";
                transaction.execute(delete, params![account.as_str(), id.as_str()])
            } else {
                let delete =
                    "DELETE FROM prompt_version WHERE account_id = ?1 AND prompt_id = ?2 AND version = ?3";
                transaction.execute(delete, params![account.as_str(), id.as_str(), version])
            }
        })?;
        if deleted > 0 {
            self.policies.forget();
            self.database.empty_log();
        }
        Ok(deleted > 0)
    }
}

fn facts(row: &Row<'_>) -> rusqlite::Result<PromptFacts> {
    let number = |column| -> rusqlite::Result<u32> {
        let count = counted(row, column)?;
        u32::try_from(count).map_err(|_beyond| rusqlite::Error::IntegralValueOutOfRange(column, i64::MAX))
    };
    Ok(PromptFacts {
        id: term(row, 0)?,
        version: number(1)?,
        name: row.get(2)?,
        key: (term(row, 3)?, term(row, 4)?),
        key_chosen: row.get(5)?,
        created: time(row, 6)?,
        updated: time(row, 7)?,
        last_version: number(8)?,
    })
}
