-- Who is newer than a moment, wherever it is placed: where a search may stop.
CREATE INDEX messages_by_time ON messages (sent_at, place);
DROP INDEX messages_in_time;

-- A conversation in its order: a page of it, and where a view begins.
CREATE INDEX messages_in_order
    ON messages (conversation, ifnull(sequence, 9223372036854775807), place);

-- What was said about a message, in the order in which it counts.
DROP INDEX messages_by_target;
CREATE INDEX messages_by_target ON messages (target, ifnull(sequence, 9223372036854775807), place)
    WHERE target IS NOT NULL;

-- What few rows of large tables have, and is asked for all the time.
CREATE INDEX messages_failed ON messages (kind) WHERE status = 5;
CREATE INDEX messages_awaiting ON messages (conversation)
    WHERE outgoing = 1 AND status IN (2, 3);
CREATE INDEX receipts_pending ON receipts (conversation, kind) WHERE pending IS NOT NULL;

-- Timers that run and were never wound: few, and asked for with everything that happens.
CREATE TABLE unwound (
    message BLOB PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO unwound SELECT id FROM messages
WHERE deadline IS NOT NULL AND id NOT IN (SELECT message FROM timers);
CREATE TRIGGER timers_begin AFTER INSERT ON messages WHEN new.deadline IS NOT NULL BEGIN
    INSERT INTO unwound (message) VALUES (new.id);
END;
CREATE TRIGGER timers_start AFTER UPDATE OF deadline ON messages
WHEN new.deadline IS NOT NULL AND old.deadline IS NULL BEGIN
    INSERT OR IGNORE INTO unwound (message) VALUES (new.id);
END;
-- By what the steady clock of a boot shows when they end.
CREATE INDEX timers_by_end ON timers (boot, started_ms + left_ms);
