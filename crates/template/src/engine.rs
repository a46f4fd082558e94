use carillon_domain::Error;
use carillon_domain::content::Content;
use serde_json::{Map, Value};

use crate::lang::Budget;
use crate::render::Renderer;
use crate::{Compiled, Limits};

/// Compiles and renders under [`Limits`]. Holds nothing else: cheap to clone and to share.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    limits: Limits,
}

impl Engine {
    /// An engine with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Compiles every string of `content`; `at` is the content's JSON pointer in the request.
    ///
    /// # Errors
    /// `validation_failed` with one field for each string that is wrong, at `at` + `/subject` and so on:
    /// `template_syntax`, `template_too_large`, `control_character`, `invalid_email`.
    pub fn compile(&self, content: &Content, at: &str) -> Result<Compiled, Error> {
        Compiled::new(content, at, &self.limits)
    }

    /// Renders with `variables`. The same input always gives the same output.
    ///
    /// # Errors
    /// `validation_failed`. Where a variable is at fault and known, the pointer is `/variables/<name>`, else the field
    /// below `at`: `missing_variable`, `control_character`, `invalid_email`, `template_failed`,
    /// `template_too_expensive`, `template_output_too_large`.
    pub fn render(&self, compiled: &Compiled, variables: &Map<String, Value>, at: &str) -> Result<Content, Error> {
        Renderer { variables, limits: &self.limits, at, budget: Budget::new(&self.limits) }.content(&compiled.parts)
    }

    /// Compiles and renders what is used once: direct content, a preview.
    ///
    /// # Errors
    /// Those of [`compile`](Self::compile) and [`render`](Self::render).
    pub fn render_once(&self, content: &Content, variables: &Map<String, Value>, at: &str) -> Result<Content, Error> {
        self.render(&self.compile(content, at)?, variables, at)
    }
}
