use super::super::{claim as claiming, columns, outcome};
use super::*;

/// The plan that a session has kept since the queue was nearly empty, after it has grown: no hot statement may read all
/// of a table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_made_on_a_small_queue_stay_good() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    let items = (0..400).map(|_| f.mail(Birth::Ready)).collect();
    store.accept(&[unit(items)]).await.remove(0).unwrap();
    let mut session = f.pool.acquire().await.unwrap();
    session.execute("ANALYZE queue; SET plan_cache_mode = force_generic_plan").await.unwrap();
    let hot = [("accept", columns::ACCEPT), ("finish", outcome::FINISH), ("claim", claiming::CANDIDATES)];
    let plan_of = |name: &str, sql: &str| {
        let parameters = (1..100).take_while(|n| sql.contains(&format!("${n}"))).count();
        AssertSqlSafe(format!("EXPLAIN EXECUTE {name}({})", vec!["NULL"; parameters].join(", ")))
    };
    for (name, sql) in hot {
        session.execute(AssertSqlSafe(format!("PREPARE {name} AS {sql}"))).await.unwrap();
        session.execute(plan_of(name, sql)).await.unwrap();
    }
    session
        .execute(
            "INSERT INTO queue (id, tenant_id, channel, priority, state, due, test)
             SELECT 1000000 + n, n % 50, 0, 1, 0, now(), false FROM generate_series(1, 500000) n",
        )
        .await
        .unwrap();
    for (name, sql) in hot {
        let plan: Vec<String> = sqlx::query_scalar(plan_of(name, sql)).fetch_all(&mut *session).await.unwrap();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan"), "{name}:\n{plan}");
    }
    drop(session);
    f.end().await;
}
