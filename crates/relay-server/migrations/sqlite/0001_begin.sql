-- Version 1 of the relay's state on SQLite.
--
-- Ids are 16 bytes, digests 32, times milliseconds since 1970. What is signed or sealed is stored
-- as the CBOR that was uploaded. Columns are never given another meaning; new ones are added.

CREATE TABLE metadata (
    name   TEXT    NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO metadata (name, number) VALUES ('epoch', 1);

CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workspaces (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX workspaces_default ON workspaces (is_default) WHERE is_default = 1;

-- Accounts, with everything that there is one of.
CREATE TABLE accounts (
    id                 BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    username           TEXT    NOT NULL,
    workspace          BLOB    NOT NULL REFERENCES workspaces,
    opaque_record      BLOB    NOT NULL,
    devices            BLOB    NOT NULL, -- PublishedDevices
    device_list_number INTEGER NOT NULL,
    device_list_digest BLOB    NOT NULL,
    envelope_keys      BLOB    NOT NULL, -- Unverified<EnvelopeKeys>
    envelope_epoch     INTEGER NOT NULL,
    envelope_digest    BLOB    NOT NULL,
    keyring            BLOB    NOT NULL,
    keyring_number     INTEGER NOT NULL,
    created_at         INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX accounts_username ON accounts (lower(username));

CREATE TABLE workspace_members (
    workspace BLOB    NOT NULL REFERENCES workspaces,
    account   BLOB    NOT NULL REFERENCES accounts,
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    account    BLOB NOT NULL REFERENCES accounts,
    device     BLOB NOT NULL CHECK (length(device) = 16),
    removed_at INTEGER,
    PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;

-- Log-in.
CREATE TABLE pending (
    kind       INTEGER NOT NULL,
    key        BLOB    NOT NULL,
    state      BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_expires_at ON pending (expires_at);

CREATE TABLE refresh_families (
    id         BLOB    NOT NULL PRIMARY KEY,
    account    BLOB    NOT NULL,
    device     BLOB    NOT NULL,
    is_revoked INTEGER NOT NULL DEFAULT 0,
    FOREIGN KEY (account, device) REFERENCES devices
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_families_device ON refresh_families (account, device);

CREATE TABLE refresh_tokens (
    hash       BLOB    NOT NULL PRIMARY KEY,
    family     BLOB    NOT NULL REFERENCES refresh_families ON DELETE CASCADE,
    successor  BLOB, -- the hash of the token that this one was spent for
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

-- Prekeys.
CREATE TABLE prekey_sets (
    account BLOB    NOT NULL,
    device  BLOB    NOT NULL,
    number  INTEGER NOT NULL,
    digest  BLOB    NOT NULL,
    signed  BLOB    NOT NULL, -- Unverified<PrekeySet>
    PRIMARY KEY (account, device),
    FOREIGN KEY (account, device) REFERENCES devices
) STRICT;

CREATE TABLE one_time_prekeys (
    account BLOB    NOT NULL,
    device  BLOB    NOT NULL,
    place   INTEGER NOT NULL,
    prekey  BLOB    NOT NULL, -- OneTimePrekey
    PRIMARY KEY (account, device, place)
) STRICT;

-- Conversations. The row of a conversation is small, because every message writes it.
CREATE TABLE conversations (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace   BLOB    NOT NULL REFERENCES workspaces,
    direct_pair BLOB, -- both account ids, the lower first
    head_index  INTEGER NOT NULL,
    head        BLOB    NOT NULL,
    last        INTEGER NOT NULL DEFAULT 0, -- the last message's sequence
    created_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX conversations_direct ON conversations (workspace, direct_pair)
    WHERE direct_pair IS NOT NULL;

CREATE TABLE memberships (
    conversation BLOB NOT NULL PRIMARY KEY REFERENCES conversations,
    state        BLOB NOT NULL -- Membership
) STRICT;

CREATE TABLE entries (
    conversation BLOB    NOT NULL REFERENCES conversations,
    place        INTEGER NOT NULL,
    digest       BLOB    NOT NULL,
    entry        BLOB    NOT NULL, -- SignedEntry
    PRIMARY KEY (conversation, place)
) STRICT;

-- Who was in a conversation, from which message to which. Who comes back has two rows.
CREATE TABLE stays (
    conversation   BLOB    NOT NULL REFERENCES conversations,
    account        BLOB    NOT NULL REFERENCES accounts,
    joined_index   INTEGER NOT NULL, -- of the entry that brought them
    first_sequence INTEGER NOT NULL, -- of the first message they may read
    left_index     INTEGER,          -- of the entry that they left with
    last_sequence  INTEGER,          -- of the last message they may read
    PRIMARY KEY (conversation, account, joined_index),
    CHECK ((left_index IS NULL) = (last_sequence IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX stays_account ON stays (account, conversation);

-- Messages. When one is erased, its place and its id stay.
CREATE TABLE messages (
    conversation   BLOB    NOT NULL,
    sequence       INTEGER NOT NULL CHECK (sequence > 0),
    message        BLOB    NOT NULL CHECK (length(message) = 16),
    sender_account BLOB    NOT NULL,
    sender_device  BLOB    NOT NULL,
    received_at    INTEGER NOT NULL,
    expires_at     INTEGER, -- when it is to be erased
    seen_timer_ms  INTEGER, -- how long it lasts once everybody has seen it
    header         BLOB,
    commitment     BLOB,
    payload        BLOB,
    wraps          BLOB,    -- List<Wrap>
    PRIMARY KEY (conversation, sequence),
    UNIQUE (conversation, message),
    CHECK ((header IS NULL) = (commitment IS NULL)
       AND (header IS NULL) = (payload IS NULL)
       AND (header IS NULL) = (wraps IS NULL))
) STRICT;
CREATE INDEX messages_expires_at ON messages (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX messages_await_seen ON messages (conversation, sequence)
    WHERE seen_timer_ms IS NOT NULL;

CREATE TABLE cursors (
    account      BLOB    NOT NULL,
    device       BLOB    NOT NULL,
    conversation BLOB    NOT NULL,
    up_to        INTEGER NOT NULL,
    PRIMARY KEY (account, device, conversation)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipts (
    conversation BLOB    NOT NULL REFERENCES conversations,
    account      BLOB    NOT NULL,
    device       BLOB    NOT NULL,
    kind         INTEGER NOT NULL,
    up_to        INTEGER NOT NULL,
    receipt      BLOB    NOT NULL, -- SignedReceipt
    PRIMARY KEY (conversation, account, device, kind)
) STRICT;
