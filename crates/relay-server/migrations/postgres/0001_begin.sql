-- Version 1 of the relay's state on PostgreSQL.
--
-- Ids are 16 bytes, digests 32, times milliseconds since 1970. What is signed or sealed is stored
-- as the CBOR that was uploaded. Columns are never given another meaning; new ones are added.

CREATE TABLE metadata (
    name   TEXT   NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);
INSERT INTO metadata (name, number) VALUES ('epoch', 1);

CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE workspaces (
    id         BYTEA  NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    is_default BIGINT NOT NULL CHECK (is_default IN (0, 1)),
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX workspaces_default ON workspaces (is_default) WHERE is_default = 1;

-- Accounts, with everything that there is one of.
CREATE TABLE accounts (
    id                 BYTEA  NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    username           TEXT   NOT NULL,
    workspace          BYTEA  NOT NULL REFERENCES workspaces,
    opaque_record      BYTEA  NOT NULL,
    devices            BYTEA  NOT NULL, -- PublishedDevices
    device_list_number BIGINT NOT NULL,
    device_list_digest BYTEA  NOT NULL,
    envelope_keys      BYTEA  NOT NULL, -- Unverified<EnvelopeKeys>
    envelope_epoch     BIGINT NOT NULL,
    envelope_digest    BYTEA  NOT NULL,
    keyring            BYTEA  NOT NULL,
    keyring_number     BIGINT NOT NULL,
    created_at         BIGINT NOT NULL
);
CREATE UNIQUE INDEX accounts_username ON accounts (lower(username));

CREATE TABLE workspace_members (
    workspace BYTEA  NOT NULL REFERENCES workspaces,
    account   BYTEA  NOT NULL REFERENCES accounts,
    joined_at BIGINT NOT NULL,
    PRIMARY KEY (workspace, account)
);

CREATE TABLE devices (
    account    BYTEA NOT NULL REFERENCES accounts,
    device     BYTEA NOT NULL CHECK (octet_length(device) = 16),
    removed_at BIGINT,
    PRIMARY KEY (account, device)
);

-- Log-in.
CREATE TABLE pending (
    kind       BIGINT NOT NULL,
    key        BYTEA  NOT NULL,
    state      BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX pending_expires_at ON pending (expires_at);

CREATE TABLE refresh_families (
    id         BYTEA  NOT NULL PRIMARY KEY,
    account    BYTEA  NOT NULL,
    device     BYTEA  NOT NULL,
    is_revoked BIGINT NOT NULL DEFAULT 0,
    FOREIGN KEY (account, device) REFERENCES devices
);
CREATE INDEX refresh_families_device ON refresh_families (account, device);

CREATE TABLE refresh_tokens (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    family     BYTEA  NOT NULL REFERENCES refresh_families ON DELETE CASCADE,
    successor  BYTEA, -- the hash of the token that this one was spent for
    expires_at BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

-- Prekeys.
CREATE TABLE prekey_sets (
    account BYTEA  NOT NULL,
    device  BYTEA  NOT NULL,
    number  BIGINT NOT NULL,
    digest  BYTEA  NOT NULL,
    signed  BYTEA  NOT NULL, -- Unverified<PrekeySet>
    PRIMARY KEY (account, device),
    FOREIGN KEY (account, device) REFERENCES devices
);

CREATE TABLE one_time_prekeys (
    account BYTEA  NOT NULL,
    device  BYTEA  NOT NULL,
    place   BIGINT NOT NULL,
    prekey  BYTEA  NOT NULL, -- OneTimePrekey
    PRIMARY KEY (account, device, place)
);

-- Conversations. The row of a conversation is small, because every message writes it.
CREATE TABLE conversations (
    id          BYTEA  NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    workspace   BYTEA  NOT NULL REFERENCES workspaces,
    direct_pair BYTEA, -- both account ids, the lower first
    head_index  BIGINT NOT NULL,
    head        BYTEA  NOT NULL,
    last        BIGINT NOT NULL DEFAULT 0, -- the last message's sequence
    created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX conversations_direct ON conversations (workspace, direct_pair)
    WHERE direct_pair IS NOT NULL;

CREATE TABLE memberships (
    conversation BYTEA NOT NULL PRIMARY KEY REFERENCES conversations,
    state        BYTEA NOT NULL -- Membership
);

CREATE TABLE entries (
    conversation BYTEA  NOT NULL REFERENCES conversations,
    place        BIGINT NOT NULL,
    digest       BYTEA  NOT NULL,
    entry        BYTEA  NOT NULL, -- SignedEntry
    PRIMARY KEY (conversation, place)
);

-- Who was in a conversation, from which message to which. Who comes back has two rows.
CREATE TABLE stays (
    conversation   BYTEA  NOT NULL REFERENCES conversations,
    account        BYTEA  NOT NULL REFERENCES accounts,
    joined_index   BIGINT NOT NULL, -- of the entry that brought them
    first_sequence BIGINT NOT NULL, -- of the first message they may read
    left_index     BIGINT,          -- of the entry that they left with
    last_sequence  BIGINT,          -- of the last message they may read
    PRIMARY KEY (conversation, account, joined_index),
    CHECK ((left_index IS NULL) = (last_sequence IS NULL))
);
CREATE INDEX stays_account ON stays (account, conversation);

-- Messages. When one is erased, its place and its id stay.
CREATE TABLE messages (
    conversation   BYTEA  NOT NULL,
    sequence       BIGINT NOT NULL CHECK (sequence > 0),
    message        BYTEA  NOT NULL CHECK (octet_length(message) = 16),
    sender_account BYTEA  NOT NULL,
    sender_device  BYTEA  NOT NULL,
    received_at    BIGINT NOT NULL,
    expires_at     BIGINT, -- when it is to be erased
    seen_timer_ms  BIGINT, -- how long it lasts once everybody has seen it
    header         BYTEA,
    commitment     BYTEA,
    payload        BYTEA,
    wraps          BYTEA,    -- List<Wrap>
    PRIMARY KEY (conversation, sequence),
    UNIQUE (conversation, message),
    CHECK ((header IS NULL) = (commitment IS NULL)
       AND (header IS NULL) = (payload IS NULL)
       AND (header IS NULL) = (wraps IS NULL))
);
-- Ciphertext does not compress; compressing it would only cost.
ALTER TABLE messages
    ALTER COLUMN payload SET STORAGE EXTERNAL,
    ALTER COLUMN wraps SET STORAGE EXTERNAL;
CREATE INDEX messages_expires_at ON messages (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX messages_await_seen ON messages (conversation, sequence)
    WHERE seen_timer_ms IS NOT NULL;

CREATE TABLE cursors (
    account      BYTEA  NOT NULL,
    device       BYTEA  NOT NULL,
    conversation BYTEA  NOT NULL,
    up_to        BIGINT NOT NULL,
    PRIMARY KEY (account, device, conversation)
);

CREATE TABLE receipts (
    conversation BYTEA  NOT NULL REFERENCES conversations,
    account      BYTEA  NOT NULL,
    device       BYTEA  NOT NULL,
    kind         BIGINT NOT NULL,
    up_to        BIGINT NOT NULL,
    receipt      BYTEA  NOT NULL, -- SignedReceipt
    PRIMARY KEY (conversation, account, device, kind)
);

-- Rows that are written over and over find room beside themselves, and are swept early.
ALTER TABLE conversations SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE cursors SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE receipts SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE messages SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE pending SET (autovacuum_vacuum_scale_factor = 0.02);
