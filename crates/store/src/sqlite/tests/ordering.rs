use super::*;

#[tokio::test]
async fn only_the_first_of_a_key_is_handed_over() {
    let f = fixture().await;
    let group = [unit(vec![f.ordered("k", held(1)), f.ordered("k", held(2)), f.ordered("other", held(3))])];
    assert_eq!(f.store.accept(&group).await[0].as_ref().unwrap(), &Accepted::Stored { blocked: vec![1] });
    let ids: Vec<_> = group[0].items.iter().map(|new| new.notification.id).collect();
    assert_eq!(f.state(ids[1]).await, Some(4));
    assert!(f.finish(ids[0], hold(1), sent()).await.ready);
    assert_eq!(f.claim(9, at(11)).await.iter().map(|j| j.notification.id).collect::<Vec<_>>(), [ids[1]]);
    assert!(!f.finish(ids[1], hold(1_000), failed()).await.ready);
    assert_eq!(f.count("ordering_lane").await, 1, "the emptied lane is gone");
    assert_eq!(f.store.heal_ordering().await.unwrap(), 0);
}

#[tokio::test]
async fn a_parked_row_does_not_stand_in_the_way_of_a_new_lane() {
    let f = fixture().await;
    let first = f.accept(f.ordered("k", held(1))).await;
    f.finish(first, hold(1), failed()).await;
    let second = f.accept(f.ordered("k", held(2))).await;
    assert_eq!(f.state(second).await, Some(1));
    let again = f.store.notification_retry(scope(T), NotificationRef::Id(first), at(20)).await.unwrap();
    assert_eq!((again.run, f.state(first).await), (2, Some(4)));
    assert!(f.finish(second, hold(2), sent()).await.ready);
    assert_eq!(f.state(first).await, Some(0));
}

#[tokio::test]
async fn cancelled_holes_do_not_block() {
    let f = fixture().await;
    let mut ids = Vec::new();
    for hand in 1..=4 {
        ids.push(f.accept(f.ordered("k", held(hand))).await);
    }
    for &id in &ids[1..3] {
        f.store.notification_cancel(scope(T), NotificationRef::Id(id), at(5)).await.unwrap();
    }
    assert_eq!(f.state(ids[3]).await, Some(4));
    assert!(f.finish(ids[0], hold(1), sent()).await.ready);
    assert_eq!(f.state(ids[3]).await, Some(0));
}

#[tokio::test]
async fn a_cancelled_head_lets_the_next_one_go() {
    let f = fixture().await;
    let head = f.accept(f.ordered("k", held(1))).await;
    let next = f.accept(f.ordered("k", held(2))).await;
    f.store.notification_cancel(scope(T), NotificationRef::Id(head), at(5)).await.unwrap();
    assert_eq!(f.state(next).await, Some(0));
}

#[tokio::test]
async fn a_retrying_head_keeps_its_place() {
    let f = fixture().await;
    let head = f.accept(f.ordered("k", held(1))).await;
    let next = f.accept(f.ordered("k", held(2))).await;
    let retry = Verdict::Retry { due: at(60), error: None, tries: carillon_ports::work::Tries::default() };
    f.finish(head, hold(1), retry).await;
    assert_eq!((f.state(head).await, f.state(next).await), (Some(2), Some(4)));
    assert_eq!(f.store.heal_ordering().await.unwrap(), 0);
}

#[tokio::test]
async fn two_completers_and_an_acceptor_leave_no_lane_stuck() {
    let f = Arc::new(fixture().await);
    let acceptor = {
        let f = Arc::clone(&f);
        tokio::spawn(async move {
            for n in 0..200 {
                f.accept(f.ordered(&format!("k{}", n % 7), Birth::Ready)).await;
            }
        })
    };
    let completer = |first: i64| {
        let f = Arc::clone(&f);
        tokio::spawn(async move {
            let (mut order, mut idle) = (Vec::new(), 0);
            while idle < 50 {
                let assign = |rows: &[Claimable]| rows.iter().map(|r| Some(hold(first + r.id.0))).collect::<Vec<_>>();
                let jobs = f.store.claim(Channel::Email, Priority::Normal, 3, at(11), &assign).await.unwrap();
                idle = if jobs.is_empty() { idle + 1 } else { 0 };
                for job in jobs {
                    order.push((job.notification.ordering_key.clone(), job.notification.id));
                    let verdict = if job.notification.id.0 % 5 == 0 { failed() } else { sent() };
                    assert!(f.finish(job.notification.id, job.hold, verdict).await.lost.is_empty());
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            order
        })
    };
    let (one, two) = (completer(10_000), completer(20_000));
    acceptor.await.unwrap();
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert_eq!(one.len() + two.len(), 200);
    for mut order in [one, two] {
        let seen = order.clone();
        order.sort();
        let mut by_key = seen;
        by_key.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(by_key, order, "within a key the ids rise");
    }
    assert_eq!((f.count("ordering_lane").await, f.store.heal_ordering().await.unwrap()), (0, 0));
}

#[tokio::test]
async fn a_stuck_lane_is_healed() {
    let f = fixture().await;
    let head = f.accept(f.ordered("k", held(1))).await;
    let next = f.accept(f.ordered("k", held(2))).await;
    let lose = move |writer: &mut super::super::thread::Writer| {
        writer.transact(|conn| Ok(conn.execute("DELETE FROM queue WHERE id = ?1", [head.0])?))
    };
    f.store.thread.run(lose).await.unwrap();
    assert_eq!(f.store.heal_ordering().await.unwrap(), 1);
    assert_eq!(f.state(next).await, Some(0));
}
