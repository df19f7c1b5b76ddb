//! Version 8: buckets, objects and their versions, uploads, and the segments that hold their bytes.

use super::v7::counted;

/// Names and numbers are in the clear; what objects say of themselves and hold is sealed. Times are microseconds since
/// 1970. The head of an object says which of its versions is current, and which is the one called `null`; the versions of
/// a key are in the order of their ids, the newest first. A body is what a version holds, or an upload collects: it has the
/// upload's id. The documents in `settings` and `encryption`, and tags, are JSON.
pub(super) const STATEMENTS: &str = concat!(
    "
CREATE TABLE bucket (
    name        TEXT PRIMARY KEY,
    bucket_id   INTEGER NOT NULL UNIQUE,
    account_id  TEXT NOT NULL REFERENCES account,
    region      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    versioning  TEXT NOT NULL CHECK (versioning IN ('Never', 'Enabled', 'Suspended')),
    object_lock INTEGER NOT NULL CHECK (object_lock IN (0, 1)),
    settings    TEXT NOT NULL,
    CHECK (NOT object_lock OR versioning = 'Enabled')
) STRICT, WITHOUT ROWID;
CREATE INDEX bucket_of ON bucket (account_id, name);

CREATE TABLE bucket_document (
    bucket_id INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (bucket_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE object_head (
    bucket_id    INTEGER NOT NULL,
    key          TEXT NOT NULL,
    current      TEXT NOT NULL,
    null_version TEXT,
    is_marker    INTEGER NOT NULL CHECK (is_marker IN (0, 1)),
    PRIMARY KEY (bucket_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE object_version (
    bucket_id      INTEGER NOT NULL,
    key            TEXT NOT NULL,
    version_id     TEXT NOT NULL,
    is_null        INTEGER NOT NULL CHECK (is_null IN (0, 1)),
    modified_at    INTEGER NOT NULL,
    body_id        TEXT,
    size           INTEGER NOT NULL,
    etag           TEXT NOT NULL,
    parts          INTEGER,
    retention_mode TEXT CHECK (retention_mode IN ('GOVERNANCE', 'COMPLIANCE')),
    retain_until   INTEGER,
    legal_hold     INTEGER NOT NULL CHECK (legal_hold IN (0, 1)),
    tags           TEXT,
    key_arn        TEXT,
    encryption     TEXT,
    sealed         BLOB,
    PRIMARY KEY (bucket_id, key, version_id),
    CHECK ((retention_mode IS NULL) = (retain_until IS NULL)),
    CHECK ((body_id IS NULL) = (sealed IS NULL) AND (body_id IS NULL) = (key_arn IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE object_upload (
    bucket_id      INTEGER NOT NULL,
    key            TEXT NOT NULL,
    upload_id      TEXT NOT NULL,
    initiated_at   INTEGER NOT NULL,
    initiator      TEXT NOT NULL,
    retention_mode TEXT CHECK (retention_mode IN ('GOVERNANCE', 'COMPLIANCE')),
    retain_until   INTEGER,
    legal_hold     INTEGER NOT NULL CHECK (legal_hold IN (0, 1)),
    tags           TEXT,
    key_arn        TEXT NOT NULL,
    encryption     TEXT NOT NULL,
    sealed         BLOB NOT NULL,
    PRIMARY KEY (bucket_id, key, upload_id),
    CHECK ((retention_mode IS NULL) = (retain_until IS NULL))
) STRICT, WITHOUT ROWID;

-- A segment in a file of its own has its id, an inline one its bytes.
CREATE TABLE object_segment (
    body_id       TEXT NOT NULL,
    part          INTEGER NOT NULL,
    segment_id    TEXT,
    plain_length  INTEGER NOT NULL,
    sealed_length INTEGER NOT NULL,
    commitment    BLOB NOT NULL,
    sums          BLOB NOT NULL,
    etag          TEXT NOT NULL,
    modified_at   INTEGER NOT NULL,
    sealed        BLOB,
    inline        BLOB,
    PRIMARY KEY (body_id, part),
    CHECK ((segment_id IS NULL) <> (inline IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX object_segment_file ON object_segment (segment_id) WHERE segment_id IS NOT NULL;

-- Files whose segment nobody needs any more.
CREATE TABLE segment_garbage (
    segment_id TEXT PRIMARY KEY,
    noted_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX segment_garbage_at ON segment_garbage (noted_at, segment_id);

-- How much is sealed under which key, for the accounts that it belongs to.
CREATE TABLE object_sealed (
    account_id TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    count      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    PRIMARY KEY (account_id, key_id, kind)
) STRICT, WITHOUT ROWID;

-- The latest time that was ever told: locks do not open because a clock was put back.
CREATE TABLE latest_time (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO latest_time VALUES (1, 0);
",
    counted!("bucket", "bucket_document")
);
