//! Requests and connections.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use parking_lot::RwLock;

use super::bounded::{Bounded, OTHER};
use super::family::Family;
use super::registrar::Registrar;
use crate::names;

/// Routes are patterns of ours, so there are never so many; a path passed by mistake must not fill the memory.
const MOST_ROUTES: usize = 500;

/// Requests.
pub struct Http {
    registrar: Registrar,
    routes: Bounded<Arc<str>>,
    made: RwLock<HashMap<Arc<str>, OfRoute>>,
}

/// By method and status.
type OfRoute = HashMap<(&'static str, u16), Series>;

#[derive(Clone)]
struct Series {
    requests: Counter,
    duration: Histogram,
}

impl Http {
    pub(super) fn new(registrar: &Registrar) -> Self {
        Self { registrar: registrar.clone(), routes: Bounded::new(MOST_ROUTES), made: RwLock::default() }
    }

    /// A request was answered. `route` is the pattern that matched, such as `/api/v1/notifications/{id}`; for a request
    /// that matched none, a word such as `unmatched`, not the path.
    pub fn observe(&self, method: &str, route: &str, status: u16, took: Duration) {
        let method = known(method);
        let route = if self.routes.admits(route) { route } else { OTHER };
        let made = self.made.read();
        if let Some(series) = made.get(route).and_then(|of_route| of_route.get(&(method, status))) {
            return series.observe(took);
        }
        drop(made);
        let mut made = self.made.write();
        let of_route = made.entry(Arc::from(route)).or_default();
        of_route.entry((method, status)).or_insert_with(|| self.make(method, route, status)).observe(took);
    }

    fn make(&self, method: &str, route: &str, status: u16) -> Series {
        let status = status.to_string();
        let values = [method, route, &status];
        Series {
            requests: self.registrar.counter(&names::HTTP_REQUESTS, &values),
            duration: self.registrar.histogram(&names::HTTP_REQUEST_DURATION, &values),
        }
    }
}

impl Series {
    fn observe(&self, took: Duration) {
        self.requests.increment(1);
        self.duration.record(took);
    }
}

/// Anybody may invent a method.
fn known(method: &str) -> &'static str {
    const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY"];
    METHODS.into_iter().find(|known| *known == method).unwrap_or(OTHER)
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

/// Connections open now.
#[derive(Debug)]
pub struct Connections(Family<&'static str, Gauge>);

/// One of them. Dropping it says that it is closed.
#[derive(Debug)]
#[must_use = "dropped, it counts as closed"]
pub struct Connection(Gauge);

impl Connections {
    pub(super) fn new(registrar: &Registrar) -> Self {
        Self(registrar.gauges(&names::ACTIVE_CONNECTIONS, |kind| [kind]))
    }

    /// A connection of that `kind` (`http`, `websocket`, `sse`, …) is open.
    pub fn open(&self, kind: &'static str) -> Connection {
        self.0.with(kind, |gauge| {
            gauge.increment(1.0);
            Connection(gauge.clone())
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Meters, Prometheus};

    #[test]
    fn what_strangers_invent_makes_no_series() {
        let prometheus = Prometheus::new();
        let meters = Meters::new(&prometheus, 1);
        for n in 0..2000 {
            meters.http.observe(&format!("M{n}"), &format!("/path/{n}"), 404, Duration::ZERO);
        }
        let page = prometheus.render();
        let series = page.lines().filter(|line| line.starts_with("http_requests_total")).count();
        assert_eq!(series, MOST_ROUTES + 1);
        assert!(page.contains(r#"http_requests_total{method="other",route="other",status_code="404"} 1500"#), "{page}");
    }

    #[test]
    fn a_dropped_connection_is_closed() {
        let prometheus = Prometheus::new();
        let meters = Meters::new(&prometheus, 1);
        let first = meters.connections.open("http");
        let second = meters.connections.open("http");
        drop(first);
        assert!(prometheus.render().contains(r#"active_connections{type="http"} 1"#));
        drop(second);
        assert!(prometheus.render().contains(r#"active_connections{type="http"} 0"#));
    }
}
