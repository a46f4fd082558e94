//! A group of units as arrays, one per column, and the one statement that writes them.

use carillon_domain::{Error, Timestamp};
use carillon_ports::work::{AcceptUnit, Birth, Hold};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

use super::lane::Leased;
use crate::row::{INLINE_BYTES, json};

/// Every part hangs on the lane row; a unit's rows hang on its key. No part joins another: the columns are carried
/// along. What a new notification cannot have yet (a provider, an error, a second run) has its column's default: each
/// array costs time on both sides.
pub(super) const ACCEPT: &str = "
WITH l AS (
    UPDATE lane SET batch_no = $3, lease_until = clock_timestamp() + make_interval(secs => $4)
    WHERE id = $1 AND epoch = $2 AND batch_no = $3 - 1 AND lease_until > clock_timestamp() RETURNING id),
i AS MATERIALIZED (
    SELECT i.* FROM l, unnest($5::bigint[], $6::text[], $7::bytea[], $8::text[], $9::timestamptz[], $10::int[])
        i(tenant_id, key, fingerprint, answer, at, unit)),
k AS (
    INSERT INTO idem (tenant_id, key, fingerprint, answer, created_at)
    SELECT tenant_id, key, fingerprint, answer, at FROM i ORDER BY tenant_id, key
    ON CONFLICT DO NOTHING RETURNING tenant_id, key),
w AS MATERIALIZED (SELECT unit FROM i WHERE (tenant_id, key) IN (SELECT tenant_id, key FROM k)),
r AS MATERIALIZED (
    SELECT r.* FROM l, unnest($11::int[], $12::bigint[], $13::uuid[], $14::bigint[], $15::smallint[],
        $16::smallint[], $17::smallint[], $18::bool[], $19::text[], $20::bigint[], $21::int[], $22::text[],
        $23::text[], $24::text[], $25::bool[], $26::text[], $27::text[], $28::text[], $29::timestamptz[],
        $30::timestamptz[], $31::timestamptz[], $32::timestamptz[], $33::timestamptz[], $34::smallint[],
        $35::timestamptz[], $36::int[], $37::bigint[], $38::bool[], $39::smallint[], $40::bigint[], $41::text[])
        r(unit, id, uuid, tenant_id, channel, priority, status, test, recipient, template_id, template_version,
        locale, variables, direct, apart, metadata, correlation_id, ordering_key, scheduled_at, expires_at,
        created_at, sent_at, delivered_at, state, due, lane, hand, started, doubt, ordering_seq, transitions)
    WHERE r.unit IS NULL OR r.unit IN (SELECT unit FROM w)),
n AS (
    INSERT INTO notifications (id, uuid, tenant_id, channel, priority, status, test, recipient, template_id,
        template_version, locale, variables, direct, metadata, correlation_id, ordering_key, scheduled_at,
        expires_at, created_at, updated_at, sent_at, delivered_at)
    SELECT id, uuid, tenant_id, channel, priority, status, test, recipient, template_id, template_version, locale,
        CASE WHEN NOT apart THEN variables END, CASE WHEN NOT apart THEN direct END, metadata, correlation_id,
        ordering_key, scheduled_at, expires_at, created_at, created_at, sent_at, delivered_at
    FROM r),
c AS (INSERT INTO notification_content (id, variables, direct) SELECT id, variables, direct FROM r WHERE apart),
q AS (
    INSERT INTO queue (id, tenant_id, channel, priority, state, due, test, owner, lane, hand, started, doubt,
        ordering_key, ordering_seq)
    SELECT id, tenant_id, channel, priority, state, due, test, CASE WHEN lane IS NOT NULL THEN $2 END, lane, hand,
        started, doubt, CASE WHEN ordering_seq IS NOT NULL THEN ordering_key END, ordering_seq
    FROM r WHERE state IS NOT NULL),
e AS (INSERT INTO events (id, tenant_id, transitions) SELECT id, tenant_id, transitions FROM r)
SELECT (SELECT count(*) FROM l), ARRAY(SELECT unit FROM w)";

/// The keys of a group.
#[derive(Default)]
pub(super) struct Keys<'a> {
    pub(super) tenant: Vec<i64>,
    pub(super) key: Vec<&'a str>,
    pub(super) fingerprint: Vec<&'a [u8]>,
    pub(super) answer: Vec<&'a str>,
    pub(super) at: Vec<Timestamp>,
    pub(super) unit: Vec<i32>,
}

impl<'a> Keys<'a> {
    /// The keys of those units that have one; a unit is known by its place in `units`.
    pub(super) fn of(units: &[&'a AcceptUnit]) -> Self {
        let mut keys = Self::default();
        for (unit, number) in units.iter().zip(0..) {
            if let Some(idempotency) = &unit.idempotency {
                keys.tenant.push(idempotency.tenant.0);
                keys.key.push(&idempotency.key);
                keys.fingerprint.push(&idempotency.fingerprint);
                keys.answer.push(&idempotency.answer);
                keys.at.push(idempotency.at);
                keys.unit.push(number);
            }
        }
        keys
    }
}

macro_rules! columns {
    ($($field:ident : $type:ty),* $(,)?) => {
        /// The rows of a group, one array per column, in the order of the statement's parameters.
        #[derive(Default)]
        pub(super) struct Rows<'a> {
            $(pub(super) $field: Vec<$type>,)*
        }

        impl Rows<'_> {
            fn bind<'q>(&'q self, query: Query<'q, sqlx::Postgres, PgArguments>) -> Query<'q, sqlx::Postgres, PgArguments> {
                query$(.bind(&self.$field))*
            }
        }
    };
}

