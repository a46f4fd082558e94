use std::collections::HashSet;

use carillon_ports::work::{Accepted, Raise};

use super::*;

/// Ends all backends of the test's database but the one that asks.
async fn cut(f: &Fixture) {
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let _ = sqlx::query(cut).execute(&f.pool).await;
}

/// The state after a commit whose answer never came: the database has counted, the process has not.
fn unsay(store: &Postgres) {
    for lane in store.epoch().unwrap().lanes() {
        lane.unsay();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_answered_from_the_rows() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    let winner = keyed(vec![f.mail(held(1))], "taken");
    store.accept(std::slice::from_ref(&winner)).await.remove(0).unwrap();
    let group = [
        unit(vec![f.mail(held(2)), f.mail(Birth::Ready)]),
        keyed(vec![f.mail(held(3))], "mine"),
        keyed(vec![f.mail(held(4))], "taken"),
        unit(vec![f.ordered("a", held(5)), f.ordered("a", held(6))]),
    ];
    let first: Vec<_> = store.accept(&group).await.into_iter().map(Result::unwrap).collect();
    unsay(&store);
    let again: Vec<_> = store.accept(&group).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(first, again);
    assert_eq!(again[1], Accepted::Stored { blocked: Vec::new() });
    assert_eq!(again[2], Accepted::Replayed("answer to taken".to_owned()));
    assert_eq!(again[3], Accepted::Stored { blocked: vec![1] });
    assert_eq!(f.count("SELECT count(*) FROM notifications").await, 6);

    let outcomes: Vec<_> = [(2, 2), (5, 3), (7, 5)].map(|(id, hand)| finish(NotificationId(id), hold(hand))).into();
    let raise = [Raise { lane: 1, hi: 5 }];
    assert_eq!(store.finish(&outcomes[..1], &raise).await.unwrap().lost, []);
    unsay(&store);
    assert_eq!(store.finish(&outcomes[..1], &raise).await.unwrap().lost, [], "done, not lost");
    f.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cut_connections_neither_lose_nor_double() {
    let Some(f) = fixture().await else { return };
    let f = Arc::new(f);
    let store = f.process(LEASE).await;
    let cutter = {
        let f = Arc::clone(&f);
        tokio::spawn(async move {
            for _ in 0..12 {
                tokio::time::sleep(Duration::from_millis(40)).await;
                cut(&f).await;
            }
        })
    };
    let mut writers = Vec::new();
    for writer in 0..3 {
        let (f, store) = (Arc::clone(&f), Arc::clone(&store));
        writers.push(tokio::spawn(async move {
            let mut stored = HashSet::new();
            for round in 0..60 {
                let key = format!("{writer}-{round}");
                let group = [keyed(vec![f.mail(held(1))], &key), unit(vec![f.mail(Birth::Ready)])];
                let answers = store.accept(&group).await;
                for (unit, answer) in group.iter().zip(answers) {
                    if matches!(answer, Ok(Accepted::Stored { .. })) {
                        stored.insert(unit.items[0].notification.id.0);
                    }
                }
            }
            stored
        }));
    }
    let mut stored = HashSet::new();
    for writer in writers {
        stored.extend(writer.await.unwrap());
    }
    cutter.await.unwrap();
    let there: Vec<i64> = sqlx::query_scalar("SELECT id FROM notifications").fetch_all(&f.pool).await.unwrap();
    assert_eq!(there.len(), there.iter().collect::<HashSet<_>>().len());
    assert_eq!(there.into_iter().collect::<HashSet<_>>(), stored, "what was answered is there, and nothing else");
    assert_eq!(stored.len(), 360);
    Arc::into_inner(f).unwrap().end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_was_told_of_is_freed() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    let new = f.mail(held(1));
    let id = new.notification.id;
    store.accept(&[unit(vec![new])]).await.remove(0).unwrap();
    for lane in &store.epoch().unwrap().accept {
        lane.strand(id.0, 1);
    }
    assert!(store.heartbeat().await.unwrap());
    let jobs = claim(&store, 10, 100).await;
    assert_eq!(jobs.iter().map(|job| job.notification.id).collect::<Vec<_>>(), [id]);
    store.accept(&[unit(vec![f.mail(held(2))])]).await.remove(0).unwrap();
    f.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_unit_is_answered_alone_and_json_is_none() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    let mut group: Vec<AcceptUnit> = (0..63).map(|_| unit(vec![f.mail(Birth::Ready)])).collect();
    for (place, variables) in [(3, "{\"a\":\"\\u0000\"}"), (9, "{\"a\":\"\\ud800\"}"), (20, "{\"a\":1e400000}")] {
        group[place].items[0].payload.variables = variables.to_owned();
    }
    // Too long for its index, and not to be compressed.
    let digits = (0..900_u64).map(|n| (n.wrapping_mul(2_654_435_761) % 4_294_967_291).to_string());
    let long = digits.collect::<String>();
    group[30].items[0].notification.ordering_key = Some(long.clone());
    group.push(keyed(vec![f.mail(Birth::Ready)], &long));
    let answers = store.accept(&group).await;
    let refused: Vec<_> = answers.iter().enumerate().filter(|(_, a)| a.is_err()).map(|(place, _)| place).collect();
    assert_eq!(refused, [30, 63]);
    assert_eq!(f.count("SELECT count(*) FROM queue").await, 62);
    f.end().await;
}

/// A finish that was in and gave up waiting for its answer is asked again as a new batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_is_in_is_not_told_twice() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    store.accept(&[unit(vec![f.mail(held(1)), f.mail(held(2))])]).await.remove(0).unwrap();
    let outcomes: Vec<_> = [1, 2].map(|id| finish(NotificationId(id), hold(id))).into();
    store.finish(&outcomes[..1], &[]).await.unwrap();
    for lane in &store.epoch().unwrap().finish {
        lane.strand(0, 0);
    }
    assert_eq!(store.finish(&outcomes, &[]).await.unwrap().lost, [], "one was done before, the other is now");
    assert_eq!(f.count("SELECT count(*) FROM events WHERE id = 1").await, 2, "its acceptance and its outcome");
    assert_eq!(f.count("SELECT count(*) FROM queue").await, 0);
    f.end().await;
}
