-- Times on these tables are int64 microseconds since 1970, UTC; channel, priority and status are the numbers of
-- `domain`. The configuration tables are in the migration's Rust part, shared with PostgreSQL.

CREATE TABLE notifications (
    id                  INTEGER PRIMARY KEY,
    uuid                BLOB    NOT NULL UNIQUE,
    tenant_id           INTEGER NOT NULL,
    channel             INTEGER NOT NULL,
    priority            INTEGER NOT NULL,
    status              INTEGER NOT NULL,
    run                 INTEGER NOT NULL DEFAULT 1,
    attempts            INTEGER NOT NULL DEFAULT 0,
    test                INTEGER NOT NULL,
    recipient           TEXT    NOT NULL,   -- JSON of domain::Recipient
    template_id         INTEGER,
    template_version    INTEGER,
    locale              TEXT,
    variables           TEXT,               -- JSON; NULL when in notification_content
    direct              TEXT,               -- JSON of domain::Content; NULL when in notification_content or a template is pinned
    metadata            TEXT,
    correlation_id      TEXT,
    ordering_key        TEXT,
    provider            TEXT,
    provider_message_id TEXT,
    error               TEXT,               -- JSON of domain::DeliveryError
    scheduled_at        INTEGER,
    expires_at          INTEGER,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    sent_at             INTEGER,
    delivered_at        INTEGER,
    read_at             INTEGER
) STRICT;
CREATE INDEX notifications_tenant ON notifications (tenant_id, id);

-- Variables and direct content over 1 KiB together: written once, never updated.
CREATE TABLE notification_content (
    id        INTEGER PRIMARY KEY,
    variables TEXT,
    direct    TEXT
) STRICT;

-- state: 0 ready, 1 leased, 2 waiting (due later), 3 parked (dead letter), 4 blocked (ordering)
CREATE TABLE queue (
    id                INTEGER PRIMARY KEY,
    tenant_id         INTEGER NOT NULL,
    channel           INTEGER NOT NULL,
    priority          INTEGER NOT NULL,
    state             INTEGER NOT NULL,
    due               INTEGER NOT NULL,
    test              INTEGER NOT NULL,
    owner             INTEGER,
    lane              INTEGER,
    hand              INTEGER,
    started           INTEGER NOT NULL DEFAULT 0,
    doubt             INTEGER NOT NULL DEFAULT 0,
    message_failures  INTEGER NOT NULL DEFAULT 0,
    provider_failures INTEGER NOT NULL DEFAULT 0,
    trouble_since     INTEGER,
    ordering_key      TEXT,
    ordering_seq      INTEGER,
    reason            TEXT,
    parked_at         INTEGER
) STRICT;
CREATE INDEX queue_ready ON queue (channel, priority, tenant_id, due) WHERE state = 0;
CREATE INDEX queue_waiting ON queue (due) WHERE state = 2;
CREATE INDEX queue_parked ON queue (tenant_id, id) WHERE state = 3;
CREATE UNIQUE INDEX queue_ordering ON queue (tenant_id, ordering_key, ordering_seq) WHERE ordering_key IS NOT NULL;

CREATE TABLE ordering_lane (
    tenant_id    INTEGER NOT NULL,
    ordering_key TEXT    NOT NULL,
    tail         INTEGER NOT NULL,
    pending      INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, ordering_key)
) STRICT, WITHOUT ROWID;

-- How far each dispatch lane of the running process may send.
CREATE TABLE intent (
    owner         INTEGER NOT NULL,
    dispatch_lane INTEGER NOT NULL,
    hi            INTEGER NOT NULL,
    PRIMARY KEY (owner, dispatch_lane)
) STRICT, WITHOUT ROWID;

-- One row per commit and notification: the JSON array of that commit's transitions, in order.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          INTEGER NOT NULL,           -- the notification
    tenant_id   INTEGER NOT NULL,
    transitions TEXT    NOT NULL
) STRICT;
CREATE INDEX events_notification ON events (id);

CREATE TABLE idem (
    tenant_id   INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    answer      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idem_age ON idem (created_at);

CREATE TABLE sandbox_messages (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id         INTEGER NOT NULL,
    channel           INTEGER NOT NULL,
    recipient         TEXT    NOT NULL,
    content           TEXT    NOT NULL,
    notification_uuid BLOB    NOT NULL,
    at                INTEGER NOT NULL
) STRICT;
CREATE INDEX sandbox_tenant ON sandbox_messages (tenant_id, id);
CREATE INDEX sandbox_notification ON sandbox_messages (notification_uuid);

-- Counters that outlive the process: `epoch`, `notification_id` (next block).
CREATE TABLE sequences (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO sequences VALUES ('epoch', 0), ('notification_id', 1);
