use carillon_domain::principal::TenantScope;
use carillon_domain::{Action, Error, Principal, TenantId, Timestamp};

/// Who asks, in which tenant, in the course of what: the first argument of every service method.
#[derive(Debug, Clone)]
pub struct OpCtx {
    /// The verified caller.
    pub principal: Principal,
    /// The tenant in which it happens: the caller's own, or the one that a platform administrator chose.
    pub tenant: TenantId,
    /// Of this request.
    pub request_id: String,
    /// Of the chain of requests that this one belongs to.
    pub correlation_id: String,
    /// When the request came in.
    pub now: Timestamp,
}

impl OpCtx {
    /// The tenant scope for `action`; a store method that asks for one cannot be reached without.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn authorize(&self, action: Action) -> Result<TenantScope, Error> {
        self.principal.scope(action, self.tenant)
    }
}
