//! Version 11: conversations and their items, sealed; and how long content may stay.

/// What is kept for a response from before stays for 30 days from now, as what is new does.
pub(super) const STATEMENTS: &str = "
-- Accounts that said something about it: all others keep content for the usual time.
CREATE TABLE data_retention (
    account_id TEXT PRIMARY KEY REFERENCES account,
    -- 'default' or 'none'
    mode       TEXT NOT NULL,
    days       INTEGER,
    updated_at INTEGER NOT NULL
) STRICT;

ALTER TABLE sealed_response ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
UPDATE sealed_response SET expires_at = (CAST(strftime('%s', 'now') AS INTEGER) + 30 * 86400) * 1000000;
CREATE INDEX sealed_response_expiry ON sealed_response (expires_at);

CREATE TABLE conversation (
    account_id      TEXT NOT NULL REFERENCES account,
    conversation_id TEXT NOT NULL,
    key_id          TEXT NOT NULL REFERENCES kms_key,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    -- The time it stays after its last turn.
    days            INTEGER NOT NULL,
    -- The place of the next item: none is given twice.
    next_position   INTEGER NOT NULL,
    -- Its metadata.
    size            INTEGER NOT NULL,
    sealed          BLOB NOT NULL,
    PRIMARY KEY (account_id, conversation_id)
) STRICT;
CREATE INDEX conversation_expiry ON conversation (expires_at);
CREATE INDEX conversation_key ON conversation (key_id);

CREATE TABLE conversation_item (
    account_id      TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    position        INTEGER NOT NULL,
    item_id         TEXT NOT NULL,
    size            INTEGER NOT NULL,
    sealed          BLOB NOT NULL,
    PRIMARY KEY (account_id, conversation_id, position),
    UNIQUE (account_id, conversation_id, item_id),
    FOREIGN KEY (account_id, conversation_id)
        REFERENCES conversation (account_id, conversation_id) ON DELETE CASCADE
) STRICT;
";
