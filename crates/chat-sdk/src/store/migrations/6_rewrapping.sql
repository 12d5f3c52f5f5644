-- Members who came later, for whom what was said before is still to be wrapped.
CREATE TABLE rewraps (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    done_from    INTEGER,           -- what stands here or later is done; absent until it begins
    turn         INTEGER NOT NULL,  -- 1 ours, 2 anybody's, 3 somebody else was found at it
    due_at       INTEGER NOT NULL,
    PRIMARY KEY (conversation, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX rewraps_by_time ON rewraps (due_at);
