-- What changes is told: every writer to these tables calls the store's own function `note_change`
-- with the conversation, or with nothing when it concerns all of them.
CREATE TRIGGER messages_come AFTER INSERT ON messages BEGIN
    SELECT note_change(new.conversation);
END;
CREATE TRIGGER messages_change AFTER UPDATE ON messages BEGIN
    SELECT note_change(new.conversation);
END;
CREATE TRIGGER messages_go AFTER DELETE ON messages BEGIN
    SELECT note_change(old.conversation);
END;
CREATE TRIGGER conversations_come AFTER INSERT ON conversations BEGIN
    SELECT note_change(new.id);
END;
CREATE TRIGGER conversations_change
AFTER UPDATE OF title, membership, state, active_at ON conversations BEGIN
    SELECT note_change(new.id);
END;
CREATE TRIGGER conversations_go AFTER DELETE ON conversations BEGIN
    SELECT note_change(old.id);
END;
CREATE TRIGGER peers_change AFTER UPDATE OF username ON peers
WHEN old.username <> new.username BEGIN
    SELECT note_change(NULL);
END;

-- The places of each log that this device was shown, as ranges that neither touch nor overlap.
-- What is in none of them, and not in `messages` or `tombstones` either, is a gap.
CREATE TABLE held (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    first        INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    PRIMARY KEY (conversation, first),
    CHECK (first <= last)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER held_come AFTER INSERT ON held BEGIN
    SELECT note_change(new.conversation);
END;
CREATE INDEX tombstones_by_sequence ON tombstones (conversation, sequence)
    WHERE sequence IS NOT NULL;

-- The conversations in which this account tells its own devices something, and nobody else is.
CREATE TABLE own_conversations (
    conversation BLOB PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What this account has settled, on whichever of its devices: registers, of which the last writer
-- counts. Order is (counter, device); the counter is beyond every one that was seen.
CREATE TABLE settings (
    name    TEXT    NOT NULL,
    subject BLOB    NOT NULL,            -- a conversation, an account, or nothing
    value   BLOB    NOT NULL,            -- CBOR, by the name
    counter INTEGER NOT NULL,
    device  BLOB    NOT NULL CHECK (length(device) = 16),
    pending INTEGER NOT NULL,            -- 1 until it is on its way to our other devices
    PRIMARY KEY (name, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX settings_pending ON settings (pending) WHERE pending = 1;
CREATE TRIGGER settings_come AFTER INSERT ON settings BEGIN
    SELECT note_change(
        CASE WHEN new.name IN ('pinned', 'archived', 'muted', 'unread') THEN new.subject END);
END;
CREATE TRIGGER settings_change AFTER UPDATE OF value ON settings BEGIN
    SELECT note_change(
        CASE WHEN new.name IN ('pinned', 'archived', 'muted', 'unread') THEN new.subject END);
END;

-- Words that were begun and not sent, on this device only.
CREATE TABLE drafts (
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    thread       BLOB    NOT NULL,       -- the first message of the thread, or nothing
    body         BLOB    NOT NULL,       -- the body of a text
    saved_at     INTEGER NOT NULL,
    PRIMARY KEY (conversation, thread)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER drafts_come AFTER INSERT ON drafts BEGIN
    SELECT note_change(new.conversation);
END;
CREATE TRIGGER drafts_change AFTER UPDATE ON drafts BEGIN
    SELECT note_change(new.conversation);
END;
CREATE TRIGGER drafts_go AFTER DELETE ON drafts BEGIN
    SELECT note_change(old.conversation);
END;

-- What conversations are about, beside their names.
CREATE TABLE details (
    conversation BLOB    PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
    body         BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER details_come AFTER INSERT ON details BEGIN
    SELECT note_change(new.conversation);
END;
CREATE TRIGGER details_change AFTER UPDATE ON details BEGIN
    SELECT note_change(new.conversation);
END;

-- Who people are, in their own words.
CREATE TABLE profiles (
    account BLOB    PRIMARY KEY CHECK (length(account) = 16),
    number  INTEGER NOT NULL,
    body    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
-- Which of our profiles a conversation has been told.
CREATE TABLE profiles_told (
    conversation BLOB    PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
    number       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is to be said later.
CREATE TABLE scheduled (
    message      BLOB    PRIMARY KEY CHECK (length(message) = 16),
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    at           INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    expiry_mode  INTEGER,
    expiry_ms    INTEGER,
    compress     INTEGER NOT NULL,
    failure      TEXT                 -- why it could not be said when its time came
) STRICT;
CREATE INDEX scheduled_by_time ON scheduled (at) WHERE failure IS NULL;

-- Timers that run: how much of each was left when the steady clock of a boot showed so much. They
-- hold when the wall clock is set back, which `messages.deadline` alone would not.
CREATE TABLE timers (
    message    BLOB    PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    boot       BLOB    NOT NULL CHECK (length(boot) = 16),
    started_ms INTEGER NOT NULL,
    left_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
