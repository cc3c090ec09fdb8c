-- Times are Unix milliseconds. Ids are ULIDs unless said otherwise. Amounts are minor units.
-- The tables of the hot path (orders, submissions, journal, events, deliveries, attempts) have no foreign
-- keys: the ledger is their only writer and writes parent and child in one transaction, and a lookup per
-- reference and row is what such keys would cost.

-- Who ------------------------------------------------------------------------------------------------

CREATE TABLE platforms (
    id          TEXT NOT NULL PRIMARY KEY,
    slug        TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    created_at  {int} NOT NULL,
    CHECK (length(slug) BETWEEN 1 AND 40)
) {strict};

-- What ScanForPay issued: where it is reached, under which partnerNo. Its keys are in sign_keys.
CREATE TABLE accounts (
    id           TEXT NOT NULL PRIMARY KEY,
    platform_id  TEXT NOT NULL REFERENCES platforms (id),
    name         TEXT NOT NULL,
    base_url     TEXT NOT NULL,
    partner_no   TEXT NOT NULL,
    created_at   {int} NOT NULL,
    UNIQUE (platform_id, name),
    UNIQUE (id, platform_id),
    CHECK (length(partner_no) BETWEEN 1 AND 15)
) {strict};

CREATE TABLE merchants (
    id              TEXT NOT NULL PRIMARY KEY,
    platform_id     TEXT NOT NULL REFERENCES platforms (id),
    partner_no      TEXT NOT NULL,
    reference       TEXT,
    name            TEXT NOT NULL,
    mode            TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    status          TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
    freshness_ms    {int} CHECK (freshness_ms > 0),                      -- null: the gateway's own
    freshness_mode  TEXT CHECK (freshness_mode IN ('enforce', 'warn')),  -- null: the gateway's own
    created_at      {int} NOT NULL,
    UNIQUE (platform_id, partner_no),
    UNIQUE (id, platform_id),
    CHECK (length(partner_no) BETWEEN 1 AND 15)
) {strict};
CREATE UNIQUE INDEX merchants_reference ON merchants (platform_id, reference) WHERE reference IS NOT NULL;

CREATE TABLE stores (
    id                 TEXT NOT NULL PRIMARY KEY,
    platform_id        TEXT NOT NULL,
    merchant_id        TEXT NOT NULL,
    account_id         TEXT NOT NULL,
    store_no           TEXT NOT NULL,
    upstream_store_no  TEXT NOT NULL,
    currency           TEXT NOT NULL CHECK (length(currency) = 3),
    wallets            TEXT NOT NULL,  -- comma-separated, in the wire's spelling
    time_zone          TEXT NOT NULL,
    late_payment       TEXT NOT NULL CHECK (late_payment IN ('tell', 'refund')),
    status             TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at         {int} NOT NULL,
    UNIQUE (merchant_id, store_no),
    UNIQUE (account_id, upstream_store_no),
    FOREIGN KEY (merchant_id, platform_id) REFERENCES merchants (id, platform_id),
    FOREIGN KEY (account_id, platform_id) REFERENCES accounts (id, platform_id),
    CHECK (length(store_no) BETWEEN 1 AND 15 AND length(upstream_store_no) BETWEEN 1 AND 15)
) {strict};

-- Versions of a merchant's or an account's sign key, sealed under a master key.
CREATE TABLE sign_keys (
    id             TEXT NOT NULL PRIMARY KEY,
    owner_kind     TEXT NOT NULL CHECK (owner_kind IN ('merchant', 'account')),
    owner_id       TEXT NOT NULL,
    version        {int} NOT NULL CHECK (version > 0),
    sealed         {bytes} NOT NULL,
    master_key_id  TEXT NOT NULL,
    created_at     {int} NOT NULL,
    expires_at     {int},  -- null: the current version
    last_used_at   {int},
    UNIQUE (owner_id, version),
    CHECK (expires_at IS NULL OR expires_at >= created_at)
) {strict};
CREATE UNIQUE INDEX sign_keys_current ON sign_keys (owner_id) WHERE expires_at IS NULL;

CREATE TABLE operators (
    id             TEXT NOT NULL PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    password_hash  TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    platform_id    TEXT REFERENCES platforms (id),  -- null: all platforms
    created_at     {int} NOT NULL,
    disabled_at    {int}
) {strict};

-- What the installation itself must remember, sealed where it is secret.
CREATE TABLE settings (
    name        TEXT NOT NULL PRIMARY KEY,
    value       {bytes} NOT NULL,
    updated_at  {int} NOT NULL
) {strict};

-- What -----------------------------------------------------------------------------------------------

