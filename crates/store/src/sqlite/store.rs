//! The traits of `ports`, each method on its thread.

use std::time::Duration;

use async_trait::async_trait;
use carillon_domain::notification::Notification;
use carillon_domain::principal::TenantScope;
use carillon_domain::time::SystemClock;
use carillon_domain::{
    Channel, Clock as _, Error, ErrorCode, NotificationId, NotificationRef, Priority, Ref, Timestamp,
};
use carillon_ports::events::{EventCursor, EventPage};
use carillon_ports::notifications::{DeadLetter, DeadLetterFilter, NotificationFilter, TimelineEntry};
use carillon_ports::page::{Page, Slice};
use carillon_ports::sandbox::{SandboxFilter, SandboxMessage};
use carillon_ports::work::{
    AcceptUnit, Accepted, Assign, Finish, Finished, Hold, Job, Payload, Promoted, QueueDepth, Raise, Rescued,
};
use carillon_ports::{EventLog, NotificationStore, SandboxStore, WorkStore};

use super::{Sqlite, accept, claim, columns, commands, epoch, events, finish, lists, ordering, sandbox, schedule};

#[async_trait]
impl WorkStore for Sqlite {
    /// The lease needs no length: it lasts as long as the lock on the data folder.
    async fn begin(&self, _lease: Duration) -> Result<(), Error> {
        let now = SystemClock.now();
        let rescued = self.thread.run(move |writer| epoch::begin(writer, now)).await?;
        if rescued.rows > 0 {
            tracing::warn!(rows = rescued.rows, unknown = rescued.unknown(), "freed rows of a process that died");
        }
        *self.rescued.lock() = rescued;
        Ok(())
    }

    async fn heartbeat(&self) -> Result<bool, Error> {
        Ok(true)
    }

    async fn end(&self) -> Result<(), Error> {
        self.thread
            .run(|writer| {
                epoch::end(writer);
                Ok(())
            })
            .await
    }

    /// There are no dead epochs but those that `begin` has buried: tells, once, what that found.
    async fn rescue(&self, _now: Timestamp) -> Result<Rescued, Error> {
        Ok(std::mem::take(&mut *self.rescued.lock()))
    }

    async fn ids(&self) -> Result<(i64, u32), Error> {
        self.thread.run(epoch::ids).await
    }

    async fn accept(&self, group: &[AcceptUnit]) -> Vec<Result<Accepted, Error>> {
        let units = group.to_vec();
        let turn = self.thread.turn().await;
        match self.thread.with_turn(turn, move |writer| accept::accept(writer, &units)).await {
            Ok((_turn, answers)) => answers,
            Err(error) => group.iter().map(|_| Err(Error::new(error.code, error.detail.clone()))).collect(),
        }
    }

    async fn claim(
        &self,
        channel: Channel,
        priority: Priority,
        limit: u32,
        now: Timestamp,
        assign: Assign<'_>,
    ) -> Result<Vec<Job>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let turn = self.thread.turn().await;
        let pick = move |writer: &mut _| claim::pick(writer, channel, priority, limit, now);
        let (turn, picked) = self.thread.with_turn(turn, pick).await?;
        let picked = picked?;
        if picked.is_empty() {
            return Ok(Vec::new());
        }
        let holds = assign(&picked);
        let picked: Vec<_> = picked.into_iter().zip(holds).filter_map(|(row, hold)| Some((row, hold?))).collect();
        if picked.is_empty() {
            return Ok(Vec::new());
        }
        let (_turn, jobs) = self.thread.with_turn(turn, move |writer| claim::lease(writer, &picked, now)).await?;
        Ok(jobs?)
    }

    async fn finish(&self, outcomes: &[Finish], raises: &[Raise]) -> Result<Finished, Error> {
        let (outcomes, raises) = (outcomes.to_vec(), raises.to_vec());
        self.thread.run(move |writer| finish::finish(writer, &outcomes, &raises)).await
    }

    async fn release(&self, rows: &[(NotificationId, Hold)]) -> Result<u64, Error> {
        let rows = rows.to_vec();
        self.thread.run(move |writer| epoch::release(writer, &rows)).await
    }

    async fn promote(&self, now: Timestamp, limit: u32) -> Result<Promoted, Error> {
        self.thread.run(move |writer| schedule::promote(writer, now, limit)).await
    }

    async fn heal_ordering(&self) -> Result<u64, Error> {
        let now = SystemClock.now();
        self.thread.run(move |writer| writer.insist(|conn| ordering::heal(conn, now))).await
    }

    async fn history_turn(&self, _now: Timestamp) -> Result<bool, Error> {
        Ok(false)
    }

    async fn idempotency_sweep(&self, before: Timestamp) -> Result<u64, Error> {
        let mut total = 0;
        loop {
            let (deleted, more) = self.thread.run(move |writer| schedule::sweep(writer, before)).await?;
            total += deleted;
            if !more {
                return Ok(total);
            }
        }
    }

    async fn queue_depth(&self) -> Result<Vec<QueueDepth>, Error> {
        let (mut depth, mut after) = (Vec::new(), Some(i64::MIN));
        while let Some(from) = after {
            (depth, after) = self
                .readers
                .read(move |conn| {
                    let next = schedule::depth(conn, from, &mut depth)?;
                    Ok((depth, next))
                })
                .await?;
        }
        Ok(depth)
    }

    async fn ping(&self) -> Result<(), Error> {
        self.thread
            .run(|writer| {
                writer.disk.intake()?;
                writer.transact(|conn| {
                    conn.prepare_cached("UPDATE sequences SET value = value WHERE name = 'epoch'")?.execute([])?;
                    Ok(())
                })
            })
            .await
    }
}

