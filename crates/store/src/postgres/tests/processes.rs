use carillon_ports::work::{Accepted, Raise};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_with_reversed_keys_do_not_deadlock() {
    let Some(f) = fixture().await else { return };
    let f = Arc::new(f);
    let stores = [f.process(LEASE).await, f.process(LEASE).await];
    let mut tasks = Vec::new();
    for (turn, store) in stores.iter().enumerate() {
        let (f, store) = (Arc::clone(&f), Arc::clone(store));
        tasks.push(tokio::spawn(async move {
            let mut won = 0;
            for round in 0..40 {
                let mut group: Vec<_> = (0..50)
                    .map(|n| {
                        let key = format!("{round}-{n}");
                        keyed(vec![f.ordered(&format!("o{}", n % 7), Birth::Ready)], &key)
                    })
                    .collect();
                if turn == 1 {
                    group.reverse();
                }
                for answer in store.accept(&group).await {
                    won += i64::from(matches!(answer.unwrap(), Accepted::Stored { .. }));
                }
            }
            won
        }));
    }
    let mut won = 0;
    for task in tasks {
        won += task.await.unwrap();
    }
    assert_eq!(won, 2_000);
    assert_eq!(f.count("SELECT count(*) FROM notifications").await, 2_000);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(f.count(deadlocks).await, 0);
    Arc::into_inner(f).unwrap().end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_completers_leave_no_key_stuck() {
    let Some(f) = fixture().await else { return };
    let stores = [f.process(LEASE).await, f.process(LEASE).await];
    let items = (0..240).map(|n| f.ordered(&format!("k{}", n % 5), Birth::Ready)).collect();
    stores[0].accept(&[unit(items)]).await.remove(0).unwrap();
    let tasks = stores.map(|store| {
        tokio::spawn(async move {
            let mut idle = 0;
            let mut hand = 1;
            while idle < 100 {
                let jobs = claim(&store, 3, hand).await;
                hand += 3;
                idle = if jobs.is_empty() { idle + 1 } else { 0 };
                let outcomes: Vec<_> = jobs.iter().map(|job| finish(job.notification.id, job.hold)).collect();
                assert_eq!(store.finish(&outcomes, &[]).await.unwrap().lost, []);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            assert_eq!(store.heal_ordering().await.unwrap(), 0);
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(f.count("SELECT count(*) FROM queue").await, 0);
    assert_eq!(f.count("SELECT count(*) FROM ordering_lane").await, 0);
    f.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombie_can_do_nothing_after_its_rescue() {
    let Some(f) = fixture().await else { return };
    let zombie = f.process(Duration::from_millis(400)).await;
    let items: Vec<_> = (1..=3).map(|hand| f.mail(held(hand))).collect();
    let ids: Vec<_> = items.iter().map(|item| item.notification.id).collect();
    zombie.accept(&[unit(items)]).await.remove(0).unwrap();
    zombie.finish(&[], &[Raise { lane: 1, hi: 1 }]).await.unwrap();
    let living = f.process(LEASE).await;
    assert_eq!(living.rescue(at(30)).await.unwrap().rows, 0, "not dead yet");
    tokio::time::sleep(Duration::from_millis(600)).await;
    let rescued = living.rescue(at(30)).await.unwrap();
    assert_eq!((rescued.rows, rescued.unknown), (3, 1));
    assert!(!zombie.heartbeat().await.unwrap());
    assert!(zombie.accept(&[unit(vec![f.mail(held(4))])]).await.remove(0).is_err());
    assert!(zombie.finish(&[finish(ids[0], hold(1))], &[]).await.is_err());
    assert!(zombie.finish(&[], &[Raise { lane: 1, hi: 3 }]).await.is_err());
    assert_eq!(zombie.release(&[(ids[1], hold(2))]).await.unwrap(), 0);
    let none = |rows: &[Claimable]| rows.iter().map(|_| Some(hold(9))).collect::<Vec<_>>();
    let answer = zombie.claim(Channel::Email, Priority::Normal, 5, at(40), &none).await;
    assert!(answer.is_err() || answer.unwrap().is_empty());
    assert_eq!(f.count("SELECT count(*) FROM queue WHERE state = 0").await, 3);
    assert_eq!(f.count("SELECT count(*) FROM intent").await, 0);
    f.end().await;
}

/// After an outage that was longer than the lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_over_can_be_renewed_until_somebody_takes_it_over() {
    let Some(f) = fixture().await else { return };
    let store = f.process(Duration::from_millis(400)).await;
    let item = f.mail(held(1));
    let id = item.notification.id;
    store.accept(&[unit(vec![item])]).await.remove(0).unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(store.accept(&[unit(vec![f.mail(held(2))])]).await.remove(0).is_err());
    assert_eq!(store.rescue(at(30)).await.unwrap().rows, 0, "nobody buries himself");
    assert!(store.heartbeat().await.unwrap());
    store.accept(&[unit(vec![f.mail(held(3))])]).await.remove(0).unwrap();
    assert_eq!(store.finish(&[finish(id, hold(1))], &[]).await.unwrap().lost, []);
    f.end().await;
}
