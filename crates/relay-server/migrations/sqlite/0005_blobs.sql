-- Blobs: opaque bytes in pieces. A piece is an object of the blob store; here is where it stands.
CREATE TABLE blobs (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    uploader   BLOB    NOT NULL,
    workspace  BLOB    NOT NULL,
    bytes      INTEGER NOT NULL CHECK (bytes > 0),
    stored     INTEGER NOT NULL DEFAULT 0 CHECK (stored BETWEEN 0 AND bytes),
    collect_at INTEGER -- when it goes, unless something names it by then; NULL while something does
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_collect_at ON blobs (collect_at) WHERE collect_at IS NOT NULL;
CREATE INDEX blobs_uploader ON blobs (uploader);

CREATE TABLE blob_pieces (
    blob   BLOB    NOT NULL REFERENCES blobs,
    start  INTEGER NOT NULL CHECK (start >= 0),
    length INTEGER NOT NULL CHECK (length > 0),
    object BLOB    NOT NULL UNIQUE CHECK (length(object) = 16),
    PRIMARY KEY (blob, start)
) STRICT, WITHOUT ROWID;

-- What names a blob and so keeps it.
CREATE TABLE blob_uses (
    kind   INTEGER NOT NULL, -- 1 a message, 2 a segment of a backup, 3 an account
    owner  BLOB    NOT NULL, -- its conversation; its account
    number INTEGER NOT NULL, -- its sequence; its number
    blob   BLOB    NOT NULL REFERENCES blobs,
    PRIMARY KEY (kind, owner, number, blob)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_uses_blob ON blob_uses (blob);

-- Objects that belong to nothing any more and are still to be deleted.
CREATE TABLE blob_garbage (
    object BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- How many bytes an account's blobs, or a workspace's, have reserved.
CREATE TABLE blob_room (
    owner BLOB    NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;

-- The head of each account's backup; its segments are blobs that it names.
CREATE TABLE backup_heads (
    account BLOB   NOT NULL PRIMARY KEY,
    number  INTEGER NOT NULL, -- rises by one with each head
    backup  BLOB   NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    head    BLOB   NOT NULL
) STRICT, WITHOUT ROWID;

-- Where devices can be woken.
CREATE TABLE push_targets (
    account BLOB NOT NULL,
    device  BLOB NOT NULL,
    target  TEXT NOT NULL, -- PushTarget, as JSON
    PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;

-- Wake-ups that are still to be delivered, at most one a device.
CREATE TABLE push_queue (
    account  BLOB NOT NULL,
    device   BLOB NOT NULL,
    number   INTEGER NOT NULL, -- rises with each message that it stands for
    due_at   INTEGER NOT NULL, -- when it is tried next; while it is tried, when somebody else may
    attempts INTEGER NOT NULL,
    is_dead  INTEGER NOT NULL, -- tried too often; stays until the next message
    PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX push_queue_due_at ON push_queue (due_at) WHERE is_dead = 0;
