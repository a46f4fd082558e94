//! Outcomes as arrays, one per column, and the one statement that writes them and raises the lanes.

use carillon_domain::{Error, Timestamp};
use carillon_ports::work::{Finish, Raise, Verdict};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use crate::row::json;

/// Intents before queue rows before notifications. `k` holds the rows that are still ours, locked in order; those with
/// an ordering key only if `$5`: their keys must have been locked before.
pub(super) const FINISH: &str = "
WITH l AS (
    UPDATE lane SET batch_no = $3, lease_until = clock_timestamp() + make_interval(secs => $4)
    WHERE id = $1 AND epoch = $2 AND batch_no = $3 - 1 AND lease_until > clock_timestamp() RETURNING id),
i AS (
    INSERT INTO intent (owner, dispatch_lane, hi)
    SELECT $2, r.lane, r.hi FROM l, unnest($6::int[], $7::bigint[]) r(lane, hi) ORDER BY r.lane
    ON CONFLICT (owner, dispatch_lane) DO UPDATE SET hi = greatest(intent.hi, excluded.hi)
    RETURNING dispatch_lane, cancel_seq),
k AS MATERIALIZED (
    SELECT u.* FROM l, unnest($8::bigint[], $9::bigint[], $10::int[], $11::bigint[], $12::smallint[], $13::smallint[],
        $14::text[], $15::int[], $16::timestamptz[], $17::text[], $18::text[], $19::timestamptz[], $20::int[],
        $21::int[], $22::timestamptz[], $23::text[], $24::text[], $25::smallint[], $26::text[], $27::text[])
        u(id, tenant_id, lane, hand, kind, status, provider, attempts, at, message_id, error, due, message_failures,
        provider_failures, trouble_since, reason, transitions, seen_channel, seen_by, seen)
    JOIN queue q ON q.id = u.id
    WHERE q.owner = $2 AND q.lane = u.lane AND q.hand = u.hand AND q.state = 1 AND q.tenant_id = u.tenant_id
        AND (q.ordering_key IS NULL OR $5)
        AND (SELECT count(*) FROM i) >= 0
    ORDER BY q.id FOR UPDATE OF q),
d AS (DELETE FROM queue q USING k WHERE q.id = k.id AND k.kind = 0),
r AS (
    UPDATE queue q SET state = CASE WHEN k.kind = 2 THEN 3 WHEN k.due <= k.at THEN 0 ELSE 2 END,
        due = CASE WHEN k.kind = 2 THEN q.due ELSE greatest(k.due, k.at) END,
        owner = NULL, lane = NULL, hand = NULL, started = false, doubt = 0,
        message_failures = coalesce(k.message_failures, q.message_failures),
        provider_failures = coalesce(k.provider_failures, q.provider_failures),
        trouble_since = CASE WHEN k.kind = 1 THEN k.trouble_since ELSE q.trouble_since END,
        ordering_key = CASE WHEN k.kind = 1 THEN q.ordering_key END,
        ordering_seq = CASE WHEN k.kind = 1 THEN q.ordering_seq END,
        reason = k.reason, parked_at = CASE WHEN k.kind = 2 THEN k.at END
    FROM k WHERE q.id = k.id AND k.kind <> 0),
m AS (
    UPDATE notifications n SET
        status = CASE WHEN n.status >= 8 THEN n.status WHEN k.kind <> 1 THEN greatest(n.status, k.status)
            WHEN n.status <= 3 THEN k.status ELSE n.status END,
        attempts = greatest(n.attempts, k.attempts),
        provider = coalesce(nullif(k.provider, ''), n.provider),
        provider_message_id = coalesce(k.message_id, n.provider_message_id),
        error = CASE WHEN k.kind = 0 THEN NULL ELSE coalesce(k.error, n.error) END,
        sent_at = CASE WHEN k.kind = 0 THEN coalesce(n.sent_at, k.at) ELSE n.sent_at END,
        delivered_at = CASE WHEN k.kind = 0 AND k.status = 5 THEN coalesce(n.delivered_at, k.at)
            ELSE n.delivered_at END,
        updated_at = k.at
    FROM k WHERE n.id = k.id),
e AS (INSERT INTO events (id, tenant_id, transitions) SELECT id, tenant_id, transitions FROM k WHERE transitions <> '[]'),
s AS (
    INSERT INTO sandbox_messages (tenant_id, channel, recipient, content, notification_uuid, at)
    SELECT k.tenant_id, k.seen_channel, k.seen_by, k.seen, n.uuid, k.at
    FROM k JOIN notifications n ON n.id = k.id WHERE k.seen IS NOT NULL)
SELECT (SELECT count(*) FROM l), ARRAY(SELECT id FROM k),
    EXISTS (SELECT 1 FROM k WHERE kind = 1 AND due <= at),
    ARRAY(SELECT dispatch_lane FROM i ORDER BY dispatch_lane),
    ARRAY(SELECT cancel_seq FROM i ORDER BY dispatch_lane)";

