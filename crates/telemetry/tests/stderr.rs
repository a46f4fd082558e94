//! The real set-up: what a process that is not on a terminal writes to stderr, libraries with the `log` crate included.

use std::process::Command;

use carillon_telemetry::logs::{LogFormat, init};

/// Run by the test below in a process of its own: a logger is set once per process.
#[test]
#[ignore = "the other test runs it"]
fn child() {
    init(LogFormat::Auto, "carillon=debug,rustls=debug,reqwest=trace,info").unwrap();
    assert_eq!(init(LogFormat::Auto, "").unwrap_err().to_string(), "this process has a logger already");
    tracing::debug!(target: "carillon", rows = 2, "accepted");
    log::debug!(target: "rustls::client", "no certificate");
    log::debug!(target: "reqwest::connect", "canary");
    log::debug!(target: "other", "not wanted");
}

#[test]
fn a_process_without_a_terminal_writes_objects_to_stderr() {
    let run = Command::new(std::env::current_exe().unwrap()).args(["--ignored", "--exact", "child"]).output().unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{stderr}");
    let lines: Vec<serde_json::Value> = stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<_> = lines.iter().map(|line| (line["target"].as_str(), line["message"].as_str())).collect();
    assert_eq!(seen, [(Some("carillon"), Some("accepted")), (Some("rustls::client"), Some("no certificate"))]);
    assert_eq!(lines[0]["rows"], 2);
    assert_eq!(lines[1].as_object().map(serde_json::Map::len), Some(4), "{}", lines[1]);
}
