//! Running other programs, and ending those that were started here.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a process may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The root of the source tree.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The cargo that runs us, started in the root of the tree.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs a program that speaks for itself, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", name(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", name(command));
    }
    Ok(())
}

/// Runs a program and returns what it printed; what it said on both outputs is shown only if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", name(command)))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({})\n{printed}{said}", name(command), output.status);
    }
    Ok(printed)
}

/// The program of a command with its first arguments, for messages.
fn name(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args().take(3));
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Where a program stands on the search path, if it does.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether a process lives and its command line contains `mark`. A zombie has no command line and does not count.
pub(crate) fn is(pid: u32, mark: &str) -> bool {
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| String::from_utf8_lossy(&line).replace('\0', " ").contains(mark))
}

/// Ends a process of ours with `signal`, waits for it, and kills it when that does not help.
pub(crate) fn end(pid: u32, mark: &str, signal: &str) -> Result<()> {
    for signal in [signal, "KILL"] {
        if gone(signal, &pid.to_string(), || is(pid, mark)) {
            return Ok(());
        }
    }
    bail!("process {pid} does not end");
}

/// Ends every process of a group that was started here.
pub(crate) fn end_group(group: u32) -> Result<()> {
    for signal in ["TERM", "KILL"] {
        if gone(signal, &format!("-{group}"), || has_members(group)) {
            return Ok(());
        }
    }
    bail!("process group {group} does not end");
}

/// Sends a signal to what lives, and waits whether it stops living.
fn gone(signal: &str, target: &str, lives: impl Fn() -> bool) -> bool {
    if lives() {
        // The shell's own `kill`: a bare machine has no other.
        Command::new("sh").args(["-c", "kill -s $1 -- $2", "sh", signal, target]).status().ok();
    }
    let since = Instant::now();
    while lives() {
        if since.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(50));
    }
    true
}

/// Whether a process group has a process that is no zombie.
fn has_members(group: u32) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // "pid (name) state parent group …", where the name may hold anything
        let mut words = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let state = words.next();
        state != Some("Z") && words.nth(1).and_then(|word| word.parse().ok()) == Some(group)
    })
}
