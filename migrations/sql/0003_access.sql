-- Who may come in: failed logins, the keys that tokens are made with, and tokens that count no more,
-- and what operators changed.

-- Failed logins in a row, by name, whether anybody has that name or not.
CREATE TABLE login_failures (
    subject    TEXT NOT NULL PRIMARY KEY,  -- SHA-256 of the name in hex
    failures   {int} NOT NULL CHECK (failures >= 0),
    failed_at  {int} NOT NULL              -- the last of them
) {strict};
CREATE INDEX login_failures_failed ON login_failures (failed_at);

-- Ed25519 keys that tokens are signed with, sealed under a master key. The newest signs.
CREATE TABLE token_keys (
    id             TEXT NOT NULL PRIMARY KEY,  -- the token's kid
    sealed         {bytes} NOT NULL,           -- its seed
    master_key_id  TEXT NOT NULL,
    created_at     {int} NOT NULL
) {strict};

-- A token, or all of an operator's or API key's that were made until then. Kept while such a token could still be valid.
CREATE TABLE token_revocations (
    kind        TEXT NOT NULL CHECK (kind IN ('token', 'credential')),
    subject     TEXT NOT NULL,  -- jti, or the credential's id
    revoked_at  {int} NOT NULL,
    expires_at  {int} NOT NULL,
    PRIMARY KEY (kind, subject),
    CHECK (expires_at >= revoked_at)
) {strict};
CREATE INDEX token_revocations_expires ON token_revocations (expires_at);

-- What operators and commands changed. Never changed itself. What tenants changed is in audit_log.
CREATE TABLE operators_log (
    id            TEXT NOT NULL PRIMARY KEY,
    at            {int} NOT NULL,
    actor_kind    TEXT NOT NULL CHECK (actor_kind IN ('operator', 'command')),
    actor_id      TEXT,                   -- the operator's; null: a command
    address       TEXT,                   -- null: a command
    action        TEXT NOT NULL,          -- operator.added, …
    subject_id    TEXT,
    platform_id   TEXT,                   -- null: it concerns no single platform
    state_before  TEXT,                   -- JSON
    state_after   TEXT,                   -- JSON
    CHECK ((actor_kind = 'operator') = (actor_id IS NOT NULL))
) {strict};
CREATE INDEX operators_log_platform ON operators_log (platform_id, id) WHERE platform_id IS NOT NULL;

-- Networks from which a merchant's signed requests are taken, comma-separated; null: from everywhere.
ALTER TABLE merchants ADD COLUMN allowed_addresses TEXT;
