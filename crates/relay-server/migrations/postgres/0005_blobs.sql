-- Blobs: opaque bytes in pieces. A piece is an object of the blob store; here is where it stands.
CREATE TABLE blobs (
    id         BYTEA   NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    uploader   BYTEA   NOT NULL,
    workspace  BYTEA   NOT NULL,
    bytes      BIGINT  NOT NULL CHECK (bytes > 0),
    stored     BIGINT  NOT NULL DEFAULT 0 CHECK (stored BETWEEN 0 AND bytes),
    collect_at BIGINT  -- when it goes, unless something names it by then; NULL while something does
);
CREATE INDEX blobs_collect_at ON blobs (collect_at) WHERE collect_at IS NOT NULL;
CREATE INDEX blobs_uploader ON blobs (uploader);

CREATE TABLE blob_pieces (
    blob   BYTEA   NOT NULL REFERENCES blobs,
    start  BIGINT  NOT NULL CHECK (start >= 0),
    length BIGINT  NOT NULL CHECK (length > 0),
    object BYTEA   NOT NULL UNIQUE CHECK (length(object) = 16),
    PRIMARY KEY (blob, start)
);

-- What names a blob and so keeps it.
CREATE TABLE blob_uses (
    kind   BIGINT  NOT NULL, -- 1 a message, 2 a segment of a backup, 3 an account
    owner  BYTEA   NOT NULL, -- its conversation; its account
    number BIGINT  NOT NULL, -- its sequence; its number
    blob   BYTEA   NOT NULL REFERENCES blobs,
    PRIMARY KEY (kind, owner, number, blob)
);
CREATE INDEX blob_uses_blob ON blob_uses (blob);

-- Objects that belong to nothing any more and are still to be deleted.
CREATE TABLE blob_garbage (
    object BYTEA NOT NULL PRIMARY KEY
);

-- How many bytes an account's blobs, or a workspace's, have reserved.
CREATE TABLE blob_room (
    owner BYTEA   NOT NULL PRIMARY KEY,
    bytes BIGINT  NOT NULL CHECK (bytes >= 0)
);

-- The head of each account's backup; its segments are blobs that it names.
CREATE TABLE backup_heads (
    account BYTEA  NOT NULL PRIMARY KEY,
    number  BIGINT NOT NULL, -- rises by one with each head
    backup  BYTEA  NOT NULL,
    first   BIGINT NOT NULL,
    last    BIGINT NOT NULL,
    head    BYTEA  NOT NULL
);

-- Where devices can be woken.
CREATE TABLE push_targets (
    account BYTEA NOT NULL,
    device  BYTEA NOT NULL,
    target  TEXT NOT NULL, -- PushTarget, as JSON
    PRIMARY KEY (account, device)
);

-- Wake-ups that are still to be delivered, at most one a device.
CREATE TABLE push_queue (
    account  BYTEA NOT NULL,
    device   BYTEA NOT NULL,
    number   BIGINT NOT NULL, -- rises with each message that it stands for
    due_at   BIGINT NOT NULL, -- when it is tried next; while it is tried, when somebody else may
    attempts BIGINT NOT NULL,
    is_dead  BIGINT NOT NULL, -- tried too often; stays until the next message
    PRIMARY KEY (account, device)
);
CREATE INDEX push_queue_due_at ON push_queue (due_at) WHERE is_dead = 0;
