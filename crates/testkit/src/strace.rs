//! System calls of a server, recorded and made to fail: `strace` as the program that it is started under.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::require::leave_out;

/// One recording.
#[derive(Debug)]
pub struct Strace {
    file: PathBuf,
    inject: Option<String>,
}

/// What a server did, in the order in which it came to be known. A call that took its time is listed where it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Such as `fdatasync`.
    pub name: String,
    /// As strace prints them, paths of descriptors included.
    pub arguments: String,
    /// What it returned, such as `0` or `-1 EIO (Input/output error) (INJECTED)`.
    pub result: String,
}

impl Strace {
    /// A recording into `file`. `None` where there is no strace: the test is then left out, and standard error says so.
    ///
    /// # Panics
    /// If there is none and `CARILLON_TEST_REQUIRE` is 1.
    pub fn into_file(file: &Path) -> Option<Self> {
        let mut probe = Command::new("strace");
        probe.args(["-D", "-f", "-o", "/dev/null", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
        if probe.status().is_ok_and(|status| status.success()) {
            return Some(Self { file: file.to_owned(), inject: None });
        }
        leave_out("failing fsync", "strace is missing or not permitted");
        None
    }

    /// Makes every `fsync` and `fdatasync` of a thread fail with EIO from its `nth` of that name on.
    #[must_use]
    pub fn fail_syncs_from(mut self, nth: u32) -> Self {
        self.inject = Some(format!("inject=fsync,fdatasync:error=EIO:when={nth}+"));
        self
    }

    /// What the server is started under. The server stays the child of whoever starts it.
    pub fn words(&self) -> Vec<String> {
        let trace = "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg";
        let mut words =
            ["strace", "-D", "-f", "-y", "-q", "-s", "48", "--seccomp-bpf", "-e", trace].map(str::to_owned).to_vec();
        if let Some(inject) = &self.inject {
            words.extend(["-e".to_owned(), inject.clone()]);
        }
        words.extend(["-o".to_owned(), self.file.display().to_string(), "--".to_owned()]);
        words
    }

    /// What has been recorded by now.
    ///
    /// # Panics
    /// If there is no recording.
    pub fn calls(&self) -> Vec<Call> {
        let octets = std::fs::read(&self.file).expect("strace has begun to write");
        let text = String::from_utf8_lossy(&octets);
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        parse(whole)
    }
}

fn parse(text: &str) -> Vec<Call> {
    let mut begun = std::collections::HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let whole = if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, start);
            continue;
        } else if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            format!("{}{end}", begun.remove(thread).unwrap_or_default())
        } else {
            rest.to_owned()
        };
        let Some((name, rest)) = whole.split_once('(') else { continue };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { continue };
        calls.push(Call {
            name: name.to_owned(),
            arguments: arguments.trim_end().trim_end_matches(')').to_owned(),
            result: result.to_owned(),
        });
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_where_it_ended() {
        let text = "11 fdatasync(9</d/carillon.db-wal> <unfinished ...>\n\
                    12    writev(7<socket:[1]>, [{iov_base=\"HTTP/1.1 202 Acc\"..., iov_len=9}], 1) = 9\n\
                    11 <... fdatasync resumed>)          = -1 EIO (Input/output error) (INJECTED)\n\
                    12 +++ exited with 0 +++";
        let calls = parse(text);
        let brief: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.result.as_str())).collect();
        assert_eq!(brief, [("writev", "9"), ("fdatasync", "-1 EIO (Input/output error) (INJECTED)")]);
        assert_eq!(calls[1].arguments, "9</d/carillon.db-wal>");
    }
}
