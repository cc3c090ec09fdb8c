-- Looking after orders, and noticing that nobody tells.

-- Of a payment that was found by asking: until when its notice may take to come; null: it came, or none is expected.
ALTER TABLE orders ADD COLUMN notice_due_at {int};
CREATE INDEX orders_notice_due ON orders (notice_due_at, store_id) WHERE notice_due_at IS NOT NULL;

-- Where notices of orders that were placed before their shop moved in are taken: hash of the address's token, and when
-- that was made. Null: nowhere.
ALTER TABLE accounts ADD COLUMN notice_hash {bytes};
ALTER TABLE accounts ADD COLUMN notice_made_at {int};

-- How a store's last matter ended.
CREATE INDEX attention_subject ON attention (subject_id, kind);
