//! How long content may stay: what an account says of it, what there is, and how it goes.

mod deleting;

use moho_iam::action::bedrock::{GetAccountDataRetention, PutAccountDataRetention};
use moho_iam::action::mantle::ExportContent;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::Store;
use crate::database::{Stopped, counted, micros, time};
use crate::error::StoreError;
use crate::sweeping::{ROWS, STAYS};

pub use deleting::{Erased, Expired, Expiry, WriteExpiries};

/// The days that content stays, unless its account or its request says less.
const USUAL_DAYS: u32 = 30;
/// Seconds of a day.
const DAY: u64 = 86_400;

/// What an account says of how long its content may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Whether anything may stay at all.
    pub keeps: bool,
    /// For how many days at most.
    pub days: u32,
    /// Whether the account said so, and when.
    pub updated: Option<Timestamp>,
}

/// A kind of content that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptKind {
    /// A stored response.
    Response,
    /// A conversation.
    Conversation,
    /// A version of a prompt.
    Prompt,
}

/// One thing that is kept: of which kind, and its id; of a version of a prompt `ID` or `ID:NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptContent {
    /// Which kind.
    pub kind: KeptKind,
    /// Its id.
    pub id: String,
}

/// So many days later.
pub(crate) fn after_days(now: Timestamp, days: u32) -> Timestamp {
    now.plus_seconds(u64::from(days).saturating_mul(DAY))
}

/// How long an account's content may stay, in the transaction that keeps some: what was asked before, such as before an answer
/// was generated, does not count.
pub(crate) fn retention_of(connection: &Connection, account: AccountId) -> rusqlite::Result<Retention> {
    let found = connection
        .prepare_cached("SELECT mode, days, updated_at FROM data_retention WHERE account_id = ?1")?
        .query_row([account.as_str()], |row| {
            let mode: String = row.get(0)?;
            let days: Option<u32> = row.get(1)?;
            Ok(Retention {
                // Whatever else it says, nothing stays.
                keeps: mode == "default",
                days: days.unwrap_or(USUAL_DAYS),
                updated: Some(time(row, 2)?),
            })
        })
        .optional()?;
    Ok(found.unwrap_or(Retention {
        keeps: true,
        days: USUAL_DAYS,
        updated: None,
    }))
}

/// For how many of the days that were wanted something may be kept.
///
/// # Errors
/// [`StoreError::KeepsNothing`].
pub(crate) fn kept_days(
    connection: &Connection,
    (account, wanted): (AccountId, u32),
) -> Result<u32, Stopped<StoreError>> {
    let retention = retention_of(connection, account)?;
    if retention.keeps {
        Ok(wanted.min(retention.days))
    } else {
        Err(Stopped::Refused(StoreError::KeepsNothing))
    }
}

impl Store {
    /// How long an account's content may stay.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; then nothing may.
    pub fn retention(&self, account: AccountId) -> Result<Retention, StoreError> {
        self.database.read(|connection| retention_of(connection, account))
    }