CREATE TABLE orders (
    id                 TEXT NOT NULL PRIMARY KEY,
    platform_id        TEXT NOT NULL,
    merchant_id        TEXT NOT NULL,
    store_id           TEXT NOT NULL,
    number             TEXT NOT NULL,   -- the merchant's
    product            TEXT NOT NULL CHECK (product IN ('qrcode', 'online', 'transaction_qr', 'barcode', 'jspay')),
    wallet             TEXT,
    currency           TEXT NOT NULL CHECK (length(currency) = 3),
    amount             {int} NOT NULL CHECK (amount > 0 AND amount <= 9007199254740992),
    title              TEXT,
    notify_url         TEXT,
    return_url         TEXT,
    content_hash       {bytes} NOT NULL,  -- SHA-256 over what makes two creates the same
    status             TEXT NOT NULL CHECK (status IN ('submitting', 'unknown', 'awaiting', 'refused', 'failed',
                                                       'closed', 'paid', 'partially_refunded', 'refunded')),
    late               {bool} NOT NULL,
    paid               {int} NOT NULL CHECK (paid IN (0, amount)),
    refund_reserved    {int} NOT NULL CHECK (refund_reserved >= 0),
    refunded           {int} NOT NULL CHECK (refunded >= 0),
    submission_id      TEXT NOT NULL,     -- the latest
    submissions        {int} NOT NULL CHECK (submissions > 0),
    answer_due_at      {int} NOT NULL,    -- of the latest submission
    pay_url            TEXT,
    answer_extra       TEXT,              -- fields of the upstream's answer that we only pass on, as JSON
    code               {int},             -- the upstream's last answer to create
    upstream_order_no  TEXT,
    paid_wallet        TEXT,
    buyer              TEXT,
    buyer_id           TEXT,
    pay_time           TEXT,              -- RFC 3339 as the upstream said it
    sign_key_id        TEXT NOT NULL,     -- version the merchant last used on this order
    events             {int} NOT NULL CHECK (events >= 0),  -- sequence of the last event
    created_at         {int} NOT NULL,
    updated_at         {int} NOT NULL,
    expires_at         {int} NOT NULL,
    UNIQUE (merchant_id, number),
    CHECK (length(number) BETWEEN 1 AND 32),
    CHECK (refund_reserved + refunded <= paid),
    CHECK ((status IN ('paid', 'partially_refunded', 'refunded')) = (paid > 0)),
    CHECK (expires_at > created_at AND updated_at >= created_at AND answer_due_at > created_at)
) {strict};
CREATE INDEX orders_upstream_no ON orders (merchant_id, upstream_order_no) WHERE upstream_order_no IS NOT NULL;
CREATE INDEX orders_submitting ON orders (answer_due_at) WHERE status = 'submitting';

-- One call to the upstream for an order. Its id is the order number the upstream sees. What was asked is
-- kept beside it, so that whatever is said about it later can be checked against it.
CREATE TABLE submissions (
    id                 TEXT NOT NULL PRIMARY KEY,
    order_id           TEXT NOT NULL,
    account_id         TEXT NOT NULL,
    partner_no         TEXT NOT NULL,
    upstream_store_no  TEXT NOT NULL,
    product            TEXT NOT NULL,
    wallet             TEXT,
    currency           TEXT NOT NULL,
    amount             {int} NOT NULL CHECK (amount > 0),
    notify_hash        {bytes} NOT NULL,
    return_hash        {bytes} NOT NULL,
    account_key_id     TEXT NOT NULL,
    state              TEXT NOT NULL CHECK (state IN ('sent', 'opened', 'refused', 'unknown', 'never_arrived', 'failed', 'paid')),
    created_at         {int} NOT NULL,
    answer_due_at      {int} NOT NULL,
    answered_at        {int},
    code               {int},
    pay_url            TEXT,
    upstream_order_no  TEXT,
    missed_at          {int},   -- when a query first said 'no such order'
    CHECK (length(id) <= 32 AND answer_due_at > created_at)
) {strict};
CREATE INDEX submissions_order ON submissions (order_id, id);

CREATE TABLE refunds (
    id             TEXT NOT NULL PRIMARY KEY,  -- the refund number the upstream sees
    order_id       TEXT NOT NULL REFERENCES orders (id),
    submission_id  TEXT NOT NULL REFERENCES submissions (id),
    merchant_id    TEXT NOT NULL,
    refund_no      TEXT NOT NULL,              -- the merchant's
    amount         {int} NOT NULL CHECK (amount > 0),
    state          TEXT NOT NULL CHECK (state IN ('submitting', 'unknown', 'in_progress', 'refunded', 'failed')),
    created_at     {int} NOT NULL,
    updated_at     {int} NOT NULL,
    UNIQUE (order_id, refund_no),
    CHECK (length(refund_no) BETWEEN 1 AND 32 AND updated_at >= created_at)
) {strict};

