-- What operators look for among all orders: the states that few of them are in.
CREATE INDEX orders_rare ON orders (status, id) WHERE status IN ('unknown', 'refused', 'failed', 'partially_refunded',
                                                                 'refunded');
