//! Version 7: customer-managed keys (one record each, aliases, grants), and numbers that say when something has changed.

/// What counts the changes of a table that policies or the organisation are read from.
macro_rules! counted {
    ($($table:literal),+ $(,)?) => {
        concat!($(
            "CREATE TRIGGER ", $table, "_made AFTER INSERT ON ", $table,
            " BEGIN UPDATE generation SET number = number + 1 WHERE kind = 'metadata'; END;\n",
            "CREATE TRIGGER ", $table, "_altered AFTER UPDATE ON ", $table,
            " BEGIN UPDATE generation SET number = number + 1 WHERE kind = 'metadata'; END;\n",
            "CREATE TRIGGER ", $table, "_removed AFTER DELETE ON ", $table,
            " BEGIN UPDATE generation SET number = number + 1 WHERE kind = 'metadata'; END;\n",
        )+)
    };
}

pub(super) use counted;

/// One change of something that a key has, noted with the key.
macro_rules! noted {
    ($table:literal, $name:literal, $when:literal, $row:literal, $kind:literal) => {
        concat!(
            "CREATE TRIGGER ",
            $table,
            "_",
            $name,
            " AFTER ",
            $when,
            " ON ",
            $table,
            " BEGIN UPDATE generation SET number = number + 1 WHERE kind = '",
            $kind,
            "'; INSERT INTO kms_changed SELECT kind, ",
            $row,
            ".key_id, number FROM generation WHERE kind = '",
            $kind,
            "' ON CONFLICT (kind, key_id) DO UPDATE SET number = excluded.number; END;\n"
        )
    };
}

