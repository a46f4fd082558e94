use carillon_domain::notification::Notification;
use carillon_domain::{Action, Error, ErrorCode, NotificationRef};
use carillon_ports::Page;
use carillon_ports::notifications::{DeadLetter, DeadLetterFilter};

use crate::{Listed, OpCtx, PageRequest, Parts};

const LIST: &str = "dead-letters";

/// How many one call of a replay by filter takes; the caller calls again while `more`.
const REPLAY_AT_ONCE: u32 = 200;

/// Parked notifications: what failed for good, and what is on hold because a provider may have it.
pub struct DeadLetterService {
    parts: Parts,
}

/// What a replay by filter did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Notifications that began a new run.
    pub replayed: u64,
    /// More match: call again.
    pub more: bool,
}

impl DeadLetterService {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Newest parked first.
    pub async fn dead_letter_list(
        &self,
        ctx: &OpCtx,
        filter: &DeadLetterFilter,
        page: &PageRequest,
    ) -> Result<Listed<DeadLetter>, Error> {
        let scope = ctx.authorize(Action::DeadLetterRead)?;
        let slice = self.parts.store.notifications.dead_letter_list(scope, filter, page.page(LIST)?).await?;
        Ok(Listed::from_slice(slice, LIST, |letter| letter))
    }

    /// One.
    pub async fn dead_letter_get(&self, ctx: &OpCtx, id: NotificationRef) -> Result<DeadLetter, Error> {
        let scope = ctx.authorize(Action::DeadLetterRead)?;
        self.parts.store.notifications.dead_letter_get(scope, id).await
    }

    /// Begins a new run of one.
    pub async fn dead_letter_replay(&self, ctx: &OpCtx, id: NotificationRef) -> Result<Notification, Error> {
        let scope = ctx.authorize(Action::DeadLetterReplay)?;
        let store = &self.parts.store.notifications;
        store.dead_letter_get(scope, id).await?;
        let notification = store.notification_retry(scope, id, ctx.now).await?;
        self.parts.acceptor.nudge();
        Ok(notification)
    }

    /// Begins a new run of those that match, at most 200 in one call. What another call replays meanwhile is left to it.
    pub async fn dead_letter_replay_all(&self, ctx: &OpCtx, filter: &DeadLetterFilter) -> Result<Replayed, Error> {
        let scope = ctx.authorize(Action::DeadLetterReplay)?;
        let store = &self.parts.store.notifications;
        let mut replayed = 0;
        let page = Page { limit: REPLAY_AT_ONCE, after: None };
        let slice = store.dead_letter_list(scope, filter, page).await?;
        for letter in slice.items {
            let id = NotificationRef::Id(letter.notification.id);
            match store.notification_retry(scope, id, ctx.now).await {
                Ok(_) => replayed += 1,
                Err(error) if matches!(error.code, ErrorCode::InvalidState | ErrorCode::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        self.parts.acceptor.nudge();
        Ok(Replayed { replayed, more: slice.next.is_some() })
    }
}
