//! Version 5: private endpoints.

/// Times are microseconds since 1970. What the settings say of an endpoint (its listener, network and accounts) is not kept
/// here, only what accounts changed, and which account it was: a policy that is NULL is the default one.
pub(super) const STATEMENTS: &str = "
CREATE TABLE configured_endpoint (
    endpoint_id TEXT PRIMARY KEY,
    account_id  TEXT NOT NULL,
    policy      TEXT,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE vpc_endpoint (
    endpoint_id  TEXT PRIMARY KEY,
    account_id   TEXT NOT NULL REFERENCES account,
    vpc_id       TEXT NOT NULL,
    service      TEXT NOT NULL,
    policy       TEXT,
    client_token TEXT,
    created_at   INTEGER NOT NULL,
    UNIQUE (account_id, vpc_id, service),
    UNIQUE (account_id, client_token)
) STRICT;

CREATE TABLE vpc_endpoint_tag (
    endpoint_id TEXT NOT NULL REFERENCES vpc_endpoint ON DELETE CASCADE,
    key         TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, key)
) STRICT;
";