#[async_trait]
impl NotificationStore for Sqlite {
    async fn notification_get(&self, scope: TenantScope, id: NotificationRef) -> Result<Notification, Error> {
        self.readers.read(move |conn| commands::get(conn, scope.tenant(), id)).await
    }

    async fn notification_payload(&self, scope: TenantScope, id: NotificationId) -> Result<Payload, Error> {
        self.readers
            .read(move |conn| {
                lists::own(conn, scope.tenant(), id)?;
                Ok(columns::payload(conn, id.0)?.unwrap_or_default())
            })
            .await
    }

    async fn notification_list(
        &self,
        scope: TenantScope,
        filter: &NotificationFilter,
        page: Page,
    ) -> Result<Slice<Notification>, Error> {
        let filter = filter.clone();
        self.readers.read(move |conn| lists::notifications(conn, scope.tenant(), &filter, page)).await
    }

    async fn notification_timeline(&self, scope: TenantScope, id: NotificationId) -> Result<Vec<TimelineEntry>, Error> {
        self.readers.read(move |conn| lists::timeline(conn, scope.tenant(), id)).await
    }

    async fn notification_cancel(
        &self,
        scope: TenantScope,
        id: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error> {
        self.thread.run(move |writer| commands::cancel(writer, scope.tenant(), id, at)).await
    }

    async fn notification_retry(
        &self,
        scope: TenantScope,
        id: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error> {
        self.thread.run(move |writer| writer.insist(|conn| commands::retry(conn, scope.tenant(), id, at))).await
    }

    async fn notification_mark_read(
        &self,
        scope: TenantScope,
        id: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error> {
        self.thread.run(move |writer| writer.insist(|conn| commands::mark_read(conn, scope.tenant(), id, at))).await
    }

    async fn dead_letter_list(
        &self,
        scope: TenantScope,
        filter: &DeadLetterFilter,
        page: Page,
    ) -> Result<Slice<DeadLetter>, Error> {
        let filter = filter.clone();
        self.readers.read(move |conn| lists::dead_letters(conn, scope.tenant(), &filter, page)).await
    }

    async fn dead_letter_get(&self, scope: TenantScope, id: NotificationRef) -> Result<DeadLetter, Error> {
        self.readers.read(move |conn| lists::dead_letter_get(conn, scope.tenant(), id)).await
    }
}

#[async_trait]
impl EventLog for Sqlite {
    async fn event_log_end(&self) -> Result<EventCursor, Error> {
        Ok(EventCursor::new(self.readers.read(events::last).await?.to_string()))
    }

    async fn event_log_read(&self, after: &EventCursor, limit: u32) -> Result<EventPage, Error> {
        let unreadable = |_| Error::new(ErrorCode::InvalidRequest, "this cursor cannot be read");
        let (from, limit) = (after.as_str().parse().map_err(unreadable)?, limit.max(1));
        let found = self.readers.read(move |conn| events::after(conn, from, limit)).await?;
        let more = found.len() >= limit as usize;
        let next = found.last().map_or_else(|| after.clone(), |(seq, _)| EventCursor::new(seq.to_string()));
        Ok(EventPage { events: found.into_iter().map(|(_, event)| event).collect(), next, more })
    }
}

#[async_trait]
impl SandboxStore for Sqlite {
    async fn sandbox_list(
        &self,
        scope: TenantScope,
        filter: &SandboxFilter,
        page: Page,
    ) -> Result<Slice<SandboxMessage>, Error> {
        let filter = filter.clone();
        self.readers.read(move |conn| sandbox::list(conn, scope.tenant(), &filter, page)).await
    }

    async fn sandbox_get(&self, scope: TenantScope, message: &Ref) -> Result<SandboxMessage, Error> {
        let message = message.clone();
        self.readers.read(move |conn| sandbox::get(conn, scope.tenant(), &message)).await
    }

    async fn sandbox_clear(&self, scope: TenantScope) -> Result<u64, Error> {
        self.sandbox_delete(scope.tenant().0, i64::MAX).await
    }

    async fn sandbox_trim(&self, keep: u32) -> Result<u64, Error> {
        let mut total = 0;
        for (tenant, position) in self.readers.read(move |conn| sandbox::surplus(conn, keep)).await? {
            total += self.sandbox_delete(tenant, position).await?;
        }
        Ok(total)
    }
}

impl Sqlite {
    /// Deletes a tenant's captured messages below a position, some at a time so that sends get in between.
    async fn sandbox_delete(&self, tenant: i64, position: i64) -> Result<u64, Error> {
        let mut total = 0;
        loop {
            let (deleted, more) = self.thread.run(move |writer| sandbox::below(writer, tenant, position)).await?;
            total += deleted;
            if !more {
                return Ok(total);
            }
        }
    }
}
