-- What registered endpoints need besides their settings: the secrets that what they hear is signed with, a version that
-- changes follow one another by, and an end that keeps their history.
ALTER TABLE endpoints ADD COLUMN version {int} NOT NULL DEFAULT 1;
ALTER TABLE endpoints ADD COLUMN deleted_at {int};
CREATE INDEX endpoints_of_merchant ON endpoints (merchant_id, id) WHERE kind = 'registered';

CREATE TABLE endpoint_secrets (
    id            TEXT NOT NULL PRIMARY KEY,
    endpoint_id   TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('hmac', 'ed25519')),
    sealed        {bytes} NOT NULL,
    master_key_id TEXT NOT NULL,
    created_at    {int} NOT NULL,
    ends_at       {int}              -- null: the current one
) {strict};
CREATE INDEX endpoint_secrets_of ON endpoint_secrets (endpoint_id);
CREATE UNIQUE INDEX endpoint_secrets_current ON endpoint_secrets (endpoint_id, kind) WHERE ends_at IS NULL;
