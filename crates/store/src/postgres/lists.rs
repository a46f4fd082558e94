//! Reading notifications. Lists walk the primary order under a row budget: a filter never makes a read long.

use async_trait::async_trait;
use carillon_domain::notification::Notification;
use carillon_domain::principal::TenantScope;
use carillon_domain::{Error, NotificationId, NotificationRef, Timestamp};
use carillon_ports::notifications::{DeadLetter, DeadLetterFilter, NotificationFilter, TimelineEntry};
use carillon_ports::work::Payload;
use carillon_ports::{NotificationStore, Page, Slice};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::Postgres;
use super::lookup::{self, columns, notification, notification_now, sending};
use crate::error::from_sqlx;
use crate::row;

/// Rows that one call looks at.
const BUDGET: usize = 2_000;
/// Rows per statement once a filter has thrown rows away.
const STEP: usize = 500;

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    ", ",
    sending!(),
    " FROM notifications n WHERE n.tenant_id = $1 AND n.id < $2 ORDER BY n.id DESC LIMIT $3"
);

const LETTERS: &str = concat!(
    "SELECT ",
    columns!(),
    ", d.reason, d.parked_at FROM queue d JOIN notifications n ON n.id = d.id \
     WHERE d.state = 3 AND d.tenant_id = $1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3"
);

impl Postgres {
    /// Walks `sql` downwards and keeps what `keep` makes a `T` of.
    async fn walk<T>(
        &self,
        sql: &'static str,
        scope: TenantScope,
        page: Page,
        keep: impl Fn(&PgRow) -> Result<Option<T>, Error> + Send,
    ) -> Result<Slice<T>, Error>
    where
        T: Send,
    {
        let limit = page.limit as usize;
        let mut items = Vec::new();
        let mut position = page.after.unwrap_or(i64::MAX);
        let mut looked = 0;
        let mut step = limit + 1;
        while looked < BUDGET {
            let rows = sqlx::query(sql)
                .bind(scope.tenant().0)
                .bind(position)
                .bind(i64::try_from(step).unwrap_or(i64::MAX))
                .fetch_all(&self.general)
                .await
                .map_err(from_sqlx)?;
            for row in &rows {
                if items.len() == limit {
                    return Ok(Slice { items, next: Some(position) });
                }
                position = row.try_get("id").map_err(from_sqlx)?;
                items.extend(keep(row)?);
            }
            if rows.len() < step {
                return Ok(Slice { items, next: None });
            }
            looked += rows.len();
            step = STEP;
        }
        Ok(Slice { items, next: Some(position) })
    }
}

#[async_trait]
impl NotificationStore for Postgres {
    async fn notification_get(&self, scope: TenantScope, id: NotificationRef) -> Result<Notification, Error> {
        let mut conn = self.general.acquire().await.map_err(from_sqlx)?;
        lookup::find(&mut conn, scope.tenant(), id).await
    }

    async fn notification_payload(&self, scope: TenantScope, id: NotificationId) -> Result<Payload, Error> {
        let row = sqlx::query(
            "SELECT coalesce(c.variables, n.variables) AS variables, coalesce(c.direct, n.direct) AS direct
             FROM notifications n LEFT JOIN notification_content c ON c.id = n.id
             WHERE n.id = $1 AND n.tenant_id = $2",
        )
        .bind(id.0)
        .bind(scope.tenant().0)
        .fetch_optional(&self.general)
        .await
        .map_err(from_sqlx)?;
        lookup::payload(&row.ok_or_else(|| Error::not_found("notification"))?).map_err(from_sqlx)
    }

    async fn notification_list(
        &self,
        scope: TenantScope,
        filter: &NotificationFilter,
        page: Page,
    ) -> Result<Slice<Notification>, Error> {
        self.walk(LIST, scope, page, |row| {
            let found = notification_now(row)?;
            Ok(wanted(filter, &found).then_some(found))
        })
        .await
    }