/// A key that was deleted stays as a row without a record, so that what was sealed under it can be told of. Until `kms`
/// reads the records of before, they are their old columns (version 0). Times are microseconds since 1970.
///
/// Whoever remembers what it has read looks at `generation` to see whether that has changed; `kms_changed` says which keys
/// have, at which number.
pub(super) const STATEMENTS: &str = concat!(
    "
ALTER TABLE kms_key ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE kms_key ADD COLUMN due_at INTEGER;
ALTER TABLE kms_key ADD COLUMN record BLOB;
UPDATE kms_key SET record = unhex('00' || hex(json_object(
    'key_id', key_id, 'account', account_id, 'region', region, 'state', state, 'policy', policy,
    'created_at', created_at, 'wrapped', hex(wrapped))));
ALTER TABLE kms_key DROP COLUMN state;
ALTER TABLE kms_key DROP COLUMN policy;
ALTER TABLE kms_key DROP COLUMN created_at;
ALTER TABLE kms_key DROP COLUMN wrapped;
CREATE INDEX kms_key_of ON kms_key (account_id, key_id) WHERE record IS NOT NULL;
CREATE INDEX kms_key_due ON kms_key (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sealed_response_under ON sealed_response (account_id, key_id, size);

CREATE TABLE kms_alias (
    account_id TEXT NOT NULL REFERENCES account,
    name       TEXT NOT NULL,
    key_id     TEXT NOT NULL REFERENCES kms_key,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX kms_alias_of ON kms_alias (key_id);

-- Pairs of a constraint and operations are JSON.
CREATE TABLE kms_grant (
    key_id          TEXT NOT NULL REFERENCES kms_key,
    grant_id        TEXT NOT NULL UNIQUE,
    grantee         TEXT NOT NULL,
    grantee_id      TEXT,
    retiring        TEXT,
    retiring_id     TEXT,
    operations      TEXT NOT NULL,
    constraint_kind TEXT CHECK (constraint_kind IN ('EQUALS', 'SUBSET')),
    pairs           TEXT,
    name            TEXT,
    issuing_account TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (key_id, grant_id),
    CHECK ((constraint_kind IS NULL) = (pairs IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX kms_grant_retired_by ON kms_grant (retiring, grant_id) WHERE retiring IS NOT NULL;
CREATE INDEX kms_grant_to ON kms_grant (key_id, grantee, grant_id);
CREATE INDEX kms_grant_named ON kms_grant (key_id, name) WHERE name IS NOT NULL;

-- What each moho counts for itself, by its name; the one that has the store alone has none.
ALTER TABLE quota_counter RENAME TO quota_counter_before;
CREATE TABLE quota_counter (
    node     TEXT NOT NULL,
    day      INTEGER NOT NULL,
    counter  BLOB NOT NULL,
    requests INTEGER NOT NULL,
    input    INTEGER NOT NULL,
    output   INTEGER NOT NULL,
    PRIMARY KEY (node, day, counter)
) STRICT, WITHOUT ROWID;
INSERT INTO quota_counter SELECT '', day, counter, requests, input, output FROM quota_counter_before;
DROP TABLE quota_counter_before;
ALTER TABLE iam_last_access_mark RENAME TO iam_last_access_mark_before;
CREATE TABLE iam_last_access_mark (
    node     TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO iam_last_access_mark SELECT '', position FROM iam_last_access_mark_before;
DROP TABLE iam_last_access_mark_before;

CREATE TABLE generation (
    kind   TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO generation VALUES ('metadata', 1), ('key', 1), ('alias', 1), ('grant', 1);

CREATE TABLE kms_changed (
    kind   TEXT NOT NULL,
    key_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (kind, key_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX kms_changed_at ON kms_changed (kind, number);
",
    noted!("kms_key", "made", "INSERT", "NEW", "key"),
    noted!("kms_key", "altered", "UPDATE", "NEW", "key"),
    noted!("kms_key", "removed", "DELETE", "OLD", "key"),
    noted!("kms_alias", "made", "INSERT", "NEW", "alias"),
    noted!("kms_alias", "altered_from", "UPDATE", "OLD", "alias"),
    noted!("kms_alias", "altered_to", "UPDATE", "NEW", "alias"),
    noted!("kms_alias", "removed", "DELETE", "OLD", "alias"),
    noted!("kms_grant", "made", "INSERT", "NEW", "grant"),
    noted!("kms_grant", "altered", "UPDATE", "NEW", "grant"),
    noted!("kms_grant", "removed", "DELETE", "OLD", "grant"),
    "
-- When a credential was last used says nothing of what it may do.
CREATE TRIGGER access_key_made AFTER INSERT ON access_key
    BEGIN UPDATE generation SET number = number + 1 WHERE kind = 'metadata'; END;
CREATE TRIGGER access_key_altered AFTER UPDATE OF access_key_id, user_id, active, sealed ON access_key
    BEGIN UPDATE generation SET number = number + 1 WHERE kind = 'metadata'; END;
CREATE TRIGGER access_key_removed AFTER DELETE ON access_key
    BEGIN UPDATE generation SET number = number + 1 WHERE kind = 'metadata'; END;
",
    counted!(
        "organisation",
        "account",
        "account_key",
        "account_alias",
        "account_creation",
        "model_agreement",
        "model_agreement_ended",
        "identity_provider",
        "saml_provider",
        "flag",
        "iam_role",
        "iam_trusted",
        "iam_policy",
        "iam_policy_version",
        "iam_role_policy",
        "iam_role_attachment",
        "iam_tag",
        "iam_instance_profile",
        "iam_identity",
        "iam_identity_policy",
        "iam_identity_attachment",
        "iam_member",
        "service_credential",
        "organisation_management",
        "organisation_node",
        "member_account",
        "organisation_policy_type",
        "organisation_policy",
        "organisation_attachment",
        "organisation_tag",
        "configured_endpoint",
        "vpc_endpoint",
        "vpc_endpoint_tag",
        "inference_profile",
        "inference_profile_tag",
    )
);

#[cfg(test)]
mod tests {
    use moho_kms::{KeyRecord, KeyState};
    use rusqlite::Connection;

    use super::super::{STEPS, v1, v2, v3, v4, v5, v6};
    use super::STATEMENTS;

    /// Tables whose changes nobody remembers anything of.
    const UNCOUNTED: [&str; 51] = [
        "generation",
        "kms_changed",
        "authentic_key",
        "authentic_node",
        "authentic_root",
        "kms_key",
        "kms_alias",
        "kms_grant",
        "sealed_response",
        "model_use_case",
        "quota_counter",
        "usage",
        "iam_last_access",
        "iam_last_access_mark",
        "iam_role_deletion",
        "iam_access_job",
        "object_head",
        "object_version",
        "object_upload",
        "object_segment",
        "segment_garbage",
        "object_sealed",
        "latest_time",
        "prompt",
        "prompt_version",
        "prompt_tag",
        "trail",
        "trail_status",
        "trail_tag",
        "trail_span",
        "trail_cursor",
        "trail_log",
        "trail_chain",
        "trail_digest",
        "digest_key",
        "data_retention",
        "conversation",
        "conversation_item",
        "restoration",
        "job_place",
        "log_number",
        "log_group",
        "log_tag",
        "log_stream",
        "log_block",
        "log_metric_filter",
        "log_policy",
        "invocation_logging",
        "invocation_outbox",
        "invocation_waiting",
        "invocation_batch",
    ];

    fn before() -> Connection {
        let sqlite = Connection::open_in_memory().unwrap();
        sqlite.pragma_update(None, "foreign_keys", true).unwrap();
        for earlier in [
            v1::STATEMENTS,
            v2::STATEMENTS,
            v3::STATEMENTS,
            v4::STATEMENTS,
            v5::STATEMENTS,
            v6::STATEMENTS,
        ] {
            sqlite.execute_batch(earlier).unwrap();
        }
        sqlite
    }

    #[test]
    fn keys_of_before_are_records_of_version_0_and_what_they_sealed_stays() {
        let sqlite = before();
        sqlite
            .execute_batch(
                "INSERT INTO organisation VALUES (1, 'o-0123456789abcdef', 1);
                 INSERT INTO account VALUES ('123456789012', 'moho-local-1', 1);
                 INSERT INTO kms_key VALUES ('11111111-2222-4333-8444-555555555555', '123456789012', 'moho-local-1',
                    'Disabled', '{\"a\": \"\u{e9}\\n\"}', 7, x'01ab');
                 INSERT INTO account_key VALUES ('123456789012', '11111111-2222-4333-8444-555555555555');
                 INSERT INTO sealed_response VALUES ('123456789012', 'r', '11111111-2222-4333-8444-555555555555', 1, 2, x'03');",
            )
            .unwrap();
        sqlite.execute_batch(STATEMENTS).unwrap();
        let (bytes, revision): (Vec<u8>, u32) = sqlite
            .query_row("SELECT record, revision FROM kms_key", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(revision, 1);
        let record = KeyRecord::peek(&bytes).unwrap();
        assert_eq!(record.key_id.as_str(), "11111111-2222-4333-8444-555555555555");
        assert_eq!(record.account.as_str(), "123456789012");
        assert_eq!(record.policy, "{\"a\": \"\u{e9}\\n\"}");
        assert_eq!(record.created_at.unix_micros(), 7);
        assert!(matches!(record.state, KeyState::Disabled));
        assert!(
            String::from_utf8_lossy(&bytes).contains("01AB"),
            "the wrapped material"
        );
        let kept: u32 = sqlite
            .query_row(
                "SELECT count(*) FROM sealed_response JOIN account_key USING (key_id)",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(kept, 1);
    }

    #[test]
    fn every_change_of_metadata_is_counted() {
        let sqlite = Connection::open_in_memory().unwrap();
        for step in STEPS {
            sqlite.execute_batch(step).unwrap();
        }
        let list = |query: &str| -> Vec<String> {
            let mut statement = sqlite.prepare(query).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<rusqlite::Result<_>>().unwrap()
        };
        let tables = list("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
        assert!(tables.len() > 40, "{tables:?}");
        let triggers = list("SELECT name FROM sqlite_schema WHERE type = 'trigger'");
        for table in tables.iter().filter(|table| !UNCOUNTED.contains(&table.as_str())) {
            for change in ["made", "altered", "removed"] {
                let name = format!("{table}_{change}");
                assert!(
                    triggers.contains(&name),
                    "changes of `{table}` are not counted, and it is not said why"
                );
            }
        }
        assert!(
            UNCOUNTED
                .iter()
                .all(|table| tables.contains(&(*table).to_owned()))
        );
    }

    #[test]
    fn what_changes_of_a_key_is_noted_with_it() {
        let sqlite = Connection::open_in_memory().unwrap();
        for step in STEPS {
            sqlite.execute_batch(step).unwrap();
        }
        sqlite.pragma_update(None, "foreign_keys", false).unwrap();
        let noted = |change: &str| -> Vec<(String, String)> {
            sqlite.execute_batch("DELETE FROM kms_changed").unwrap();
            sqlite.execute_batch(change).unwrap();
            let mut statement = sqlite
                .prepare(
                    "SELECT kms_changed.kind, key_id FROM kms_changed JOIN generation USING (kind)
                     WHERE kms_changed.number <= generation.number ORDER BY key_id",
                )
                .unwrap();
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap();
            rows.collect::<rusqlite::Result<_>>().unwrap()
        };
        let is = |kind: &str, keys: &[&str]| -> Vec<(String, String)> {
            keys.iter()
                .map(|key| (kind.to_owned(), (*key).to_owned()))
                .collect()
        };
        for (change, expected) in [
            (
                "INSERT INTO kms_key VALUES ('k', 'a', 'r', 1, NULL, x'00')",
                is("key", &["k"]),
            ),
            ("UPDATE kms_key SET record = NULL", is("key", &["k"])),
            (
                "INSERT INTO kms_alias VALUES ('a', 'n', 'k', 1, 1)",
                is("alias", &["k"]),
            ),
            ("UPDATE kms_alias SET key_id = 'l'", is("alias", &["k", "l"])),
            ("DELETE FROM kms_alias", is("alias", &["l"])),
            (
                "INSERT INTO kms_grant VALUES ('k', 'g', 'to', NULL, NULL, NULL, '[]', NULL, NULL, NULL, 'a', 1)",
                is("grant", &["k"]),
            ),
            ("DELETE FROM kms_grant", is("grant", &["k"])),
        ] {
            assert_eq!(noted(change), expected, "{change}");
        }
    }
}
