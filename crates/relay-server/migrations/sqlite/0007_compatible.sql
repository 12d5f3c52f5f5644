-- The oldest schema whose relays can still work on this database. A later step that only adds
-- tables, or columns with a default, leaves it; one that an older relay would not survive raises it.
INSERT INTO metadata (name, number) VALUES ('compatible_since', 7);
