-- Of what a preview has counted, what would go nowhere: its endpoint is gone, not proven, or another's.
ALTER TABLE replays ADD COLUMN unsendable {int} NOT NULL DEFAULT 0;

-- How much of a replay lies at each endpoint, without a look at the rows.
DROP INDEX deliveries_replayed;
CREATE INDEX deliveries_replayed ON deliveries (replay_id, state, endpoint_id) WHERE replay_id IS NOT NULL;
