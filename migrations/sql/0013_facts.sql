-- Facts that are held, for people to decide about; purchases that were paid for more than once.

CREATE INDEX quarantine_platform ON quarantine (platform_id, id);
-- What the fact would have made of the order; null: that was not kept yet.
ALTER TABLE quarantine ADD COLUMN claim TEXT;
-- Held facts are looked for where something was told of the order. When these were held nothing was.
UPDATE orders SET events = 1
WHERE events = 0 AND id IN (SELECT order_id FROM quarantine WHERE state = 'held');

CREATE INDEX orders_paid_twice ON orders (merchant_id, id) WHERE paid_twice;

-- Moves of orders that have a reference, after which the orders of that reference are looked at together. Written with
-- the move, gone when they were looked at.
CREATE TABLE purchase_checks (
    id           TEXT NOT NULL PRIMARY KEY,  -- of the order, and what it became
    order_id     TEXT NOT NULL,
    merchant_id  TEXT NOT NULL,
    reference    TEXT NOT NULL
) {strict};
CREATE INDEX purchase_checks_order ON purchase_checks (order_id);
