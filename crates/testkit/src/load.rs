//! The load client: sends notifications through restarts of the server, and writes each uuid that it was given to disk
//! before it counts it as accepted.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::journal::Journal;
use crate::process::{Client, NoAnswer};

mod item;

use item::Item;

/// Longer than this no answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The pause before a server that was not there is asked again.
const AGAIN: Duration = Duration::from_millis(50);

/// One notification that was answered with 202.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its uuid.
    pub uuid: String,
    /// A name of this notification alone: the local part of its address.
    pub name: String,
    /// It goes by e-mail, and so to the provider's ledger.
    pub email: bool,
}

/// What became of the requests.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// Accepted, and on our disk.
    pub receipts: Vec<Receipt>,
    /// Names of what was asked for and never answered: each may be on the server's disk, or not.
    pub unanswered: Vec<String>,
    /// Answers other than 202, by status.
    pub refused: BTreeMap<u16, usize>,
    /// Connections that were not made.
    pub unreachable: usize,
    /// Requests whose connection ended before the answer, in the client's words.
    pub cut: Vec<String>,
}

/// What to send, and how. Every second request has an idempotency key and is asked until it is answered; the others are
/// asked once.
#[derive(Clone)]
pub struct Load {
    tenants: Vec<Vec<Client>>,
    connections: usize,
    rate: Option<u32>,
    most: usize,
    batch: Option<(usize, usize)>,
    scheduled: Option<(usize, Duration)>,
    email_only: bool,
}

impl Load {
    /// To one tenant, whom these clients speak for: one client per process of the server.
    pub fn new(processes: Vec<Client>) -> Self {
        Self {
            tenants: vec![processes],
            connections: 16,
            rate: None,
            most: usize::MAX,
            batch: None,
            scheduled: None,
            email_only: false,
        }
    }

    /// To one more tenant, in turn.
    #[must_use]
    pub fn tenant(mut self, processes: Vec<Client>) -> Self {
        self.tenants.push(processes);
        self
    }

    /// How many requests are under way at most: 16 unless told.
    #[must_use]
    pub fn connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// At most so many notifications a second; as fast as the connections go unless told.
    #[must_use]
    pub fn rate(self, per_second: u32) -> Self {
        Self { rate: Some(per_second), ..self }
    }

    /// Ends by itself after about so many notifications.
    #[must_use]
    pub fn most(self, notifications: usize) -> Self {
        Self { most: notifications, ..self }
    }

    /// Every `every`th request is a batch of `of`.
    #[must_use]
    pub fn batches(self, every: usize, of: usize) -> Self {
        Self { batch: Some((every, of)), ..self }
    }

    /// Every `every`th notification is to be sent so much later: the queue's table brings it, not the memory.
    #[must_use]
    pub fn scheduled(self, every: usize, later: Duration) -> Self {
        Self { scheduled: Some((every, later)), ..self }
    }

    /// Nothing but e-mail; one in four goes by SMS or into the app otherwise.
    #[must_use]
    pub fn email_only(self) -> Self {
        Self { email_only: true, ..self }
    }

    /// Starts to send. Accepted uuids are appended to the file `journal`. Call it within a runtime.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn start(self, journal: &Path) -> io::Result<Running> {
        let shared = Arc::new(Shared {
            load: self,
            journal: Journal::open(journal)?,
            taken: Mutex::default(),
            accepted: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            items: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            began: Instant::now(),
        });
        let mut senders = JoinSet::new();
        for _ in 0..shared.load.connections {
            senders.spawn(send(Arc::clone(&shared)));
        }
        Ok(Running { shared, senders })
    }
}

/// A load under way; ends when it is dropped.
pub struct Running {
    shared: Arc<Shared>,
    senders: JoinSet<()>,
}

