-- Workspaces with roles and invitations, kinds of conversations, sessions with times, and what is
-- left of an account that was deleted.

ALTER TABLE workspaces ADD COLUMN name TEXT; -- none: the default one's

-- Role: 1 guest, 2 member, 3 admin, 4 owner. State: 1 active, 2 suspended, 3 gone.
ALTER TABLE workspace_members ADD COLUMN role INTEGER NOT NULL DEFAULT 2;
ALTER TABLE workspace_members ADD COLUMN state INTEGER NOT NULL DEFAULT 1;
CREATE INDEX workspace_members_account ON workspace_members (account);
CREATE INDEX workspace_members_owners ON workspace_members (workspace) WHERE role = 4;

ALTER TABLE accounts ADD COLUMN deleted_at INTEGER;
CREATE INDEX accounts_search ON accounts (workspace, username);

-- Names of deleted accounts, until somebody else may have them.
CREATE TABLE reserved_names (
    name  TEXT    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invitations (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace  BLOB    NOT NULL REFERENCES workspaces,
    hash       BLOB    NOT NULL UNIQUE, -- SHA-256 of the token
    role       INTEGER NOT NULL,
    uses_left  INTEGER NOT NULL CHECK (uses_left >= 0),
    issued_by  BLOB,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX invitations_workspace ON invitations (workspace, id);
CREATE INDEX invitations_expires_at ON invitations (expires_at);

-- Kind as in the creation entry; open: whoever is in the workspace may join.
ALTER TABLE conversations ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN document TEXT;
ALTER TABLE conversations ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX conversations_document ON conversations (workspace, document)
    WHERE document IS NOT NULL;
CREATE INDEX conversations_open ON conversations (workspace, id) WHERE is_open = 1;

-- The first message after they came, where they may read older ones too.
ALTER TABLE stays ADD COLUMN came_at_sequence INTEGER;

ALTER TABLE refresh_families ADD COLUMN begun_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refresh_families ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
