//! What a command prints: aligned tables for people, JSON for machines. Colours only on a terminal without `NO_COLOR`;
//! times in the reader's zone on a terminal, UTC elsewhere.

use std::io::{self, IsTerminal as _, Write as _};

use chrono::{DateTime, Local};
use clap::ValueEnum;
use serde_json::Value;

use crate::exit::Failure;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For machines: what the server said.
    Json,
}

/// Standard output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: Format,
    terminal: bool,
    colours: bool,
}

impl Output {
    /// Standard output as it is now.
    pub(crate) fn new(format: Format) -> Self {
        let terminal = io::stdout().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { format, terminal, colours }
    }

    /// Whether JSON was asked for.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// One line. A reader that has gone away (`| head`) ends the command without a complaint.
    #[expect(clippy::unused_self, reason = "commands print through the output that they were given, and nowhere else")]
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            other => other.map_err(|error| Failure::plain(format!("cannot write to standard output: {error}"))),
        }
    }

    /// JSON, indented on a terminal and on one line elsewhere.
    pub(crate) fn json(self, value: &Value) -> Result<(), Failure> {
        self.line(&if self.terminal { format!("{value:#}") } else { value.to_string() })
    }

    /// JSON if that was asked for, else the table that `rows` makes.
    pub(crate) fn show(
        self,
        value: &Value,
        head: &[&str],
        rows: impl FnOnce() -> Vec<Vec<String>>,
    ) -> Result<(), Failure> {
        if self.is_json() { self.json(value) } else { self.table(head, &rows()) }
    }

    /// Columns as wide as their widest cell.
    pub(crate) fn table(self, head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
        if rows.is_empty() {
            return self.line(&self.dim("nothing to show"));
        }
        let mut lines = layout(head, rows).into_iter();
        if let Some(first) = lines.next() {
            self.line(&self.dim(&first))?;
        }
        lines.try_for_each(|line| self.line(&line))
    }

    /// `name: value` lines, aligned.
    pub(crate) fn pairs(self, pairs: &[(&str, String)]) -> Result<(), Failure> {
        let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        pairs
            .iter()
            .try_for_each(|(name, value)| self.line(&format!("{}  {value}", self.dim(&format!("{name:<width$}")))))
    }

    /// A time of the server's, for the reader.
    pub(crate) fn time(self, value: &Value) -> String {
        let Some(text) = value.as_str() else { return "-".to_owned() };
        match DateTime::parse_from_rfc3339(text) {
            Ok(time) if self.terminal => time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
            _ => text.to_owned(),
        }
    }

    /// A status word in its colour.
    pub(crate) fn status(self, word: &str, width: usize) -> String {
        let padded = format!("{word:<width$}");
        let colour = match word {
            "sent" | "delivered" | "read" | "ok" | "published" => "32",
            "failed" | "dead_lettered" | "bad" => "31",
            "warn" | "unknown" | "cancelled" | "skipped" | "retry_scheduled" | "attempt_failed" | "degraded" => "33",
            _ => return padded,
        };
        self.paint(colour, &padded)
    }

    /// Something of less weight.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The text of a value: strings as they are, nothing as `-`.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The elements of `data` in a page.
pub(crate) fn data(page: &Value) -> &[Value] {
    page["data"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn layout(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let all: Vec<Vec<&str>> =
        std::iter::once(head.to_vec()).chain(rows.iter().map(|row| row.iter().map(String::as_str).collect())).collect();
    let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).filter_map(width).collect();
    let line = |row: &Vec<&str>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::layout;

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = [
            vec!["1".to_owned(), "Zoë".to_owned(), "x".to_owned()],
            vec!["20".to_owned(), "Al".to_owned(), "-".to_owned()],
        ];
        assert_eq!(layout(&["ID", "NAME", "Z"], &rows), ["ID  NAME  Z", "1   Zoë   x", "20  Al    -"]);
    }
}
