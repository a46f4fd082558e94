//! The first start on an empty database makes tenant 1 and a platform administrator's key.

use carillon_domain::api_key::ApiKeySecret;
use carillon_domain::tenant::KeyKind;
use carillon_domain::{Clock, Entropy, Role};
use carillon_ports::Store;
use carillon_ports::tenants::{NewApiKey, NewTenant};
use secrecy::SecretString;

use crate::exit::Failure;

/// The key, if this start made it: to be shown once.
pub(crate) async fn first_start(
    store: &Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Option<SecretString>, Failure> {
    let at = clock.now();
    let tenant = NewTenant { uuid: entropy.uuid(at), code: "default".to_owned(), name: "Default".to_owned(), at };
    let secret = ApiKeySecret::generate(entropy, KeyKind::Live);
    let key = NewApiKey {
        uuid: entropy.uuid(at),
        name: "first start".to_owned(),
        kind: KeyKind::Live,
        prefix: secret.prefix().to_owned(),
        hash: secret.hash(),
        roles: vec![Role::PlatformAdmin],
        scopes: None,
        expires_at: None,
        at,
    };
    let made = store.tenants.first_start(&tenant, &key).await.map_err(Failure::from_domain)?;
    Ok(made.then(|| SecretString::from(secret.expose())))
}
