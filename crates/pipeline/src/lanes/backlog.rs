//! Which tenants are known to have rows in the table: their new rows must not overtake them.

use std::collections::HashMap;

use carillon_domain::{Channel, TenantId};

/// A moment, counted in spills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

/// Tenants with rows in the table, by channel, with the moment of their last spill.
#[derive(Debug)]
pub(crate) struct Backlog {
    now: u64,
    tenants: [HashMap<TenantId, u64>; 5],
}

impl Default for Backlog {
    fn default() -> Self {
        Self { now: 0, tenants: std::array::from_fn(|_| HashMap::new()) }
    }
}

impl Backlog {
    pub(crate) fn spill(&mut self, tenant: TenantId, channel: Channel) {
        self.now += 1;
        self.tenants[channel as usize].insert(tenant, self.now);
    }

    pub(crate) fn is_known(&self, tenant: TenantId, channel: Channel) -> bool {
        self.tenants[channel as usize].contains_key(&tenant)
    }

    pub(crate) fn has(&self, channel: Channel) -> bool {
        !self.tenants[channel as usize].is_empty()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.now)
    }

    /// Forgets what was spilled up to `mark`.
    pub(crate) fn clear(&mut self, channel: Channel, mark: Mark) {
        self.tenants[channel as usize].retain(|_, last| *last > mark.0);
    }
}
