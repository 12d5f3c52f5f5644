-- Mailboxes in which two devices meet that are about to be linked. The name is the digest of their
-- rendezvous: whoever reads this table can read no other's mailbox.
CREATE TABLE link_mailboxes (
    mailbox    BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX link_mailboxes_expires_at ON link_mailboxes (expires_at);

CREATE TABLE link_messages (
    mailbox BLOB NOT NULL REFERENCES link_mailboxes ON DELETE CASCADE,
    side    INTEGER NOT NULL, -- 1 who shows the code, 2 who scans it
    slot    INTEGER NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (mailbox, side, slot)
) STRICT;

-- The public half of the key that follows from an account's recovery phrase.
CREATE TABLE recovery_keys (
    account BLOB NOT NULL PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
    key     BLOB NOT NULL
) STRICT;
