use carillon_domain::{Action, Error, Ref};
use carillon_ports::sandbox::{SandboxFilter, SandboxMessage};

use crate::{Listed, OpCtx, PageRequest, Parts};

const LIST: &str = "sandbox";

/// What the sandbox caught.
pub struct SandboxService {
    parts: Parts,
}

impl SandboxService {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Newest first.
    pub async fn sandbox_list(
        &self,
        ctx: &OpCtx,
        filter: &SandboxFilter,
        page: &PageRequest,
    ) -> Result<Listed<SandboxMessage>, Error> {
        let scope = ctx.authorize(Action::SandboxRead)?;
        let slice = self.parts.store.sandbox.sandbox_list(scope, filter, page.page(LIST)?).await?;
        Ok(Listed::from_slice(slice, LIST, |message| message))
    }

    /// One, by its id or by the notification's uuid.
    pub async fn sandbox_get(&self, ctx: &OpCtx, message: &Ref) -> Result<SandboxMessage, Error> {
        let scope = ctx.authorize(Action::SandboxRead)?;
        self.parts.store.sandbox.sandbox_get(scope, message).await
    }

    /// Deletes all of the tenant's.
    pub async fn sandbox_clear(&self, ctx: &OpCtx) -> Result<u64, Error> {
        let scope = ctx.authorize(Action::SandboxClear)?;
        self.parts.store.sandbox.sandbox_clear(scope).await
    }
}
