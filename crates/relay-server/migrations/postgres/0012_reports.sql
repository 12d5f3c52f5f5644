-- What members have disclosed to the operator: with the secret, whoever reads a row can open the
-- message in it, and no other. Rows of reports go at `expires_at`, and their messages with them.
CREATE TABLE reports (
    id               BYTEA   NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    conversation     BYTEA   NOT NULL,
    reporter_account BYTEA   NOT NULL,
    reporter_device  BYTEA   NOT NULL,
    reason           TEXT    NOT NULL,
    comment          TEXT,
    filed_at         BIGINT  NOT NULL,
    closed_at        BIGINT,
    note             TEXT,
    expires_at       BIGINT  NOT NULL
);
CREATE INDEX reports_by_reporter ON reports (reporter_account);
CREATE INDEX reports_by_time ON reports (filed_at);
CREATE INDEX reports_expires_at ON reports (expires_at);

CREATE TABLE reported_messages (
    report         BYTEA   NOT NULL REFERENCES reports ON DELETE CASCADE,
    place          BIGINT  NOT NULL,
    message        BYTEA   NOT NULL,
    sequence       BIGINT  NOT NULL,
    sender_account BYTEA   NOT NULL,
    sender_device  BYTEA   NOT NULL,
    accepted_at    BIGINT  NOT NULL,
    header         BYTEA,
    commitment     BYTEA,
    payload        BYTEA,
    secret         BYTEA,
    PRIMARY KEY (report, place),
    CHECK ((header IS NULL) = (commitment IS NULL)
       AND (header IS NULL) = (payload IS NULL)
       AND (header IS NULL) = (secret IS NULL))
);
