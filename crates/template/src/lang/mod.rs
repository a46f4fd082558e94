//! The template language: source → [`gate`] → minijinja's parser → [`lower`] → [`ir`] → [`run`].
//!
//! Why minijinja parses but does not run (3.1.0, release, fuel 50,000, strict, variables of 1 MiB, a stack of 2 MiB):
//! * its code generator recurses over the syntax tree: `{{ 1+1+1… }}` of 64 KiB, `x|list|list…` and 6,000 `elif` overflow
//!   the stack, which ends the process and not the request;
//! * its fuel does not count everything: 60 times `{% set a = a + a %}` had not ended after 90 s, `is lower` on a long
//!   text takes 4.6 s, `|tojson(indent=100000)` 2.4 s and 985 MB, 4,600 times `{% set x = x[:] %}` 0.9 s, `s == s2` 136 ms;
//! * it wants its own copy of every variable, where a message reads each once.
//!
//! Here every operation is charged to the [`budget`] first, walks are bounded in depth, and values are borrowed.

mod budget;
mod eval;
mod filters;
mod gate;
mod ir;
mod lower;
mod ops;
mod predicates;
mod problem;
mod run;
mod scope;
mod text;
mod value;

pub(crate) use budget::Budget;
pub(crate) use ir::{Program, Slot};
pub(crate) use problem::{Problem, Refusal};
pub(crate) use run::render;

use crate::Limits;

/// Compiles one string. Text without a tag stays text.
pub(crate) fn compile(source: &str, slot: Slot, limits: &Limits) -> Result<Program, Refusal> {
    gate::check(source, limits)?;
    if !["{{", "{%", "{#"].iter().any(|tag| source.contains(tag)) {
        if slot.is_line() && source.contains(['\r', '\n']) {
            return Err(Refusal::control("this is one line: it cannot hold a line break"));
        }
        return Ok(Program::fixed(source));
    }
    let syntax = gate::syntax();
    gate::check_code(source, &syntax)?;
    lower::program(source, syntax, slot)
}

#[cfg(test)]
mod page {
    use super::{filters, ir::LoopField, predicates};

    /// Each filter, test and field of `loop` is in `docs/templates.md`, with its parameters where it has some.
    #[test]
    fn names_all_there_is() {
        let page = include_str!("../../../../docs/templates.md");
        let fields = LoopField::ALL.into_iter().map(|(name, _)| name);
        for name in filters::names().chain(predicates::names()).chain(fields) {
            let listed = [format!("`{name}`"), format!("`{name}("), format!("`loop.{name}`")];
            assert!(listed.iter().any(|listed| page.contains(listed)), "{name} is not on the page");
        }
    }
}