impl Running {
    /// How many are accepted by now.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Acquire)
    }

    /// Waits until `notifications` are accepted, or the load has ended by itself.
    ///
    /// # Panics
    /// If they are not within `patience`.
    pub async fn until_accepted(&mut self, notifications: usize, patience: Duration) {
        let until = Instant::now() + patience;
        while self.accepted() < notifications && !self.senders.is_empty() {
            assert!(Instant::now() < until, "{} of {notifications} were accepted", self.accepted());
            while self.senders.try_join_next().is_some() {}
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Begins no more requests, and waits for the answers of those under way.
    pub async fn stop(self) -> Taken {
        self.shared.stop.store(true, Ordering::Release);
        self.finish().await
    }

    /// Waits for the load's own end.
    ///
    /// # Panics
    /// If a sender was surprised.
    pub async fn finish(mut self) -> Taken {
        while let Some(ended) = self.senders.join_next().await {
            ended.expect("a sender ends by itself");
        }
        let taken = self.shared.taken.lock();
        taken.clone()
    }
}

struct Shared {
    load: Load,
    journal: Journal,
    taken: Mutex<Taken>,
    accepted: AtomicUsize,
    requests: AtomicUsize,
    items: AtomicUsize,
    stop: AtomicBool,
    began: Instant,
}

/// One connection.
async fn send(shared: Arc<Shared>) {
    loop {
        let number = shared.requests.fetch_add(1, Ordering::Relaxed);
        let batch = shared.load.batch.filter(|(every, _)| number % every == every - 1).map(|(_, of)| of);
        let first = shared.items.fetch_add(batch.unwrap_or(1), Ordering::Relaxed);
        if let Some(rate) = shared.load.rate {
            tokio::time::sleep_until(shared.began + Duration::from_secs(1) * try_u32(first) / rate).await;
        }
        if first >= shared.load.most || shared.stop.load(Ordering::Acquire) {
            return;
        }
        let items: Vec<_> = (first..first + batch.unwrap_or(1)).map(|n| shared.item(n)).collect();
        request(&shared, number, &items, batch.is_some()).await;
    }
}

fn try_u32(number: usize) -> u32 {
    u32::try_from(number).expect("a bounded load")
}

impl Shared {
    fn item(&self, number: usize) -> Item {
        let due = self.load.scheduled.filter(|(every, _)| number % every == every - 1);
        Item::new(number, due.map(|(_, later)| later), self.load.email_only)
    }
}

async fn request(shared: &Shared, number: usize, items: &[Item], batch: bool) {
    let (path, body) = if batch {
        let bodies: Vec<_> = items.iter().map(|item| item.body.clone()).collect();
        ("/api/v1/notifications/batch", serde_json::json!({ "notifications": bodies }))
    } else {
        ("/api/v1/notifications/send", items[0].body.clone())
    };
    let key = (number % 2 == 1).then(|| format!("load-{number}"));
    let processes = &shared.load.tenants[number % shared.load.tenants.len()];
    let mut doubtful = false;
    for turn in number / shared.load.tenants.len().. {
        let client = &processes[turn % processes.len()];
        let asked = tokio::time::timeout(ANSWER_WITHIN, client.attempt(path, &body, key.as_deref())).await;
        match asked.unwrap_or_else(|_| Err(NoAnswer::Cut("no answer in time".to_owned()))) {
            Ok((202, answer)) => return accept(shared, items, &answer, batch).await,
            Ok((status, answer)) => {
                // Too much at once, or a database that is away: later. Anything else is a mistake of the test.
                assert!(matches!(status, 409 | 429 | 503 | 504 | 507), "{status}: {answer}");
                doubtful |= status == 504;
                *shared.taken.lock().refused.entry(status).or_default() += 1;
            }
            Err(NoAnswer::Unreachable) => shared.taken.lock().unreachable += 1,
            Err(NoAnswer::Cut(how)) => {
                shared.taken.lock().cut.push(how);
                doubtful = true;
            }
        }
        if (doubtful && key.is_none()) || shared.stop.load(Ordering::Acquire) {
            break;
        }
        tokio::time::sleep(AGAIN).await;
    }
    if doubtful {
        shared.taken.lock().unanswered.extend(items.iter().map(|item| item.name.clone()));
    }
}

async fn accept(shared: &Shared, items: &[Item], answer: &Value, batch: bool) {
    let answers =
        if batch { answer["results"].as_array().map_or(&[][..], Vec::as_slice) } else { std::slice::from_ref(answer) };
    assert_eq!(answers.len(), items.len(), "{answer}");
    for (item, answer) in items.iter().zip(answers) {
        let uuid = answer["uuid"].as_str().unwrap_or_else(|| panic!("no uuid in {answer}")).to_owned();
        assert!(shared.journal.append(uuid.clone()).await, "the test's own disk refuses");
        shared.taken.lock().receipts.push(Receipt { uuid, name: item.name.clone(), email: item.email });
        shared.accepted.fetch_add(1, Ordering::AcqRel);
    }
}
