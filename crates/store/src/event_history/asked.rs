//! What is asked of the history.

use moho_terms::{AccountId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use super::{EventHistory, KeptEvent, integer};
use crate::error::StoreError;

/// What is looked up: newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLookup {
    /// Whose events.
    pub account: AccountId,
    /// Not before, to the second.
    pub from: Option<Timestamp>,
    /// Not after, to the second.
    pub to: Option<Timestamp>,
    /// Only such.
    pub attribute: Option<HistoryAttribute>,
    /// Only those behind this one in the order of the answer: its time in seconds, and its number.
    pub behind: Option<(u64, i64)>,
    /// At most so many.
    pub limit: u32,
}

/// By what events are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryAttribute {
    /// By their own id.
    EventId(String),
    /// By the operation.
    EventName(String),
    /// By whether they could change nothing.
    ReadOnly(bool),
    /// By the name of the user or session.
    Username(String),
    /// By what kind of thing they were about.
    ResourceType(String),
    /// By what they were about.
    ResourceName(String),
    /// By the service.
    EventSource(String),
    /// By the public half of the credentials.
    AccessKeyId(String),
}

/// Some events, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The events, newest first.
    pub events: Vec<KeptEvent>,
    /// Behind which there are more.
    pub more: Option<(u64, i64)>,
}

impl EventHistory {
    /// Looks events up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn look_up(&self, lookup: &HistoryLookup) -> Result<HistoryPage, StoreError> {
        let (text, values) = asked(lookup);
        let connection = self.connection();
        let read = || {
            let mut select = connection.prepare_cached(&text)?;
            let rows = select.query_map(params_from_iter(values), |row| Ok((row.get(0)?, kept(row)?)))?;
            let mut events = rows.collect::<rusqlite::Result<Vec<(i64, KeptEvent)>>>()?;
            let limit = usize::try_from(lookup.limit).unwrap_or(usize::MAX);
            let is_more = events.len() > limit;
            events.truncate(limit);
            let more = events.last().filter(|_| is_more);
            let more = more.map(|(number, last)| (last.time.unix_seconds(), *number));
            let mut resources = connection
                .prepare_cached("SELECT kind, name FROM resource WHERE number = ?1 ORDER BY kind, name")?;
            for (number, event) in &mut events {
                let found = resources.query_map([*number], |row| Ok((row.get(0)?, row.get(1)?)))?;
                event.resources = found.collect::<rusqlite::Result<_>>()?;
            }
            let events = events.into_iter().map(|(_, event)| event).collect();
            Ok(HistoryPage { events, more })
        };
        read().map_err(|error| self.failed(error))
    }
}

/// The statement that answers, and its values. Which events they are is read from one index, in its order; only what is answered is
/// read whole.
fn asked(lookup: &HistoryLookup) -> (String, Vec<Value>) {
    let (table, column, wanted): (_, _, Option<Value>) = match &lookup.attribute {
        None => ("event", "", None),
        Some(HistoryAttribute::EventId(id)) => ("event", "event_id", Some(id.clone().into())),
        Some(HistoryAttribute::EventName(name)) => ("event", "name", Some(name.clone().into())),
        Some(HistoryAttribute::ReadOnly(is)) => ("event", "read_only", Some(i64::from(*is).into())),
        Some(HistoryAttribute::Username(name)) => ("event", "user_name", Some(name.clone().into())),
        Some(HistoryAttribute::EventSource(source)) => ("event", "source", Some(source.clone().into())),
        Some(HistoryAttribute::AccessKeyId(key)) => ("event", "access_key", Some(key.clone().into())),
        Some(HistoryAttribute::ResourceName(name)) => ("resource", "name", Some(name.clone().into())),
        Some(HistoryAttribute::ResourceType(kind)) => ("resource", "kind", Some(kind.clone().into())),
    };
    let mut values = vec![Value::from(lookup.account.as_str().to_owned())];
    let mut conditions = vec!["account = ?".to_owned()];
    let mut only = |condition: String, value: Value| {
        conditions.push(condition);
        values.push(value);
    };
    if let Some(wanted) = wanted {
        only(format!("{column} = ?"), wanted);
    }
    let seconds = |time: Timestamp| Value::from(integer(time.unix_seconds()));
    if let Some(time) = lookup.from {
        only("time >= ?".to_owned(), seconds(time));
    }
    if let Some(time) = lookup.to {
        only("time <= ?".to_owned(), seconds(time));
    }
    if let Some((time, number)) = lookup.behind {
        only("(time, number) < (?, ?)".to_owned(), integer(time).into());
        values.push(number.into());
    }
    values.push(i64::from(lookup.limit).saturating_add(1).into());
    let text = format!(
        "SELECT number, position, place, account, time, event_id, source, name, read_only, user_name, access_key, seal_id,
             recipients, sealed
         FROM event WHERE number IN (SELECT number FROM (SELECT DISTINCT time, number FROM {table} WHERE {}
             ORDER BY time DESC, number DESC LIMIT ?))
         ORDER BY time DESC, number DESC",
        conditions.join(" AND ")
    );
    (text, values)
}

fn kept(row: &Row<'_>) -> rusqlite::Result<KeptEvent> {
    let account: String = row.get(3)?;
    let account = account.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(KeptEvent {
        position: row.get::<_, i64>(1)?.unsigned_abs(),
        place: row.get(2)?,
        account,
        time: Timestamp::from_unix_seconds(row.get::<_, i64>(4)?.unsigned_abs()),
        event_id: row.get(5)?,
        source: row.get(6)?,
        name: row.get(7)?,
        read_only: row.get(8)?,
        user_name: row.get(9)?,
        access_key: row.get(10)?,
        resources: Vec::new(),
        seal_id: row.get(11)?,
        recipients: row.get(12)?,
        sealed: row.get(13)?,
    })
}
