//! Senders that ask once for each notification, and what they were told.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use carillon_testkit::load::{Receipt, Taken};
use carillon_testkit::oracle::{Findings, Oracle};
use carillon_testkit::process::Client;
use carillon_testkit::rows::Rows;
use carillon_testkit::scene::Scene;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What may pass between the end of a fault and the first 202, and until all is delivered.
pub(crate) const RECOVERY: Duration = Duration::from_secs(10);
/// Until the rows of a dead process are delivered: a lease of 10 s, half of one until the rescue, and the sending.
pub(crate) const RESCUE: Duration = Duration::from_secs(30);
/// The longest that an answer may take while the database is away. One second is promised; this is for a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// An e-mail to `name`.
pub(crate) fn mail(name: &str) -> Value {
    json!({
        "channel": "email",
        "recipient": {"email": format!("{name}@example.com")},
        "directContent": {"subject": "Hello", "text": "It works."}
    })
}

/// A name that nobody else has.
fn name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("user{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) took: Duration,
}

/// All that was heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) taken: Taken,
    /// Answers other than 202.
    pub(crate) refusals: Vec<Answer>,
}

impl Heard {
    /// Sends one; its answer, if there was one.
    pub(crate) async fn send(&mut self, client: &Client, change: impl FnOnce(&mut Value)) -> Option<Answer> {
        let name = name();
        let mut body = mail(&name);
        change(&mut body);
        let answer = ask(client, &body).await;
        self.note(name, answer.as_ref());
        answer
    }

    fn note(&mut self, name: String, answer: Option<&Answer>) {
        match answer {
            Some(answer) if answer.status == 202 => {
                let uuid = answer.body["uuid"].as_str().unwrap().to_owned();
                self.taken.receipts.push(Receipt { uuid, name, email: true });
            }
            Some(answer) => {
                if answer.status == 504 {
                    // A commit whose answer was lost may be in all the same.
                    self.taken.unanswered.push(name);
                }
                self.refusals.push(answer.clone());
            }
            None => self.taken.unanswered.push(name),
        }
    }

    /// What another heard counts too.
    pub(crate) fn join(&mut self, other: Self) {
        self.taken.receipts.extend(other.taken.receipts);
        self.taken.unanswered.extend(other.taken.unanswered);
        self.refusals.extend(other.refusals);
    }

    /// Each refusal is in time, and `unavailable` with 503 or 507; 504 if nobody knows whether it was written.
    pub(crate) fn assert_refused_well(&self) {
        for Answer { status, body, took } in &self.refusals {
            let code = if *status == 504 { "deadline_exceeded" } else { "unavailable" };
            assert!(matches!(status, 503 | 504 | 507) && body["code"] == code, "{status}: {body}");
            assert!(*took < PATIENCE, "{status} after {took:?}: {body}");
        }
    }

    /// The oracle's judgement: nothing lost, at most `duplicates` sent twice and each of them told.
    pub(crate) async fn judge(&self, scene: &Scene, rows: Rows, client: &Client, duplicates: usize) -> Findings {
        let oracle = Oracle { taken: &self.taken, ledger: scene.ledger(), tenants: vec![client.clone()], rows };
        oracle.judge("storage fault", duplicates, RESCUE).await
    }
}

async fn ask(client: &Client, body: &Value) -> Option<Answer> {
    let began = Instant::now();
    let (status, body) = client.try_post("/api/v1/notifications/send", body, None).await?;
    Some(Answer { status, body, took: began.elapsed() })
}

/// Some connections that send without end.
pub(crate) struct Storm {
    heard: Arc<Mutex<Heard>>,
    accepted: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    senders: JoinSet<()>,
}

impl Storm {
    /// `connections` of them, each with a short rest between two requests.
    pub(crate) fn start(client: &Client, connections: usize) -> Self {
        let mut storm = Self {
            heard: Arc::default(),
            accepted: Arc::default(),
            refused: Arc::default(),
            stop: Arc::default(),
            senders: JoinSet::new(),
        };
        for _ in 0..connections {
            let (heard, stop) = (Arc::clone(&storm.heard), Arc::clone(&storm.stop));
            let (accepted, refused) = (Arc::clone(&storm.accepted), Arc::clone(&storm.refused));
            let client = client.clone();
            storm.senders.spawn(async move {
                while !stop.load(Ordering::Acquire) {
                    let name = name();
                    let answer = ask(&client, &mail(&name)).await;
                    heard.lock().note(name, answer.as_ref());
                    let count = if answer.is_some_and(|answer| answer.status == 202) { &accepted } else { &refused };
                    count.fetch_add(1, Ordering::AcqRel);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        storm
    }

    /// Waits until so many more are accepted.
    pub(crate) async fn accepts(&self, more: usize, patience: Duration) {
        rises(&self.accepted, more, patience, "accepted").await;
    }

    /// Waits until so many more are refused.
    pub(crate) async fn refuses(&self, more: usize, patience: Duration) {
        rises(&self.refused, more, patience, "refused").await;
    }

    /// The end.
    pub(crate) async fn stop(mut self) -> Heard {
        self.stop.store(true, Ordering::Release);
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.heard.lock())
    }
}

async fn rises(count: &AtomicUsize, more: usize, patience: Duration, what: &str) {
    let (from, until) = (count.load(Ordering::Acquire), Instant::now() + patience);
    while count.load(Ordering::Acquire) < from + more {
        assert!(Instant::now() < until, "{} of {more} more were {what}", count.load(Ordering::Acquire) - from);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Where the embedded database of a scene is.
pub(crate) fn data(scene: &Scene) -> PathBuf {
    let Rows::Sqlite(file) = scene.rows() else { panic!("it is on SQLite") };
    file.parent().unwrap().to_owned()
}