columns! {
    unit: Option<i32>, id: i64, uuid: Uuid, tenant_id: i64, channel: i16, priority: i16, status: i16, test: bool,
    recipient: String, template_id: Option<i64>, template_version: Option<i32>, locale: Option<&'a str>,
    variables: Option<&'a str>, direct: Option<&'a str>, apart: bool, metadata: Option<&'a str>,
    correlation_id: Option<&'a str>, ordering_key: Option<&'a str>, scheduled_at: Option<Timestamp>,
    expires_at: Option<Timestamp>, created_at: Timestamp, sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>, state: Option<i16>, due: Timestamp, lane: Option<i32>, hand: Option<i64>,
    started: bool, doubt: i16, ordering_seq: Option<i64>, transitions: String,
}

impl<'a> Rows<'a> {
    /// The rows of `units`; with `keyed`, a row names the unit whose key it hangs on.
    pub(super) fn of(units: &[&'a AcceptUnit], keyed: bool) -> Result<Self, Error> {
        let mut rows = Self::default();
        for (unit, number) in units.iter().zip(0..) {
            let number = (keyed && unit.idempotency.is_some()).then_some(number);
            for item in &unit.items {
                rows.push(number, item)?;
            }
        }
        Ok(rows)
    }

    fn push(&mut self, unit: Option<i32>, item: &'a carillon_ports::work::NewNotification) -> Result<(), Error> {
        let n = &item.notification;
        let payload = &item.payload;
        let weight = payload.variables.len() + payload.direct.as_ref().map_or(0, String::len);
        let (state, due, hold) = match item.birth {
            Birth::Delivered => (None, n.created_at, None),
            Birth::Leased(hold) => (Some(1), n.created_at, Some(hold)),
            Birth::Ready => (Some(0), n.created_at, None),
            Birth::Waiting => (Some(2), n.scheduled_at.unwrap_or(n.created_at), None),
        };
        self.unit.push(unit);
        self.id.push(n.id.0);
        self.uuid.push(n.uuid);
        self.tenant_id.push(n.tenant_id.0);
        self.channel.push(n.channel.number());
        self.priority.push(n.priority.number());
        self.status.push(n.status.number());
        self.test.push(n.test);
        self.recipient.push(json(&n.recipient)?);
        self.template_id.push(n.template.map(|t| t.id.0));
        self.template_version.push(n.template.map(|t| t.version));
        self.locale.push(n.locale.as_deref());
        self.variables.push((!payload.variables.is_empty()).then_some(&payload.variables));
        self.direct.push(payload.direct.as_deref());
        self.apart.push(weight > INLINE_BYTES);
        self.metadata.push(n.metadata.as_deref());
        self.correlation_id.push(n.correlation_id.as_deref());
        self.ordering_key.push(n.ordering_key.as_deref());
        self.scheduled_at.push(n.scheduled_at);
        self.expires_at.push(n.expires_at);
        self.created_at.push(n.created_at);
        self.sent_at.push(n.sent_at);
        self.delivered_at.push(n.delivered_at);
        self.state.push(state);
        self.due.push(due);
        self.lane.push(hold.map(|h| h.lane));
        self.hand.push(hold.map(|h| h.hand));
        self.started.push(hold.is_some_and(|h| h.started));
        self.doubt.push(hold.map_or(0, |h: Hold| h.doubt as i16));
        self.ordering_seq.push(None);
        self.transitions.push(json(&item.transitions)?);
        Ok(())
    }

    /// The row at `at` waits behind another of its ordering key: nobody holds it.
    pub(super) fn block(&mut self, at: usize) {
        self.state[at] = Some(4);
        self.lane[at] = None;
        self.hand[at] = None;
        self.started[at] = false;
        self.doubt[at] = 0;
    }

    /// The rows that the batch leases to us.
    pub(super) fn leased(&self) -> Leased {
        let held = self.id.iter().zip(&self.hand).filter_map(|(id, hand)| Some((*id, (*hand)?)));
        let (ids, hands) = held.unzip();
        Leased { ids, hands }
    }
}

/// The statement with its parameters.
pub(super) fn statement<'q>(
    turn: (i64, i64, i64),
    lease: f64,
    keys: &'q Keys<'q>,
    rows: &'q Rows<'q>,
) -> Query<'q, sqlx::Postgres, PgArguments> {
    let (lane, epoch, number) = turn;
    let query = sqlx::query(ACCEPT)
        .bind(lane)
        .bind(epoch)
        .bind(number)
        .bind(lease)
        .bind(&keys.tenant)
        .bind(&keys.key)
        .bind(&keys.fingerprint)
        .bind(&keys.answer)
        .bind(&keys.at)
        .bind(&keys.unit);
    rows.bind(query)
}
