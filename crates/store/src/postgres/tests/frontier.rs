use carillon_domain::NotificationRef;
use carillon_ports::work::Raise;

use super::*;

/// One process lets its lane on, row by row; another cancels the same rows. Each is sent or cancelled, never both and
/// never neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn around_the_frontier_a_row_is_sent_or_cancelled() {
    const ROWS: i64 = 600;
    const STEP: i64 = 3;
    let Some(f) = fixture().await else { return };
    let (sender, person) = (f.process(LEASE).await, f.process(LEASE).await);
    let items: Vec<_> = (1..=ROWS).map(|hand| f.mail(held(hand))).collect();
    let ids: Vec<_> = items.iter().map(|new| new.notification.id).collect();
    sender.accept(&[unit(items)]).await.remove(0).unwrap();
    let cancels = {
        let ids = ids.clone();
        tokio::spawn(async move {
            let mut cancelled = Vec::new();
            for id in ids {
                if person.cancel(T, NotificationRef::Id(id), at(5)).await.is_ok() {
                    cancelled.push(id);
                }
            }
            cancelled
        })
    };
    let mut sent = Vec::new();
    for hi in (STEP..=ROWS).step_by(usize::try_from(STEP).unwrap()) {
        let dropped = sender.finish(&[], &[Raise { lane: 1, hi }]).await.unwrap().cancelled;
        let permitted = (hi - STEP + 1..=hi).map(|hand| (ids[usize::try_from(hand - 1).unwrap()], hand));
        let going: Vec<_> = permitted.filter(|(id, _)| !dropped.contains(id)).collect();
        let outcomes: Vec<_> = going.iter().map(|(id, hand)| finish(*id, hold(*hand))).collect();
        assert_eq!(sender.finish(&outcomes, &[]).await.unwrap().lost, [], "what may be sent is still ours");
        sent.extend(going.into_iter().map(|(id, _)| id));
    }
    let cancelled = cancels.await.unwrap();
    let mut both: Vec<_> = sent.iter().chain(&cancelled).copied().collect();
    both.sort_unstable();
    assert_eq!(both, ids, "each once");
    assert!(!sent.is_empty() && !cancelled.is_empty(), "{} sent, {} cancelled", sent.len(), cancelled.len());
    assert_eq!(f.count("SELECT count(*) FROM queue").await, 0);
    let told = f.count("SELECT count(*) FROM notifications WHERE status = 8").await;
    assert_eq!(usize::try_from(told).unwrap(), cancelled.len());
    f.end().await;
}
