//! Which crate may depend on which. The table is the architecture; the test below reads the manifests and holds them to it.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::process::root;

/// A crate and what it may use of ours. A crate that is not here may not exist.
const TABLE: [(&str, &[&str]); 16] = [
    ("domain", &[]),
    ("telemetry", &["domain"]),
    ("resilience", &["domain", "telemetry"]),
    ("ports", &["domain", "telemetry"]),
    ("template", &["domain", "telemetry"]),
    ("app", &["domain", "telemetry", "ports", "template", "resilience"]),
    ("pipeline", &["domain", "telemetry", "ports", "resilience"]),
    ("store", &["domain", "telemetry", "ports"]),
    ("channels", &["domain", "telemetry", "ports", "resilience"]),
    ("auth", &["domain", "telemetry", "ports"]),
    ("rest", &["domain", "telemetry", "app", "auth"]),
    ("console", &["domain", "telemetry", "app", "auth"]),
    ("server", EVERY_ROOM),
    ("testkit", EVERY_ROOM),
    ("bench", EVERY_ROOM),
    ("xtask", EVERY_ROOM),
];

/// What the tests of a crate may use beyond: the doors are tried on a real store, behind an acceptor that only counts.
const IN_TESTS: [(&str, &[&str]); 1] = [("rest", &["ports", "store"])];

/// Everything that may be depended on at all; `testkit` only by tests, and `server`, `bench` and `xtask` by nobody.
const EVERY_ROOM: &[&str] = &[
    "domain",
    "telemetry",
    "resilience",
    "ports",
    "template",
    "app",
    "pipeline",
    "store",
    "channels",
    "auth",
    "rest",
    "console",
];

/// One dependency between two of our crates.
#[derive(Debug, PartialEq)]
struct Arrow {
    from: String,
    to: String,
    in_tests: bool,
}

/// Fails and names every arrow that the table does not allow.
pub(crate) fn check() -> Result<()> {
    let (crates, arrows) = workspace()?;
    let wrong = violations(&crates, &arrows);
    if !wrong.is_empty() {
        bail!("not allowed by xtask/src/arrows.rs:\n  {}", wrong.join("\n  "));
    }
    println!("{} crates, {} arrows, all of them allowed", crates.len(), arrows.len());
    Ok(())
}

fn violations(crates: &[String], arrows: &[Arrow]) -> Vec<String> {
    let table = BTreeMap::from(TABLE);
    let unknown = crates
        .iter()
        .filter(|name| !table.contains_key(name.as_str()))
        .map(|name| format!("{name} is not in the table: say what it may use"));
    let wrong = arrows.iter().filter(|arrow| {
        let in_table = table.get(arrow.from.as_str()).is_some_and(|uses| uses.contains(&arrow.to.as_str()));
        let beyond =
            BTreeMap::from(IN_TESTS).get(arrow.from.as_str()).is_some_and(|uses| uses.contains(&arrow.to.as_str()));
        let for_tests = arrow.in_tests && (arrow.to == "testkit" || beyond);
        !in_table && !for_tests
    });
    let wrong = wrong.map(|Arrow { from, to, in_tests }| {
        let kind = if *in_tests { " (in its tests)" } else { "" };
        format!("{from} -> {to}{kind}")
    });
    unknown.chain(wrong).collect()
}

/// Our crates without their prefix, and the arrows between them: normal, build and test dependencies alike.
fn workspace() -> Result<(Vec<String>, Vec<Arrow>)> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec()?;
    let short = |name: &str| name.strip_prefix("carillon-").unwrap_or(name).to_owned();
    let members = metadata.workspace_packages();
    let crates: Vec<_> = members.iter().map(|package| short(&package.name)).collect();
    let mut arrows = Vec::new();
    for package in &members {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let in_tests = dependency.kind == DependencyKind::Development;
            arrows.push(Arrow { from: short(&package.name), to: short(&dependency.name), in_tests });
        }
    }
    Ok((crates, arrows))
}

#[cfg(test)]
mod tests {
    use super::{Arrow, violations, workspace};

    fn arrow(from: &str, to: &str, in_tests: bool) -> Arrow {
        Arrow { from: from.to_owned(), to: to.to_owned(), in_tests }
    }

    #[test]
    fn every_arrow_between_our_crates_is_in_the_table() {
        let (crates, arrows) = workspace().unwrap();
        assert!(crates.contains(&"domain".to_owned()) && arrows.contains(&arrow("app", "domain", false)));
        assert_eq!(violations(&crates, &arrows), Vec::<String>::new());
    }

    #[test]
    fn a_wrong_arrow_is_named() {
        for (from, to, in_tests) in [
            ("rest", "store", false),
            ("rest", "console", false),
            ("app", "store", true),
            ("domain", "telemetry", false),
            ("store", "testkit", false),
            ("testkit", "server", true),
            ("bench", "testkit", false),
        ] {
            assert_eq!(violations(&[], &[arrow(from, to, in_tests)]).len(), 1, "{from} -> {to}");
        }
    }

    #[test]
    fn tests_may_use_the_testkit() {
        assert_eq!(
            violations(&[], &[arrow("store", "testkit", true), arrow("rest", "app", false)]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_crate_without_a_row_is_named() {
        assert_eq!(violations(&["attic".to_owned()], &[]).len(), 1);
    }
}
