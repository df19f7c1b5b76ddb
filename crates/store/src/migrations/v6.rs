//! Version 6: access to models, inference profiles, quotas and usage.

/// Times are microseconds since 1970, but for `usage.at`, which is the second in which a time of `width` seconds began,
/// and `quota_counter.day`, which counts the days of UTC since then.
pub(super) const STATEMENTS: &str = "
-- Agreements that an account has ended: what began with the installation does not come back by itself.
CREATE TABLE model_agreement_ended (
    account_id TEXT NOT NULL REFERENCES account,
    model_id   TEXT NOT NULL,
    ended_at   INTEGER NOT NULL,
    PRIMARY KEY (account_id, model_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE model_use_case (
    account_id TEXT PRIMARY KEY REFERENCES account,
    key_id     TEXT NOT NULL REFERENCES kms_key,
    put_at     INTEGER NOT NULL,
    sealed     BLOB NOT NULL
) STRICT;

CREATE TABLE inference_profile (
    account_id   TEXT NOT NULL REFERENCES account,
    profile_id   TEXT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT,
    model_id     TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    -- The caller's token, and what it asked for with it.
    client_token TEXT,
    asked        BLOB,
    PRIMARY KEY (account_id, profile_id),
    UNIQUE (account_id, client_token)
) STRICT;

CREATE TABLE inference_profile_tag (
    account_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (account_id, profile_id, key),
    FOREIGN KEY (account_id, profile_id) REFERENCES inference_profile (account_id, profile_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_counter (
    day      INTEGER NOT NULL,
    counter  BLOB NOT NULL,
    requests INTEGER NOT NULL,
    input    INTEGER NOT NULL,
    output   INTEGER NOT NULL,
    PRIMARY KEY (day, counter)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
    width     INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    account   TEXT NOT NULL,
    principal TEXT NOT NULL,
    model     TEXT NOT NULL,
    profile   TEXT NOT NULL,
    requests  INTEGER NOT NULL,
    input     INTEGER NOT NULL,
    cached    INTEGER NOT NULL,
    output    INTEGER NOT NULL,
    PRIMARY KEY (account, width, at, principal, model, profile)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_age ON usage (width, at);
";
