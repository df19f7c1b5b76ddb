//! Version 15: trails, how far each has come, and the keys that their digests are signed with.

/// Times are microseconds since 1970. What a trail has to deliver is written down before it is delivered: which records, under
/// which name, and what they come to.
pub(super) const STATEMENTS: &str = "
CREATE TABLE trail (
    trail_id        TEXT PRIMARY KEY,
    account_id      TEXT NOT NULL REFERENCES account,
    name            TEXT NOT NULL,
    home_region     TEXT NOT NULL,
    bucket          TEXT NOT NULL,
    -- Whose that was when the trail was set to it.
    bucket_owner    TEXT NOT NULL,
    prefix          TEXT,
    kms_key         TEXT,
    multi_region    INTEGER NOT NULL CHECK (multi_region IN (0, 1)),
    global_services INTEGER NOT NULL CHECK (global_services IN (0, 1)),
    -- The organisation whose accounts it is of; without one, it is of its own account.
    organization    TEXT,
    validation      INTEGER NOT NULL CHECK (validation IN (0, 1)),
    -- As JSON; without any, all management events.
    selectors       TEXT,
    created_at      INTEGER NOT NULL,
    -- Since when nobody sees it any more: what happened before is still delivered.
    deleted_at      INTEGER,
    logging         INTEGER NOT NULL CHECK (logging IN (0, 1)),
    started_at      INTEGER,
    stopped_at      INTEGER
) STRICT;
CREATE UNIQUE INDEX trail_name ON trail (account_id, home_region, name) WHERE deleted_at IS NULL;

CREATE TABLE trail_status (
    trail_id        TEXT PRIMARY KEY REFERENCES trail ON DELETE CASCADE,
    attempted_at    INTEGER,
    delivered_at    INTEGER,
    error           TEXT,
    digested_at     INTEGER,
    digest_error    TEXT,
    -- How often in a row delivery has failed, and when it is tried again.
    failures        INTEGER NOT NULL DEFAULT 0,
    again_at        INTEGER
) STRICT;

CREATE TABLE trail_tag (
    trail_id        TEXT NOT NULL REFERENCES trail ON DELETE CASCADE,
    key             TEXT NOT NULL,
    value           TEXT NOT NULL,
    PRIMARY KEY (trail_id, key)
) STRICT;

-- From a start of logging to its stop: one chain of digests for each account.
CREATE TABLE trail_span (
    trail_id        TEXT NOT NULL REFERENCES trail ON DELETE CASCADE,
    span            INTEGER NOT NULL,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    PRIMARY KEY (trail_id, span)
) STRICT;

-- How far the journal of each process is read, and to where.
CREATE TABLE trail_cursor (
    trail_id        TEXT NOT NULL,
    span            INTEGER NOT NULL,
    node            TEXT NOT NULL,
    position        INTEGER NOT NULL,
    until           INTEGER,
    -- The journal that the positions are of, once it was looked at.
    journal         TEXT,
    next_at         INTEGER NOT NULL,
    PRIMARY KEY (trail_id, span, node),
    FOREIGN KEY (trail_id, span) REFERENCES trail_span ON DELETE CASCADE
) STRICT;

-- Log files that no digest names yet.
CREATE TABLE trail_log (
    trail_id        TEXT NOT NULL,
    span            INTEGER NOT NULL,
    node            TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    -- The records behind the first position, to the last one, that these selectors choose.
    first_position  INTEGER NOT NULL,
    last_position   INTEGER NOT NULL,
    selectors       TEXT,
    global_services INTEGER NOT NULL CHECK (global_services IN (0, 1)),
    bucket          TEXT NOT NULL,
    bucket_owner    TEXT NOT NULL,
    key             TEXT NOT NULL,
    kms_key         TEXT,
    hash            BLOB NOT NULL CHECK (length(hash) = 32),
    oldest          INTEGER NOT NULL,
    newest          INTEGER NOT NULL,
    -- Whether a put was begun of which nobody knows whether it was done.
    unsure          INTEGER NOT NULL DEFAULT 0 CHECK (unsure IN (0, 1)),
    delivered_at    INTEGER,
    PRIMARY KEY (trail_id, span, node, account_id, last_position),
    FOREIGN KEY (trail_id, span) REFERENCES trail_span ON DELETE CASCADE
) STRICT;

-- How far a chain of digests has come.
CREATE TABLE trail_chain (
    trail_id        TEXT NOT NULL,
    span            INTEGER NOT NULL,
    account_id      TEXT NOT NULL,
    -- Where the next one begins.
    begins_at       INTEGER NOT NULL,
    -- The last one that was delivered.
    bucket          TEXT,
    bucket_owner    TEXT,
    key             TEXT,
    hash            BLOB,
    signature       TEXT,
    -- Whether that was the last one of the span.
    done            INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
    PRIMARY KEY (trail_id, span, account_id),
    FOREIGN KEY (trail_id, span) REFERENCES trail_span ON DELETE CASCADE
) STRICT;

-- A digest that is signed and has to be delivered.
CREATE TABLE trail_digest (
    trail_id        TEXT NOT NULL,
    span            INTEGER NOT NULL,
    account_id      TEXT NOT NULL,
    ends_at         INTEGER NOT NULL,
    bucket          TEXT NOT NULL,
    bucket_owner    TEXT NOT NULL,
    key             TEXT NOT NULL,
    kms_key         TEXT,
    body            BLOB NOT NULL,
    hash            BLOB NOT NULL CHECK (length(hash) = 32),
    signature       TEXT NOT NULL,
    is_last         INTEGER NOT NULL CHECK (is_last IN (0, 1)),
    -- As of a log file.
    unsure          INTEGER NOT NULL DEFAULT 0 CHECK (unsure IN (0, 1)),
    PRIMARY KEY (trail_id, span, account_id),
    FOREIGN KEY (trail_id, span, account_id) REFERENCES trail_chain ON DELETE CASCADE
) STRICT;

CREATE TABLE digest_key (
    fingerprint     TEXT PRIMARY KEY,
    region          TEXT NOT NULL,
    -- RSAPublicKey, DER.
    public_key      BLOB NOT NULL,
    -- PKCS #8, sealed under a key of the store's.
    sealed          BLOB NOT NULL,
    valid_from      INTEGER NOT NULL,
    valid_to        INTEGER NOT NULL
) STRICT;
";
