//! Notifications: the path from a request to the queue, reading them, and what a person does to one.

pub(crate) mod attachments;
mod batch;
pub(crate) mod command;
mod plan;
mod recipient;

use carillon_domain::content::Content;
use carillon_domain::notification::Notification;
use carillon_domain::{Action, Error, ErrorCode, NotificationId, NotificationRef, Timestamp};
use carillon_ports::accept::Submission;
use carillon_ports::notifications::{NotificationFilter, TimelineEntry};
use carillon_ports::work::{Accepted, Idempotency};
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::delivery::render_again;
use crate::{Listed, OpCtx, PageRequest, Parts};
use command::{IdempotencyKey, SendNotification};

const LIST: &str = "notifications";

/// Send, list, get, content, timeline, cancel, retry, read.
pub struct NotificationService {
    parts: Parts,
}

/// The answer to a send, after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendAnswer {
    /// The notification.
    pub uuid: Uuid,
    /// The wire's answer, as JSON text.
    pub body: String,
    /// It is the first call's answer again.
    pub replayed: bool,
}

/// The answer to a batch, after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchAnswer {
    /// The wire's answer, as JSON text.
    pub body: String,
    /// It is the first call's answer again.
    pub replayed: bool,
}

/// `202 Accepted`, with the wire's names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AcceptedBody<'a> {
    id: NotificationId,
    uuid: Uuid,
    status: &'a str,
    channel: &'a str,
    created_at: &'a str,
}

impl NotificationService {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Accepts one notification. When this returns it is on disk.
    ///
    /// # Errors
    /// `validation_failed` for everything that is wrong with it, template errors included; the idempotency codes;
    /// `unavailable` and `overloaded`, after which nothing was accepted.
    pub async fn notification_send(
        &self,
        ctx: &OpCtx,
        command: SendNotification,
        key: Option<&IdempotencyKey>,
    ) -> Result<SendAnswer, Error> {
        let scope = ctx.authorize(Action::NotificationSend)?;
        let fingerprint = key.map(|_| fingerprint(&command)).transpose()?;
        let mut item = plan::plan(&self.parts, ctx, scope, command).await?;
        set_id(&mut item, self.parts.acceptor.ids(1).await?);
        let body = accepted_body(&item.notification, &millis(ctx.now))?;
        let uuid = item.notification.uuid;
        let idempotency = idempotency(ctx, key, fingerprint, &body);
        match self.parts.acceptor.accept(Submission { items: vec![item], idempotency }).await? {
            Accepted::Stored { .. } => Ok(SendAnswer { uuid, body, replayed: false }),
            Accepted::Replayed(body) => {
                let first: AcceptedBody<'_> = serde_json::from_str(&body).map_err(Error::internal)?;
                Ok(SendAnswer { uuid: first.uuid, body, replayed: true })
            }
            Accepted::Mismatch => Err(mismatch()),
        }
    }

    /// Newest first.
    pub async fn notification_list(
        &self,
        ctx: &OpCtx,
        filter: &NotificationFilter,
        page: &PageRequest,
    ) -> Result<Listed<Notification>, Error> {
        let scope = ctx.authorize(Action::NotificationRead)?;
        let slice = self.parts.store.notifications.notification_list(scope, filter, page.page(LIST)?).await?;
        Ok(Listed::from_slice(slice, LIST, |notification| notification))
    }

    /// One.
    pub async fn notification_get(&self, ctx: &OpCtx, id: NotificationRef) -> Result<Notification, Error> {
        let scope = ctx.authorize(Action::NotificationRead)?;
        self.parts.store.notifications.notification_get(scope, id).await
    }

    /// What was (or will be) rendered, as the person gets it: from the pinned version and the stored variables.
    pub async fn notification_content(&self, ctx: &OpCtx, id: NotificationRef) -> Result<Content, Error> {
        let scope = ctx.authorize(Action::NotificationRead)?;
        let notification = self.parts.store.notifications.notification_get(scope, id).await?;
        let payload = self.parts.store.notifications.notification_payload(scope, notification.id).await?;
        render_again(&self.parts.catalog, scope, &notification, &payload).await
    }

    /// What happened to it, oldest first.
    pub async fn notification_timeline(&self, ctx: &OpCtx, id: NotificationRef) -> Result<Vec<TimelineEntry>, Error> {
        let scope = ctx.authorize(Action::NotificationRead)?;
        let notification = self.parts.store.notifications.notification_get(scope, id).await?;
        self.parts.store.notifications.notification_timeline(scope, notification.id).await
    }

    /// Stops a notification that no provider has seen.
    ///
    /// # Errors
    /// `not_found` if this tenant has none such; `invalid_state` from `sending` on.
    pub async fn notification_cancel(&self, ctx: &OpCtx, id: NotificationRef) -> Result<Notification, Error> {
        let scope = ctx.authorize(Action::NotificationOperate)?;
        let notification = self.parts.store.notifications.notification_cancel(scope, id, ctx.now).await?;
        self.parts.acceptor.nudge();
        Ok(notification)
    }

    /// Begins a new run of what failed, was cancelled, or hangs in doubt.
    ///
    /// # Errors
    /// `invalid_state` if it is under way or has reached the person.
    pub async fn notification_retry(&self, ctx: &OpCtx, id: NotificationRef) -> Result<Notification, Error> {
        let scope = ctx.authorize(Action::NotificationOperate)?;
        let notification = self.parts.store.notifications.notification_retry(scope, id, ctx.now).await?;
        self.parts.acceptor.nudge();
        Ok(notification)
    }

    /// Marks it read.
    ///
    /// # Errors
    /// `invalid_state` before a provider took it.
    pub async fn notification_mark_read(&self, ctx: &OpCtx, id: NotificationRef) -> Result<Notification, Error> {
        let scope = ctx.authorize(Action::NotificationMarkRead)?;
        self.parts.store.notifications.notification_mark_read(scope, id, ctx.now).await
    }
}

fn set_id(item: &mut carillon_ports::accept::SubmissionItem, id: i64) {
    item.notification.id = NotificationId(id);
    if let Some(message) = &mut item.message {
        message.id = NotificationId(id);
    }
}

/// A time as the wire has it.
fn millis(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn accepted_body(notification: &Notification, created_at: &str) -> Result<String, Error> {
    let body = AcceptedBody {
        id: notification.id,
        uuid: notification.uuid,
        status: "accepted",
        channel: notification.channel.as_str(),
        created_at,
    };
    serde_json::to_string(&body).map_err(Error::internal)
}

fn fingerprint(request: &impl Serialize) -> Result<[u8; 32], Error> {
    let canonical = serde_json::to_vec(request).map_err(Error::internal)?;
    Ok(Sha256::digest(canonical).into())
}

fn idempotency(
    ctx: &OpCtx,
    key: Option<&IdempotencyKey>,
    fingerprint: Option<[u8; 32]>,
    answer: &str,
) -> Option<Idempotency> {
    let (key, fingerprint) = key.zip(fingerprint)?;
    Some(Idempotency {
        tenant: ctx.tenant,
        key: key.as_str().to_owned(),
        fingerprint,
        answer: answer.to_owned(),
        at: ctx.now,
    })
}

fn mismatch() -> Error {
    Error::new(ErrorCode::IdempotencyMismatch, "this idempotency key was used with another request")
}
