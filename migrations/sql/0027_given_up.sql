-- What was given up, newest first, over all endpoints. `deliveries_exhausted` has it endpoint by endpoint.
CREATE INDEX deliveries_given_up ON deliveries (id) WHERE state = 'exhausted';