-- What was said --------------------------------------------------------------------------------------

-- Everything that happened to an order, in order, never changed. `raw` is what came in, less its signature.
CREATE TABLE journal (
    id             TEXT NOT NULL,
    order_id       TEXT NOT NULL,
    submission_id  TEXT,
    at             {int} NOT NULL,
    kind           TEXT NOT NULL,
    note           TEXT NOT NULL,   -- JSON: what a reader needs to know of it
    raw            {bytes},
    digest         {bytes},         -- of a notice, by which a repeat is told
    PRIMARY KEY (order_id, id)
) {strict};
CREATE UNIQUE INDEX journal_notices ON journal (submission_id, digest) WHERE digest IS NOT NULL;

-- Facts that did not agree with what was asked. They change nothing until a person or a later fact says so.
CREATE TABLE quarantine (
    id             TEXT NOT NULL PRIMARY KEY,  -- the journal entry's
    order_id       TEXT NOT NULL,
    submission_id  TEXT NOT NULL,
    platform_id    TEXT NOT NULL,
    merchant_id    TEXT NOT NULL,
    source         TEXT NOT NULL,
    differences    TEXT NOT NULL,              -- JSON: field, asked, told
    state          TEXT NOT NULL CHECK (state IN ('held', 'released', 'rejected')),
    held_at        {int} NOT NULL,
    ended_at       {int},
    CHECK ((state = 'held') = (ended_at IS NULL))
) {strict};
CREATE INDEX quarantine_held ON quarantine (held_at) WHERE state = 'held';

-- Who is told ----------------------------------------------------------------------------------------

CREATE TABLE events (
    id           TEXT NOT NULL PRIMARY KEY,
    order_id     TEXT NOT NULL,
    merchant_id  TEXT NOT NULL,
    kind         TEXT NOT NULL,    -- order.paid, …
    move         TEXT NOT NULL,    -- what must be told once: the move it tells of
    sequence     {int} NOT NULL CHECK (sequence > 0),
    content      TEXT NOT NULL,    -- unsigned JSON; every attempt signs anew
    created_at   {int} NOT NULL,
    UNIQUE (order_id, move),
    UNIQUE (order_id, sequence)
) {strict};

-- Where events go. An order's notifyUrl belongs to an implicit endpoint, whose id follows from merchant and origin.
CREATE TABLE endpoints (
    id           TEXT NOT NULL PRIMARY KEY,
    merchant_id  TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('implicit', 'registered')),
    origin       TEXT NOT NULL,    -- scheme, host and port
    status       TEXT NOT NULL CHECK (status IN ('active', 'paused', 'disabled')),
    created_at   {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX endpoints_implicit ON endpoints (merchant_id, origin) WHERE kind = 'implicit';

CREATE TABLE deliveries (
    id            TEXT NOT NULL PRIMARY KEY,
    event_id      TEXT NOT NULL,
    endpoint_id   TEXT NOT NULL,
    order_id      TEXT NOT NULL,
    merchant_id   TEXT NOT NULL,
    replay_id     TEXT,            -- null: the first promise
    url           TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('due', 'delivered', 'exhausted', 'parked', 'superseded')),
    attempts      {int} NOT NULL CHECK (attempts >= 0),
    due_at        {int} NOT NULL,
    lease         TEXT,            -- of the worker that is at it
    leased_until  {int},
    sign_key_id   TEXT NOT NULL,   -- version the next attempt signs with
    created_at    {int} NOT NULL,
    ended_at      {int},
    CHECK ((state IN ('delivered', 'exhausted', 'superseded')) = (ended_at IS NOT NULL)),
    CHECK ((lease IS NULL) = (leased_until IS NULL))
) {strict};
CREATE UNIQUE INDEX deliveries_once ON deliveries (event_id, endpoint_id) WHERE replay_id IS NULL;
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'due';
CREATE INDEX deliveries_order ON deliveries (order_id);

-- One HTTP request of a delivery. Always recorded, whoever holds the delivery by then.
CREATE TABLE attempts (
    id            TEXT NOT NULL,
    delivery_id   TEXT NOT NULL,
    started_at    {int} NOT NULL,
    duration_ms   {int} NOT NULL CHECK (duration_ms >= 0),
    outcome       TEXT NOT NULL,   -- delivered, or the kind of failure
    http_status   {int},
    excerpt       TEXT,            -- first bytes of the answer, as text
    sign_key_id   TEXT NOT NULL,
    PRIMARY KEY (delivery_id, id)
) {strict};
