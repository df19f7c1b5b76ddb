//! Version 3: users and groups, long-lived credentials, SAML providers, account aliases.

/// Users and groups are one table, as they have the same policies; their tags are in version 2's table of tags, by their unique
/// ids. Names are unique whatever their case: `folded` is the name in lower case. Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "
CREATE TABLE iam_identity (
    identity_id TEXT PRIMARY KEY,
    account_id  TEXT NOT NULL REFERENCES account,
    kind        TEXT NOT NULL CHECK (kind IN ('user', 'group')),
    name        TEXT NOT NULL,
    folded      TEXT NOT NULL,
    path        TEXT NOT NULL,
    boundary    TEXT,
    created_at  INTEGER NOT NULL,
    UNIQUE (account_id, kind, folded)
) STRICT;
CREATE INDEX iam_identity_bounded ON iam_identity (account_id, boundary);

CREATE TABLE iam_identity_policy (
    identity_id TEXT NOT NULL REFERENCES iam_identity,
    name        TEXT NOT NULL,
    document    TEXT NOT NULL,
    PRIMARY KEY (identity_id, name)
) STRICT;

CREATE TABLE iam_identity_attachment (
    identity_id TEXT NOT NULL REFERENCES iam_identity,
    policy_arn  TEXT NOT NULL,
    account_id  TEXT NOT NULL REFERENCES account,
    PRIMARY KEY (identity_id, policy_arn)
) STRICT;
CREATE INDEX iam_identity_attachment_of ON iam_identity_attachment (account_id, policy_arn);

CREATE TABLE iam_member (
    group_id TEXT NOT NULL REFERENCES iam_identity,
    user_id  TEXT NOT NULL REFERENCES iam_identity,
    PRIMARY KEY (group_id, user_id)
) STRICT;
CREATE INDEX iam_member_of ON iam_member (user_id);

CREATE TABLE access_key (
    access_key_id TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES iam_identity,
    active        INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at    INTEGER NOT NULL,
    sealed        BLOB NOT NULL,
    used_at       INTEGER,
    used_service  TEXT,
    used_region   TEXT
) STRICT;
CREATE INDEX access_key_of ON access_key (user_id);

CREATE TABLE service_credential (
    credential_id TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES iam_identity,
    service       TEXT NOT NULL,
    alias         TEXT NOT NULL UNIQUE,
    active        INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    secret_sha256 BLOB NOT NULL
) STRICT;
CREATE INDEX service_credential_of ON service_credential (user_id);

CREATE TABLE saml_provider (
    arn         TEXT PRIMARY KEY,
    account_id  TEXT NOT NULL REFERENCES account,
    provider_id TEXT NOT NULL,
    metadata    TEXT NOT NULL,
    valid_until INTEGER,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE account_alias (
    account_id TEXT PRIMARY KEY REFERENCES account,
    alias      TEXT NOT NULL UNIQUE
) STRICT;
";
