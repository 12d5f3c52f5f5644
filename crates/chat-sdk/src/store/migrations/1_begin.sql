-- Who we are. One row once there is an account.
CREATE TABLE account (
    only           INTEGER PRIMARY KEY CHECK (only = 1),
    relay          TEXT    NOT NULL,
    account        BLOB    NOT NULL CHECK (length(account) = 16),
    device         BLOB    NOT NULL CHECK (length(device) = 16),
    username       TEXT    NOT NULL,
    workspace      BLOB    NOT NULL CHECK (length(workspace) = 16),
    device_secrets BLOB    NOT NULL,  -- snapshot
    keyring        BLOB    NOT NULL,  -- snapshot
    keyring_lock   BLOB    NOT NULL,  -- snapshot
    keyring_number INTEGER NOT NULL,  -- highest seen; the relay may not go back
    devices        BLOB    NOT NULL,  -- PublishedDevices, CBOR
    devices_number INTEGER NOT NULL,
    state          INTEGER NOT NULL,  -- 1 active, 2 logged out, 3 removed
    created_at     INTEGER NOT NULL
) STRICT;

-- What proves to the relay who we are, for a while.
CREATE TABLE tokens (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    access   TEXT    NOT NULL,
    renew_at INTEGER NOT NULL,  -- by this device's clock
    refresh  TEXT               -- absent while somebody is spending it
) STRICT;

-- Small facts that have no table of their own, such as the relay's epoch.
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Our prekeys, secret halves; a spent one-time prekey is gone from its snapshot.
CREATE TABLE prekey_sets (
    number     INTEGER PRIMARY KEY,
    secrets    BLOB    NOT NULL,  -- snapshot
    upload     BLOB,              -- PrekeyUpload, CBOR, until the relay has it
    created_at INTEGER NOT NULL
) STRICT;

-- Other people: the identity key first seen, and the newest device list.
CREATE TABLE peers (
    account          BLOB    PRIMARY KEY CHECK (length(account) = 16),
    username         TEXT    NOT NULL,
    identity_key     BLOB    NOT NULL CHECK (length(identity_key) = 32),
    verified_at      INTEGER,           -- when safety numbers were compared
    devices          BLOB    NOT NULL,  -- PublishedDevices, CBOR, verified before it came here
    devices_number   INTEGER NOT NULL,
    envelope_keys    BLOB    NOT NULL,  -- Unverified<EnvelopeKeys>, CBOR
    envelope_epoch   INTEGER NOT NULL,
    fetched_at       INTEGER NOT NULL,
    stale            INTEGER NOT NULL,  -- 1 when the relay said there is a newer list
    offered_identity BLOB,              -- a changed key that nobody has accepted yet
    deleted_at       INTEGER            -- when the relay says that the account was deleted
) STRICT;
CREATE INDEX peers_by_username ON peers (username);

-- Ratchets: all sessions with one device of somebody.
CREATE TABLE sessions (
    account    BLOB    NOT NULL CHECK (length(account) = 16),
    device     BLOB    NOT NULL CHECK (length(device) = 16),
    snapshot   BLOB    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, device)
) STRICT;

CREATE TABLE conversations (
    id               BLOB    PRIMARY KEY CHECK (length(id) = 16),
    kind             INTEGER NOT NULL,           -- ConversationKind
    title            TEXT,
    peer             BLOB,                       -- the other one, in a direct conversation
    membership       BLOB    NOT NULL,           -- Membership, CBOR: what the log comes to
    membership_index INTEGER NOT NULL,           -- of its last entry
    heard_index      INTEGER NOT NULL DEFAULT 0, -- the highest that a message has named
    state            INTEGER NOT NULL,           -- 1 active, 2 left or removed
    created_at       INTEGER NOT NULL,
    active_at        INTEGER NOT NULL,
    sent_number      INTEGER NOT NULL DEFAULT 0, -- this device's messages so far
    sent_binding     BLOB    NOT NULL DEFAULT (zeroblob(32)) CHECK (length(sent_binding) = 32)
) STRICT;
CREATE INDEX conversations_by_peer ON conversations (peer) WHERE peer IS NOT NULL;
CREATE INDEX conversations_by_activity ON conversations (active_at);

-- Membership logs as they were signed, and who is in them now.
CREATE TABLE membership_entries (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    place        INTEGER NOT NULL,
    entry        BLOB    NOT NULL,  -- SignedEntry, CBOR, verified before it came here
    digest       BLOB    NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (conversation, place)
) STRICT, WITHOUT ROWID;

