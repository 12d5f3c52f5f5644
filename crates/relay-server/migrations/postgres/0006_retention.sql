-- When somebody was last there, as far as others in a workspace may know.
CREATE TABLE last_seen (
    account   BYTEA  NOT NULL,
    workspace BYTEA  NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (account, workspace)
);
ALTER TABLE last_seen SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- By whose word a message is gone: SignedDeletion.
ALTER TABLE messages ADD COLUMN deletion BYTEA;
