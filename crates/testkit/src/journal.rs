//! Lines on disk before they count: what a test knows must outlive what it kills.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use tokio::sync::{mpsc, oneshot};

/// Most lines that share one fsync.
const GROUP: usize = 4096;

/// A file to which lines are appended. Clones write to the same file.
#[derive(Debug, Clone)]
pub struct Journal {
    writer: mpsc::Sender<(String, oneshot::Sender<()>)>,
}

impl Journal {
    /// Appends to `path`; several lines share one fsync. Call it within a runtime.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let (writer, receiver) = mpsc::channel(GROUP);
        tokio::task::spawn_blocking(move || write(file, receiver));
        Ok(Self { writer })
    }

    /// Appends `line`; `true` once it is on disk. `false`: the disk refuses.
    pub async fn append(&self, line: String) -> bool {
        let (done, written) = oneshot::channel();
        self.writer.send((line, done)).await.is_ok() && written.await.is_ok()
    }
}

fn write(mut file: File, mut receiver: mpsc::Receiver<(String, oneshot::Sender<()>)>) {
    let mut group = Vec::with_capacity(GROUP);
    let mut octets = Vec::new();
    while receiver.blocking_recv_many(&mut group, GROUP) > 0 {
        octets.clear();
        for (line, _) in &group {
            octets.extend_from_slice(line.as_bytes());
            octets.push(b'\n');
        }
        if file.write_all(&octets).and_then(|()| file.sync_data()).is_err() {
            return;
        }
        for (_, done) in group.drain(..) {
            let _ = done.send(());
        }
    }
}
