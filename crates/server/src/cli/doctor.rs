//! `carillon doctor`: from where it stands, checks what Carillon depends on and says what to fix. Changes nothing, sends
//! nothing.

mod database;
mod folder;
mod mail;
mod server;

use serde_json::json;

use super::args::DoctorArgs;
use super::output::Output;
use crate::config::Config;
use crate::config::resolve::Sources;
use crate::exit::Failure;

/// What a check found.
#[derive(Debug)]
struct Finding {
    name: &'static str,
    grade: Grade,
    /// One sentence.
    text: String,
    /// What to do about it.
    fix: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Ok,
    /// It works, and an operator should know.
    Warn,
    Bad,
}

impl Finding {
    fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, grade: Grade::Ok, text: text.into(), fix: None }
    }

    fn warn(name: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, grade: Grade::Warn, text: text.into(), fix: Some(fix.into()) }
    }

    fn bad(name: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, grade: Grade::Bad, text: text.into(), fix: Some(fix.into()) }
    }

    fn word(&self) -> &'static str {
        match self.grade {
            Grade::Ok => "ok",
            Grade::Warn => "warn",
            Grade::Bad => "bad",
        }
    }
}

/// Does it; fails if a check does.
pub(crate) async fn run(args: DoctorArgs) -> Result<(), Failure> {
    let out = Output::new(args.output);
    let config = Config::load(&Sources::of_process(args.settings.0))?;
    let mut findings = vec![configuration(&config)];
    findings.extend(folder::check(&config));
    findings.extend(database::check(&config).await);
    findings.push(mail::check(&config).await);
    findings.push(server::check(&config).await);
    let bad = findings.iter().filter(|finding| finding.grade == Grade::Bad).count();
    if out.is_json() {
        let checks: Vec<_> = findings.iter().map(as_json).collect();
        out.json(&json!({"ok": bad == 0, "checks": checks}))?;
    } else {
        findings.iter().try_for_each(|finding| print(out, finding))?;
    }
    if bad == 0 { Ok(()) } else { Err(Failure::plain(format!("{bad} of {} checks failed", findings.len()))) }
}

fn print(out: Output, finding: &Finding) -> Result<(), Failure> {
    out.line(&format!("{}  {:<14}  {}", out.status(finding.word(), 4), finding.name, finding.text))?;
    match &finding.fix {
        Some(fix) => out.line(&format!("      {:<14}  → {fix}", "")),
        None => Ok(()),
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    let mut json = json!({"name": finding.name, "ok": finding.grade != Grade::Bad, "grade": finding.word(), "message": finding.text});
    if let Some(fix) = &finding.fix {
        json["fix"] = json!(fix);
    }
    json
}

fn configuration(config: &Config) -> Finding {
    match config.unused.as_slice() {
        [] => Finding::ok("configuration", "every setting is known and possible"),
        unused => Finding::warn(
            "configuration",
            format!("possible, but this version does not use {}", unused.join(", ")),
            "unset what you do not need; docs/configuration.md says what each will do",
        ),
    }
}
