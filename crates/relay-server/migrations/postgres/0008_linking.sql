-- Mailboxes in which two devices meet that are about to be linked. The name is the digest of their
-- rendezvous: whoever reads this table can read no other's mailbox.
CREATE TABLE link_mailboxes (
    mailbox    BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX link_mailboxes_expires_at ON link_mailboxes (expires_at);

CREATE TABLE link_messages (
    mailbox BYTEA NOT NULL REFERENCES link_mailboxes ON DELETE CASCADE,
    side    BIGINT NOT NULL, -- 1 who shows the code, 2 who scans it
    slot    BIGINT NOT NULL,
    message BYTEA NOT NULL,
    PRIMARY KEY (mailbox, side, slot)
);

-- The public half of the key that follows from an account's recovery phrase.
CREATE TABLE recovery_keys (
    account BYTEA NOT NULL PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
    key     BYTEA NOT NULL
);
