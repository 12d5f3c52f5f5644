-- Messages, a partition for each month (UTC) in which they were accepted. What is unique whatever
-- the month stands in message_ids: a partitioned table can promise that only together with the
-- month. Sequences are given under the lock of the conversation's row.
ALTER TABLE messages RENAME TO messages_before;

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
    wraps          BYTEA,  -- List<Wrap>
    deletion       BYTEA,  -- by whose word it is gone: SignedDeletion
    CHECK ((header IS NULL) = (commitment IS NULL)
       AND (header IS NULL) = (payload IS NULL)
       AND (header IS NULL) = (wraps IS NULL))
) PARTITION BY RANGE (received_at);
ALTER TABLE messages
    ALTER COLUMN payload SET STORAGE EXTERNAL,
    ALTER COLUMN wraps SET STORAGE EXTERNAL;

-- The year 10000 and what comes after it: a clock that cannot be right.
CREATE TABLE messages_beyond PARTITION OF messages FOR VALUES FROM (253402300800000) TO (MAXVALUE);

-- A partition for each month of which there are messages; the relay makes those to come. There is
-- no default partition: making a month beside one locks out whoever reads.
DO $$
DECLARE
    month timestamp;
BEGIN
    FOR month IN
        SELECT DISTINCT date_trunc('month', to_timestamp(received_at / 1000) AT TIME ZONE 'UTC')
        FROM messages_before WHERE received_at < 253402300800000
    LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF messages FOR VALUES FROM (%s) TO (%s)',
            'messages_' || to_char(month, '"y"YYYY"m"MM'),
            (extract(epoch FROM month) * 1000)::bigint,
            (extract(epoch FROM month + interval '1 month') * 1000)::bigint);
    END LOOP;
END
$$;
INSERT INTO messages (conversation, sequence, message, sender_account, sender_device, received_at,
        expires_at, seen_timer_ms, header, commitment, payload, wraps, deletion)
    SELECT conversation, sequence, message, sender_account, sender_device, received_at,
        expires_at, seen_timer_ms, header, commitment, payload, wraps, deletion
    FROM messages_before;

-- Every message that was ever accepted, by its id: a resend is known whatever the month.
CREATE TABLE message_ids (
    conversation   BYTEA  NOT NULL,
    message        BYTEA  NOT NULL CHECK (octet_length(message) = 16),
    sequence       BIGINT NOT NULL,
    received_at    BIGINT NOT NULL,
    sender_account BYTEA  NOT NULL,
    sender_device  BYTEA  NOT NULL
);
INSERT INTO message_ids (conversation, message, sequence, received_at, sender_account, sender_device)
    SELECT conversation, message, sequence, received_at, sender_account, sender_device
    FROM messages_before;
ALTER TABLE message_ids ADD PRIMARY KEY (conversation, message);
CREATE INDEX message_ids_received_at ON message_ids USING brin (received_at);

DROP TABLE messages_before;
ALTER TABLE messages ADD PRIMARY KEY (conversation, sequence, received_at);
CREATE INDEX messages_expires_at ON messages (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX messages_await_seen ON messages (conversation, sequence)
    WHERE seen_timer_ms IS NOT NULL;

-- A relay of before would append without noting the id.
UPDATE metadata SET number = 11 WHERE name = 'compatible_since';
