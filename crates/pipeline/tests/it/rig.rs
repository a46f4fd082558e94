//! A pipeline with its surroundings.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use carillon_domain::content::{Content, Sms};
use carillon_domain::delivery::{Failure, OnUnknown, Outcome, Receipt};
use carillon_domain::message::Message;
use carillon_domain::notification::Notification;
use carillon_domain::tenant::KeyKind;
use carillon_domain::{
    Channel, Clock, Entropy, Error, NotificationId, Priority, Recipient, Status, TenantId, Timestamp,
};
use carillon_pipeline::{Pipeline, Settings};
use carillon_ports::work::{Accepted, Job, Payload};
use carillon_ports::{Account, ChannelProvider, DeliveryHandler, Submission, SubmissionItem};
use carillon_telemetry::Meters;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::model::FakeStore;

/// Follows tokio's clock, which a test may stop.
pub(crate) struct TestClock(tokio::time::Instant);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        start + self.0.elapsed()
    }
}

/// Always the middle.
struct Middle;

impl Entropy for Middle {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x80);
    }
}

/// What a provider does with a message.
pub(crate) type Script = dyn Fn(&Message, usize) -> (Duration, Option<Outcome>) + Send + Sync;

pub(crate) struct FakeProvider {
    store: Mutex<Weak<FakeStore>>,
    pub(crate) script: Mutex<Box<Script>>,
    /// Ids, in the order of the calls.
    pub(crate) calls: Mutex<Vec<i64>>,
    in_flight: AtomicUsize,
    pub(crate) most_in_flight: AtomicUsize,
    pub(crate) most_in_doubt: AtomicUsize,
    pub(crate) unpermitted: AtomicUsize,
}

impl FakeProvider {
    fn new(store: &Arc<FakeStore>) -> Arc<Self> {
        Arc::new(Self {
            store: Mutex::new(Arc::downgrade(store)),
            script: Mutex::new(Box::new(|_, _| (Duration::from_millis(10), Some(sent())))),
            calls: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            most_in_doubt: AtomicUsize::new(0),
            unpermitted: AtomicUsize::new(0),
        })
    }

    pub(crate) fn does(&self, script: impl Fn(&Message, usize) -> (Duration, Option<Outcome>) + Send + Sync + 'static) {
        *self.script.lock() = Box::new(script);
    }

    pub(crate) fn calls_of(&self, id: i64) -> usize {
        self.calls.lock().iter().filter(|call| **call == id).count()
    }
}

pub(crate) fn sent() -> Outcome {
    Outcome::Sent(Receipt::default())
}

pub(crate) fn refused() -> Outcome {
    Outcome::Retry(Failure::of_provider("connection_refused", "nobody there"))
}

#[async_trait]
impl ChannelProvider for FakeProvider {
    fn kind(&self) -> &'static str {
        "fake"
    }

    async fn send(&self, message: &Message, _: Duration) -> Outcome {
        let store = self.store.lock().upgrade().unwrap();
        if !store.is_permitted(message.id.0) {
            self.unpermitted.fetch_add(1, Ordering::SeqCst);
        }
        self.most_in_doubt.fetch_max(store.maybe_sent(), Ordering::SeqCst);
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
        let nth = {
            let mut calls = self.calls.lock();
            calls.push(message.id.0);
            calls.iter().filter(|call| **call == message.id.0).count()
        };
        let (takes, outcome) = (self.script.lock())(message, nth);
        tokio::time::sleep(takes).await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        outcome.unwrap_or_else(|| panic!("as the script says"))
    }
}

struct Handler {
    accounts: HashMap<Channel, Arc<Account>>,
}

#[async_trait]
impl DeliveryHandler for Handler {
    fn route(&self, _: TenantId, channel: Channel, _: KeyKind) -> Arc<Account> {
        Arc::clone(&self.accounts[&channel])
    }

    async fn prepare(&self, job: &Job) -> Result<Message, Error> {
        if job.notification.metadata.as_deref() == Some("unrenderable") {
            return Err(Error::internal("no such variable"));
        }
        Ok(message(&job.notification))
    }
}

pub(crate) fn message(row: &Notification) -> Message {
    Message {
        tenant: row.tenant_id,
        id: row.id,
        uuid: row.uuid,
        recipient: row.recipient.clone(),
        content: Content::Sms(Sms { text: "hello".to_owned() }),
    }
}

pub(crate) struct Rig {
    pub(crate) pipeline: Pipeline,
    pub(crate) store: Arc<FakeStore>,
    /// The account of sms: external, three slots.
    pub(crate) sms: Arc<FakeProvider>,
    /// The account of e-mail: external, three slots, holds what is in doubt.
    pub(crate) email: Arc<FakeProvider>,
    /// The account of push: internal.
    pub(crate) push: Arc<FakeProvider>,
    pub(crate) clock: Arc<TestClock>,
}

