//! Version 14: log groups, their streams and events, and what is said about them.

/// Names, times, sizes and tags are in the clear, and so are metric filters and policies; what events say is sealed. Times of
/// events are milliseconds since 1970, all others microseconds. What was deleted is marked as gone, and its rows go in batches.
pub(super) const STATEMENTS: &str = "
-- No group gets the number of another.
CREATE TABLE log_number (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO log_number VALUES (1, 1);

CREATE TABLE log_group (
    group_id       INTEGER PRIMARY KEY,
    account_id     TEXT NOT NULL REFERENCES account,
    name           TEXT NOT NULL,
    class          TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    retention_days INTEGER,
    -- The key that was chosen for what comes; none is the account's own.
    key_id         TEXT REFERENCES kms_key,
    protected      INTEGER NOT NULL CHECK (protected IN (0, 1)),
    next_stream    INTEGER NOT NULL,
    gone           INTEGER NOT NULL CHECK (gone IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX log_group_name ON log_group (account_id, name) WHERE gone = 0;
CREATE INDEX log_group_gone ON log_group (group_id) WHERE gone = 1;

CREATE TABLE log_tag (
    group_id INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (group_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_stream (
    group_id       INTEGER NOT NULL REFERENCES log_group,
    stream_id      INTEGER NOT NULL,
    name           TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    first_event    INTEGER,
    last_event     INTEGER,
    last_ingestion INTEGER,
    stored_bytes   INTEGER NOT NULL,
    -- How many blocks there are, and the number of the next event.
    blocks         INTEGER NOT NULL,
    next_sequence  INTEGER NOT NULL,
    gone           INTEGER NOT NULL CHECK (gone IN (0, 1)),
    PRIMARY KEY (group_id, stream_id)
) STRICT;
CREATE UNIQUE INDEX log_stream_name ON log_stream (group_id, name) WHERE gone = 0;
CREATE INDEX log_stream_last ON log_stream (group_id, coalesce(last_event, -1), stream_id) WHERE gone = 0;
CREATE INDEX log_stream_gone ON log_stream (group_id, stream_id) WHERE gone = 1;

-- Events that follow one another, compressed and sealed with the id of their block; the sealed summary says which texts are
-- not in them.
CREATE TABLE log_block (
    group_id   INTEGER NOT NULL,
    stream_id  INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    block_id   BLOB NOT NULL,
    key_id     TEXT NOT NULL REFERENCES kms_key,
    level      INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time  INTEGER NOT NULL,
    ingested   INTEGER NOT NULL,
    events     INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    summary    BLOB,
    sealed     BLOB NOT NULL,
    PRIMARY KEY (group_id, stream_id, sequence),
    FOREIGN KEY (group_id, stream_id) REFERENCES log_stream (group_id, stream_id)
) STRICT;
CREATE INDEX log_block_time ON log_block (group_id, last_time, first_time);
CREATE INDEX log_block_key ON log_block (key_id, group_id, size);

-- The transformation is JSON.
CREATE TABLE log_metric_filter (
    group_id       INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
    name           TEXT NOT NULL,
    pattern        TEXT NOT NULL,
    transformation TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (group_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_policy (
    account_id TEXT NOT NULL REFERENCES account,
    name       TEXT NOT NULL,
    document   TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;
";
