//! Version 1: an organisation with accounts, their roles, keys, model agreements and identity providers; sealed
//! responses; flags that can only be set.

/// Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "
CREATE TABLE organisation (
    only_one        INTEGER PRIMARY KEY CHECK (only_one = 1),
    organisation_id TEXT NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
    account_id TEXT PRIMARY KEY,
    region     TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE kms_key (
    key_id     TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES account,
    region     TEXT NOT NULL,
    state      TEXT NOT NULL,
    policy     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    wrapped    BLOB NOT NULL
) STRICT;

CREATE TABLE account_key (
    account_id TEXT PRIMARY KEY REFERENCES account,
    key_id     TEXT NOT NULL REFERENCES kms_key
) STRICT;

CREATE TABLE role (
    account_id   TEXT NOT NULL REFERENCES account,
    name         TEXT NOT NULL,
    trust_policy TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT;

CREATE TABLE role_policy (
    account_id TEXT NOT NULL,
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    document   TEXT NOT NULL,
    PRIMARY KEY (account_id, role, name),
    FOREIGN KEY (account_id, role) REFERENCES role (account_id, name) ON DELETE CASCADE
) STRICT;

CREATE TABLE model_agreement (
    account_id  TEXT NOT NULL REFERENCES account,
    model_id    TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, model_id)
) STRICT;

CREATE TABLE identity_provider (
    arn         TEXT PRIMARY KEY,
    account_id  TEXT NOT NULL REFERENCES account,
    url         TEXT NOT NULL,
    client_ids  TEXT NOT NULL,
    thumbprints TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE flag (
    name   TEXT PRIMARY KEY,
    set_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER flag_stays BEFORE DELETE ON flag BEGIN SELECT RAISE(ABORT, 'a flag is set for good'); END;
CREATE TRIGGER flag_keeps BEFORE UPDATE ON flag BEGIN SELECT RAISE(ABORT, 'a flag is set for good'); END;

CREATE TABLE sealed_response (
    account_id  TEXT NOT NULL REFERENCES account,
    response_id TEXT NOT NULL,
    key_id      TEXT NOT NULL REFERENCES kms_key,
    created_at  INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    sealed      BLOB NOT NULL,
    PRIMARY KEY (account_id, response_id)
) STRICT;
";
