//! Metric filters: kept for what will count events by them.

use std::collections::BTreeMap;

use moho_iam::action::Action;
use moho_iam::action::logs::{DeleteMetricFilter, PutMetricFilter};
use moho_iam::authz::Permit;
use moho_terms::Timestamp;
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::{decided_group, log_name, named};
use crate::Store;
use crate::database::{counted, micros, time};
use crate::error::StoreError;

/// Metric filters of one group, as at AWS.
const MOST: u64 = 100;

/// What a filter makes of an event that matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transformation {
    /// The metric.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// A number, or where one is in the event.
    pub value: String,
    /// What counts if nothing matches.
    pub default: Option<f64>,
    /// Dimensions, each by where its value is in the event.
    pub dimensions: BTreeMap<String, String>,
    /// The unit.
    pub unit: Option<String>,
}

/// A metric filter.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricFilter {
    /// The group that it is of.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Which events match.
    pub pattern: String,
    /// What it makes of them.
    pub transformation: Transformation,
    /// When it was made.
    pub created: Timestamp,
}

/// What came of putting one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricFilterPut {
    /// It is there.
    Done,
    /// There is no such group.
    NoGroup,
    /// The group has as many as it may.
    Full,
}

/// Which filters are wanted.
#[derive(Debug, Clone, Copy)]
pub struct MetricFiltersOf<'a> {
    /// Whose name begins so.
    pub prefix: &'a str,
    /// Of this metric: name and namespace.
    pub metric: Option<(&'a str, &'a str)>,
    /// After this group and name.
    pub after: (&'a str, &'a str),
    /// At most so many.
    pub most: usize,
}

impl Store {
    /// Puts a metric filter, in the place of one that has its name.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn put_metric_filter(
        &self,
        permit: &Permit<PutMetricFilter>,
        (name, pattern): (&str, &str),
        transformation: &Transformation,
        now: Timestamp,
    ) -> Result<MetricFilterPut, StoreError> {
        let (account, of) = named(permit)?;
        let kept = serde_json::to_string(transformation).map_err(|error| self.database.damaged(error))?;
        self.database.write(|transaction| {
            let Some(group) = decided_group(transaction, permit, (account, &of.group))? else {
                return Ok(MetricFilterPut::NoGroup);
            };
            let others = "SELECT count(*) FROM log_metric_filter WHERE group_id = ?1 AND name <> ?2";
            if transaction.query_row(others, params![group, name], |row| counted(row, 0))? >= MOST {
                return Ok(MetricFilterPut::Full);
            }
            transaction.execute(
                "INSERT INTO log_metric_filter (group_id, name, pattern, transformation, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (group_id, name) DO UPDATE SET pattern = excluded.pattern, transformation = excluded.transformation,
                    created_at = excluded.created_at",
                params![group, name, pattern, kept, micros(now)],
            )?;
            Ok(MetricFilterPut::Done)
        })
    }

    /// Metric filters of the group that the permit is for, or of all groups of its account if it is for none in particular, in
    /// the order of groups and names; `None` if there is no such group.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn metric_filters<A: Action>(
        &self,
        permit: &Permit<A>,
        wanted: &MetricFiltersOf<'_>,
    ) -> Result<Option<Vec<MetricFilter>>, StoreError> {
        let account = super::account_of(permit)?;
        let of = log_name(permit.resource());
        let most = i64::try_from(wanted.most).unwrap_or(i64::MAX);
        let found: Option<Vec<(MetricFilter, String)>> = self.database.read(|connection| {
            let group = match &of {
                None => None,
                Some(of) => match decided_group(connection, permit, (account, &of.group))? {
                    None => return Ok(None),
                    Some(group) => Some(group),
                },
            };
            let mut select = connection.prepare(
                "SELECT g.name, f.name, f.pattern, f.transformation, f.created_at FROM log_metric_filter AS f
                    JOIN log_group AS g USING (group_id)
                 WHERE g.account_id = ?1 AND g.gone = 0 AND (?2 IS NULL OR g.group_id = ?2)
                    AND substr(f.name, 1, length(?3)) = ?3 AND (g.name, f.name) > (?4, ?5)
                    AND (?6 IS NULL OR (json_extract(f.transformation, '$.name') = ?6
                        AND json_extract(f.transformation, '$.namespace') = ?7))
                 ORDER BY g.name, f.name LIMIT ?8",
            )?;
            let (name, namespace) = wanted.metric.unzip();
            let values = params![
                account.as_str(),
                group,
                wanted.prefix,
                wanted.after.0,
                wanted.after.1,
                name,
                namespace,
                most
            ];
            let rows = select.query_map(values, filter)?;
            rows.collect::<rusqlite::Result<Vec<_>>>().map(Some)
        })?;
        let read = |(filter, kept): (MetricFilter, String)| {
            let transformation = serde_json::from_str(&kept).map_err(|error| self.database.damaged(error))?;
            Ok(MetricFilter {
                transformation,
                ..filter
            })
        };
        found
            .map(|found| found.into_iter().map(read).collect())
            .transpose()
    }

    /// Deletes a metric filter; `None` if there is no such group, `false` if it has none of this name.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn delete_metric_filter(
        &self,
        permit: &Permit<DeleteMetricFilter>,
        name: &str,
    ) -> Result<Option<bool>, StoreError> {
        let (account, of) = named(permit)?;
        self.database.write(|transaction| {
            let Some(group) = decided_group(transaction, permit, (account, &of.group))? else {
                return Ok(None);
            };
            let delete = "DELETE FROM log_metric_filter WHERE group_id = ?1 AND name = ?2";
            Ok(Some(transaction.execute(delete, params![group, name])? > 0))
        })
    }
}

fn filter(row: &Row<'_>) -> rusqlite::Result<(MetricFilter, String)> {
    let filter = MetricFilter {
        group: row.get(0)?,
        name: row.get(1)?,
        pattern: row.get(2)?,
        transformation: Transformation {
            name: String::new(),
            namespace: String::new(),
            value: String::new(),
            default: None,
            dimensions: BTreeMap::new(),
            unit: None,
        },
        created: time(row, 4)?,
    };
    Ok((filter, row.get(3)?))
}
