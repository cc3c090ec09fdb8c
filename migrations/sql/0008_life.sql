-- The whole life of an order: looked after until nothing is expected of it, refunded, told of, and what of it waits
-- for a person.

-- When the order is looked after next; null: nothing is expected of it. `looks` counts them since its last move.
ALTER TABLE orders ADD COLUMN look_at {int};
ALTER TABLE orders ADD COLUMN looks {int} NOT NULL DEFAULT 0;
UPDATE orders SET look_at = answer_due_at WHERE status IN ('submitting', 'unknown', 'awaiting');
DROP INDEX orders_submitting;
CREATE INDEX orders_look ON orders (look_at) WHERE look_at IS NOT NULL;

-- What orders for one purchase have in common, by the merchant's own word or by its pattern over order numbers.
ALTER TABLE orders ADD COLUMN reference TEXT;
CREATE INDEX orders_reference ON orders (merchant_id, reference) WHERE reference IS NOT NULL;
-- The same purchase was paid with another order too, or this order through two submissions.
ALTER TABLE orders ADD COLUMN paid_twice {bool} NOT NULL DEFAULT FALSE;
-- What of `refunded` no refund of ours explains.
ALTER TABLE orders ADD COLUMN refunded_elsewhere {int} NOT NULL DEFAULT 0 CHECK (refunded_elsewhere >= 0);

-- A regular expression; its first group, found in an order's number, is the order's reference.
ALTER TABLE merchants ADD COLUMN reference_pattern TEXT;

-- Nothing was ever written to the first one.
DROP TABLE refunds;
CREATE TABLE refunds (
    id             TEXT NOT NULL PRIMARY KEY,  -- the refund number the upstream sees
    order_id       TEXT NOT NULL,
    submission_id  TEXT NOT NULL,              -- through which the money came
    platform_id    TEXT NOT NULL,
    merchant_id    TEXT NOT NULL,
    refund_no      TEXT NOT NULL,              -- the merchant's, or of whoever asked for it
    amount         {int} NOT NULL CHECK (amount > 0),
    currency       TEXT NOT NULL CHECK (length(currency) = 3),
    state          TEXT NOT NULL CHECK (state IN ('proposed', 'declined', 'submitting', 'unknown', 'in_progress',
                                                  'refunded', 'failed')),
    asked_by       TEXT NOT NULL,              -- merchant, platform, operator:…, late_payment
    reason         TEXT,
    approved_by    TEXT,                       -- the second operator, where one is needed
    operator_id    TEXT,                       -- the merchant's cashier
    terminal_no    TEXT,
    code           {int},                      -- the upstream's last answer to it
    calls          {int} NOT NULL CHECK (calls >= 0),  -- how often the upstream was asked for it
    answer_due_at  {int},                      -- of the last call
    look_at        {int},                      -- when it is followed next; null: it has ended, or waits for a person
    looks          {int} NOT NULL CHECK (looks >= 0),
    created_at     {int} NOT NULL,
    updated_at     {int} NOT NULL,
    UNIQUE (order_id, refund_no),
    CHECK (length(refund_no) BETWEEN 1 AND 32 AND updated_at >= created_at)
) {strict};
CREATE INDEX refunds_look ON refunds (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX refunds_merchant ON refunds (merchant_id, id);

-- An event is about an order; of what is told about a store, about the matter that waits for a person. `platform`
-- alone hears what is none of the merchant's business.
ALTER TABLE events RENAME COLUMN order_id TO subject_id;
ALTER TABLE events ADD COLUMN platform_id TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN audience TEXT NOT NULL DEFAULT 'all' CHECK (audience IN ('all', 'platform'));
UPDATE events SET platform_id = (SELECT platform_id FROM merchants WHERE merchants.id = events.merchant_id);
CREATE INDEX events_platform ON events (platform_id, id);

-- Who let a fact in or turned it away, and why.
ALTER TABLE quarantine ADD COLUMN ended_by TEXT;
ALTER TABLE quarantine ADD COLUMN reason TEXT;
CREATE INDEX quarantine_order ON quarantine (order_id);

-- What waits for a person. One open row for each matter.
CREATE TABLE attention (
    id           TEXT NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL,
    subject_id   TEXT NOT NULL,   -- the order, refund or store that it is about
    platform_id  TEXT NOT NULL,
    merchant_id  TEXT NOT NULL,
    store_id     TEXT NOT NULL,
    count        {int} NOT NULL CHECK (count > 0),  -- how often it was seen since it was raised
    detail       TEXT NOT NULL,   -- JSON
    raised_at    {int} NOT NULL,
    seen_at      {int} NOT NULL,
    ended_at     {int},
    ended_by     TEXT,            -- the operator, or what came to pass
    reason       TEXT,
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
) {strict};
CREATE UNIQUE INDEX attention_open ON attention (kind, subject_id) WHERE ended_at IS NULL;
CREATE INDEX attention_platform ON attention (platform_id, id);
CREATE INDEX attention_waiting ON attention (id) WHERE ended_at IS NULL;
