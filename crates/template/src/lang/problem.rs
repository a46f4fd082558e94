use std::borrow::Cow;

/// Why a string does not compile.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `template_syntax`, `template_too_large` or `control_character`.
    pub code: &'static str,
    /// For the author, with the line.
    pub message: String,
}

impl Refusal {
    pub(crate) fn syntax(line: u32, message: impl AsRef<str>) -> Self {
        Self { code: "template_syntax", message: format!("line {line}: {}", message.as_ref()) }
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self { code: "template_too_large", message: message.into() }
    }

    pub(crate) fn control(message: impl Into<String>) -> Self {
        Self { code: "control_character", message: message.into() }
    }
}

/// Why a string does not render.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A value that is not there. `pointer` leads into the variables, if it was to come from there.
    Missing { name: String, pointer: Option<String> },
    /// A value with a character that its field cannot hold.
    Control { pointer: Option<String> },
    /// Out of fuel.
    Fuel,
    /// Out of time.
    Time,
    /// More output than the message may have.
    Output,
    /// An operation on values that it is not for.
    Failed(Cow<'static, str>),
}

impl Problem {
    pub(crate) fn failed<T>(message: impl Into<Cow<'static, str>>) -> Result<T, Self> {
        Err(Self::Failed(message.into()))
    }
}