    /// The same for whom the permit is for.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn own_retention(&self, permit: &Permit<GetAccountDataRetention>) -> Result<Retention, StoreError> {
        self.retention(permit.session().account())
    }

    /// Says whether the content of the permit's account may stay.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn put_retention_mode(
        &self,
        permit: &Permit<PutAccountDataRetention>,
        keeps: bool,
        now: Timestamp,
    ) -> Result<Retention, StoreError> {
        let account = permit.session().account();
        let mode = if keeps { "default" } else { "none" };
        self.database.write(|transaction| {
            let put = "INSERT INTO data_retention (account_id, mode, updated_at) VALUES (?1, ?2, ?3)
                ON CONFLICT (account_id) DO UPDATE SET mode = excluded.mode, updated_at = excluded.updated_at";
            transaction.execute(put, params![account.as_str(), mode, micros(now)])
        })?;
        self.retention(account)
    }

    /// Says for how many days the content of the permit's account may stay: what is there already goes no later than that
    /// after it was made, or after a conversation's last turn.
    ///
    /// # Errors
    /// [`StoreError`]; then some of what is there may go later than that.
    pub fn put_retention_days(
        &self,
        permit: &Permit<PutAccountDataRetention>,
        days: u32,
        now: Timestamp,
    ) -> Result<Retention, StoreError> {
        let account = permit.session().account();
        let span = i64::try_from(u64::from(days).saturating_mul(DAY * 1_000_000)).unwrap_or(i64::MAX);
        self.database.write(|transaction| {
            let put = "INSERT INTO data_retention (account_id, mode, days, updated_at) VALUES (?1, 'default', ?2, ?3)
                ON CONFLICT (account_id) DO UPDATE SET days = excluded.days, updated_at = excluded.updated_at";
            transaction.execute(put, params![account.as_str(), days, micros(now)])
        })?;
        // What is kept from now on is kept by that. What is there follows, so that nobody waits for all of it.
        self.in_pages(account, ("sealed_response", "response_id"), |transaction, (after, last)| {
            let sooner = "UPDATE sealed_response SET expires_at = created_at + ?4
                WHERE account_id = ?1 AND response_id > ?2 AND response_id <= ?3 AND expires_at > created_at + ?4";
            transaction.execute(sooner, params![account.as_str(), after, last, span])
        })?;
        self.in_pages(account, ("conversation", "conversation_id"), |transaction, (after, last)| {
            let sooner = "UPDATE conversation AS c SET expires_at = expires_at - (days * 86400000000 - ?4), days = ?5
                WHERE account_id = ?1 AND conversation_id > ?2 AND conversation_id <= ?3 AND days > ?5";
            let sooner = format!("{sooner} AND {STAYS}");
            transaction.execute(&sooner, params![account.as_str(), after, last, span, days])
        })?;
        self.retention(account)
    }

    /// Changes what an account has of a kind, from one id to another in each transaction.
    fn in_pages(
        &self,
        account: AccountId,
        (table, id): (&str, &str),
        change: impl Fn(&Connection, (&str, &str)) -> rusqlite::Result<usize>,
    ) -> Result<(), StoreError> {
        let page = format!(
            "SELECT max(id) FROM (SELECT {id} AS id FROM {table} WHERE account_id = ?1 AND {id} > ?2 ORDER BY 1 LIMIT {ROWS})"
        );
        let mut after = String::new();
        loop {
            let last: Option<String> = self.database.read(|connection| {
                connection.query_row(&page, params![account.as_str(), after], |row| row.get(0))
            })?;
            let Some(last) = last else { return Ok(()) };
            self.database
                .write(|transaction| change(transaction, (&after, &last)))?;
            after = last;
        }
    }

    /// At most `most` things that the permit's account keeps, of one kind and in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn kept_content(
        &self,
        permit: &Permit<ExportContent>,
        (kind, after): (KeptKind, &str),
        most: u32,
    ) -> Result<Vec<KeptContent>, StoreError> {
        let account = permit.session().account();
        let select = match kind {
            KeptKind::Response => {
                "SELECT response_id AS id FROM sealed_response WHERE account_id = ?1 AND response_id > ?2 ORDER BY 1 LIMIT ?3"
            }
            KeptKind::Conversation => {
                "SELECT conversation_id AS id FROM conversation WHERE account_id = ?1 AND conversation_id > ?2
                 AND expires_at > 0 ORDER BY 1 LIMIT ?3"
            }
            KeptKind::Prompt => {
                "SELECT id FROM (SELECT prompt_id || CASE version WHEN 0 THEN '' ELSE ':' || version END AS id
                    FROM prompt_version WHERE account_id = ?1) WHERE id > ?2 ORDER BY 1 LIMIT ?3"
            }
        };
        self.database.read(|connection| {
            let mut select = connection.prepare(select)?;
            let kept = |row: &Row<'_>| -> rusqlite::Result<KeptContent> {
                let id = row.get(0)?;
                Ok(KeptContent { kind, id })
            };
            let found = select.query_map(params![account.as_str(), after, most], kept)?;
            found.collect()
        })
    }

    /// How many things of an account are due by `now`: for those who watch.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn due_content(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.database.read(|connection| {
            let count = "SELECT (SELECT count(*) FROM sealed_response WHERE expires_at <= ?1)
                + (SELECT count(*) FROM conversation WHERE expires_at <= ?1)";
            let due = connection.query_row(count, [micros(now)], |row| counted(row, 0));
            due.optional().map(Option::unwrap_or_default)
        })
    }
}
