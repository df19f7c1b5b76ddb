//! Version 2: roles as AWS has them (paths, ids, boundaries, tags), managed and inline policies, instance profiles, and
//! when who last used what. The roles of version 1 move over.

/// One of the letters of an identifier, by chance.
macro_rules! letter {
    () => {
        "substr('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 1 + (random() & 31), 1)"
    };
}

/// Names are unique whatever their case: `folded` is the name in lower case. Policies, tags and boundaries hang on the
/// unique id of what they belong to, so that they stay when it is renamed and never pass to a successor of its name.
pub(super) const STATEMENTS: &str = concat!(
    "
CREATE TABLE iam_role (
    role_id             TEXT PRIMARY KEY,
    account_id          TEXT NOT NULL REFERENCES account,
    name                TEXT NOT NULL,
    folded              TEXT NOT NULL,
    path                TEXT NOT NULL,
    trust_policy        TEXT NOT NULL,
    description         TEXT,
    max_session_seconds INTEGER NOT NULL,
    service             TEXT,
    boundary            TEXT,
    created_at          INTEGER NOT NULL,
    UNIQUE (account_id, folded)
) STRICT;
CREATE INDEX iam_role_bounded ON iam_role (account_id, boundary);

CREATE TABLE iam_trusted (
    role_id  TEXT NOT NULL REFERENCES iam_role ON DELETE CASCADE,
    arn      TEXT NOT NULL,
    bound_id TEXT NOT NULL,
    PRIMARY KEY (role_id, arn)
) STRICT;

CREATE TABLE iam_policy (
    policy_id       TEXT PRIMARY KEY,
    account_id      TEXT NOT NULL REFERENCES account,
    name            TEXT NOT NULL,
    folded          TEXT NOT NULL,
    path            TEXT NOT NULL,
    description     TEXT,
    default_version INTEGER NOT NULL,
    last_version    INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (account_id, folded)
) STRICT;

CREATE TABLE iam_policy_version (
    policy_id  TEXT NOT NULL REFERENCES iam_policy ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    document   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (policy_id, version)
) STRICT;

CREATE TABLE iam_role_policy (
    role_id  TEXT NOT NULL REFERENCES iam_role,
    name     TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (role_id, name)
) STRICT;

CREATE TABLE iam_role_attachment (
    role_id    TEXT NOT NULL REFERENCES iam_role,
    policy_arn TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES account,
    PRIMARY KEY (role_id, policy_arn)
) STRICT;
CREATE INDEX iam_role_attachment_of ON iam_role_attachment (account_id, policy_arn);

CREATE TABLE iam_tag (
    owner_id TEXT NOT NULL,
    folded   TEXT NOT NULL,
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (owner_id, folded)
) STRICT;

CREATE TABLE iam_instance_profile (
    profile_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES account,
    name       TEXT NOT NULL,
    folded     TEXT NOT NULL,
    path       TEXT NOT NULL,
    role_id    TEXT REFERENCES iam_role,
    created_at INTEGER NOT NULL,
    UNIQUE (account_id, folded)
) STRICT;
CREATE INDEX iam_instance_profile_of ON iam_instance_profile (role_id);

CREATE TABLE iam_role_deletion (
    task_id    TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES account,
    deleted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE iam_access_job (
    job_id     TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES account,
    arn        TEXT NOT NULL,
    asked_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX iam_access_job_of ON iam_access_job (account_id, asked_at);

CREATE TABLE iam_last_access (
    principal TEXT NOT NULL,
    service   TEXT NOT NULL,
    region    TEXT NOT NULL,
    used_at   INTEGER NOT NULL,
    PRIMARY KEY (principal, service)
) STRICT;
CREATE TABLE iam_last_access_mark (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    position INTEGER NOT NULL
) STRICT;

INSERT INTO iam_role
    SELECT 'AROA' || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    " || ",
    letter!(),
    ",
        account_id, name, lower(name), '/', trust_policy, NULL, 3600, NULL, NULL, created_at FROM role;
INSERT INTO iam_role_policy
    SELECT iam_role.role_id, role_policy.name, role_policy.document FROM role_policy
    JOIN iam_role ON iam_role.account_id = role_policy.account_id AND iam_role.name = role_policy.role;
DROP TABLE role_policy;
DROP TABLE role;
"
);
