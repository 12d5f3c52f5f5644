-- What opens a message once more, for whoever its reader discloses it to: the message's own secret,
-- which opens no other. It goes with the words.
CREATE TABLE disclosures (
    message BLOB PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    secret  BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER disclosures_go AFTER UPDATE OF kind ON messages
WHEN old.kind <> new.kind BEGIN
    DELETE FROM disclosures WHERE message = old.id;
END;

-- Messages under envelope keys of this account that have not come here yet, as they were delivered.
CREATE TABLE parked (
    place        INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    sequence     INTEGER NOT NULL,
    message      BLOB    NOT NULL CHECK (length(message) = 16),
    received_at  INTEGER NOT NULL,  -- the relay's time of acceptance
    epoch        INTEGER NOT NULL,  -- of the keys it waits for
    is_past      INTEGER NOT NULL,  -- 1 if it was read as history
    envelope     BLOB    NOT NULL,  -- Envelope, CBOR
    until        INTEGER NOT NULL,  -- when it is given up
    UNIQUE (conversation, sequence, message)
) STRICT;
