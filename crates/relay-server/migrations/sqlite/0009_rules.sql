-- What a workspace wants beyond the relay's own rules.
CREATE TABLE workspace_rules (
    workspace       BLOB NOT NULL PRIMARY KEY REFERENCES workspaces,
    keep_ms         INTEGER,
    until_delivered INTEGER NOT NULL CHECK (until_delivered IN (0, 1)),
    account_bytes   INTEGER,
    workspace_bytes INTEGER
) STRICT, WITHOUT ROWID;

-- Bytes of messages that were accepted in a month, like 202611.
CREATE TABLE message_usage (
    workspace BLOB NOT NULL,
    account   BLOB NOT NULL,
    month     INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    PRIMARY KEY (workspace, account, month)
) STRICT, WITHOUT ROWID;

-- Everything up to here is gone by a rule, so that nobody looks at it again.
ALTER TABLE conversations ADD COLUMN erased_up_to INTEGER NOT NULL DEFAULT 0;
