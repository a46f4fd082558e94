//! What was measured: a table for people, JSON for the next comparison.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// One run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// SQLite or PostgreSQL.
    pub(crate) database: String,
    /// The figures, in the order of measuring.
    pub(crate) axes: Vec<Axis>,
}

/// One figure.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Axis {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
}

impl Report {
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &str) {
        self.axes.push(Axis { name: name.to_owned(), value, unit: unit.to_owned() });
    }

    /// The figure of that name.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.axes.iter().find(|axis| axis.name == name).map(|axis| axis.value)
    }

    /// A Markdown table; with `earlier`, the ratio to it.
    pub(crate) fn table(&self, earlier: Option<&Self>) -> String {
        let mut text = format!("| {} | value | unit | ratio |\n|---|---:|---|---:|\n", self.database);
        for axis in &self.axes {
            let before = earlier.and_then(|report| report.value(&axis.name));
            let ratio = before.map_or_else(String::new, |before| format!("{:.2}", axis.value / before));
            let digits = if axis.value < 100.0 { 2 } else { 0 };
            let _ = writeln!(text, "| {} | {:.digits$} | {} | {ratio} |", axis.name, axis.value, axis.unit);
        }
        text
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Reads an earlier report.
pub(crate) fn read(path: &Path) -> Result<Report> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