    async fn notification_timeline(&self, scope: TenantScope, id: NotificationId) -> Result<Vec<TimelineEntry>, Error> {
        let mut conn = self.general.acquire().await.map_err(from_sqlx)?;
        lookup::find(&mut conn, scope.tenant(), NotificationRef::Id(id)).await?;
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT e.xid::text, e.transitions FROM events e WHERE e.id = $1 AND e.tenant_id = $2 ORDER BY e.epoch, e.xid",
        )
        .bind(id.0)
        .bind(scope.tenant().0)
        .fetch_all(&mut *conn)
        .await
        .map_err(from_sqlx)?;
        let mut entries = Vec::new();
        for (xid, transitions) in &rows {
            for (index, transition) in row::transitions(transitions)?.into_iter().enumerate() {
                entries.push(TimelineEntry { id: format!("{xid}-{index}"), transition });
            }
        }
        Ok(entries)
    }

    async fn notification_cancel(
        &self,
        scope: TenantScope,
        id: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error> {
        self.cancel(scope.tenant(), id, at).await
    }

    async fn notification_retry(
        &self,
        scope: TenantScope,
        id: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error> {
        self.retry(scope.tenant(), id, at).await
    }

    async fn notification_mark_read(
        &self,
        scope: TenantScope,
        id: NotificationRef,
        at: Timestamp,
    ) -> Result<Notification, Error> {
        self.mark_read(scope.tenant(), id, at).await
    }

    async fn dead_letter_list(
        &self,
        scope: TenantScope,
        filter: &DeadLetterFilter,
        page: Page,
    ) -> Result<Slice<DeadLetter>, Error> {
        self.walk(LETTERS, scope, page, |row| {
            let letter = letter(row)?;
            Ok(wanted_letter(filter, &letter).then_some(letter))
        })
        .await
    }

    async fn dead_letter_get(&self, scope: TenantScope, id: NotificationRef) -> Result<DeadLetter, Error> {
        let mut conn = self.general.acquire().await.map_err(from_sqlx)?;
        let none = || Error::not_found("dead letter");
        let found = lookup::find(&mut conn, scope.tenant(), id)
            .await
            .map_err(|error| if error.code == carillon_domain::ErrorCode::NotFound { none() } else { error })?;
        drop(conn);
        let page = Page { limit: 1, after: Some(found.id.0 + 1) };
        let only = |row: &PgRow| Ok(Some(letter(row)?).filter(|letter| letter.notification.id == found.id));
        self.walk(LETTERS, scope, page, only).await?.items.pop().ok_or_else(none)
    }
}

fn letter(row: &PgRow) -> Result<DeadLetter, Error> {
    let notification = notification(row)?;
    let reason: Option<String> = row.try_get("reason").map_err(from_sqlx)?;
    let parked_at: Option<Timestamp> = row.try_get("parked_at").map_err(from_sqlx)?;
    Ok(DeadLetter {
        reason: reason.unwrap_or_default(),
        parked_at: parked_at.unwrap_or(notification.updated_at),
        error: notification.error.clone(),
        notification,
    })
}

fn wanted(filter: &NotificationFilter, found: &Notification) -> bool {
    let recipient = |wanted: &String| found.recipient.address(found.channel) == Some(wanted);
    filter.status.is_none_or(|status| status == found.status)
        && filter.channel.is_none_or(|channel| channel == found.channel)
        && filter.template.is_none_or(|template| found.template.is_some_and(|pinned| pinned.id == template))
        && filter.recipient.as_ref().is_none_or(recipient)
        && (filter.user_id.is_none() || filter.user_id == found.recipient.user_id)
        && filter.created_after.is_none_or(|after| found.created_at >= after)
        && filter.created_before.is_none_or(|before| found.created_at < before)
        && has_metadata(&filter.metadata, found.metadata.as_deref())
}

fn has_metadata(wanted: &[(String, String)], metadata: Option<&str>) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let Some(Ok(metadata)) = metadata.map(serde_json::from_str::<serde_json::Value>) else { return false };
    wanted.iter().all(|(key, value)| metadata.get(key).and_then(serde_json::Value::as_str) == Some(value))
}

fn wanted_letter(filter: &DeadLetterFilter, letter: &DeadLetter) -> bool {
    filter.channel.is_none_or(|channel| channel == letter.notification.channel)
        && filter.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
        && (filter.provider.is_none() || filter.provider == letter.notification.provider)
        && filter.since.is_none_or(|since| letter.parked_at >= since)
        && filter.until.is_none_or(|until| letter.parked_at < until)
}
