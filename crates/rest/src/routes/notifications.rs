use axum::extract::{Path, State};
use carillon_app::SendNotification;
use carillon_app::view::NotificationFilter;
use carillon_domain::{Action, Error, ErrorCode, FieldError, Ref, TemplateId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Routes;
use crate::Shared;
use crate::answer::{self, Answer};
use crate::caller::{Caller, Idempotency, named};
use crate::dto;
use crate::json::{self, BatchBytes, Json, NoBody};
use crate::openapi::{Operation, operation::Answer as Good};
use crate::query::Raw;

/// The most notifications of one batch.
const BATCH: usize = 1000;

const FILTERS: &[(&str, &str)] = &[
    ("status", "What has become of them."),
    ("channel", "By which way."),
    ("templateId", "Made from this template (id, uuid or code)."),
    ("recipient", "The recipient's address in the channel, exactly."),
    ("userId", "Your own id of the person."),
    ("metadata.*", "metadata.key equals this string."),
    ("createdAfter", "Accepted at or after (RFC 3339)."),
    ("createdBefore", "Accepted before (RFC 3339)."),
    ("limit", "1 to 200."),
    ("cursor", "next of the page before."),
];

pub(super) fn mount(routes: Routes) -> Routes {
    use Action::{NotificationMarkRead, NotificationOperate, NotificationRead, NotificationSend};
    let one = |operation: Operation| operation.answers(Good::One(200, "Notification"));
    let acts = |operation: Operation| one(operation).fails(ErrorCode::InvalidState);
    routes
        .add(
            Operation::post("/api/v1/notifications/send", "sendNotification", "Send a notification")
                .needs(NotificationSend)
                .body("SendNotification")
                .idempotent()
                .answers(Good::One(202, "Accepted")),
            send,
        )
        .add(
            Operation::post("/api/v1/notifications/batch", "sendBatch", "Send up to 1,000 notifications at once")
                .needs(NotificationSend)
                .body("SendBatch")
                .idempotent()
                .answers(Good::One(202, "BatchAccepted")),
            batch,
        )
        .add(
            Operation::get("/api/v1/notifications", "listNotifications", "List notifications, newest first")
                .needs(NotificationRead)
                .query(FILTERS)
                .answers(Good::Page("Notification")),
            list,
        )
        .add(
            one(Operation::get("/api/v1/notifications/{id}", "getNotification", "Get a notification"))
                .needs(NotificationRead),
            get,
        )
        .add(
            Operation::get("/api/v1/notifications/{id}/content", "getContent", "See what the person gets")
                .needs(NotificationRead)
                .answers(Good::One(200, "Content")),
            content,
        )
        .add(
            Operation::get("/api/v1/notifications/{id}/timeline", "getTimeline", "See what happened to it")
                .needs(NotificationRead)
                .answers(Good::Page("TimelineEntry")),
            timeline,
        )
        .add(
            acts(Operation::post("/api/v1/notifications/{id}/cancel", "cancelNotification", "Stop it"))
                .needs(NotificationOperate),
            cancel,
        )
        .add(
            acts(Operation::post("/api/v1/notifications/{id}/retry", "retryNotification", "Try it again"))
                .needs(NotificationOperate),
            retry,
        )
        .add(
            acts(Operation::post("/api/v1/notifications/{id}/read", "readNotification", "Mark it as read"))
                .needs(NotificationMarkRead),
            read,
        )
}

async fn send(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Idempotency(key): Idempotency,
    Json(command): Json<SendNotification>,
) -> Answer {
    let sent = state.app.notifications.notification_send(&ctx, command, key.as_ref()).await?;
    let mut response = answer::accepted(sent.body, sent.replayed);
    answer::locate(&mut response, &format!("/api/v1/notifications/{}", sent.uuid));
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody<'a> {
    #[serde(borrow)]
    notifications: Vec<&'a RawValue>,
    #[serde(default)]
    atomic: bool,
}

async fn batch(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Idempotency(key): Idempotency,
    batch: BatchBytes,
) -> Answer {
    let body: BatchBody<'_> = json::read(&batch.bytes, "")?;
    if !(1..=BATCH).contains(&body.notifications.len()) {
        let message = format!("a batch has 1 to {BATCH} notifications");
        return Err(Error::invalid(FieldError::new("/notifications", "out_of_range", message)).into());
    }
    let items = body.notifications.iter().map(|item| batch.item(item)).collect();
    let sent = state.app.notifications.notification_send_batch(&ctx, items, body.atomic, key.as_ref()).await?;
    Ok(answer::accepted(sent.body, sent.replayed))
}

async fn list(State(state): State<Shared>, Caller(ctx): Caller, raw: Raw) -> Answer {
    let query = raw.only(FILTERS)?;
    let template = match query.text("templateId").map(named).transpose()? {
        None => None,
        Some(Ref::Id(id)) => Some(TemplateId(id)),
        Some(name) => Some(state.app.templates.template_get(&ctx, &name).await?.id),
    };
    let filter = NotificationFilter {
        status: query.status()?,
        channel: query.channel()?,
        template,
        recipient: query.text("recipient").map(str::to_owned),
        user_id: query.text("userId").map(str::to_owned),
        metadata: query.under("metadata."),
        created_after: query.time("createdAfter")?,
        created_before: query.time("createdBefore")?,
    };
    let listed = state.app.notifications.notification_list(&ctx, &filter, &query.page()?).await?;
    answer::list(listed, dto::Notification::from)
}

async fn get(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>) -> Answer {
    let notification = state.app.notifications.notification_get(&ctx, id.parse()?).await?;
    answer::ok(&dto::Notification::from(notification))
}

async fn content(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>) -> Answer {
    answer::ok(&state.app.notifications.notification_content(&ctx, id.parse()?).await?)
}

async fn timeline(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>) -> Answer {
    let data = state.app.notifications.notification_timeline(&ctx, id.parse()?).await?;
    answer::list(carillon_app::Listed { data, next: None }, dto::TimelineEntry::from)
}

async fn cancel(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>, _: NoBody) -> Answer {
    let notification = state.app.notifications.notification_cancel(&ctx, id.parse()?).await?;
    answer::ok(&dto::Notification::from(notification))
}

async fn retry(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>, _: NoBody) -> Answer {
    let notification = state.app.notifications.notification_retry(&ctx, id.parse()?).await?;
    answer::ok(&dto::Notification::from(notification))
}

async fn read(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>, _: NoBody) -> Answer {
    let notification = state.app.notifications.notification_mark_read(&ctx, id.parse()?).await?;
    answer::ok(&dto::Notification::from(notification))
}
