//! The database cannot be reached for a while: 503 within a second, nothing accepted, and no restart afterwards.

use std::time::Duration;

use carillon_testkit::fault_proxy::Fault;
use carillon_testkit::process::Client;
use carillon_testkit::scene::start;

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
    heard.join(storm.stop().await);
    proxied.end(&heard).await;
}

/// The leases of two processes are over when the database comes back. Neither takes the other for dead: both go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_for_longer_than_the_lease_needs_no_restart() {
    let Some(proxied) = Proxied::new().await else { return };
    let mut second = start(&proxied.launch()).await;
    let clients = [proxied.client.clone(), Client::new(second.url(""), proxied.carillon.key())];
    let storms = clients.each_ref().map(|client| Storm::start(client, 2));
    for storm in &storms {
        storm.accepts(30, RECOVERY).await;
    }
    proxied.proxy.set(Fault::Refuse);
    tokio::time::sleep(Duration::from_secs(6)).await;
    proxied.proxy.set(Fault::None);
    let mut heard = Heard::default();
    for storm in storms {
        storm.accepts(20, RECOVERY).await;
        heard.join(storm.stop().await);
    }
    heard.assert_refused_well();
    // Until whoever wanted to bury the other would have done so.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(second.until_end(Duration::ZERO).await.is_none(), "{}", second.output());
    proxied.end(&heard).await;
}
