-- A refund is also looked up by the merchant's number of it.
CREATE INDEX refunds_number ON refunds (merchant_id, refund_no);
