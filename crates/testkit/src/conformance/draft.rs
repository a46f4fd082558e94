//! Notifications as a case wants them: what it does not say is ordinary.

use carillon_domain::notification::event::{EventKind, Transition};
use carillon_domain::notification::{Notification, PinnedTemplate};
use carillon_domain::time::SystemEntropy;
use carillon_domain::{Channel, Entropy as _, NotificationId, Priority, Recipient, Status, TenantId, Timestamp};
use carillon_ports::work::{Birth, Doubt, Hold, NewNotification, Payload};

/// A notification to accept.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) tenant: Option<TenantId>,
    pub(super) held: Option<(Doubt, bool)>,
    pub(super) payload: Payload,
    channel: Channel,
    recipient: Recipient,
    priority: Priority,
    ordering_key: Option<String>,
    scheduled_at: Option<Timestamp>,
    template: Option<PinnedTemplate>,
    metadata: Option<String>,
    delivered: bool,
    test: bool,
}

/// An e-mail, normal, due now, held by nobody.
pub(super) fn email() -> Draft {
    let recipient = Recipient { email: Some("ada@example.com".to_owned()), ..Recipient::default() };
    let direct = Some(r#"{"subject":"Hello","text":"Hello, Ada"}"#.to_owned());
    Draft {
        tenant: None,
        held: None,
        payload: Payload { variables: String::new(), direct },
        channel: Channel::Email,
        recipient,
        priority: Priority::Normal,
        ordering_key: None,
        scheduled_at: None,
        template: None,
        metadata: None,
        delivered: false,
        test: false,
    }
}

/// A text message, otherwise as [`email`].
pub(super) fn sms() -> Draft {
    let recipient = Recipient { phone: Some("+441632960961".to_owned()), ..Recipient::default() };
    Draft { channel: Channel::Sms, recipient, ..email() }
}

/// A message in the inbox, delivered by the commit that accepts it.
pub(super) fn in_app(user: &str) -> Draft {
    let recipient = Recipient { user_id: Some(user.to_owned()), ..Recipient::default() };
    Draft { channel: Channel::InApp, recipient, delivered: true, ..email() }
}

impl Draft {
    pub(super) fn to(mut self, address: &str) -> Self {
        self.recipient.email = Some(address.to_owned());
        self
    }

    pub(super) fn user(mut self, id: &str) -> Self {
        self.recipient.user_id = Some(id.to_owned());
        self
    }

    pub(super) fn of(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    pub(super) fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    pub(super) fn ordered(mut self, key: &str) -> Self {
        self.ordering_key = Some(key.to_owned());
        self
    }

    pub(super) fn scheduled(mut self, at: Timestamp) -> Self {
        self.scheduled_at = Some(at);
        self
    }

    pub(super) fn template(mut self, template: PinnedTemplate) -> Self {
        self.template = Some(template);
        self
    }

    pub(super) fn metadata(mut self, json: &str) -> Self {
        self.metadata = Some(json.to_owned());
        self
    }

    pub(super) fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    pub(super) fn test(mut self) -> Self {
        self.test = true;
        self
    }

    /// In this process's memory, not yet on its way.
    pub(super) fn leased(mut self) -> Self {
        self.held = Some((Doubt::Resend, false));
        self
    }

    /// In this process's memory and on its way.
    pub(super) fn started(mut self, doubt: Doubt) -> Self {
        self.held = Some((doubt, true));
        self
    }

    /// The row under `id`, accepted at `at` by `tenant`; `hold` is the place in memory, if it gets one.
    pub(super) fn build(&self, id: i64, tenant: TenantId, hold: Option<Hold>, at: Timestamp) -> NewNotification {
        let (birth, status, kinds): (Birth, Status, &[EventKind]) = match hold {
            _ if self.delivered => {
                (Birth::Delivered, Status::Delivered, &[EventKind::Requested, EventKind::Sent, EventKind::Delivered])
            }
            Some(hold) => (Birth::Leased(hold), Status::Queued, &[EventKind::Requested, EventKind::Queued]),
            None if self.scheduled_at.is_some() => (Birth::Waiting, Status::Accepted, &[EventKind::Requested]),
            None => (Birth::Ready, Status::Queued, &[EventKind::Requested, EventKind::Queued]),
        };
        let at_once = self.delivered.then_some(at);
        let notification = Notification {
            id: NotificationId(id),
            uuid: SystemEntropy.uuid(at),
            tenant_id: tenant,
            channel: self.channel,
            status,
            priority: self.priority,
            recipient: self.recipient.clone(),
            template: self.template,
            locale: self.template.map(|_| "en".to_owned()),
            provider: None,
            provider_message_id: None,
            attempts: 0,
            error: None,
            metadata: self.metadata.clone(),
            correlation_id: Some("conformance".to_owned()),
            ordering_key: self.ordering_key.clone(),
            scheduled_at: self.scheduled_at,
            expires_at: None,
            created_at: at,
            updated_at: at,
            sent_at: at_once,
            delivered_at: at_once,
            read_at: None,
            run: 1,
            test: self.test,
        };
        let transitions = kinds.iter().map(|&kind| Transition::new(kind, at)).collect();
        NewNotification { notification, payload: self.payload.clone(), birth, transitions }
    }
}
