//! The database cannot be reached for a while: 503 within a second, nothing accepted, and no restart afterwards.

use std::time::Duration;

use carillon_testkit::fault_proxy::Fault;

use super::common::{Heard, RECOVERY, Storm};
use super::lost_answers::Proxied;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_a_503_and_nothing_is_accepted() {
    let Some(proxied) = Proxied::new().await else { return };
    let mut heard = Heard::default();
    assert_eq!(heard.send(&proxied.client, |_| ()).await.unwrap().status, 202);
    let rows = proxied.scene.rows();

    proxied.proxy.set(Fault::Refuse);
    let storm = Storm::start(&proxied.client, 32);
    storm.refuses(150, RECOVERY).await;
    let away = storm.stop().await;
    assert!(away.taken.receipts.is_empty(), "accepted without a database");
    away.assert_refused_well();
    let mut times: Vec<_> = away.refusals.iter().map(|refusal| refusal.took).collect();
    times.sort();
    println!("503 after {:?} at the median, {:?} at most", times[times.len() / 2], times[times.len() - 1]);
    assert_eq!(rows.stories().await.len(), 1, "refused and stored");

    proxied.proxy.set(Fault::None);
    let storm = Storm::start(&proxied.client, 4);
    storm.accepts(20, RECOVERY).await;
    let back = storm.stop().await;
    heard.taken.receipts.extend(back.taken.receipts);
    heard.taken.unanswered.extend(back.taken.unanswered);
    proxied.end(&heard).await;
}

/// The lease is over when the database comes back, and nobody has taken anything over: the process goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_for_longer_than_the_lease_needs_no_restart() {
    let Some(proxied) = Proxied::new().await else { return };
    let storm = Storm::start(&proxied.client, 4);
    storm.accepts(50, RECOVERY).await;
    proxied.proxy.set(Fault::Refuse);
    tokio::time::sleep(Duration::from_secs(12)).await;
    proxied.proxy.set(Fault::None);
    storm.accepts(20, RECOVERY).await;
    let heard = storm.stop().await;
    heard.assert_refused_well();
    proxied.end(&heard).await;
}
