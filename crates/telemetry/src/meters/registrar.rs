//! Makes handles. A [`Metric`] names its labels, a caller gives their values in the same order.

use std::hash::Hash;
use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};

use super::family::Family;
use crate::names::Metric;

const METADATA: Metadata<'static> = Metadata::new("carillon", Level::INFO, Some("carillon"));

#[derive(Clone)]
pub(super) struct Registrar(Arc<dyn Recorder + Send + Sync>);

impl Registrar {
    pub(super) fn new(recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        Self(recorder)
    }

    pub(super) fn counter(&self, metric: &Metric, values: &[&str]) -> Counter {
        self.0.register_counter(&key(metric, values), &METADATA)
    }

    pub(super) fn gauge(&self, metric: &Metric, values: &[&str]) -> Gauge {
        self.0.register_gauge(&key(metric, values), &METADATA)
    }

    pub(super) fn histogram(&self, metric: &Metric, values: &[&str]) -> Histogram {
        self.0.register_histogram(&key(metric, values), &METADATA)
    }

    /// Counters of one name, made when first used; `values` gives a key's label values.
    pub(super) fn counters<K, V, const N: usize>(
        &self,
        metric: &'static Metric,
        values: fn(K) -> [V; N],
    ) -> Family<K, Counter>
    where
        K: Hash + Eq + Copy + 'static,
        V: AsRef<str> + 'static,
    {
        let registrar = self.clone();
        Family::new(move |key| {
            let values = values(key);
            registrar.counter(metric, &values.each_ref().map(AsRef::as_ref))
        })
    }

    /// Gauges of one name, made when first used.
    pub(super) fn gauges<K, V, const N: usize>(
        &self,
        metric: &'static Metric,
        values: fn(K) -> [V; N],
    ) -> Family<K, Gauge>
    where
        K: Hash + Eq + Copy + 'static,
        V: AsRef<str> + 'static,
    {
        let registrar = self.clone();
        Family::new(move |key| {
            let values = values(key);
            registrar.gauge(metric, &values.each_ref().map(AsRef::as_ref))
        })
    }
}

fn key(metric: &Metric, values: &[&str]) -> Key {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let labels = metric.labels.iter().zip(values).map(|(name, value)| Label::new(*name, (*value).to_owned()));
    Key::from_parts(metric.name, labels.collect::<Vec<_>>())
}