macro_rules! columns {
    ($($field:ident : $type:ty),* $(,)?) => {
        /// Outcomes, one array per column, in the order of the statement's parameters.
        #[derive(Default)]
        pub(super) struct Outcomes {
            $(pub(super) $field: Vec<$type>,)*
        }

        impl Outcomes {
            fn bind<'q>(&'q self, query: Query<'q, sqlx::Postgres, PgArguments>) -> Query<'q, sqlx::Postgres, PgArguments> {
                query$(.bind(&self.$field))*
            }
        }
    };
}

columns! {
    id: i64, tenant_id: i64, lane: i32, hand: i64, kind: i16, status: i16, provider: String, attempts: i32,
    at: Timestamp, message_id: Option<String>, error: Option<String>, due: Option<Timestamp>,
    message_failures: Option<i32>, provider_failures: Option<i32>, trouble_since: Option<Timestamp>,
    reason: Option<String>, transitions: String, seen_channel: Option<i16>, seen_by: Option<String>,
    seen: Option<String>,
}

impl Outcomes {
    /// The columns of `finishes`.
    pub(super) fn of<'a>(finishes: impl IntoIterator<Item = &'a Finish>) -> Result<Self, Error> {
        let mut all = Self::default();
        for finish in finishes {
            all.push(finish)?;
        }
        Ok(all)
    }

    fn push(&mut self, finish: &Finish) -> Result<(), Error> {
        let (mut message_id, mut error, mut due, mut tries, mut reason, mut seen) =
            (None, None, None, None, None, None);
        let (kind, status) = match &finish.verdict {
            Verdict::Sent { provider_message_id, delivered, capture } => {
                message_id = provider_message_id.as_deref().map(clean);
                seen = capture.as_ref();
                (0, if *delivered { 5 } else { 4 })
            }
            Verdict::Retry { due: at, error: said, tries: budget } => {
                due = Some(*at);
                error = said.as_ref();
                tries = Some(*budget);
                (1, 1)
            }
            Verdict::Failed { error: said, reason: why } => {
                error = Some(said);
                reason = Some((*why).to_owned());
                (2, 6)
            }
            Verdict::Held { error: said } => {
                error = Some(said);
                reason = Some("unknown".to_owned());
                (2, 3)
            }
        };
        self.id.push(finish.id.0);
        self.tenant_id.push(finish.tenant.0);
        self.lane.push(finish.hold.lane);
        self.hand.push(finish.hold.hand);
        self.kind.push(kind);
        self.status.push(status);
        self.provider.push(clean(&finish.provider));
        self.attempts.push(finish.attempts);
        self.at.push(finish.at);
        self.message_id.push(message_id);
        self.error.push(error.map(json).transpose()?);
        self.due.push(due);
        self.message_failures.push(tries.map(|t| t.message_failures));
        self.provider_failures.push(tries.map(|t| t.provider_failures));
        self.trouble_since.push(tries.and_then(|t| t.trouble_since));
        self.reason.push(reason);
        self.transitions.push(json(&finish.transitions)?);
        self.seen_channel.push(seen.map(|c| c.content.channel().number()));
        self.seen_by.push(seen.map(|c| clean(&c.to)));
        self.seen.push(seen.map(|c| json(&c.content)).transpose()?);
        Ok(())
    }
}

/// A provider's words as PostgreSQL takes them: its text knows no NUL.
fn clean(words: &str) -> String {
    words.replace('\0', "")
}

/// The raises of a call: ascending, each lane once.
pub(super) struct Raises {
    pub(super) lane: Vec<i32>,
    pub(super) hi: Vec<i64>,
}

impl Raises {
    /// The highest `hi` of each lane.
    pub(super) fn of(raises: &[Raise]) -> Self {
        let mut highest = std::collections::BTreeMap::new();
        for raise in raises {
            let hi = highest.entry(raise.lane).or_insert(raise.hi);
            *hi = raise.hi.max(*hi);
        }
        let (lane, hi) = highest.into_iter().unzip();
        Self { lane, hi }
    }
}

/// The statement with its parameters.
pub(super) fn statement<'q>(
    turn: (i64, i64, i64),
    lease: f64,
    ordered: bool,
    raises: &'q Raises,
    outcomes: &'q Outcomes,
) -> Query<'q, sqlx::Postgres, PgArguments> {
    let (lane, epoch, number) = turn;
    let query = sqlx::query(FINISH)
        .bind(lane)
        .bind(epoch)
        .bind(number)
        .bind(lease)
        .bind(ordered)
        .bind(&raises.lane)
        .bind(&raises.hi);
    outcomes.bind(query)
}
