-- When somebody was last there, as far as others in a workspace may know.
CREATE TABLE last_seen (
    account   BLOB    NOT NULL,
    workspace BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (account, workspace)
) STRICT, WITHOUT ROWID;

-- By whose word a message is gone: SignedDeletion.
ALTER TABLE messages ADD COLUMN deletion BLOB;
