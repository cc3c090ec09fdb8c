-- Of what a preview has counted, what would go nowhere: its endpoint is gone, not proven, or another's.
ALTER TABLE replays ADD COLUMN unsendable {int} NOT NULL DEFAULT 0;
