//! Handles of one name, told apart by their labels.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use parking_lot::RwLock;

/// Each handle is made when first used; afterwards a look-up is a shared lock and a hash, without an allocation.
pub(super) struct Family<K, H> {
    made: RwLock<HashMap<K, H>>,
    make: Box<dyn Fn(K) -> H + Send + Sync>,
}

impl<K: Hash + Eq + Copy, H> Family<K, H> {
    pub(super) fn new(make: impl Fn(K) -> H + Send + Sync + 'static) -> Self {
        Self { made: RwLock::default(), make: Box::new(make) }
    }

    pub(super) fn with<R>(&self, key: K, then: impl FnOnce(&H) -> R) -> R {
        if let Some(handle) = self.made.read().get(&key) {
            return then(handle);
        }
        then(self.made.write().entry(key).or_insert_with(|| (self.make)(key)))
    }
}

impl<K, H> fmt::Debug for Family<K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").finish_non_exhaustive()
    }
}
