//! Files that are made from the binary and committed: what a reader sees is what the program does.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::process::{cargo, output, root};

/// Each file, and the words after `carillon` that print it.
const FILES: [(&str, &[&str]); 3] = [
    ("docs/openapi.json", &["openapi"]),
    ("docs/configuration.md", &["config", "--reference"]),
    (".env.example", &["config", "--env-example"]),
];

/// Writes the files, or with `check` fails on the first line in which one differs.
pub(crate) fn run(check: bool) -> Result<()> {
    let mut stale = Vec::new();
    for (file, words) in FILES {
        let path = root().join(file);
        let mut command = cargo();
        command.args(["run", "--quiet", "--package", "carillon-server", "--bin", "carillon", "--"]).args(words);
        let made = format!("{}\n", output(&mut command)?.trim_end());
        let committed = fs::read_to_string(&path).unwrap_or_default();
        if made == committed {
            println!("{file} is up to date");
        } else if check {
            stale.push(format!("{file}{}", difference(&committed, &made)));
        } else {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, made).with_context(|| format!("cannot write {file}"))?;
            println!("{file} written");
        }
    }
    if !stale.is_empty() {
        bail!("out of date, run `cargo xtask generate`:\n{}", stale.join("\n"));
    }
    Ok(())
}

/// The first line in which two texts differ.
fn difference(committed: &str, made: &str) -> String {
    let mut line = 0;
    let (mut old, mut new) = (committed.lines(), made.lines());
    loop {
        line += 1;
        match (old.next(), new.next()) {
            (None, None) => return " (line ends)".to_owned(),
            (old, new) if old == new => {}
            (old, new) => {
                return format!(":{line}\n  - {}\n  + {}", old.unwrap_or_default(), new.unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn the_first_differing_line_is_shown() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), ":2\n  - b\n  + x");
        assert_eq!(difference("a\n", "a\nb\n"), ":2\n  - \n  + b");
        assert_eq!(difference("a\r\n", "a\n"), " (line ends)");
    }
}
