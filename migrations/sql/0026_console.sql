-- What operators look for among all orders: each of the states that few of them are in. An index each: where a statement
-- asks for one state, SQLite takes none that is about several.
CREATE INDEX orders_unknown ON orders (id) WHERE status = 'unknown';
CREATE INDEX orders_refused ON orders (id) WHERE status = 'refused';
CREATE INDEX orders_failed ON orders (id) WHERE status = 'failed';
CREATE INDEX orders_partially_refunded ON orders (id) WHERE status = 'partially_refunded';
CREATE INDEX orders_refunded ON orders (id) WHERE status = 'refunded';
