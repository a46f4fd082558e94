//! What the pipeline asks of the core while it delivers.

use std::sync::Arc;

use async_trait::async_trait;
use carillon_domain::content::Content;
use carillon_domain::message::Message;
use carillon_domain::notification::Notification;
use carillon_domain::principal::TenantScope;
use carillon_domain::tenant::KeyKind;
use carillon_domain::{Action, Channel, Error, Principal, TenantId};
use carillon_ports::work::{Job, Payload};
use carillon_ports::{Account, Accounts, DeliveryHandler};
use serde_json::{Map, Value};

use crate::Catalog;

/// Chooses accounts and renders again.
pub struct Delivery {
    accounts: Arc<dyn Accounts>,
    catalog: Catalog,
}

impl Delivery {
    /// A handler over these.
    pub fn new(accounts: Arc<dyn Accounts>, catalog: Catalog) -> Self {
        Self { accounts, catalog }
    }
}

#[async_trait]
impl DeliveryHandler for Delivery {
    fn route(&self, tenant: TenantId, channel: Channel, kind: KeyKind) -> Arc<Account> {
        self.accounts.choose(tenant, channel, kind)
    }

    async fn prepare(&self, job: &Job) -> Result<Message, Error> {
        let notification = &job.notification;
        let tenant = notification.tenant_id;
        let scope = Principal::system(tenant).scope(Action::NotificationRead, tenant)?;
        Ok(Message {
            tenant,
            id: notification.id,
            uuid: notification.uuid,
            recipient: notification.recipient.clone(),
            content: render_again(&self.catalog, scope, notification, &job.payload).await?,
        })
    }
}

/// Renders from the pinned version, or the stored direct content, and the stored variables.
pub(crate) async fn render_again(
    catalog: &Catalog,
    scope: TenantScope,
    notification: &Notification,
    payload: &Payload,
) -> Result<Content, Error> {
    let variables: Map<String, Value> = match payload.variables.as_str() {
        "" => Map::new(),
        text => serde_json::from_str(text).map_err(Error::internal)?,
    };
    let channel = notification.channel;
    match (notification.template, &payload.direct) {
        (Some(pinned), _) => {
            catalog.render_pinned(scope, pinned, channel, notification.locale.as_deref(), &variables).await
        }
        (None, Some(direct)) => {
            let direct = serde_json::from_str(direct).map_err(Error::internal)?;
            let content = Content::parse(channel, direct, "/directContent")?;
            catalog.engine().render_once(&content, &variables, "/directContent")
        }
        (None, None) => Err(Error::internal("a notification without template and content")),
    }
}
