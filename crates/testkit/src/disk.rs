//! A small file system that only one test sees: a tmpfs in a mount namespace of its own. It goes with the value.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::require::leave_out;

/// The file that takes the room away.
const FILLER: &str = "filler";

/// A mounted file system.
#[derive(Debug)]
pub struct Disk {
    /// Keeps the namespace while its standard input is open, so it cannot outlive the test.
    holder: Child,
    path: PathBuf,
}

impl Disk {
    /// One of `bytes` at `path`, an empty folder. `None` where it is not permitted: the test is then left out, and
    /// standard error says so.
    ///
    /// # Panics
    /// If it is not permitted and `CARILLON_TEST_REQUIRE` is 1.
    pub fn mount(path: &Path, bytes: u64) -> Option<Self> {
        match Self::try_mount(path, bytes) {
            Ok(disk) => Some(disk),
            Err(error) => {
                leave_out("full disk", &format!("a file system of its own cannot be mounted ({error})"));
                None
            }
        }
    }

    fn try_mount(path: &Path, bytes: u64) -> io::Result<Self> {
        let script = r#"mount -t tmpfs -o "size=$1,mode=0777" tmpfs "$2" && echo mounted && exec cat >/dev/null"#;
        let mut holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", &bytes.to_string()])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = holder.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let disk = Self { holder, path: path.to_owned() };
        if line.trim() == "mounted" { Ok(disk) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }

    /// What a program is started under so that it sees this file system.
    pub fn enter(&self) -> Vec<String> {
        ["nsenter", "--target", &self.holder.id().to_string(), "--mount", "--"].map(str::to_owned).into()
    }

    /// The path by which the test itself reaches `path`, a file or folder on this file system.
    pub fn outside(&self, path: &Path) -> PathBuf {
        let mut outside = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        outside.extend(path.components().skip(1));
        outside
    }

    /// Takes all room that there is.
    ///
    /// # Errors
    /// If the file system fails in another way than by being full.
    pub fn fill(&self) -> io::Result<()> {
        let mut file = File::options().create(true).append(true).open(self.outside(&self.path).join(FILLER))?;
        for step in [1 << 20, 4 << 10] {
            let octets = vec![0x55; step];
            loop {
                match file.write(&octets) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Gives back what [`fill`](Self::fill) took.
    ///
    /// # Errors
    /// If nothing was taken.
    pub fn free(&self) -> io::Result<()> {
        fs::remove_file(self.outside(&self.path).join(FILLER))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
