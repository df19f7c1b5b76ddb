//! Version 4: the organisation's tree of units and accounts, its policies, what they are attached to, and tags.

/// Ids are those of AWS Organizations. A node's parent is there, and only the root has none; that nothing goes in circles
/// is seen when the tree is read. Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "
CREATE TABLE organisation_management (
    only_one   INTEGER PRIMARY KEY CHECK (only_one = 1),
    account_id TEXT NOT NULL REFERENCES account
) STRICT;

CREATE TABLE organisation_node (
    node_id   TEXT PRIMARY KEY,
    kind      TEXT NOT NULL CHECK (kind IN ('ROOT', 'ORGANIZATIONAL_UNIT', 'ACCOUNT')),
    parent_id TEXT REFERENCES organisation_node,
    name      TEXT NOT NULL,
    CHECK ((kind = 'ROOT') = (parent_id IS NULL)),
    CHECK (parent_id <> node_id)
) STRICT;
CREATE UNIQUE INDEX organisation_one_root ON organisation_node (kind) WHERE kind = 'ROOT';
CREATE UNIQUE INDEX organisation_unit_name ON organisation_node (parent_id, name) WHERE kind = 'ORGANIZATIONAL_UNIT';
CREATE INDEX organisation_children ON organisation_node (parent_id);

CREATE TABLE member_account (
    account_id    TEXT PRIMARY KEY REFERENCES account,
    email         TEXT NOT NULL UNIQUE COLLATE NOCASE,
    joined_method TEXT NOT NULL CHECK (joined_method IN ('CREATED', 'INVITED')),
    joined_at     INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED')),
    closed_at     INTEGER
) STRICT;

CREATE TABLE account_creation (
    request_id     TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    requested_at   INTEGER NOT NULL,
    completed_at   INTEGER NOT NULL,
    account_id     TEXT REFERENCES account,
    failure_reason TEXT,
    CHECK ((account_id IS NULL) <> (failure_reason IS NULL))
) STRICT;

CREATE TABLE organisation_policy_type (
    type       TEXT PRIMARY KEY,
    enabled_at INTEGER NOT NULL
) STRICT;

CREATE TABLE organisation_policy (
    policy_id   TEXT PRIMARY KEY,
    type        TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    content     TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (type, name)
) STRICT;

CREATE TABLE organisation_attachment (
    policy_id   TEXT NOT NULL REFERENCES organisation_policy,
    node_id     TEXT NOT NULL REFERENCES organisation_node ON DELETE CASCADE,
    attached_at INTEGER NOT NULL,
    PRIMARY KEY (policy_id, node_id)
) STRICT;
CREATE INDEX organisation_attached ON organisation_attachment (node_id);

CREATE TABLE organisation_tag (
    resource_id TEXT NOT NULL,
    key         TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (resource_id, key)
) STRICT;

CREATE TRIGGER organisation_found AFTER INSERT ON organisation_management BEGIN
    INSERT INTO organisation_node
        SELECT 'r-' || substr(organisation_id, 3, 4), 'ROOT', NULL, 'Root' FROM organisation;
    INSERT INTO organisation_node
        SELECT new.account_id, 'ACCOUNT', node_id, 'Management' FROM organisation_node WHERE kind = 'ROOT';
    INSERT INTO member_account
        SELECT new.account_id, 'management@' || organisation_id || '.invalid', 'INVITED', created_at, 'ACTIVE', NULL
        FROM organisation;
    INSERT INTO organisation_policy_type
        SELECT 'SERVICE_CONTROL_POLICY', created_at FROM organisation
        UNION ALL SELECT 'RESOURCE_CONTROL_POLICY', created_at FROM organisation;
    INSERT INTO organisation_policy
        SELECT 'p-FullAWSAccess', 'SERVICE_CONTROL_POLICY', 'FullAWSAccess', 'Allows access to every operation',
            '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}',
            created_at, created_at FROM organisation;
    INSERT INTO organisation_policy
        SELECT 'p-RCPFullAWSAccess', 'RESOURCE_CONTROL_POLICY', 'RCPFullAWSAccess', 'Allows access to every resource',
            '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}',
            created_at, created_at FROM organisation;
    INSERT INTO organisation_attachment
        SELECT policy_id, node_id, created_at FROM organisation_policy, organisation_node;
END;

INSERT INTO organisation_management
    SELECT 1, account_id FROM account ORDER BY created_at, account_id LIMIT 1;
";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::{v1, v2, v3};
    use super::STATEMENTS;

    #[test]
    fn an_installation_of_before_becomes_an_organisation_of_one_account() {
        let connection = Connection::open_in_memory().unwrap();
        for earlier in [v1::STATEMENTS, v2::STATEMENTS, v3::STATEMENTS] {
            connection.execute_batch(earlier).unwrap();
        }
        connection
            .execute_batch(
                "INSERT INTO organisation VALUES (1, 'o-0123456789abcdef', 1);
                 INSERT INTO account VALUES ('123456789012', 'moho-local-1', 1);",
            )
            .unwrap();
        connection.execute_batch(STATEMENTS).unwrap();
        let told = |query: &str| -> String { connection.query_row(query, [], |row| row.get(0)).unwrap() };
        assert_eq!(
            told("SELECT parent_id FROM organisation_node WHERE kind = 'ACCOUNT'"),
            "r-0123"
        );
        assert_eq!(
            told("SELECT email FROM member_account"),
            "management@o-0123456789abcdef.invalid"
        );
        assert_eq!(told("SELECT count(*) || '' FROM organisation_attachment"), "4");
    }
}
