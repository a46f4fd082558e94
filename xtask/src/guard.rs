//! Stops what a run started, however the run ends.
//!
//! A second process holds the other end of a pipe. When the run is over, was interrupted or was killed, the pipe closes, and
//! the second process cleans up. It has a process group of its own, so Ctrl-C does not reach it.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::{process, services};

/// The run's end of the pipe.
pub(crate) struct Guard {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the second process; from its answer on the servers count as used.
    pub(crate) fn watch() -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("guard")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start the guard")?;
        let pipe = process.stdin.take();
        if let Some(out) = process.stdout.take() {
            BufReader::new(out).read_line(&mut String::new())?;
        }
        Ok(Self { process, pipe })
    }

    /// Hands over a process group that must not outlive the run.
    pub(crate) fn group(&mut self, group: u32) -> Result<()> {
        if let Some(pipe) = &mut self.pipe {
            writeln!(pipe, "{group}")?;
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.pipe.take());
        self.process.wait().ok();
    }
}

/// What the second process does.
pub(crate) fn wait() -> Result<()> {
    let users = services::enter()?;
    println!("ready");
    let groups: Vec<u32> = io::stdin().lines().map_while(Result::ok).filter_map(|line| line.parse().ok()).collect();
    for group in groups {
        process::end_group(group)?;
    }
    services::leave(users)
}
