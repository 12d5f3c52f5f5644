-- The security audit log: each entry's hash covers its record and the hash before it.
CREATE TABLE audit (
    sequence INTEGER NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    record   BLOB NOT NULL, -- AuditRecord
    hash     BLOB NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);

-- Where it begins, which moves when old entries go, and where it ends. One row.
CREATE TABLE audit_ends (
    id             INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    before_first   INTEGER NOT NULL,
    before_hash    BLOB NOT NULL,
    last           INTEGER NOT NULL,
    last_hash      BLOB NOT NULL
) STRICT;
INSERT INTO audit_ends (id, before_first, before_hash, last, last_hash)
VALUES (1, 0, zeroblob(32), 0, zeroblob(32));
