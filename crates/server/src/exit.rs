//! How a command ends: what is printed, and the exit codes that scripts rely on.

use std::fmt;
use std::process::ExitCode;

use serde_json::Value;

use crate::config::resolve::ConfigError;

/// What `--help` says about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it did not work: not delivered, a failed check, a file that cannot be written
  2  the command line is wrong
  3  the server refused the request (4xx)
  4  the server cannot be reached or has trouble (5xx)
  5  the configuration is wrong";

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It did not work.
    Failed {
        /// One sentence.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The command line does not make sense.
    Usage(String),
    /// The server answered with a problem.
    Problem(Problem),
    /// No answer from the server.
    Unreachable {
        /// Where it should be.
        url: String,
        /// What the attempt said.
        why: String,
    },
    /// A setting is wrong.
    Config(String),
}

impl Failure {
    /// A failure with a hint below it.
    pub(crate) fn hinted(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hint: Some(hint.into()) }
    }

    /// A failure that needs no hint.
    pub(crate) fn plain(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hint: None }
    }

    /// What the store or the pipeline says at the start.
    pub(crate) fn from_domain(error: carillon_domain::Error) -> Self {
        let cause = error.source.map_or_else(String::new, |source| format!(": {source}"));
        Self::plain(format!("{}{cause}", error.detail))
    }

    /// The exit code, as [`EXIT_CODES`] documents it.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Failed { .. } => 1,
            Self::Usage(_) => 2,
            Self::Problem(problem) if problem.status < 500 => 3,
            Self::Problem(_) | Self::Unreachable { .. } => 4,
            Self::Config(_) => 5,
        }
    }

    /// The same for `main`.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error.0)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(failure) => failure,
            Err(error) => Self::plain(format!("{error:#}")),
        }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { message, hint } => {
                f.write_str(message)?;
                hint.iter().try_for_each(|hint| write!(f, "\n       {hint}"))
            }
            Self::Usage(message) => write!(f, "{message}\n       `carillon --help` shows how it is meant"),
            Self::Problem(problem) => problem.fmt(f),
            Self::Unreachable { url, why } => write!(
                f,
                "cannot reach Carillon at {url}: {why}\n       is it running (`carillon serve`)? --url or CARILLON_URL says where"
            ),
            Self::Config(message) => {
                write!(f, "{message}\n       `carillon config --help` and docs/configuration.md list every setting")
            }
        }
    }
}

/// A problem+json answer (RFC 9457).
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The answer's body, or what stands in for it.
    pub(crate) body: Value,
}

impl Problem {
    fn text(&self, key: &str) -> &str {
        self.body[key].as_str().unwrap_or_default()
    }

    /// What to do, where the code or the place says so.
    fn hint(&self, pointer: &str) -> Option<&'static str> {
        Some(match (self.text("code"), pointer) {
            ("unauthenticated", _) => "set CARILLON_API_KEY or --api-key; the key of the first start was in its banner",
            ("forbidden", _) => "this key may not do that; `carillon api-key create --role …` makes one that may",
            ("idempotency_mismatch", _) => "this key was used with another request; choose a new --key",
            ("rate_limited" | "quota_exceeded" | "overloaded", _) => "try again a little later",
            ("not_found", _) => match self.text("instance").split('/').nth(3)? {
                "notifications" => "`carillon notification list` shows the latest",
                "dead-letters" => "`carillon dead-letter list` shows all",
                "templates" => "`carillon template list` shows all",
                "tenants" => "`carillon tenant list` shows all; `carillon api-key list` its keys",
                _ => return None,
            },
            (_, "/template" | "/templateId") => "`carillon template list` shows all",
            (_, pointer) if pointer.starts_with("/variables") => "give it with --var name=value or --json-vars",
            _ => return None,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.text("code");
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let pointer = |error: &Value| error["pointer"].as_str().unwrap_or_default().to_owned();
        let detail = match self.text("detail") {
            "" => self.text("title"),
            detail => detail,
        };
        let first = errors.first().map(pointer).unwrap_or_default();
        let place = if first.is_empty() { format!("[{code}]") } else { format!("[{code} {first}]") };
        write!(f, "{detail:<62}  {place}")?;
        for error in errors.iter().skip(1) {
            write!(f, "\n       {:<62}  [{}]", error["message"].as_str().unwrap_or_default(), pointer(error))?;
        }
        if let Some(hint) = self.hint(&first) {
            write!(f, "\n       {hint}")?;
        }
        match self.text("requestId") {
            id if self.status >= 500 && !id.is_empty() => {
                write!(f, "\n       the server's log says more: request {id}")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Failure, Problem};

    #[test]
    fn a_problem_says_what_where_and_what_to_do() {
        let problem = Problem {
            status: 422,
            body: json!({"code": "validation_failed", "detail": "no template \"welcom\" in tenant 1 (did you mean \"welcome\"?)",
                "errors": [{"pointer": "/template", "code": "unknown_template", "message": "…"},
                           {"pointer": "/locale", "code": "bad", "message": "not a locale"}]}),
        };
        let text = problem.to_string();
        assert!(text.starts_with("no template \"welcom\" in tenant 1 (did you mean \"welcome\"?)"), "{text}");
        assert!(text.contains("[validation_failed /template]\n       not a locale"), "{text}");
        assert!(text.ends_with("`carillon template list` shows all"), "{text}");
        assert_eq!(Failure::Problem(problem).code(), 3);
    }

    #[test]
    fn each_failure_has_its_code() {
        let problem = |status| Failure::Problem(Problem { status, body: json!({}) });
        assert_eq!([problem(404).code(), problem(503).code()], [3, 4]);
        assert_eq!(Failure::from(anyhow::Error::new(Failure::Config("x".to_owned())).context("y")).code(), 5);
        assert_eq!(Failure::from(anyhow::anyhow!("x")).code(), 1);
    }
}
