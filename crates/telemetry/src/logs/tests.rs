use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tracing::{debug, error, info, info_span};

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(look: Look, filter: &str, act: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = subscriber(look, filter, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = std::mem::take(&mut *lines.0.lock());
    String::from_utf8(bytes).unwrap()
}

fn objects(filter: &str, act: impl FnOnce()) -> Vec<Value> {
    let text = logged(Look::Json, filter, act);
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_is_one_flat_object_with_the_ids_of_its_request() {
    let lines = objects("info", || {
        let request = info_span!("request", request_id = "r-1", correlation_id = tracing::field::Empty);
        request.record("correlation_id", "c-1");
        let _in = request.entered();
        let _deeper = info_span!("deliver", attempt = 2, channel = "email").entered();
        info!(channel = "sms", rows = 3, share = 0.5, done = true, "outcomes\n\"written\"");
    });
    let mut line = lines.into_iter().next().unwrap();
    let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
    let timestamp = timestamp.as_str().unwrap();
    assert!(timestamp.ends_with('Z') && timestamp.len() == "2026-11-23T10:00:00.000000Z".len(), "{timestamp}");
    assert_eq!(
        line,
        json!({
            "level": "INFO", "target": "carillon_telemetry::logs::tests", "message": "outcomes\n\"written\"",
            "request_id": "r-1", "correlation_id": "c-1", "attempt": 2, "channel": "sms", "rows": 3, "share": 0.5, "done": true,
        })
    );
}

#[test]
fn the_four_own_names_come_first_and_are_not_overwritten() {
    let text = logged(Look::Json, "info", || info!(level = 7, target = "x", timestamp = "never", "hello"));
    let start = text.find(",\"level\"").unwrap();
    assert!(text.starts_with("{\"timestamp\":\"2"), "{text}");
    assert!(
        text[start..]
            .starts_with(",\"level\":\"INFO\",\"target\":\"carillon_telemetry::logs::tests\",\"message\":\"hello\"")
    );
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&line["level_"], &line["target_"], &line["timestamp_"]), (&json!(7), &json!("x"), &json!("never")));
}

#[test]
fn errors_come_with_their_causes() {
    let cause = io::Error::other("disk is full");
    let problem = io::Error::other(Error::Format("xml".to_owned()));
    let lines = objects("info", || {
        error!(error = &cause as &(dyn std::error::Error + 'static), "cannot write");
        error!(error = %problem, f = f64::NAN, "cannot start");
    });
    assert_eq!(lines[0]["error"], "disk is full");
    assert_eq!(lines[1]["error"], "\"xml\" is not a log format: auto, text or json");
    assert_eq!(lines[1]["f"], Value::Null);
}

#[test]
fn text_is_one_line_with_the_ids_and_coloured_only_when_asked() {
    let act = || {
        let _in = info_span!("request", request_id = "r-1").entered();
        info!(rows = 3, "accepted");
    };
    let plain = logged(Look::Text { colours: false }, "info", act);
    assert_eq!(plain.lines().count(), 1);
    for part in ["INFO", "accepted", "rows=3", "request_id=\"r-1\"", "Z "] {
        assert!(plain.contains(part), "{part} not in {plain}");
    }
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    assert!(logged(Look::Text { colours: true }, "info", act).contains('\u{1b}'));
}

#[test]
fn the_filter_decides_and_is_info_when_empty() {
    let act = || {
        debug!("details");
        info!("news");
    };
    let messages =
        |filter: &str| objects(filter, act).into_iter().map(|line| line["message"].clone()).collect::<Vec<_>>();
    assert_eq!(messages(""), ["news"]);
    assert_eq!(messages(" debug "), ["details", "news"]);
    assert_eq!(messages("warn,carillon_telemetry=debug"), ["details", "news"]);
    assert_eq!(messages("info,carillon_telemetry=off"), [""; 0]);
}

#[test]
fn what_goes_over_the_wire_is_not_logged() {
    let lines = objects("trace", || {
        tracing::trace!(target: "h2::codec::framed_read", authorization = "Bearer canary", "received");
        debug!(target: "hyper", "canary");
        info!(target: "hyper", "listening");
        debug!(target: "hyperbole", "fine");
    });
    let messages: Vec<_> = lines.iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, ["listening", "fine"]);
}

#[test]
fn a_filter_that_cannot_be_read_is_told_so() {
    for (filter, why) in [
        ("inof", "\"inof\" is not a level: error, warn, info, debug, trace or off"),
        ("info,carillon_pipeline", "\"carillon_pipeline\" is not a level"),
        ("carillon_pipeline=loud", "expected one of"),
    ] {
        let message = parse(filter).unwrap_err().to_string();
        assert!(message.starts_with(&format!("CARILLON_LOG=\"{filter}\" is not a log filter: ")), "{message}");
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn formats_have_words() {
    assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
    assert_eq!("xml".parse::<LogFormat>().unwrap_err().to_string(), "\"xml\" is not a log format: auto, text or json");
}