-- Who was a member from which entry of the log to which; a message names the entry it was sent at.
CREATE TABLE members (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    since        INTEGER NOT NULL,  -- index of the entry that added them
    until        INTEGER,           -- index of the entry that removed them; absent while a member
    PRIMARY KEY (conversation, account, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_account ON members (account);

-- How far we are in each conversation's log.
CREATE TABLE cursors (
    conversation BLOB    PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
    applied      INTEGER NOT NULL DEFAULT 0,  -- committed here
    acknowledged INTEGER NOT NULL DEFAULT 0   -- told to the relay
) STRICT, WITHOUT ROWID;

-- Messages, ours and others'. `place` is the local order of those without a sequence yet.
CREATE TABLE messages (
    place          INTEGER PRIMARY KEY AUTOINCREMENT,
    id             BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    conversation   BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    sender_account BLOB    NOT NULL CHECK (length(sender_account) = 16),
    sender_device  BLOB    NOT NULL CHECK (length(sender_device) = 16),
    outgoing       INTEGER NOT NULL,  -- 1 if this account sent it
    number         INTEGER,           -- the sending device's count; absent until sealed
    previous       BLOB,              -- binding of that device's message before
    named_index    INTEGER,           -- the membership index in its header; absent until sealed
    sequence       INTEGER,           -- absent until accepted
    sent_at        INTEGER NOT NULL,
    received_at    INTEGER,           -- the relay's time of acceptance
    kind           TEXT    NOT NULL,
    body           BLOB    NOT NULL,
    authenticity   INTEGER NOT NULL,  -- Suite: 1 deniable, 2 signed, 3 on a sender chain
    status         INTEGER NOT NULL,  -- 1 queued, 2 sent, 3 delivered, 4 seen, 5 failed
    failure        TEXT,              -- the code of the error, when failed
    expiry_mode    INTEGER,           -- ExpiryMode
    expiry_ms      INTEGER,
    deadline       INTEGER,           -- set once the timer runs
    seen_at        INTEGER,           -- when this account saw it
    target         BLOB,              -- the message that a reaction, an edit or a deletion is about
    thread         BLOB,              -- the first message of its thread
    mentions_us    INTEGER NOT NULL   -- 1 if its words name this account
) STRICT;
-- Not unique: a relay that gives one sequence twice must not stop anything.
CREATE INDEX messages_by_sequence ON messages (conversation, sequence)
    WHERE sequence IS NOT NULL;
CREATE INDEX messages_by_conversation ON messages (conversation, place);
CREATE INDEX messages_by_target ON messages (target) WHERE target IS NOT NULL;
CREATE INDEX messages_by_thread ON messages (thread) WHERE thread IS NOT NULL;
CREATE INDEX messages_unseen ON messages (conversation) WHERE outgoing = 0 AND seen_at IS NULL;
CREATE INDEX messages_by_deadline ON messages (deadline) WHERE deadline IS NOT NULL;

-- The words of messages and of edits, to be searched; only the index is kept, not the words again.
-- `secure-delete`: what is taken out is overwritten, and not left behind until a merge.
CREATE VIRTUAL TABLE search USING fts5 (
    words, content = '', tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);

-- `words_of` is the store's own function: the words of a content, absent if it has none.
CREATE TRIGGER search_learns AFTER INSERT ON messages
WHEN words_of(new.kind, new.body) IS NOT NULL BEGIN
    INSERT INTO search (rowid, words) VALUES (new.place, words_of(new.kind, new.body));
END;
CREATE TRIGGER search_forgets AFTER DELETE ON messages
WHEN words_of(old.kind, old.body) IS NOT NULL BEGIN
    INSERT INTO search (search, rowid, words)
    VALUES ('delete', old.place, words_of(old.kind, old.body));
END;
CREATE TRIGGER search_relearns AFTER UPDATE OF kind, body ON messages
WHEN words_of(old.kind, old.body) IS NOT NULL BEGIN
    INSERT INTO search (search, rowid, words)
    VALUES ('delete', old.place, words_of(old.kind, old.body));
    INSERT INTO search (rowid, words)
    SELECT new.place, words_of(new.kind, new.body) WHERE words_of(new.kind, new.body) IS NOT NULL;
END;

-- What is to be sent; the order within a conversation is the order of `place`.
CREATE TABLE outbox (
    place           INTEGER PRIMARY KEY AUTOINCREMENT,
    message         BLOB    NOT NULL UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
    conversation    BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    state           INTEGER NOT NULL,  -- 1 queued, 2 sealed
    envelope        BLOB,              -- Envelope, CBOR: the bytes that every attempt sends
    compress        INTEGER NOT NULL,  -- 1 if the app allows it
    attempts        INTEGER NOT NULL,  -- how many have failed for what may pass
    reseals         INTEGER NOT NULL,  -- how often the bytes were dropped
    CHECK ((state = 2) = (envelope IS NOT NULL))
) STRICT;
CREATE INDEX outbox_by_conversation ON outbox (conversation, place);

-- Attachments on their way up; the message that waits for one is not in the outbox yet.
CREATE TABLE uploads (
    message      BLOB    PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    blob         BLOB    CHECK (length(blob) = 16),  -- absent until the relay has room
    done         INTEGER NOT NULL,  -- bytes of the blob
    total        INTEGER NOT NULL,
    sealer       BLOB    NOT NULL,  -- snapshot
    description  BLOB,              -- of the whole attachment, once its last piece is on its way
    revision     INTEGER NOT NULL   -- rises with each change
) STRICT;

-- Messages that are in the backup at the relay.
CREATE TABLE backed_up (
    message BLOB PRIMARY KEY CHECK (length(message) = 16)
) STRICT, WITHOUT ROWID;

-- Each sending device's last message in a conversation, so that gaps and forks show.
CREATE TABLE last_heard (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    device       BLOB    NOT NULL CHECK (length(device) = 16),
    number       INTEGER NOT NULL,
    binding      BLOB    NOT NULL CHECK (length(binding) = 32),
    PRIMARY KEY (conversation, account, device)
) STRICT, WITHOUT ROWID;

-- Each device's furthest receipt of a kind; our own ones wait here until the relay has them.
CREATE TABLE receipts (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    device       BLOB    NOT NULL CHECK (length(device) = 16),
    kind         INTEGER NOT NULL,  -- ReceiptKind
    up_to        INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    pending      BLOB,              -- SignedReceipt, CBOR: ours, not sent yet
    PRIMARY KEY (conversation, account, device, kind)
) STRICT, WITHOUT ROWID;

-- Messages that are gone, so that a redelivery does not bring them back.
CREATE TABLE tombstones (
    message      BLOB    PRIMARY KEY CHECK (length(message) = 16),
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    sequence     INTEGER,
    reason       INTEGER NOT NULL,  -- 1 expired, 2 deleted, 3 not readable here, 4 applied, 5 blocked
    at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Deletions of ours that the relay does not have yet.
CREATE TABLE deletions (
    message      BLOB    PRIMARY KEY CHECK (length(message) = 16),
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    signed       BLOB    NOT NULL   -- SignedDeletion, CBOR
) STRICT, WITHOUT ROWID;

-- Messages that their sender deleted before they came; a gap in the sender's count may be these.
CREATE TABLE withdrawn (
    message      BLOB    PRIMARY KEY CHECK (length(message) = 16),
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16)
) STRICT, WITHOUT ROWID;
CREATE INDEX withdrawn_by ON withdrawn (conversation, account);

-- Our sender chain in a large conversation, and the devices that hold it.
CREATE TABLE sending_chains (
    conversation BLOB    PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
    epoch        INTEGER NOT NULL,
    snapshot     BLOB    NOT NULL
) STRICT;
CREATE TABLE chain_holders (
    conversation BLOB    NOT NULL REFERENCES sending_chains (conversation) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    device       BLOB    NOT NULL CHECK (length(device) = 16),
    epoch        INTEGER NOT NULL,  -- of the chain
    list         INTEGER NOT NULL,  -- number of the account's device list then
    PRIMARY KEY (conversation, account, device)
) STRICT, WITHOUT ROWID;

-- A chain on its way to some devices: sealed, and not at the relay yet.
CREATE TABLE hand_outs (
    conversation BLOB    PRIMARY KEY REFERENCES sending_chains (conversation) ON DELETE CASCADE,
    message      BLOB    NOT NULL UNIQUE CHECK (length(message) = 16),
    epoch        INTEGER NOT NULL,
    envelope     BLOB    NOT NULL   -- Envelope, CBOR: the bytes that every attempt sends
) STRICT;
CREATE TABLE hand_out_devices (
    conversation BLOB    NOT NULL REFERENCES hand_outs (conversation) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    device       BLOB    NOT NULL CHECK (length(device) = 16),
    list         INTEGER NOT NULL,
    PRIMARY KEY (conversation, account, device)
) STRICT, WITHOUT ROWID;

-- The chains of others, as far as they were handed to us.
CREATE TABLE received_chains (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    device       BLOB    NOT NULL CHECK (length(device) = 16),
    snapshot     BLOB    NOT NULL,
    PRIMARY KEY (conversation, account, device)
) STRICT;
