-- How much each may do, where it is not what the gateway's settings say: so many at once, all new again after the
-- window, evenly. Both or none.
ALTER TABLE platforms ADD COLUMN limit_count {int} CHECK (limit_count BETWEEN 1 AND 1000000);
ALTER TABLE platforms ADD COLUMN limit_window_ms {int}
    CHECK ((limit_window_ms IS NULL) = (limit_count IS NULL) AND limit_window_ms BETWEEN 1 AND 86400000);
ALTER TABLE merchants ADD COLUMN limit_count {int} CHECK (limit_count BETWEEN 1 AND 1000000);
ALTER TABLE merchants ADD COLUMN limit_window_ms {int}
    CHECK ((limit_window_ms IS NULL) = (limit_count IS NULL) AND limit_window_ms BETWEEN 1 AND 86400000);
ALTER TABLE stores ADD COLUMN limit_count {int} CHECK (limit_count BETWEEN 1 AND 1000000);
ALTER TABLE stores ADD COLUMN limit_window_ms {int}
    CHECK ((limit_window_ms IS NULL) = (limit_count IS NULL) AND limit_window_ms BETWEEN 1 AND 86400000);
-- Of calls to ScanForPay.
ALTER TABLE accounts ADD COLUMN limit_count {int} CHECK (limit_count BETWEEN 1 AND 1000000);
ALTER TABLE accounts ADD COLUMN limit_window_ms {int}
    CHECK ((limit_window_ms IS NULL) = (limit_count IS NULL) AND limit_window_ms BETWEEN 1 AND 86400000);

-- What of the directory has changed, for nodes that hold it in memory. The one row of directory_version is locked by
-- whoever changes the directory until it has committed, so versions become visible in their order.
CREATE TABLE directory_version (
    id       {int} NOT NULL PRIMARY KEY CHECK (id = 1),
    version  {int} NOT NULL CHECK (version > 0)
) {strict};

-- The last change of each: what is kept does not grow with the number of changes.
CREATE TABLE directory_changes (
    kind     TEXT NOT NULL,
    id       TEXT NOT NULL,
    version  {int} NOT NULL,
    PRIMARY KEY (kind, id)
) {strict};
CREATE INDEX directory_changes_version ON directory_changes (version);
