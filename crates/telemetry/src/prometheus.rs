//! What `/metrics` shows, in the Prometheus text format.

use std::sync::Arc;

use metrics::Recorder;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::names::{self, Kind};

/// The metrics of this process. Cloning gives another handle on the same ones; a test may have as many as it likes.
#[derive(Clone)]
pub struct Prometheus {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

/// Another recorder was there first.
#[derive(Debug, thiserror::Error)]
#[error("this process has a metrics recorder already")]
pub struct AlreadyInstalled;

impl Default for Prometheus {
    fn default() -> Self {
        Self::new()
    }
}

impl Prometheus {
    /// Nothing measured yet; every metric described, every histogram with its buckets.
    pub fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for metric in names::ALL {
            if let Kind::Histogram(buckets) = metric.kind {
                #[expect(
                    clippy::expect_used,
                    reason = "fails for empty buckets only, and a test of `names` says there are none"
                )]
                let with_buckets = builder
                    .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
                    .expect("a histogram has buckets");
                builder = with_buckets;
            }
        }
        let recorder = builder.build_recorder();
        names::describe(&recorder);
        Self { handle: recorder.handle(), recorder: Arc::new(recorder) }
    }

    /// Makes it the recorder of the macros of the `metrics` crate too, for libraries that use them. Ours do not.
    pub fn install(&self) -> Result<(), AlreadyInstalled> {
        metrics::set_global_recorder(Arc::clone(&self.recorder)).map_err(|_| AlreadyInstalled)
    }

    /// The page. Takes milliseconds when there are thousands of series: not for the hot path.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Sorts what the histograms have collected into their buckets. Until then every observation takes eight bytes, so
    /// this must be called about once a second, whether or not anybody reads `/metrics`.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    pub(crate) fn recorder(&self) -> Arc<dyn Recorder + Send + Sync> {
        Arc::clone(&self.recorder) as _
    }
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prometheus").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Meters;

    #[test]
    fn a_page_has_help_type_labels_and_buckets() {
        let prometheus = Prometheus::new();
        let meters = Meters::new(&prometheus, 100);
        meters.http.observe("GET", "/api/v1/notifications/{id}", 200, Duration::from_millis(250));
        prometheus.upkeep();
        meters.http.observe("GET", "/api/v1/notifications/{id}", 200, Duration::from_millis(500));
        let page = prometheus.render();
        for line in [
            "# HELP http_requests_total Requests answered; `route` is the pattern, never the path.",
            "# TYPE http_requests_total counter",
            r#"http_requests_total{method="GET",route="/api/v1/notifications/{id}",status_code="200"} 2"#,
            "# TYPE http_request_duration_seconds histogram",
            r#"http_request_duration_seconds_bucket{method="GET",route="/api/v1/notifications/{id}",status_code="200",le="0.25"} 1"#,
            r#"http_request_duration_seconds_bucket{method="GET",route="/api/v1/notifications/{id}",status_code="200",le="0.5"} 2"#,
            r#"http_request_duration_seconds_sum{method="GET",route="/api/v1/notifications/{id}",status_code="200"} 0.75"#,
            "carillon_ordering_heal_total 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\nnot in\n{page}");
        }
    }

    #[test]
    fn the_second_recorder_of_a_process_is_refused() {
        let prometheus = Prometheus::new();
        prometheus.install().unwrap();
        assert!(Prometheus::new().install().is_err());
        metrics::counter!("carillon_accepted_total", "channel" => "email").increment(3);
        assert!(prometheus.render().contains(r#"carillon_accepted_total{channel="email"} 3"#));
    }
}
