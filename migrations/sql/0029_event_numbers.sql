-- What is added to a transaction's number to give an event its position. A cluster that a dump was loaded into counts its
-- transactions from the beginning; with this its events still come after all that are there.
CREATE TABLE event_numbers (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    base  BIGINT NOT NULL
);
INSERT INTO event_numbers (id, base) VALUES (1, 0);
