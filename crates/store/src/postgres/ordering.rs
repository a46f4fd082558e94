//! Ordering keys: one ready or held row per key, the next one moves up when it ends. The counter in the key's locked row
//! decides; a look at the other rows in the same snapshot would miss what commits beside it.

use std::collections::BTreeMap;

use carillon_domain::Timestamp;
use sqlx::PgConnection;

/// A tenant and one of its ordering keys.
pub(super) type Key = (i64, String);

/// Reserves `n` places per key, ascending, and locks the keys: `(tail, pending)` after that.
pub(super) async fn reserve(
    conn: &mut PgConnection,
    wanted: &BTreeMap<(i64, &str), i64>,
) -> Result<BTreeMap<Key, (i64, i64)>, sqlx::Error> {
    let (mut tenants, mut keys, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for ((tenant, key), count) in wanted {
        tenants.push(*tenant);
        keys.push(*key);
        counts.push(*count);
    }
    let rows: Vec<(i64, String, i64, i64)> = sqlx::query_as(
        "INSERT INTO ordering_lane (tenant_id, ordering_key, tail, pending)
         SELECT t, k, n, n FROM unnest($1::bigint[], $2::text[], $3::bigint[]) u(t, k, n) ORDER BY t, k
         ON CONFLICT (tenant_id, ordering_key) DO UPDATE
         SET tail = ordering_lane.tail + excluded.tail, pending = ordering_lane.pending + excluded.pending
         RETURNING tenant_id, ordering_key, tail, pending",
    )
    .bind(&tenants)
    .bind(&keys)
    .bind(&counts)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(tenant, key, tail, pending)| ((tenant, key), (tail, pending))).collect())
}

/// Locks keys, ascending: before any of their queue rows.
pub(super) async fn lock(conn: &mut PgConnection, keys: &[Key]) -> Result<(), sqlx::Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let (tenants, keys): (Vec<i64>, Vec<&str>) = keys.iter().map(|(tenant, key)| (*tenant, key.as_str())).unzip();
    sqlx::query(
        "SELECT 1 FROM (SELECT DISTINCT t, k FROM unnest($1::bigint[], $2::text[]) u(t, k)) u
         JOIN ordering_lane o ON o.tenant_id = u.t AND o.ordering_key = u.k
         ORDER BY o.tenant_id, o.ordering_key FOR NO KEY UPDATE OF o",
    )
    .bind(&tenants)
    .bind(&keys)
    .execute(conn)
    .await?;
    Ok(())
}

/// One row of each of `ended` has left its key, which is locked: counts down, and moves the next one up. Returns whether
/// a row has become ready.
pub(super) async fn advance(conn: &mut PgConnection, ended: &[Key], at: Timestamp) -> Result<bool, sqlx::Error> {
    let mut counts = BTreeMap::<&Key, i64>::new();
    for key in ended {
        *counts.entry(key).or_default() += 1;
    }
    let tenants: Vec<i64> = counts.keys().map(|key| key.0).collect();
    let keys: Vec<&str> = counts.keys().map(|key| key.1.as_str()).collect();
    let counts: Vec<i64> = counts.values().copied().collect();
    let pending: Vec<i64> = sqlx::query_scalar(
        "UPDATE ordering_lane o SET pending = o.pending - u.n
         FROM unnest($1::bigint[], $2::text[], $3::bigint[]) u(t, k, n)
         WHERE o.tenant_id = u.t AND o.ordering_key = u.k RETURNING o.pending",
    )
    .bind(&tenants)
    .bind(&keys)
    .bind(&counts)
    .fetch_all(&mut *conn)
    .await?;
    if pending.iter().any(|pending| *pending <= 0) {
        sqlx::query(
            "DELETE FROM ordering_lane o USING unnest($1::bigint[], $2::text[]) u(t, k)
             WHERE o.tenant_id = u.t AND o.ordering_key = u.k AND o.pending <= 0",
        )
        .bind(&tenants)
        .bind(&keys)
        .execute(&mut *conn)
        .await?;
    }
    if pending.iter().all(|pending| *pending <= 0) {
        return Ok(false);
    }
    let moved: Vec<i16> =
        sqlx::query_scalar(READY_HEAD).bind(&tenants).bind(&keys).bind(at).fetch_all(&mut *conn).await?;
    Ok(moved.contains(&0))
}

/// Readies the head of each locked key if it is blocked. `min(ordering_seq)`, not the next number: cancelled rows leave
/// holes.
pub(super) const READY_HEAD: &str = "
WITH h AS MATERIALIZED (
    SELECT h.id, h.due FROM unnest($1::bigint[], $2::text[]) u(t, k) CROSS JOIN LATERAL (
        SELECT q.id, q.due, q.state FROM queue q WHERE q.tenant_id = u.t AND q.ordering_key = u.k
        ORDER BY q.ordering_seq LIMIT 1) h
    WHERE h.state = 4 ORDER BY h.id)
UPDATE queue q SET state = CASE WHEN h.due <= $3 THEN 0 ELSE 2 END, due = greatest(h.due, $3)
FROM h WHERE q.id = h.id AND q.state = 4 RETURNING q.state";
