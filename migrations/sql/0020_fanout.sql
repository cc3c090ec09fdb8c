-- Every event to everyone who should hear it: endpoints that merchants and platforms register, deliveries in their
-- sequence, and events in the order in which they were written, for those who fetch them.

-- Where events go. An order's notifyUrl belongs to an implicit endpoint, whose id follows from merchant and origin; it
-- has no settings of its own.
CREATE TABLE endpoints_now (
    id               TEXT NOT NULL PRIMARY KEY,
    platform_id      TEXT NOT NULL,
    merchant_id      TEXT,           -- null: the platform's own, which hears of all its merchants
    kind             TEXT NOT NULL CHECK (kind IN ('implicit', 'registered')),
    origin           TEXT NOT NULL,  -- scheme, host and port
    mode             TEXT CHECK (mode IN ('live', 'test')),
    url              TEXT,
    description      TEXT,
    format           TEXT NOT NULL CHECK (format IN ('scanforpay', 'standard-webhooks')),
    event_kinds      TEXT,           -- comma-separated; null: all that may be heard
    store_ids        TEXT,           -- the same
    wallets          TEXT,           -- the same, in the wire's spelling
    acknowledgement  TEXT NOT NULL,  -- JSON: what an answer must be to count as one
    schedule         TEXT,           -- JSON: waits in milliseconds; null: the gateway's own, as those below
    timeout_ms       {int} CHECK (timeout_ms > 0),
    rate             {int} CHECK (rate > 0),         -- attempts a second
    concurrency      {int} CHECK (concurrency > 0),  -- attempts at one time
    headers          {bytes},        -- sealed
    master_key_id    TEXT,           -- of what is sealed in this row
    status           TEXT NOT NULL CHECK (status IN ('unproven', 'active', 'paused', 'disabled')),
    status_reason    TEXT,
    proven_at        {int},          -- since the URL was last changed
    failing_since    {int},          -- null: its last attempt was acknowledged, or there was none
    created_at       {int} NOT NULL,
    updated_at       {int} NOT NULL,
    CHECK ((kind = 'implicit') = (url IS NULL) AND (kind = 'implicit') = (mode IS NULL)),
    CHECK (kind = 'registered' OR merchant_id IS NOT NULL),
    CHECK (status <> 'active' OR kind = 'implicit' OR proven_at IS NOT NULL),
    CHECK (headers IS NULL OR master_key_id IS NOT NULL)
) {strict};
INSERT INTO endpoints_now (id, platform_id, merchant_id, kind, origin, format, acknowledgement, status, created_at,
                           updated_at)
SELECT e.id, m.platform_id, e.merchant_id, e.kind, e.origin, 'scanforpay', '"success"', e.status, e.created_at,
       e.created_at
FROM endpoints AS e JOIN merchants AS m ON m.id = e.merchant_id;
DROP TABLE endpoints;
ALTER TABLE endpoints_now RENAME TO endpoints;
CREATE UNIQUE INDEX endpoints_implicit ON endpoints (merchant_id, origin) WHERE kind = 'implicit';
CREATE INDEX endpoints_registered ON endpoints (platform_id, merchant_id) WHERE kind = 'registered';

-- The promise to bring one event to one endpoint. Of those of one subject to one endpoint only the first that has not
-- ended is due; the others wait for it. What is due to an endpoint that takes nothing just now lies where it is.
CREATE TABLE deliveries_now (
    id            TEXT NOT NULL PRIMARY KEY,
    event_id      TEXT NOT NULL,
    endpoint_id   TEXT NOT NULL,
    owner_id      TEXT NOT NULL,   -- whose endpoint it is: the merchant, or the platform
    platform_id   TEXT NOT NULL,
    merchant_id   TEXT NOT NULL,   -- whom the event is about
    subject_id    TEXT NOT NULL,   -- what the event is about
    kind          TEXT NOT NULL,   -- the event's
    sequence      {int} NOT NULL,  -- the event's
    replay_id     TEXT,            -- null: the first promise
    bulk          {bool} NOT NULL, -- never before what is not
    url           TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('due', 'waiting', 'parked', 'delivered', 'exhausted', 'superseded',
                                                 'cancelled')),
    attempts      {int} NOT NULL CHECK (attempts >= 0),
    outcome       TEXT,            -- of the last attempt
    due_at        {int} NOT NULL,
    lease         TEXT,            -- of the worker that is at it
    leased_until  {int},
    sign_key_id   TEXT NOT NULL,   -- version of the merchant's that the next attempt signs with
    created_at    {int} NOT NULL,
    ended_at      {int},
    CHECK ((state IN ('due', 'waiting', 'parked')) = (ended_at IS NULL)),
    CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CHECK (lease IS NULL OR state = 'due')
) {strict};
INSERT INTO deliveries_now
SELECT d.id, d.event_id, d.endpoint_id, d.merchant_id, m.platform_id, d.merchant_id, d.order_id, e.kind, e.sequence,
       d.replay_id, d.replay_id IS NOT NULL, d.url, d.state, d.attempts, NULL, d.due_at, NULL, NULL, d.sign_key_id,
       d.created_at, d.ended_at
FROM deliveries AS d JOIN merchants AS m ON m.id = d.merchant_id JOIN events AS e ON e.id = d.event_id;
DROP TABLE deliveries;
ALTER TABLE deliveries_now RENAME TO deliveries;
CREATE UNIQUE INDEX deliveries_once ON deliveries (event_id, endpoint_id) WHERE replay_id IS NULL;
CREATE UNIQUE INDEX deliveries_again ON deliveries (replay_id, event_id, endpoint_id) WHERE replay_id IS NOT NULL;
-- Endpoint by endpoint: what waits for one that takes nothing is never walked through.
CREATE INDEX deliveries_due ON deliveries (endpoint_id, bulk, due_at) WHERE state = 'due';
CREATE INDEX deliveries_waiting ON deliveries (subject_id, endpoint_id, sequence) WHERE state = 'waiting';
CREATE INDEX deliveries_exhausted ON deliveries (endpoint_id, id) WHERE state = 'exhausted';
CREATE INDEX deliveries_subject ON deliveries (subject_id);

-- Events in the order in which they were written: the transaction that wrote them, by number. Readers see all of a
-- transaction's events or none, and never one with a lower number than what they have seen.
ALTER TABLE events ADD COLUMN position {int} NOT NULL DEFAULT 0;
DROP INDEX events_platform;
CREATE INDEX events_of_merchant ON events (merchant_id, position, id);
CREATE INDEX events_of_platform ON events (platform_id, position, id);
