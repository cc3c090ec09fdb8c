-- The REST API: keys that open it, the log of changes, answers kept for repeats.

-- Counts a platform's changes. Each change begins by counting it, which lets changes of one platform through one
-- after the other, so that what a change found to be free is free still when it is written.
ALTER TABLE platforms ADD COLUMN changes {int} NOT NULL DEFAULT 0;

-- A change names the version it was made on.
ALTER TABLE merchants ADD COLUMN version {int} NOT NULL DEFAULT 1;
ALTER TABLE merchants ADD COLUMN offboarded_at {int};
ALTER TABLE stores ADD COLUMN version {int} NOT NULL DEFAULT 1;
ALTER TABLE accounts ADD COLUMN version {int} NOT NULL DEFAULT 1;
ALTER TABLE accounts ADD COLUMN mode TEXT NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'test'));
UPDATE accounts SET mode = 'test' WHERE id IN (
    SELECT stores.account_id FROM stores JOIN merchants ON merchants.id = stores.merchant_id
    WHERE merchants.mode = 'test');

-- The key itself is shown once and kept nowhere.
CREATE TABLE api_keys (
    id            TEXT NOT NULL PRIMARY KEY,
    platform_id   TEXT NOT NULL REFERENCES platforms (id),
    merchant_id   TEXT,                   -- null: the platform's own
    name          TEXT NOT NULL,
    mode          TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    prefix        TEXT NOT NULL,          -- its first characters, by which people know it
    hash          {bytes} NOT NULL UNIQUE, -- SHA-256
    scopes        TEXT NOT NULL,          -- separated by blanks
    addresses     TEXT NOT NULL,          -- networks it may come from, separated by blanks; empty: any
    created_at    {int} NOT NULL,
    expires_at    {int},
    last_used_at  {int},
    revoked_at    {int},
    FOREIGN KEY (merchant_id, platform_id) REFERENCES merchants (id, platform_id),
    CHECK (expires_at IS NULL OR expires_at > created_at)
) {strict};
CREATE INDEX api_keys_platform ON api_keys (platform_id, id);

-- Who changed what, never changed itself. Secrets are in it as fingerprints only.
CREATE TABLE audit_log (
    id            TEXT NOT NULL PRIMARY KEY,
    at            {int} NOT NULL,
    platform_id   TEXT NOT NULL,
    merchant_id   TEXT,                   -- whom it is about; null: the platform itself
    mode          TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    actor_kind    TEXT NOT NULL,          -- api_key, token, operator
    actor_id      TEXT NOT NULL,
    address       TEXT,
    action        TEXT NOT NULL,          -- merchant.created, …
    subject_kind  TEXT NOT NULL,
    subject_id    TEXT NOT NULL,
    state_before  TEXT,                   -- JSON
    state_after   TEXT                    -- JSON
) {strict};
CREATE INDEX audit_log_platform ON audit_log (platform_id, mode, id);
CREATE INDEX audit_log_merchant ON audit_log (merchant_id, id) WHERE merchant_id IS NOT NULL;

-- Answers to requests that came with an Idempotency-Key, written together with what the request changed.
CREATE TABLE idempotency (
    owner        TEXT NOT NULL,           -- tenant and mode
    key          TEXT NOT NULL,
    fingerprint  {bytes} NOT NULL,        -- SHA-256 of method, path and body
    entry_id     TEXT NOT NULL,           -- the change's entry in the audit log
    status       {int} NOT NULL,
    location     TEXT,
    answer       TEXT NOT NULL,           -- JSON without secrets
    created_at   {int} NOT NULL,
    PRIMARY KEY (owner, key)
) {strict};
CREATE INDEX idempotency_age ON idempotency (created_at);
