-- The merchant's view of its orders: lists that are as quick at their end as at their start, statements of a day, and
-- orders that go upstream under the merchant's own number.

CREATE INDEX orders_merchant ON orders (merchant_id, id);
CREATE INDEX orders_merchant_status ON orders (merchant_id, status, id);
CREATE INDEX events_merchant ON events (merchant_id, id);

-- The merchant whose orders go upstream under its own numbers, which payers see on their bills. One merchant for each
-- account: two merchants may well use the same number.
ALTER TABLE accounts ADD COLUMN numbers_of TEXT;

-- The order number the upstream was given; null: the submission's id.
ALTER TABLE submissions ADD COLUMN own_number TEXT;
