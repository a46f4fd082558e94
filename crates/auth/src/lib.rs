//! From credentials to a principal, and from a header to the tenant in which things happen.
//!
//! Knows API keys; every door hands its token to [`Authenticator`]. Nothing here logs, and no secret is kept: the caches
//! are keyed by a key's SHA-256 hash.

mod tenants;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_domain::api_key::ApiKeySecret;
use carillon_domain::principal::Subject;
use carillon_domain::{Clock, Error, ErrorCode, Principal, TenantId, Timestamp};
use carillon_ports::TenantStore;
use chrono::TimeDelta;
use moka::future::Cache;
use parking_lot::Mutex;

use crate::tenants::Tenants;

/// How long a key that was found is believed while [`Authenticator::follow`] is heard of.
const FOUND_FOR: Duration = Duration::from_mins(1);
/// How long without: a revocation reaches every process within this time, whatever happens.
const ALONE_FOR: TimeDelta = TimeDelta::seconds(5);
/// From then on nothing was heard of it.
const SILENT: TimeDelta = TimeDelta::seconds(4);
/// How far back a follower looks: for clocks that differ, and for changes that were slow to commit.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(15);
/// More keys than this ended at once, and all are forgotten.
const MOST_ENDED: u32 = 1_000;
/// How long a key that was not found is refused without asking: short, because it may have been made just now.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// Keys in memory, a few hundred bytes each.
const MOST_KEYS: u64 = 50_000;

/// Turns credentials into principals. Cheap to clone; clones share their caches.
#[derive(Clone)]
pub struct Authenticator {
    store: Arc<dyn TenantStore>,
    clock: Arc<dyn Clock>,
    keys: Cache<[u8; 32], Known>,
    /// Up to when ended keys are forgotten.
    followed: Arc<Mutex<Option<Timestamp>>>,
    tenants: Tenants,
}

/// What the store said about a hash: the key's principal, or that there is none.
type Known = Option<Arc<Key>>;

struct Key {
    principal: Principal,
    expires_at: Option<Timestamp>,
    asked: Timestamp,
}

impl Authenticator {
    /// An authenticator over these.
    pub fn new(store: Arc<dyn TenantStore>, clock: Arc<dyn Clock>) -> Self {
        let keys = Cache::builder().max_capacity(MOST_KEYS).expire_after(Belief).build();
        Self { tenants: Tenants::new(Arc::clone(&store)), store, clock, keys, followed: Arc::default() }
    }

    /// Forgets the keys that have ended lately, wherever that was done. To be called every second.
    ///
    /// # Errors
    /// What the store says when it is away; keys are then believed for five seconds only.
    pub async fn follow(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let ended = self.store.api_keys_ended(now - LOOK_BACK, MOST_ENDED).await?;
        if ended.len() >= MOST_ENDED as usize {
            self.keys.invalidate_all();
        }
        for hash in &ended {
            self.keys.invalidate(hash).await;
        }
        *self.followed.lock() = Some(now);
        Ok(())
    }

    /// The holder of an API key.
    ///
    /// # Errors
    /// `unauthenticated` for what is no key, is unknown, revoked or expired, without saying which; what the store says
    /// when it is away: an outage never reads as bad credentials.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, Error> {
        let secret = ApiKeySecret::parse(token).ok_or_else(refused)?;
        let hash = secret.hash();
        let now = self.clock.now();
        let known = match self.keys.get(&hash).await {
            Some(known) if known.as_ref().is_none_or(|key| self.is_believed(key, now)) => known,
            Some(_) => {
                self.keys.invalidate(&hash).await;
                self.look_up(hash).await?
            }
            None => self.look_up(hash).await?,
        };
        let key = known.ok_or_else(refused)?;
        if key.expires_at.is_some_and(|at| at <= now) {
            return Err(refused());
        }
        Ok(key.principal.clone())
    }

    /// The tenant in which `principal` acts: its own, or `wanted` (the id, uuid or code of the `X-Tenant-ID` header).
    ///
    /// # Errors
    /// `forbidden` for anybody but a platform administrator who names a tenant not their own; `not_found` for a platform
    /// administrator who names none that exists; what the store says when it is away.
    pub async fn tenant(&self, principal: &Principal, wanted: Option<&str>) -> Result<TenantId, Error> {
        let Some(wanted) = wanted else { return Ok(principal.home) };
        self.tenants.choose(principal, wanted).await
    }

    /// Whether a key that was found before may still be taken for good.
    fn is_believed(&self, key: &Key, now: Timestamp) -> bool {
        let within = |since: Timestamp, most: TimeDelta| (TimeDelta::zero()..=most).contains(&(now - since));
        within(key.asked, ALONE_FOR) || self.followed.lock().is_some_and(|at| within(at, SILENT))
    }

    /// Concurrent questions for one key are one question to the store; a failure is not remembered.
    async fn look_up(&self, hash: [u8; 32]) -> Result<Known, Error> {
        let ask = async {
            let asked = self.clock.now();
            let found = self.store.api_key_by_hash(&hash).await?;
            Ok::<_, Error>(found.map(|key| {
                let scopes = key.scopes.map(|scopes| Arc::new(scopes.into_iter().collect::<BTreeSet<_>>()));
                let principal = Principal {
                    home: key.tenant_id,
                    subject: Subject::ApiKey(key.id),
                    roles: key.roles.into(),
                    scopes,
                    kind: key.kind,
                };
                Arc::new(Key { principal, expires_at: key.expires_at, asked })
            }))
        };
        self.keys.try_get_with(hash, ask).await.map_err(|error| shared(&error))
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

struct Belief;

impl moka::Expiry<[u8; 32], Known> for Belief {
    fn expire_after_create(&self, _hash: &[u8; 32], known: &Known, _at: Instant) -> Option<Duration> {
        Some(if known.is_some() { FOUND_FOR } else { UNKNOWN_FOR })
    }
}

fn refused() -> Error {
    Error::new(ErrorCode::Unauthenticated, "these credentials are not valid")
}

/// The same failure for another waiter; its cause stays with the first.
fn shared(error: &Arc<Error>) -> Error {
    let mut copy = Error::new(error.code, error.detail.clone());
    copy.fields.clone_from(&error.fields);
    copy.retry_after = error.retry_after;
    copy.source = error.source.as_ref().map(|source| source.to_string().into());
    copy
}

#[cfg(test)]
mod tests;
