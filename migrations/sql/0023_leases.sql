-- What somebody is at just now: found when its lease has run out, and when a SQLite store is opened again, without
-- walking through what is due.
CREATE INDEX deliveries_leased ON deliveries (leased_until) WHERE lease IS NOT NULL;
