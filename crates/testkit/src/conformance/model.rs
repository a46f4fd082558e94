//! The queue against a model in memory: whatever is done in whatever order, a row has one live hold at most, and leaves
//! only by an end that its reader can see.

use std::collections::BTreeMap;

use carillon_domain::{NotificationId, Status};
use carillon_ports::work::{Doubt, Raise};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestCaseResult, TestRunner};
use tokio::runtime::Handle;

use super::db::{Db, LANE, Row};
use super::draft::{Draft, email};
use super::verdicts::{failed, held, retry, sent};

/// What can happen next. A number picks one of the rows that it can happen to.
#[derive(Debug, Clone)]
enum Op {
    Accept(Kind, Option<u8>),
    Claim(u32),
    Finish(usize, End),
    FinishStale(usize),
    Cancel(usize),
    Retry(usize),
    Release(usize),
    Promote,
    Restart,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Ready,
    Scheduled,
    Leased,
    Started(Doubt),
}

#[derive(Debug, Clone, Copy)]
enum End {
    Sent,
    Failed,
    Held,
    RetryNow,
    RetryLater,
}

/// Where the model thinks that a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the table: claimable now or later.
    Table,
    /// In this process's memory.
    Memory,
    /// Out of the queue, or parked.
    Ended(Status),
}

#[derive(Debug)]
struct Entry {
    row: Row,
    key: Option<u8>,
    place: Place,
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<NotificationId, Entry>,
    stale: Vec<Row>,
    /// Cancelled while they waited in memory, which has not dropped them yet.
    ghosts: Vec<Row>,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let doubt = prop_oneof![Just(Doubt::Resend), Just(Doubt::Hold), Just(Doubt::Impossible)];
    let kind = prop_oneof![Just(Kind::Ready), Just(Kind::Scheduled), Just(Kind::Leased), doubt.prop_map(Kind::Started)];
    let end =
        prop_oneof![Just(End::Sent), Just(End::Failed), Just(End::Held), Just(End::RetryNow), Just(End::RetryLater)];
    let op = prop_oneof![
        8 => (kind, proptest::option::of(0..2_u8)).prop_map(|(kind, key)| Op::Accept(kind, key)),
        5 => (1..6_u32).prop_map(Op::Claim),
        6 => (any::<usize>(), end).prop_map(|(pick, end)| Op::Finish(pick, end)),
        2 => any::<usize>().prop_map(Op::FinishStale),
        3 => any::<usize>().prop_map(Op::Cancel),
        2 => any::<usize>().prop_map(Op::Retry),
        2 => any::<usize>().prop_map(Op::Release),
        1 => Just(Op::Promote),
        1 => Just(Op::Restart),
    ];
    vec(op, 1..40)
}

pub(super) async fn a_row_has_one_live_hold_and_leaves_by_a_visible_end_only(db: &Db) {
    let runtime = Handle::current();
    tokio::task::block_in_place(|| {
        let config = Config { cases: 32, max_shrink_iters: 1_000, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&ops(), |ops| runtime.block_on(check(db, &ops)));
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    });
}

/// One run of the model, from an empty queue to an empty queue.
async fn check(db: &Db, ops: &[Op]) -> TestCaseResult {
    // A run that failed left rows behind: the next, smaller one must not meet them.
    db.restart().await;
    drain(db).await;
    let mut model = Model::default();
    for op in ops {
        step(db, &mut model, op).await?;
        model.agrees(db).await?;
    }
    let hi =
        model.rows.values().map(|entry| entry.row.hold.hand).chain(model.stale.iter().map(|row| row.hold.hand)).max();
    let raise = hi.map(|hi| Raise { lane: LANE, hi });
    let told = db.store.work.finish(&[], raise.as_slice()).await.unwrap().cancelled;
    prop_assert!(model.ghosts.iter().all(|row| told.contains(&row.id)), "{:?} lacks one of {:?}", told, model.ghosts);
    for entry in model.rows.values().filter(|entry| entry.place == Place::Memory) {
        db.finish(entry.row, sent()).await;
    }
    let drained = drain(db).await;
    for (id, entry) in &model.rows {
        prop_assert_eq!(drained.contains(id), entry.place == Place::Table, "{:?}", entry);
        let status = db.get(entry.row).await.status;
        prop_assert!(!status.is_pending(), "{} is {} and nobody works on it", id, status);
    }
    prop_assert_eq!(db.store.work.heal_ordering().await.unwrap(), 0);
    Ok(())
}

