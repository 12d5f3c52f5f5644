-- What members have disclosed to the operator: with the secret, whoever reads a row can open the
-- message in it, and no other. Rows of reports go at `expires_at`, and their messages with them.
CREATE TABLE reports (
    id               BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    conversation     BLOB    NOT NULL,
    reporter_account BLOB    NOT NULL,
    reporter_device  BLOB    NOT NULL,
    reason           TEXT    NOT NULL,
    comment          TEXT,
    filed_at         INTEGER NOT NULL,
    closed_at        INTEGER,
    note             TEXT,
    expires_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reports_by_reporter ON reports (reporter_account);
CREATE INDEX reports_by_time ON reports (filed_at);
CREATE INDEX reports_expires_at ON reports (expires_at);

CREATE TABLE reported_messages (
    report         BLOB    NOT NULL REFERENCES reports ON DELETE CASCADE,
    place          INTEGER NOT NULL,
    message        BLOB    NOT NULL,
    sequence       INTEGER NOT NULL,
    sender_account BLOB    NOT NULL,
    sender_device  BLOB    NOT NULL,
    accepted_at    INTEGER NOT NULL,
    header         BLOB,
    commitment     BLOB,
    payload        BLOB,
    secret         BLOB,
    PRIMARY KEY (report, place),
    CHECK ((header IS NULL) = (commitment IS NULL)
       AND (header IS NULL) = (payload IS NULL)
       AND (header IS NULL) = (secret IS NULL))
) STRICT;
