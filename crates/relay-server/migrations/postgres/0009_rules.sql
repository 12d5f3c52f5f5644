-- What a workspace wants beyond the relay's own rules.
CREATE TABLE workspace_rules (
    workspace       BYTEA NOT NULL PRIMARY KEY REFERENCES workspaces,
    keep_ms         BIGINT,
    until_delivered BIGINT NOT NULL CHECK (until_delivered IN (0, 1)),
    account_bytes   BIGINT,
    workspace_bytes BIGINT
);

-- Bytes of messages that were accepted in a month, like 202611.
CREATE TABLE message_usage (
    workspace BYTEA NOT NULL,
    account   BYTEA NOT NULL,
    month     BIGINT NOT NULL,
    bytes     BIGINT NOT NULL,
    PRIMARY KEY (workspace, account, month)
);
ALTER TABLE message_usage SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Which node does something for all of them, and until when.
CREATE TABLE leases (
    chore TEXT NOT NULL PRIMARY KEY,
    node  BYTEA NOT NULL,
    until BIGINT NOT NULL
);

-- Everything up to here is gone by a rule, so that nobody looks at it again.
ALTER TABLE conversations ADD COLUMN erased_up_to BIGINT NOT NULL DEFAULT 0;