/// Promotes, claims and sends until nothing is left.
async fn drain(db: &Db) -> Vec<NotificationId> {
    let mut ids = Vec::new();
    loop {
        let later = db.after(std::time::Duration::from_secs(1));
        db.store.work.promote(later, 1_000).await.unwrap();
        let jobs = db.claim_of(carillon_domain::Channel::Email, Default::default(), 100, later).await;
        if jobs.is_empty() {
            return ids;
        }
        for job in &jobs {
            assert_eq!(db.finish(job.into(), sent()).await.lost, []);
            ids.push(job.notification.id);
        }
    }
}

async fn step(db: &Db, model: &mut Model, op: &Op) -> TestCaseResult {
    match op {
        Op::Accept(kind, key) => model.accept(db, *kind, *key).await,
        Op::Claim(limit) => {
            for job in db.claim(*limit).await {
                model.claimed((&job).into())?;
            }
        }
        Op::Finish(pick, end) => {
            let Some(row) = model.pick(*pick, |entry| entry.place == Place::Memory) else { return Ok(()) };
            let (verdict, place) = match end {
                End::Sent => (sent(), Place::Ended(Status::Sent)),
                End::Failed => (failed(), Place::Ended(Status::Failed)),
                End::Held => (held(), Place::Ended(Status::Unknown)),
                End::RetryNow => (retry(db.now()), Place::Table),
                End::RetryLater => (retry(db.after(std::time::Duration::from_millis(300))), Place::Table),
            };
            prop_assert_eq!(db.finish(row, verdict).await.lost, []);
            model.moved(row, place);
        }
        Op::FinishStale(pick) => {
            let Some(row) = pick.checked_rem(model.stale.len()).map(|index| model.stale[index]) else { return Ok(()) };
            prop_assert_eq!(db.finish(row, failed()).await.lost, [row.id]);
            model.ghosts.retain(|ghost| *ghost != row);
        }
        Op::Cancel(pick) => {
            let Some(row) = model.pick(*pick, |_| true) else { return Ok(()) };
            let allowed = match model.rows[&row.id].place {
                Place::Table => true,
                Place::Memory => !row.hold.started,
                Place::Ended(status) => status == Status::Cancelled,
            };
            let answer = db.store.notifications.notification_cancel(db.scope(), row.at(), db.now()).await;
            prop_assert_eq!(answer.is_ok(), allowed, "{:?}", answer);
            if allowed {
                if model.rows[&row.id].place == Place::Memory {
                    model.ghosts.push(row);
                }
                model.moved(row, Place::Ended(Status::Cancelled));
            }
        }
        Op::Retry(pick) => {
            // A new run of an ordered row goes to the end of its key: the model knows keys by the order of ids alone.
            let ended = |entry: &Entry| matches!(entry.place, Place::Ended(_)) && entry.key.is_none();
            let Some(row) = model.pick(*pick, ended) else { return Ok(()) };
            let allowed = model.rows[&row.id].place != Place::Ended(Status::Sent);
            let answer = db.store.notifications.notification_retry(db.scope(), row.at(), db.now()).await;
            prop_assert_eq!(answer.is_ok(), allowed, "{:?}", answer);
            if allowed {
                model.moved(row, Place::Table);
            }
        }
        Op::Release(pick) => {
            let unsent = |entry: &Entry| entry.place == Place::Memory && !entry.row.hold.started;
            let Some(row) = model.pick(*pick, unsent) else { return Ok(()) };
            prop_assert_eq!(db.store.work.release(&[(row.id, row.hold)]).await.unwrap(), 1);
            model.moved(row, Place::Table);
        }
        Op::Promote => {
            let later = db.after(std::time::Duration::from_millis(400));
            db.store.work.promote(later, 100).await.unwrap();
        }
        Op::Restart => {
            db.restart().await;
            model.restarted();
        }
    }
    Ok(())
}

