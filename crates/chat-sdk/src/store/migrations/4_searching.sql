-- Where a message stands in time, by its place: what puts the finds of a search in order without
-- reading the messages themselves.
CREATE INDEX messages_in_time ON messages (place, conversation, sent_at);
