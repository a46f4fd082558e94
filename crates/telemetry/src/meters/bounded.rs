//! Label values that come from outside, up to a bound: each value is a series that Prometheus keeps for ever.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::RwLock;

/// What everything over the bound is called.
pub(super) const OTHER: &str = "other";

/// The first `most` values that were seen.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    most: usize,
    seen: RwLock<HashSet<T>>,
}

impl<T: Hash + Eq> Bounded<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, seen: RwLock::default() }
    }

    /// Whether `value` is among them; it becomes one while there is room.
    pub(super) fn admits<Q>(&self, value: &Q) -> bool
    where
        T: std::borrow::Borrow<Q> + for<'a> From<&'a Q>,
        Q: Hash + Eq + ?Sized,
    {
        let full = {
            let seen = self.seen.read();
            if seen.contains(value) {
                return true;
            }
            seen.len() >= self.most
        };
        if full {
            return false;
        }
        let mut seen = self.seen.write();
        seen.contains(value) || (seen.len() < self.most && seen.insert(T::from(value)))
    }
}

/// The label `tenant_id`: a tenant's id for the first `METRICS_TENANTS` tenants, `other` for the rest.
#[derive(Debug, Clone)]
pub struct TenantLabels(Arc<Bounded<Id>>);

/// A tenant's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TenantLabel(Option<i64>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Id(i64);

impl From<&Self> for Id {
    fn from(id: &Self) -> Self {
        *id
    }
}

impl TenantLabels {
    /// Room for `most` tenants.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Bounded::new(most)))
    }

    /// The label of that tenant: the same for the life of the process.
    pub fn of(&self, tenant: i64) -> TenantLabel {
        TenantLabel(self.0.admits(&Id(tenant)).then_some(tenant))
    }
}

impl TenantLabel {
    /// The label's value.
    pub fn value(self) -> Cow<'static, str> {
        self.0.map_or(Cow::Borrowed(OTHER), |id| Cow::Owned(id.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hundred_have_a_label_and_keep_it() {
        let labels = TenantLabels::new(100);
        let first: Vec<_> = (1..=101).map(|id| labels.of(id).value()).collect();
        assert_eq!((&*first[0], &*first[99], &*first[100]), ("1", "100", "other"));
        assert_eq!(first, (1..=101).map(|id| labels.of(id).value()).collect::<Vec<_>>());
    }

    #[test]
    fn without_room_all_are_others() {
        assert_eq!(TenantLabels::new(0).of(1).value(), "other");
    }

    #[test]
    fn the_bound_holds_between_threads() {
        for _ in 0..500 {
            let labels = TenantLabels::new(1);
            let start = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for id in 0..4 {
                    let (labels, start) = (&labels, &start);
                    scope.spawn(move || {
                        start.wait();
                        labels.of(id)
                    });
                }
            });
            let own = (0..4).filter(|id| labels.of(*id).value() != OTHER).count();
            assert_eq!(own, 1);
        }
    }
}
