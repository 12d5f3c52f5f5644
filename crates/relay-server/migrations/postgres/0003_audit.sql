-- The security audit log: each entry's hash covers its record and the hash before it.
CREATE TABLE audit (
    sequence BIGINT NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    record   BYTEA NOT NULL, -- AuditRecord
    hash     BYTEA NOT NULL
);
CREATE INDEX audit_at ON audit (at);

-- Where it begins, which moves when old entries go, and where it ends. One row.
CREATE TABLE audit_ends (
    id             BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    before_first   BIGINT NOT NULL,
    before_hash    BYTEA NOT NULL,
    last           BIGINT NOT NULL,
    last_hash      BYTEA NOT NULL
);
INSERT INTO audit_ends (id, before_first, before_hash, last, last_hash)
VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'));
