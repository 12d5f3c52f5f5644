-- When a refresh token was spent: its holder may ask again for a moment, if the answer was lost.
ALTER TABLE refresh_tokens ADD COLUMN spent_at BIGINT;
