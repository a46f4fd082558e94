//! The data folder: can it be written, is it ours alone, is there room.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Finding;
use crate::config::Config;

/// Less free space than this is too little to start with, in MiB: the ballast and a write-ahead log must fit.
const TOO_LITTLE: u64 = 64;
/// Less than this deserves a word.
const LITTLE: u64 = 1024;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    if config.database_url.is_some() {
        return vec![Finding::ok("data folder", "not needed with PostgreSQL")];
    }
    let path = &config.data_dir;
    let here = path.ancestors().find(|folder| folder.exists()).filter(|here| !here.as_os_str().is_empty());
    let here = here.unwrap_or_else(|| Path::new("."));
    vec![writable(path, here), room(here)]
}

/// Tries the folder, or the nearest one above that exists, by writing a file and taking it away.
fn writable(path: &Path, here: &Path) -> Finding {
    let probe = here.join(format!(".carillon-doctor-{}", std::process::id()));
    if let Err(error) = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)) {
        return Finding::bad(
            "data folder",
            format!("cannot write to {}: {error}", here.display()),
            "give this user the folder, or choose another with CARILLON_DATA_DIR",
        );
    }
    match fs::metadata(path) {
        Ok(folder) if folder.permissions().mode() & 0o077 != 0 => Finding::warn(
            "data folder",
            format!("{} can be read by others (mode {:04o})", path.display(), folder.permissions().mode() & 0o7777),
            format!("chmod 700 {}", path.display()),
        ),
        Ok(_) => Finding::ok("data folder", format!("{} is writable, and ours alone", path.display())),
        Err(_) => Finding::ok("data folder", format!("{} will be made", path.display())),
    }
}

fn room(here: &Path) -> Finding {
    let free = match rustix::fs::statvfs(here) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize) >> 20,
        Err(error) => return Finding::warn("disk", format!("cannot tell its free space: {error}"), "look with `df`"),
    };
    let told = format!("{free} MiB are free at {}", here.display());
    match free {
        ..TOO_LITTLE => Finding::bad("disk", told, "make room: nothing can be accepted on a full disk"),
        TOO_LITTLE..LITTLE => Finding::warn("disk", told, "make room soon: nothing can be accepted on a full disk"),
        _ => Finding::ok("disk", told),
    }
}
