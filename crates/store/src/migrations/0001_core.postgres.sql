-- Channel, priority and status are the numbers of `domain`. JSON that we only carry is text, not jsonb: jsonb refuses
-- what JSON allows. History is partitioned by id ranges of 2^40, one per month; partitions are made by the janitor.
-- The configuration tables are in the migration's Rust part, shared with SQLite.

CREATE SEQUENCE epoch_seq;
CREATE SEQUENCE notification_id_seq INCREMENT 1024 START 1;

-- fillfactor 40: a batch updates all rows of a page in one transaction, which makes each row longer by half at most, and
-- they must stay HOT. No index on a column that changes.
CREATE TABLE notifications (
    id                  bigint      NOT NULL PRIMARY KEY,
    uuid                uuid        NOT NULL,
    tenant_id           bigint      NOT NULL,
    channel             smallint    NOT NULL,
    priority            smallint    NOT NULL,
    status              smallint    NOT NULL,
    run                 int         NOT NULL DEFAULT 1,
    attempts            int         NOT NULL DEFAULT 0,
    test                boolean     NOT NULL,
    recipient           text        NOT NULL,
    template_id         bigint,
    template_version    int,
    locale              text,
    variables           text,
    direct              text,
    metadata            text,
    correlation_id      text,
    ordering_key        text,
    provider            text,
    provider_message_id text,
    error               text,
    scheduled_at        timestamptz,
    expires_at          timestamptz,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    sent_at             timestamptz,
    delivered_at        timestamptz,
    read_at             timestamptz
) PARTITION BY RANGE (id);
CREATE INDEX notifications_uuid ON notifications (uuid);
CREATE INDEX notifications_tenant ON notifications (tenant_id, id);

CREATE TABLE notification_content (
    id        bigint NOT NULL PRIMARY KEY,
    variables text,
    direct    text
) PARTITION BY RANGE (id);

-- Key (xid, id): a cursor is a snapshot, and what it did not see are ranges of this key. `epoch` counts the servers that
-- the database has lived in; the default is the present one.
CREATE TABLE events (
    xid         xid8     NOT NULL DEFAULT pg_current_xact_id(),
    id          bigint   NOT NULL,
    tenant_id   bigint   NOT NULL,
    epoch       smallint NOT NULL DEFAULT 1,
    transitions text     NOT NULL,
    PRIMARY KEY (xid, id)
) PARTITION BY RANGE (id);
CREATE INDEX events_notification ON events (id);

-- One row: the epoch of the event log and the server that it belongs to.
CREATE TABLE cluster (
    epoch             smallint NOT NULL,
    system_identifier bigint   NOT NULL
);
INSERT INTO cluster SELECT 1, system_identifier FROM pg_control_system();

-- When the sequence of ids entered each month's range: from a time to a range of ids.
CREATE TABLE history_month (
    number int         NOT NULL PRIMARY KEY,
    began  timestamptz NOT NULL
);
INSERT INTO history_month VALUES (0, now());

-- state: 0 ready, 1 leased, 2 waiting (due later), 3 parked (dead letter), 4 blocked (ordering)
CREATE TABLE queue (
    id                bigint      NOT NULL PRIMARY KEY,
    tenant_id         bigint      NOT NULL,
    channel           smallint    NOT NULL,
    priority          smallint    NOT NULL,
    state             smallint    NOT NULL,
    due               timestamptz NOT NULL,
    test              boolean     NOT NULL,
    owner             bigint,
    lane              int,
    hand              bigint,
    started           boolean     NOT NULL DEFAULT false,
    doubt             smallint    NOT NULL DEFAULT 0,
    message_failures  int         NOT NULL DEFAULT 0,
    provider_failures int         NOT NULL DEFAULT 0,
    trouble_since     timestamptz,
    ordering_key      text,
    ordering_seq      bigint,
    reason            text,
    parked_at         timestamptz
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000,
        vacuum_truncate = off);
CREATE INDEX queue_ready ON queue (channel, priority, tenant_id, due) WHERE state = 0;
CREATE INDEX queue_waiting ON queue (priority, due) WHERE state = 2;
CREATE INDEX queue_parked ON queue (tenant_id, id) WHERE state = 3;
CREATE UNIQUE INDEX queue_ordering ON queue (tenant_id, ordering_key, ordering_seq) WHERE ordering_key IS NOT NULL;

CREATE TABLE ordering_lane (
    tenant_id    bigint NOT NULL,
    ordering_key text   NOT NULL,
    tail         bigint NOT NULL,
    pending      bigint NOT NULL,
    PRIMARY KEY (tenant_id, ordering_key)
) WITH (fillfactor = 50);

-- One row per process and batching connection: fence, heartbeat and exactly-once in one update.
CREATE TABLE lane (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch       bigint      NOT NULL,
    batch_no    bigint      NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL
) WITH (fillfactor = 10);
CREATE INDEX lane_epoch ON lane (epoch);

CREATE TABLE intent (
    owner         bigint NOT NULL,
    dispatch_lane int    NOT NULL,
    hi            bigint NOT NULL,
    cancel_seq    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (owner, dispatch_lane)
) WITH (fillfactor = 10);

-- Rows that were cancelled while they waited in a process's memory; that process reads them when cancel_seq moved.
CREATE TABLE cancelled (
    owner         bigint NOT NULL,
    dispatch_lane int    NOT NULL,
    hand          bigint NOT NULL,
    id            bigint NOT NULL,
    PRIMARY KEY (owner, dispatch_lane, hand)
);
CREATE INDEX cancelled_notification ON cancelled (id);

CREATE TABLE idem (
    tenant_id   bigint      NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    answer      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idem_age ON idem (created_at);

CREATE TABLE sandbox_messages (
    id                bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id         bigint      NOT NULL,
    channel           smallint    NOT NULL,
    recipient         text        NOT NULL,
    content           text        NOT NULL,
    notification_uuid uuid        NOT NULL,
    at                timestamptz NOT NULL
);
CREATE INDEX sandbox_tenant ON sandbox_messages (tenant_id, id);
CREATE INDEX sandbox_notification ON sandbox_messages (notification_uuid);
