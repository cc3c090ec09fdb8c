-- Orders that were placed before their merchant moved in.

-- When the submission's order was brought in; null: it was placed here. ScanForPay knows the order by a number of the
-- account's, which therefore can be one order's only.
ALTER TABLE submissions ADD COLUMN imported_at {int};
CREATE UNIQUE INDEX submissions_imported ON submissions (account_id, own_number) WHERE imported_at IS NOT NULL;
