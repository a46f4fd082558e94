//! Words for what is refused.

use minijinja::machinery::ast::{Spanned, Stmt};

/// `; did you mean "upper"?`, if something is near.
pub(super) fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"))
}

/// A statement that messages do not have: its line, and what to say.
pub(super) fn unavailable(statement: &Stmt<'_>) -> (u32, &'static str) {
    fn line<T>(node: &Spanned<T>) -> u32 {
        node.span().start_line.into()
    }
    const OTHERS: &str = "each part of a message is one template: include, import, extends and block are not available";
    const MACROS: &str = "macros are not available: {% set name %}…{% endset %} keeps text for use again";
    match statement {
        Stmt::Include(node) => (line(node), OTHERS),
        Stmt::Import(node) => (line(node), OTHERS),
        Stmt::FromImport(node) => (line(node), OTHERS),
        Stmt::Extends(node) => (line(node), OTHERS),
        Stmt::Block(node) => (line(node), OTHERS),
        Stmt::Macro(node) => (line(node), MACROS),
        Stmt::CallBlock(node) => (line(node), MACROS),
        Stmt::AutoEscape(node) => {
            (line(node), "autoescape cannot be switched: HTML is escaped; the filter safe makes an exception")
        }
        Stmt::FilterBlock(node) => {
            (line(node), "filter blocks are not available: {% set name %}…{% endset %}, then {{ name|upper }}")
        }
        Stmt::Do(node) => (line(node), "do is not available"),
        _ => (0, "this statement is not available"),
    }
}

/// The parser's sentence, which may name what only other programs have.
pub(super) fn explain(detail: &str) -> String {
    detail.chars().take(200).collect()
}
