//! What the tree finds out, on its way through SQLite's errors.

use std::fmt;
use std::sync::Arc;

/// What was found to be altered. It names, and holds no content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alteration {
    /// A row of this table, by its primary key, is another one than was written, was removed, or was never written.
    Row {
        /// The table.
        table: String,
        /// The primary key, if it is known: of a row that was removed it is not.
        key: Option<String>,
    },
    /// What finds the rows of this table no more finds all of them, or others.
    Index(String),
    /// The tree itself, or what it hangs on.
    Tree(&'static str),
}

impl fmt::Display for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row {
                table,
                key: Some(key),
            } => write!(f, "row {key} of `{table}` is not as it was written"),
            Self::Row { table, key: None } => write!(f, "a row of `{table}` is missing"),
            Self::Index(table) => write!(f, "an index of `{table}` does not fit its rows"),
            Self::Tree(what) => write!(f, "{what}"),
        }
    }
}

/// Why what is there cannot be what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Tampering {
    /// It was altered.
    #[error("{0}")]
    Altered(Alteration),
    /// It is an earlier one.
    #[error("change {found} instead of {expected}")]
    RolledBack {
        /// How many changes it has seen.
        found: u64,
        /// How many it had seen at least.
        expected: u64,
    },
    /// None: a later moho has brought the database to this version meanwhile.
    #[error("a later moho has changed the schema")]
    Newer(u32),
}

impl Tampering {
    pub(crate) fn tree(what: &'static str) -> Self {
        Self::Altered(Alteration::Tree(what))
    }

    pub(super) fn row(table: &str, key: Option<String>) -> Self {
        let table = table.to_owned();
        Self::Altered(Alteration::Row { table, key })
    }
}

impl From<Tampering> for rusqlite::Error {
    fn from(tampering: Tampering) -> Self {
        Self::UserFunctionError(Box::new(tampering))
    }
}

/// What a failure of SQLite's says of alterations.
pub(crate) fn tampering(error: &rusqlite::Error) -> Option<&Tampering> {
    if let rusqlite::Error::UserFunctionError(inner) = error {
        return inner.downcast_ref();
    }
    // One of several who were told the same.
    if let rusqlite::Error::FromSqlConversionFailure(_, _, inner) = error {
        return tampering(inner.downcast_ref::<Arc<rusqlite::Error>>()?);
    }
    None
}
