-- Paused or disabled by an operator: its owner does not resume it.
ALTER TABLE endpoints ADD COLUMN held {bool} NOT NULL DEFAULT FALSE;
-- When it was proven for the first time: from then on events are promised to it. Another URL has to be proven anew, and what is
-- told until then waits.
ALTER TABLE endpoints ADD COLUMN first_proven_at {int};
-- Since when what is heard of it counts: the last proof of its URL, or the last time it was resumed.
ALTER TABLE endpoints ADD COLUMN heard_since {int};
-- It asked to be left alone until then (Retry-After).
ALTER TABLE endpoints ADD COLUMN quiet_until {int};
UPDATE endpoints SET first_proven_at = proven_at, heard_since = proven_at;
