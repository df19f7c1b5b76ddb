//! Usage: who took how much of which model, in minutes, hours and days, each for as long as it is of use.

use std::fmt::Write;

use moho_iam::action::mantle::GetUsage;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Row, Statement, params, params_from_iter};

use crate::Store;
use crate::database::{counted, integer};
use crate::error::StoreError;

/// The lengths of the times in which usage is kept, and for how long each, in seconds: minutes for two days, hours for
/// 62, days for two years.
const KEPT: [(u64, u64); 3] = [(60, 2 * 86_400), (3600, 62 * 86_400), (86_400, 731 * 86_400)];

const ADD: &str = "INSERT INTO usage
        (width, at, account, principal, model, profile, requests, input, cached, output)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (account, width, at, principal, model, profile) DO UPDATE SET
        requests = requests + excluded.requests, input = input + excluded.input,
        cached = cached + excluded.cached, output = output + excluded.output";

/// Whose usage, and of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageOf {
    /// The account.
    pub account: AccountId,
    /// The principal's ARN.
    pub principal: String,
    /// The model.
    pub model: String,
    /// The ARN of the inference profile that was named; empty if none was.
    pub profile: String,
}

/// What was taken in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The second in which the minute began.
    pub at: u64,
    /// Whose.
    pub of: UsageOf,
    /// Requests.
    pub requests: u64,
    /// Tokens of prompts.
    pub input: u64,
    /// Of those, the ones that were in the prefix cache.
    pub cached: u64,
    /// Tokens of answers.
    pub output: u64,
}

/// What sums are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageGroup {
    /// The principal.
    pub principal: bool,
    /// The model.
    pub model: bool,
    /// The inference profile.
    pub profile: bool,
}

/// Which usage is asked for: what is empty is not asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageFilter {
    /// Principals' ARNs.
    pub principals: Vec<String>,
    /// Models.
    pub models: Vec<String>,
    /// Inference profiles' ARNs.
    pub profiles: Vec<String>,
}

/// Times of equal length, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageBucket {
    /// Seconds in each: 60, 3600 or 86400.
    pub width: u64,
    /// The second in which the first begins.
    pub from: u64,
    /// The second in which the last has ended.
    pub until: u64,
}

/// What was taken in one time by one group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageSum {
    /// The second in which the time began.
    pub at: u64,
    /// The principal, if told apart.
    pub principal: Option<String>,
    /// The model, if told apart.
    pub model: Option<String>,
    /// The inference profile, if told apart and one was named.
    pub profile: Option<String>,
    /// Requests.
    pub requests: u64,
    /// Tokens of prompts.
    pub input: u64,
    /// Of those, the ones that were in the prefix cache.
    pub cached: u64,
    /// Tokens of answers.
    pub output: u64,
}

impl Store {
    /// Adds what was taken, and forgets what is too old.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was added.
    pub fn add_usage(&self, rows: &[UsageRow], now: Timestamp) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let mut insert = transaction.prepare(ADD)?;
            for (width, kept) in KEPT {
                for row in rows {
                    add(&mut insert, width, row)?;
                }
                let oldest = integer(now.unix_seconds().saturating_sub(kept));
                transaction.execute(
                    "DELETE FROM usage WHERE width = ?1 AND at < ?2",
                    [integer(width), oldest],
                )?;
            }
            Ok(())
        })
    }

    /// What the permit's own account took: at most `most` sums, in the order of their times.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn usage(
        &self,
        permit: &Permit<GetUsage>,
        buckets: UsageBucket,
        (group, filter): (UsageGroup, &UsageFilter),
        most: u64,
    ) -> Result<Vec<UsageSum>, StoreError> {
        let account = permit.session().account();
        let (select, values) = query(account, buckets, (group, filter), most);
        self.database.read(|connection| {
            let mut select = connection.prepare(&select)?;
            let sums = select.query_map(params_from_iter(values), |row| sum(row, group))?;
            sums.collect()
        })
    }
}

fn add(insert: &mut Statement<'_>, width: u64, row: &UsageRow) -> rusqlite::Result<usize> {
    let at = row
        .at
        .saturating_sub(row.at.checked_rem(width).unwrap_or_default());
    let of = &row.of;
    insert.execute(params![
        integer(width),
        integer(at),
        of.account.as_str(),
        of.principal,
        of.model,
        of.profile,
        integer(row.requests),
        integer(row.input),
        integer(row.cached),
        integer(row.output),
    ])
}

/// The statement, in which every value is a parameter.
fn query(
    account: AccountId,
    buckets: UsageBucket,
    (group, filter): (UsageGroup, &UsageFilter),
    most: u64,
) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = vec![Value::Text(account.to_string())];
    values.extend([buckets.width, buckets.from, buckets.until].map(|number| Value::Integer(integer(number))));
    let column = |told: bool, name: &'static str| if told { name } else { "''" };
    let (principal, model, profile) = (
        column(group.principal, "principal"),
        column(group.model, "model"),
        column(group.profile, "profile"),
    );
    let mut select = format!(
        "SELECT at, {principal}, {model}, {profile}, sum(requests), sum(input), sum(cached), sum(output) FROM usage
         WHERE account = ?1 AND width = ?2 AND at >= ?3 AND at < ?4"
    );
    let filters = [
        ("principal", &filter.principals),
        ("model", &filter.models),
        ("profile", &filter.profiles),
    ];
    for (name, wanted) in filters {
        if !wanted.is_empty() {
            let marks = vec!["?"; wanted.len()].join(", ");
            // Writing to a `String` cannot fail.
            let _always: std::fmt::Result = write!(select, " AND {name} IN ({marks})");
            values.extend(wanted.iter().cloned().map(Value::Text));
        }
    }
    select.push_str(" GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LIMIT ?");
    values.push(Value::Integer(integer(most)));
    (select, values)
}

fn sum(row: &Row<'_>, group: UsageGroup) -> rusqlite::Result<UsageSum> {
    let told = |told: bool, column: usize| -> rusqlite::Result<Option<String>> {
        let text: String = row.get(column)?;
        Ok((told && !text.is_empty()).then_some(text))
    };
    Ok(UsageSum {
        at: counted(row, 0)?,
        principal: told(group.principal, 1)?,
        model: told(group.model, 2)?,
        profile: told(group.profile, 3)?,
        requests: counted(row, 4)?,
        input: counted(row, 5)?,
        cached: counted(row, 6)?,
        output: counted(row, 7)?,
    })
}
