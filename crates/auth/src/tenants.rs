use std::sync::Arc;
use std::time::Duration;

use carillon_domain::{Error, ErrorCode, Principal, Ref, TenantId};
use carillon_ports::TenantStore;
use moka::future::Cache;
use uuid::Uuid;

use crate::shared;

/// How long a name of a tenant is believed.
const KNOWN_FOR: Duration = Duration::from_secs(5);
/// Tenants in memory.
const MOST: u64 = 10_000;

/// Which tenant a header names.
#[derive(Clone)]
pub(crate) struct Tenants {
    store: Arc<dyn TenantStore>,
    named: Cache<Ref, TenantId>,
    own: Cache<TenantId, Arc<Names>>,
}

/// How a tenant may be named, beside its id.
struct Names {
    uuid: Uuid,
    code: String,
}

impl Tenants {
    pub(crate) fn new(store: Arc<dyn TenantStore>) -> Self {
        let named = Cache::builder().max_capacity(MOST).time_to_live(KNOWN_FOR).build();
        let own = Cache::builder().max_capacity(MOST).time_to_live(KNOWN_FOR).build();
        Self { store, named, own }
    }

    pub(crate) async fn choose(&self, principal: &Principal, wanted: &str) -> Result<TenantId, Error> {
        let wanted = wanted.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
        if wanted == Ref::Id(principal.home.0) {
            return Ok(principal.home);
        }
        if principal.is_platform_admin() {
            return self.any(wanted).await;
        }
        // One's own is looked up by its id, whatever the header says: a stranger's name costs as much as one's own, and
        // says nothing about who exists.
        let own = self.names(principal.home).await?;
        let is_own = match &wanted {
            Ref::Id(_) => false,
            Ref::Uuid(uuid) => *uuid == own.uuid,
            Ref::Code(code) => *code == own.code,
        };
        if is_own {
            return Ok(principal.home);
        }
        Err(Error::new(ErrorCode::Forbidden, "these credentials belong to another tenant"))
    }

    async fn any(&self, wanted: Ref) -> Result<TenantId, Error> {
        let store = Arc::clone(&self.store);
        let named = wanted.clone();
        let ask = async move { store.tenant_get(&named).await.map(|tenant| tenant.id) };
        self.named.try_get_with(wanted, ask).await.map_err(|error| shared(&error))
    }

    async fn names(&self, tenant: TenantId) -> Result<Arc<Names>, Error> {
        let ask = async {
            let tenant = self.store.tenant_get(&Ref::Id(tenant.0)).await?;
            Ok::<_, Error>(Arc::new(Names { uuid: tenant.uuid, code: tenant.code }))
        };
        self.own.try_get_with(tenant, ask).await.map_err(|error| shared(&error))
    }
}
