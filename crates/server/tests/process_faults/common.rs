//! What the modules share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use carillon_testkit::process::{Carillon, Client};
use carillon_testkit::scene::{Kind, Scene};
use carillon_testkit::sendgrid::Answer;
use serde_json::json;

use crate::BINARY;

/// Calls in flight to the provider, pinned: as many messages may be in doubt when a process dies, and no more.
pub(crate) const IN_FLIGHT: usize = 10;
/// As `Launch` sets it.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// The rescue after a lease's end, and all the work that was left.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How long the provider takes; can be changed while it works.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<AtomicU64>);

impl Pace {
    pub(crate) fn new(wait: Duration) -> Self {
        let pace = Self::default();
        pace.set(wait);
        pace
    }

    pub(crate) fn set(&self, wait: Duration) {
        self.0.store(u64::try_from(wait.as_millis()).unwrap(), Ordering::Relaxed);
    }

    fn answer(&self) -> Answer {
        Answer::After(Duration::from_millis(self.0.load(Ordering::Relaxed)), Box::new(Answer::Accept))
    }
}

/// A scene whose provider takes every message at that pace.
pub(crate) async fn scene(kind: Kind, pace: &Pace) -> Option<Scene> {
    let pace = pace.clone();
    Scene::new(BINARY, kind, move |_| pace.answer()).await
}

/// A client with the key of the first start.
pub(crate) fn first_client(carillon: &Carillon) -> Client {
    Client::new(carillon.url(""), carillon.key())
}

/// The key of a new tenant.
pub(crate) async fn new_tenant(admin: &Client, code: &str) -> String {
    let (status, tenant) = admin.post("/api/v1/tenants", &json!({"code": code, "name": code})).await;
    assert_eq!(status, 201, "{tenant}");
    let path = format!("/api/v1/tenants/{}/api-keys", tenant["id"]);
    let (status, key) = admin.post(&path, &json!({"name": "load"})).await;
    assert_eq!(status, 201, "{key}");
    key["key"].as_str().unwrap().to_owned()
}

/// Waits until `question` says yes.
pub(crate) async fn until(what: &str, patience: Duration, mut question: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + patience;
    while !question().await {
        assert!(Instant::now() < end, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
