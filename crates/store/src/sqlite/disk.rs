//! Room on the disk: intake is refused before it runs out, and a ballast file is given up when it has, so that
//! outcomes can still be written.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use carillon_domain::Error;
use fs4::fs_std::FileExt as _;

use super::fault::disk_full;

/// Intake stops below this much free space, in bytes.
const FLOOR: u64 = 64 * 1024 * 1024;
/// Size of the ballast, in bytes.
const BALLAST: u64 = 16 * 1024 * 1024;
/// The file system is asked at most this often.
const PAUSE: Duration = Duration::from_millis(100);

/// Watches the file system that the database lies on.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    wal: PathBuf,
    ballast: PathBuf,
    asked: Option<Instant>,
    room: bool,
}

impl Disk {
    /// For the database at `path`. Lays the ballast if there is room.
    pub(super) fn watch(path: &Path) -> Self {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        let disk =
            Self { ballast: folder.join("carillon.ballast"), folder, wal: PathBuf::from(wal), asked: None, room: true };
        disk.lay_ballast();
        disk
    }

    /// Whether more may be taken in.
    ///
    /// # Errors
    /// `unavailable` below max(64 MB, 2 × the write-ahead log).
    pub(super) fn intake(&mut self) -> Result<(), Error> {
        if self.asked.is_none_or(|at| at.elapsed() >= PAUSE) {
            self.asked = Some(Instant::now());
            let room = self.free().is_none_or(|free| free >= self.floor());
            if room != self.room {
                self.room = room;
                if room {
                    tracing::info!("the disk has room again");
                } else {
                    tracing::error!("the disk is nearly full; nothing is accepted");
                }
            }
            if room {
                self.lay_ballast();
            }
        }
        if self.room { Ok(()) } else { Err(disk_full("too little free space for the database")) }
    }

    /// Gives the ballast up. `true` if there was one: what failed for want of room is worth one more try.
    pub(super) fn drop_ballast(&self) -> bool {
        let dropped = fs::remove_file(&self.ballast).is_ok();
        if dropped {
            tracing::error!("disk full; the ballast was given up for outcomes");
        }
        dropped
    }

    fn lay_ballast(&self) {
        if self.ballast.exists() || self.free().is_none_or(|free| free < self.floor() + BALLAST) {
            return;
        }
        // Reserved, not written: no I/O at the start.
        if let Err(error) = File::create(&self.ballast).and_then(|file| file.allocate(BALLAST)) {
            tracing::warn!(%error, "the ballast could not be laid");
            let _ = fs::remove_file(&self.ballast);
        }
    }

    fn floor(&self) -> u64 {
        FLOOR.max(2 * fs::metadata(&self.wal).map_or(0, |wal| wal.len()))
    }

    /// Free bytes; `None` if the file system does not say.
    fn free(&self) -> Option<u64> {
        fs4::available_space(&self.folder).ok()
    }
}
