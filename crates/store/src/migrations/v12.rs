//! Version 12: what was restored and who accepted it, and how far jobs have come.

/// Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "
CREATE TABLE restoration (
    restore_id  TEXT PRIMARY KEY,
    restored_at INTEGER NOT NULL,
    made_at     INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    known_epoch INTEGER,
    accepted_at INTEGER,
    accepted_by TEXT,
    CHECK ((accepted_at IS NULL) = (accepted_by IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE job_place (
    job   TEXT PRIMARY KEY,
    place TEXT NOT NULL,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";
