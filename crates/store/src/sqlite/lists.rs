//! Lists walk an index newest first and judge each row. A budget of rows and of time bounds the walk: a page may be
//! short, or empty, and still say where to go on.

use std::time::{Duration, Instant};

use carillon_domain::notification::Notification;
use carillon_domain::{Error, NotificationId, NotificationRef, TenantId};
use carillon_ports::notifications::{DeadLetter, DeadLetterFilter, NotificationFilter, TimelineEntry};
use carillon_ports::page::{Page, Slice};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use serde_json::{Map, Value};

use super::columns::{self, COLUMNS, columns, under_way};
use super::commands;
use super::fault::Fault;
use crate::row;

/// Rows per page that are looked at.
const BUDGET: u32 = 2_000;
/// Well below the limit of a read, so that a slow walk ends as a short page and not as an error.
const TIME: Duration = Duration::from_millis(150);

/// Walks `sql`, whose first column is the position; `judge` says what is wanted.
pub(super) fn walk<T>(
    conn: &Connection,
    sql: &str,
    parameters: impl Params,
    page: Page,
    mut judge: impl FnMut(&Row<'_>) -> Result<Option<T>, Fault>,
) -> Result<Slice<T>, Fault> {
    let end = Instant::now() + TIME;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut items = Vec::new();
    let (mut seen, mut last) = (0, None);
    while let Some(r) = rows.next()? {
        if items.len() >= limit || seen >= BUDGET || (seen > 0 && Instant::now() >= end) {
            return Ok(Slice { items, next: last });
        }
        seen += 1;
        last = Some(r.get(0)?);
        items.extend(judge(r)?);
    }
    Ok(Slice { items, next: None })
}

/// Where a walk begins: below the last position.
pub(super) fn start(page: Page) -> i64 {
    page.after.unwrap_or(i64::MAX)
}

/// A page of notifications.
pub(super) fn notifications(
    conn: &Connection,
    tenant: TenantId,
    filter: &NotificationFilter,
    page: Page,
) -> Result<Slice<Notification>, Fault> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        ", ",
        under_way!(),
        " FROM notifications n LEFT JOIN queue q ON q.id = n.id WHERE n.tenant_id = ?1 AND n.id < ?2 ORDER BY n.id DESC"
    );
    walk(conn, SQL, params![tenant.0, start(page)], page, |r| {
        // The cheap columns first: most rows of a narrow filter end here.
        if filter.channel.is_some_and(|channel| r.get_ref(3) != Ok(ValueRef::Integer(channel.number().into())))
            || filter.template.is_some_and(|template| r.get_ref(10) != Ok(ValueRef::Integer(template.0)))
        {
            return Ok(None);
        }
        let notification = columns::visible(r)?;
        Ok(wanted(filter, &notification).then_some(notification))
    })
}

fn wanted(filter: &NotificationFilter, n: &Notification) -> bool {
    filter.status.is_none_or(|status| n.status == status)
        && filter.recipient.as_deref().is_none_or(|address| n.recipient.address(n.channel) == Some(address))
        && filter.user_id.as_deref().is_none_or(|user| n.recipient.user_id.as_deref() == Some(user))
        && filter.created_after.is_none_or(|after| n.created_at >= after)
        && filter.created_before.is_none_or(|before| n.created_at < before)
        && metadata(&filter.metadata, n.metadata.as_deref())
}

fn metadata(wanted: &[(String, String)], text: Option<&str>) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let Some(Ok(known)) = text.map(serde_json::from_str::<Map<String, Value>>) else { return false };
    wanted.iter().all(|(key, value)| known.get(key).and_then(Value::as_str) == Some(value))
}

/// All that happened, oldest first.
pub(super) fn timeline(conn: &Connection, tenant: TenantId, id: NotificationId) -> Result<Vec<TimelineEntry>, Fault> {
    own(conn, tenant, id)?;
    let mut statement = conn.prepare_cached("SELECT seq, transitions FROM events WHERE id = ?1 ORDER BY seq")?;
    let mut rows = statement.query([id.0])?;
    let mut entries = Vec::new();
    while let Some(r) = rows.next()? {
        let seq: i64 = r.get(0)?;
        let transitions = row::transitions(r.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        let numbered = transitions.into_iter().enumerate();
        entries.extend(numbered.map(|(index, transition)| TimelineEntry { id: format!("{seq}-{index}"), transition }));
    }
    Ok(entries)
}

/// Whether it is the tenant's; another's looks like none.
pub(super) fn own(conn: &Connection, tenant: TenantId, id: NotificationId) -> Result<(), Fault> {
    conn.prepare_cached("SELECT 1 FROM notifications WHERE id = ?1 AND tenant_id = ?2")?
        .query_row(params![id.0, tenant.0], |_| Ok(()))
        .optional()?
        .ok_or_else(|| Error::not_found("notification").into())
}

/// A page of dead letters.
pub(super) fn dead_letters(
    conn: &Connection,
    tenant: TenantId,
    filter: &DeadLetterFilter,
    page: Page,
) -> Result<Slice<DeadLetter>, Fault> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        ", q.reason, q.parked_at FROM queue q JOIN notifications n ON n.id = q.id \
         WHERE q.state = 3 AND q.tenant_id = ?1 AND q.id < ?2 ORDER BY q.id DESC"
    );
    walk(conn, SQL, params![tenant.0, start(page)], page, |r| {
        let letter = dead_letter(r)?;
        let wanted = filter.channel.is_none_or(|channel| letter.notification.channel == channel)
            && filter.reason.as_ref().is_none_or(|reason| letter.reason == *reason)
            && filter.provider.as_ref().is_none_or(|p| letter.notification.provider.as_ref() == Some(p))
            && filter.since.is_none_or(|since| letter.parked_at >= since)
            && filter.until.is_none_or(|until| letter.parked_at < until);
        Ok(wanted.then_some(letter))
    })
}

/// One dead letter.
pub(super) fn dead_letter_get(conn: &Connection, tenant: TenantId, id: NotificationRef) -> Result<DeadLetter, Fault> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        ", q.reason, q.parked_at FROM queue q JOIN notifications n ON n.id = q.id WHERE q.state = 3 AND q.id = ?1"
    );
    let unknown = || Fault::Refused(Error::not_found("dead letter"));
    let notification = match commands::get(conn, tenant, id) {
        Err(Fault::Refused(_)) => return Err(unknown()),
        found => found?,
    };
    conn.prepare_cached(SQL)?.query_row([notification.id.0], |r| Ok(dead_letter(r))).optional()?.ok_or_else(unknown)?
}

fn dead_letter(r: &Row<'_>) -> Result<DeadLetter, Fault> {
    let notification = columns::notification(r)?;
    let parked_at: Option<i64> = r.get(COLUMNS + 1)?;
    Ok(DeadLetter {
        reason: r.get::<_, Option<String>>(COLUMNS)?.unwrap_or_default(),
        parked_at: parked_at.map(row::instant).transpose()?.unwrap_or(notification.updated_at),
        error: notification.error.clone(),
        notification,
    })
}
