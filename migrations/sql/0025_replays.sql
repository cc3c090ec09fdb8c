-- Deliveries made again: what was asked for, by whom, and how far it has come.
CREATE TABLE replays (
    id             TEXT NOT NULL PRIMARY KEY,
    platform_id    TEXT,            -- whose deliveries may be in it; null: everybody's
    merchant_id    TEXT,            -- null: all of the platform's
    mode           TEXT CHECK (mode IN ('live', 'test')),
    asked_by       TEXT NOT NULL,   -- operator:NAME, or api_key:ID
    reason         TEXT NOT NULL,
    wanted         TEXT NOT NULL,   -- JSON: what was asked for
    until_id       TEXT NOT NULL,   -- no delivery above this is in it
    skip           {bool} NOT NULL, -- what has been acknowledged by the time it would be sent
    rate           {int} NOT NULL CHECK (rate > 0),
    state          TEXT NOT NULL CHECK (state IN ('preview', 'running', 'paused', 'done', 'cancelled')),
    total          {int} NOT NULL,
    merchants      {int} NOT NULL,
    endpoints      {int} NOT NULL,
    oldest_at      {int},
    newest_at      {int},
    after_id       TEXT NOT NULL,   -- how far: deliveries up to this were seen to
    is_through     {bool} NOT NULL, -- all were seen to
    refused        {int} NOT NULL,  -- not sent: their endpoint is another's, unproven or gone
    skipped        {int} NOT NULL,
    version        {int} NOT NULL,
    lease          TEXT,            -- of the node that is at it
    leased_until   {int},
    created_at     {int} NOT NULL,
    started_at     {int},
    ended_at       {int},
    CHECK ((state IN ('done', 'cancelled')) = (ended_at IS NOT NULL))
) {strict};
CREATE INDEX replays_running ON replays (id) WHERE state IN ('running', 'paused', 'cancelled');
CREATE INDEX replays_of_platform ON replays (platform_id, id);
CREATE INDEX replays_of_merchant ON replays (merchant_id, id);

-- How far a replay has come.
CREATE INDEX deliveries_replayed ON deliveries (replay_id, state) WHERE replay_id IS NOT NULL;
-- What a merchant was sent, newest first.
CREATE INDEX deliveries_of_merchant ON deliveries (merchant_id, id);
