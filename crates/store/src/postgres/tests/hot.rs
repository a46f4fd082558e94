use super::*;

/// No index on `notifications` may name a column that an outcome changes, and its pages must have room: an outcome makes
/// the row longer, by a provider's name and its id for the message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_are_updates_within_the_page() {
    let Some(f) = fixture().await else { return };
    let store = f.process(LEASE).await;
    for group in 0..20 {
        let items: Vec<_> = (1..=500).map(|hand| f.mail(held(group * 500 + hand))).collect();
        let outcomes: Vec<_> = items.iter().zip(1..).map(|(new, n)| told(new, hold(group * 500 + n))).collect();
        store.accept(&[unit(items)]).await.remove(0).unwrap();
        assert_eq!(store.finish(&outcomes, &[]).await.unwrap().lost, []);
    }
    // A backend tells its statistics when it ends.
    let url = (*f.pool.connect_options()).clone();
    f.pool.close().await;
    let mut session = PgConnection::connect_with(&url).await.unwrap();
    let sql = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'notifications_p0'";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let (all, hot): (i64, i64) = loop {
        let found: (i64, i64) = sqlx::query_as(sql).fetch_one(&mut session).await.unwrap();
        if found.0 >= 10_000 || tokio::time::Instant::now() > deadline {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(all, 10_000);
    assert!(hot * 100 >= all * 99, "{hot} of {all}");
    session.close().await.unwrap();
    f.end().await;
}

fn told(new: &NewNotification, hold: Hold) -> Finish {
    let provider_message_id = Some("filterdrecv-5645d9c87f-78xfg-1-60-1.27".to_owned());
    let verdict = Verdict::Sent { provider_message_id, delivered: false, capture: None };
    Finish { verdict, provider: "sendgrid".to_owned(), ..finish(new.notification.id, hold) }
}