pub(crate) const SLOTS: usize = 3;

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let clock = TestClock::new();
        let store = FakeStore::new(clock.clone());
        let providers = [(); 3].map(|()| FakeProvider::new(&store));
        let account = |index: u16, channel: Channel, on_unknown, internal| {
            let account = Account {
                index,
                name: format!("fake-{channel}"),
                channel,
                provider: providers[usize::from(index)].clone(),
                on_unknown,
                internal,
                concurrency: Some(SLOTS),
                timeout: Duration::from_secs(10),
            };
            (channel, Arc::new(account))
        };
        let accounts = HashMap::from([
            account(0, Channel::Sms, OnUnknown::Resend, false),
            account(1, Channel::Email, OnUnknown::Hold, false),
            account(2, Channel::Push, OnUnknown::Resend, true),
        ]);
        let settings = Settings { channels: vec![Channel::Sms, Channel::Email, Channel::Push], ..settings };
        let pipeline = Pipeline::start(
            store.clone(),
            Arc::new(Handler { accounts }),
            clock.clone(),
            Arc::new(Middle),
            Arc::new(Meters::none()),
            settings,
        )
        .await
        .unwrap();
        let [sms, email, push] = providers;
        Self { pipeline, store, sms, email, push, clock }
    }

    pub(crate) async fn item(&self, channel: Channel) -> SubmissionItem {
        let id = self.pipeline.next_ids(1).await.unwrap();
        item(id, channel, self.clock.now())
    }

    /// Sends one and returns its id.
    pub(crate) async fn send(&self, channel: Channel) -> i64 {
        self.send_item(self.item(channel).await).await
    }

    pub(crate) async fn send_item(&self, item: SubmissionItem) -> i64 {
        let id = item.notification.id.0;
        let accepted = self.pipeline.accept(Submission { items: vec![item], idempotency: None }).await.unwrap();
        assert!(matches!(accepted, Accepted::Stored { .. }));
        id
    }

    /// Sends `count` in one unit.
    pub(crate) async fn send_many(&self, channel: Channel, priority: Priority, count: usize) -> Vec<i64> {
        let first = self.pipeline.next_ids(count).await.unwrap();
        let ids: Vec<i64> = (first..).take(count).collect();
        let mut items: Vec<_> = ids.iter().map(|id| item(*id, channel, self.clock.now())).collect();
        for item in &mut items {
            item.notification.priority = priority;
        }
        self.pipeline.accept(Submission { items, idempotency: None }).await.unwrap();
        ids
    }

    /// Waits until `is` holds, for at most a minute.
    pub(crate) async fn until(&self, what: &str, is: impl Fn() -> bool) {
        for _ in 0..60_000 {
            if is() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let rows = self.store.model.lock().rows.values().map(|row| row.state.clone()).take(20).collect::<Vec<_>>();
        panic!("{what} did not come true; {:?}; {rows:?}", self.pipeline.healthy());
    }

    /// What must hold at the end of every test.
    pub(crate) fn was_lawful(&self) {
        for provider in [&self.sms, &self.email, &self.push] {
            assert_eq!(provider.unpermitted.load(Ordering::SeqCst), 0, "sent without an intent on disk");
        }
        for provider in [&self.sms, &self.email] {
            assert!(provider.most_in_flight.load(Ordering::SeqCst) <= SLOTS);
        }
    }

    /// What must hold when nothing is under way.
    pub(crate) fn is_at_rest(&self) {
        let health = self.pipeline.healthy();
        assert_eq!((health.waiting_rows, health.active), (0, 0), "credits or slots have leaked");
        self.was_lawful();
    }
}

pub(crate) fn item(id: i64, channel: Channel, now: Timestamp) -> SubmissionItem {
    let recipient = Recipient { phone: Some("+441632960961".to_owned()), ..Recipient::default() };
    let notification = Notification {
        id: NotificationId(id),
        uuid: Uuid::from_u128(u128::try_from(id).unwrap()),
        tenant_id: TenantId(1),
        channel,
        status: Status::Queued,
        priority: Priority::Normal,
        recipient,
        template: None,
        locale: None,
        provider: None,
        provider_message_id: None,
        attempts: 0,
        error: None,
        metadata: None,
        correlation_id: None,
        ordering_key: None,
        scheduled_at: None,
        expires_at: None,
        created_at: now,
        updated_at: now,
        sent_at: None,
        delivered_at: None,
        read_at: None,
        run: 1,
        test: false,
    };
    let message = Some(message(&notification));
    SubmissionItem { notification, payload: Payload::default(), kind: KeyKind::Live, message, delivered: false }
}
