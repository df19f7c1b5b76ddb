//! Version 10: prompts and their versions, sealed.

/// Names, tags and times are in the clear; what a prompt says and how it is described is sealed.
pub(super) const STATEMENTS: &str = "
CREATE TABLE prompt (
    account_id   TEXT NOT NULL REFERENCES account,
    prompt_id    TEXT NOT NULL,
    name         TEXT NOT NULL,
    -- The number of the newest version there ever was: none is given twice.
    last_version INTEGER NOT NULL,
    -- The caller's token, and a keyed digest of what it asked for with it.
    client_token TEXT,
    asked        BLOB,
    PRIMARY KEY (account_id, prompt_id),
    UNIQUE (account_id, name),
    UNIQUE (account_id, client_token)
) STRICT;

-- Version 0 is the draft, the only one that changes.
CREATE TABLE prompt_version (
    account_id   TEXT NOT NULL,
    prompt_id    TEXT NOT NULL,
    version      INTEGER NOT NULL,
    name         TEXT NOT NULL,
    key_id       TEXT NOT NULL REFERENCES kms_key,
    -- Whether the caller named the key, or it is the account's own.
    key_chosen   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    sealed       BLOB NOT NULL,
    client_token TEXT,
    asked        BLOB,
    PRIMARY KEY (account_id, prompt_id, version),
    UNIQUE (account_id, prompt_id, client_token),
    FOREIGN KEY (account_id, prompt_id) REFERENCES prompt (account_id, prompt_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX prompt_version_key ON prompt_version (key_id);

CREATE TABLE prompt_tag (
    account_id TEXT NOT NULL,
    prompt_id  TEXT NOT NULL,
    version    INTEGER NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (account_id, prompt_id, version, key),
    FOREIGN KEY (account_id, prompt_id, version)
        REFERENCES prompt_version (account_id, prompt_id, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
";
