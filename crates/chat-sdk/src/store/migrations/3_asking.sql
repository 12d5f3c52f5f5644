-- When we last asked a device for its sender chain, which we lack.
CREATE TABLE chains_asked_for (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    device       BLOB    NOT NULL CHECK (length(device) = 16),
    at           INTEGER NOT NULL,
    PRIMARY KEY (conversation, account, device)
) STRICT, WITHOUT ROWID;

-- Which of our chains a device has asked for, and whether it is still to be handed out on a session
-- that is begun anew: the one there is may be why the chain did not arrive.
CREATE TABLE chains_asked_of_us (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    device       BLOB    NOT NULL CHECK (length(device) = 16),
    epoch        INTEGER NOT NULL,  -- of the chain
    pending      INTEGER NOT NULL,  -- 1 until it is handed out
    PRIMARY KEY (conversation, account, device)
) STRICT, WITHOUT ROWID;
