//! Providers and the accounts through which they are reached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carillon_domain::delivery::{OnUnknown, Outcome};
use carillon_domain::message::Message;
use carillon_domain::tenant::KeyKind;
use carillon_domain::{Channel, TenantId};

/// A way to hand one message to the outside. Implementations are named after what they use: `Smtp`, `SendGrid`.
#[async_trait]
pub trait ChannelProvider: Send + Sync + 'static {
    /// The kind's word, such as `smtp`; what the timeline shows as provider.
    fn kind(&self) -> &'static str;

    /// Hands over `message`, once: no retry in here. Ends within `timeout` with an answer in every case: nothing
    /// written yet → [`Outcome::Retry`]; anything of the message written and no answer → [`Outcome::Unknown`].
    async fn send(&self, message: &Message, timeout: Duration) -> Outcome;
}

/// A configured way out: a provider with its limits. Cheap to clone by `Arc`.
pub struct Account {
    /// Stable within the process, dense from 0; two accounts never share it.
    pub index: u16,
    /// For people and metrics, such as `smtp` or `sandbox-email`.
    pub name: String,
    /// What it delivers.
    pub channel: Channel,
    /// With what.
    pub provider: Arc<dyn ChannelProvider>,
    /// What to do with a message that the provider may have; [`Doubt`](crate::work::Doubt) is what a queue row keeps.
    pub on_unknown: OnUnknown,
    /// The effect is written by our own outcome transaction (the sandbox, the inbox): it can never be in doubt, and no
    /// network is involved.
    pub internal: bool,
    /// Pins the number of calls in flight; `None` adapts from 10 up to 512.
    pub concurrency: Option<usize>,
    /// The longest a call may take.
    pub timeout: Duration,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("name", &self.name).field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// Which account serves whom.
pub trait Accounts: Send + Sync + 'static {
    /// The account for `channel` of `tenant`. With [`KeyKind::Test`] it is a sandbox account, always.
    fn choose(&self, tenant: TenantId, channel: Channel, kind: KeyKind) -> Arc<Account>;

    /// All of them, for metrics and start-up.
    fn all(&self) -> Vec<Arc<Account>>;
}