impl Model {
    async fn accept(&mut self, db: &Db, kind: Kind, key: Option<u8>) {
        let draft: Draft = match kind {
            Kind::Ready => email(),
            Kind::Scheduled => email().scheduled(db.after(std::time::Duration::from_millis(300))),
            Kind::Leased => email().leased(),
            Kind::Started(doubt) => email().started(doubt),
        };
        let draft = if let Some(key) = key { draft.ordered(&key.to_string()) } else { draft };
        let (rows, blocked) = db.accept_many(&[draft]).await;
        let in_memory = matches!(kind, Kind::Leased | Kind::Started(_)) && blocked.is_empty();
        let place = if in_memory { Place::Memory } else { Place::Table };
        self.rows.insert(rows[0].id, Entry { row: rows[0], key, place });
    }

    /// A claim may take what is in the table, and of a key the oldest one alone.
    fn claimed(&mut self, row: Row) -> TestCaseResult {
        let entry = self.rows.get(&row.id);
        prop_assert_eq!(entry.map(|entry| entry.place), Some(Place::Table), "claimed {:?}", row.id);
        let ghost = self.ghosts.iter().find(|ghost| ghost.id == row.id);
        prop_assert!(ghost.is_none(), "claimed while {:?} is in memory", ghost);
        let key = entry.and_then(|entry| entry.key);
        let before = self
            .rows
            .range(..row.id)
            .find(|(_, entry)| key.is_some() && entry.key == key && !matches!(entry.place, Place::Ended(_)));
        prop_assert!(before.is_none(), "{:?} overtook {:?}", row.id, before);
        self.rows.insert(row.id, Entry { row, key, place: Place::Memory });
        Ok(())
    }

    fn pick(&self, pick: usize, which: impl Fn(&Entry) -> bool) -> Option<Row> {
        let rows: Vec<_> = self.rows.values().filter(|entry| which(entry)).map(|entry| entry.row).collect();
        pick.checked_rem(rows.len()).map(|index| rows[index])
    }

    fn moved(&mut self, row: Row, place: Place) {
        if let Some(entry) = self.rows.get_mut(&row.id) {
            if entry.place == Place::Memory {
                self.stale.push(entry.row);
            }
            entry.place = place;
        }
    }

    fn restarted(&mut self) {
        self.ghosts.clear();
        let held: Vec<_> = self.rows.values().filter(|entry| entry.place == Place::Memory).map(|e| e.row).collect();
        for row in held {
            let parked = row.hold.started && row.hold.doubt == Doubt::Hold;
            self.moved(row, if parked { Place::Ended(Status::Unknown) } else { Place::Table });
        }
    }

    /// What a reader sees is what the model says.
    async fn agrees(&self, db: &Db) -> TestCaseResult {
        for entry in self.rows.values() {
            let status = db.get(entry.row).await.status;
            let expected: &[Status] = match entry.place {
                Place::Ended(status) => &[status],
                Place::Table => &[Status::Accepted, Status::Queued],
                Place::Memory if entry.row.hold.started => &[Status::Sending],
                Place::Memory => &[Status::Queued],
            };
            if !expected.contains(&status) {
                return Err(TestCaseError::fail(format!("{entry:?} reads {status}")));
            }
        }
        Ok(())
    }
}
