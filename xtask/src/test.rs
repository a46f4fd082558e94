//! Runs every suite against real servers.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::guard::Guard;
use crate::process::{cargo, root, run as run_program};
use crate::services::{self, Servers};

/// Installs, starts, tests, stops. `arguments` stand in place of `--workspace`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut guard = Guard::watch()?;
    let servers = services::alone(Servers::start)?;

    println!("testing the test tools");
    let mut tools = Command::new(&servers.python);
    tools.args(["-B", "-m", "unittest", "discover", "--start-directory", "tests/tools"]);
    run_program(tools.current_dir(root()).stdin(Stdio::null()))?;

    let mut suites = cargo();
    suites.args(["test", "--all-features", "--no-fail-fast"]);
    if arguments.is_empty() {
        suites.arg("--workspace");
    }
    suites.args(arguments).envs(servers.environment());
    follow(&mut suites, &mut guard)
}

/// Shows what the suites say and adds up their results.
fn follow(suites: &mut Command, guard: &mut Guard) -> Result<()> {
    let since = Instant::now();
    let mut child = suites.stdout(Stdio::piped()).process_group(0).spawn().context("cannot start cargo test")?;
    guard.group(child.id())?;
    let mut sum = Sum::default();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line?;
            println!("{line}");
            sum.add(&line);
        }
    }
    let status = child.wait()?;
    println!("\n{} suites in {} s", sum.suites, since.elapsed().as_secs());
    for test in &sum.names {
        println!("  failed: {test}");
    }
    println!("total: {} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.ignored);
    if !status.success() {
        bail!("the suites failed ({status})");
    }
    if sum.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

/// The results of all suites together.
#[derive(Default, Debug, PartialEq)]
struct Sum {
    suites: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
    names: Vec<String>,
}

impl Sum {
    /// Takes one line of `cargo test`.
    fn add(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.names.push(name.to_owned());
        }
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |word: &str| {
            let before = result.split(word).next()?.trim_end();
            before.rsplit(' ').next()?.parse::<u32>().ok()
        };
        self.suites += 1;
        self.passed += count(" passed").unwrap_or(0);
        self.failed += count(" failed").unwrap_or(0);
        self.ignored += count(" ignored").unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    #[test]
    fn results_of_all_suites_are_added_up() {
        let mut sum = Sum::default();
        for line in [
            "running 3 tests",
            "test retry::never_past_the_cap ... ok",
            "test retry::total ... FAILED",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.01s",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ] {
            sum.add(line);
        }
        let names = vec!["retry::total".to_owned()];
        assert_eq!(sum, Sum { suites: 2, passed: 13, failed: 1, ignored: 1, names });
    }
}
