-- Endpoints at which so much of a replay lies that the rest waits: JSON, endpoint → the last delivery that was seen to.
ALTER TABLE replays ADD COLUMN behind TEXT NOT NULL DEFAULT '{}';
-- Still on their way when they were recovered: sent at once instead of once more.
ALTER TABLE replays ADD COLUMN brought_forward {int} NOT NULL DEFAULT 0;
