-- An order that was paid through two of its calls: either payment can be given back by itself.

-- The books of a payment beside the one that the order counts; of that one they are in `orders`, and these are nothing.
ALTER TABLE submissions ADD COLUMN second_paid {int} NOT NULL DEFAULT 0 CHECK (second_paid IN (0, amount));
ALTER TABLE submissions ADD COLUMN second_reserved {int} NOT NULL DEFAULT 0 CHECK (second_reserved >= 0);
ALTER TABLE submissions ADD COLUMN second_refunded {int} NOT NULL DEFAULT 0
    CHECK (second_refunded >= 0 AND second_reserved + second_refunded <= second_paid);
-- What of `second_refunded` no refund of ours explains.
ALTER TABLE submissions ADD COLUMN second_elsewhere {int} NOT NULL DEFAULT 0
    CHECK (second_elsewhere >= 0 AND second_elsewhere <= second_refunded);
-- RFC 3339 as the upstream said it; of the payment that the order counts it is in `orders`.
ALTER TABLE submissions ADD COLUMN second_pay_time TEXT;

-- Payments beside the one that the order counts.
ALTER TABLE orders ADD COLUMN second_payments {int} NOT NULL DEFAULT 0
    CHECK (second_payments >= 0 AND second_payments < submissions);

UPDATE submissions SET second_paid = amount
WHERE state = 'paid'
  AND order_id IN (SELECT id FROM orders WHERE orders.submissions > 1 AND orders.paid > 0)
  AND id NOT IN (SELECT submission_id FROM orders WHERE orders.submissions > 1);
UPDATE orders
SET second_payments = (SELECT COUNT(*) FROM submissions AS s WHERE s.order_id = orders.id AND s.second_paid > 0)
WHERE orders.submissions > 1 AND orders.paid > 0;

-- A statement of the upstream may name a second payment by the upstream's own number.
CREATE INDEX submissions_second ON submissions (account_id, upstream_order_no) WHERE second_paid > 0;

-- What waits for a person is about the payment now, and no longer in the way of what waits about the order. The detail
-- was `{"submission":"…"}`.
UPDATE attention
SET kind = 'order.paid_again',
    subject_id = substr(detail, 16, length(detail) - 17),
    detail = '{"order":"' || subject_id || '","payment":"' || substr(detail, 16, length(detail) - 17) || '"}'
WHERE kind = 'order.paid_twice' AND detail LIKE '{"submission":"%';
