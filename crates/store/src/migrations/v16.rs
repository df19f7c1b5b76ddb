//! Version 16: where calls of models are logged to, and the records that are on their way there.

/// Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "
-- Accounts that have their calls logged: no other's are.
CREATE TABLE invocation_logging (
    account_id TEXT PRIMARY KEY REFERENCES account,
    -- Where to and what of, as JSON.
    config     TEXT NOT NULL,
    put_at     INTEGER NOT NULL
) STRICT;

-- Records that were not delivered yet, sealed under the key of where they go.
CREATE TABLE invocation_outbox (
    -- In the order in which they were written.
    place       INTEGER PRIMARY KEY,
    account_id  TEXT NOT NULL REFERENCES account,
    -- Where it goes, as JSON.
    destination TEXT NOT NULL,
    key_id      TEXT NOT NULL REFERENCES kms_key,
    -- The key's ARN.
    key         TEXT NOT NULL,
    written_at  INTEGER NOT NULL,
    -- Before sealing.
    size        INTEGER NOT NULL,
    sealed      BLOB NOT NULL
) STRICT;
CREATE INDEX invocation_outbox_backlog ON invocation_outbox (written_at);
CREATE INDEX invocation_outbox_way ON invocation_outbox (account_id, destination, key_id, place, size, written_at);
CREATE INDEX invocation_outbox_key ON invocation_outbox (key_id);

-- How many of an account's records wait, and their bytes before sealing: nobody counts them for that.
CREATE TABLE invocation_waiting (
    account_id TEXT PRIMARY KEY REFERENCES account,
    records    INTEGER NOT NULL,
    bytes      INTEGER NOT NULL
) STRICT;

-- What is delivered together: one at a time for each way that records go. It is there before anything of it is delivered, so
-- that whoever tries again delivers the same under the same name.
CREATE TABLE invocation_batch (
    account_id  TEXT NOT NULL,
    destination TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    -- Of the name of what is delivered: when, and a part of its own.
    made_at     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    first_place INTEGER NOT NULL,
    last_place  INTEGER NOT NULL,
    -- How often it failed, and when it may be tried next.
    failures    INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,
    PRIMARY KEY (account_id, destination, key_id)
) STRICT;
";
