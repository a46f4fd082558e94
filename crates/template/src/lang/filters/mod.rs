//! Filters: `|upper`, `|default("-")` and so on. The table is at the bottom; what they do is in the files beside.

mod list;
mod number;
mod order;
mod printf;
mod text;

use super::value::{Text, Val};
use super::{Budget, Problem};

/// Arguments that a filter takes at most.
pub(super) const ARGS: usize = 4;

pub(super) type Args<'a> = [Option<Val<'a>>; ARGS];

type Apply = for<'a> fn(&mut Budget, &Val<'a>, &Args<'a>) -> Result<Val<'a>, Problem>;

/// A filter, with the names it has.
#[derive(Debug)]
pub(crate) struct Filter {
    pub names: &'static [&'static str],
    /// Its parameters in order; those from the `*` on are given by name only.
    pub params: &'static [&'static str],
    /// How many of them must be given.
    pub required: usize,
    /// Whether its input may be missing.
    pub sees_missing: bool,
    apply: Apply,
}

impl Filter {
    pub(super) fn run<'a>(&self, budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
        budget.steps(1)?;
        (self.apply)(budget, input, args).map_err(|problem| match problem {
            Problem::Failed(message) => Problem::Failed(format!("{}: {message}", self.names[0]).into()),
            other => other,
        })
    }
}

pub(super) fn find(name: &str) -> Option<&'static Filter> {
    FILTERS.iter().find(|filter| filter.names.contains(&name))
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().flat_map(|filter| filter.names.iter().copied())
}

/// Argument `at` as text.
fn text_arg<'a>(args: &Args<'a>, at: usize) -> Result<Option<Text<'a>>, Problem> {
    args[at].as_ref().map(Val::to_text).transpose()
}

/// Argument `at` as a count.
fn count_arg(args: &Args<'_>, at: usize) -> Result<Option<usize>, Problem> {
    match &args[at] {
        None => Ok(None),
        Some(Val::Int(value)) => Ok(Some(usize::try_from((*value).max(0)).unwrap_or(usize::MAX))),
        Some(other) => Problem::failed(format!("a count is a whole number, not {}", other.kind())),
    }
}

fn flag_arg(args: &Args<'_>, at: usize) -> bool {
    args[at].as_ref().is_some_and(Val::truth)
}

const fn plain(names: &'static [&'static str], apply: Apply) -> Filter {
    Filter { names, params: &[], required: 0, sees_missing: false, apply }
}

const fn with(
    names: &'static [&'static str],
    params: &'static [&'static str],
    required: usize,
    apply: Apply,
) -> Filter {
    Filter { names, params, required, sees_missing: false, apply }
}

static FILTERS: &[Filter] = &[
    Filter { sees_missing: true, ..with(&["default", "d"], &["default_value", "boolean"], 1, default) },
    plain(&["upper"], text::upper),
    plain(&["lower"], text::lower),
    plain(&["title"], text::title),
    plain(&["capitalize"], text::capitalize),
    plain(&["string"], text::string),
    plain(&["safe"], text::safe),
    plain(&["escape", "e"], text::escape),
    plain(&["urlencode"], text::urlencode),
    plain(&["tojson"], text::tojson),
    with(&["trim"], &["chars"], 0, text::trim),
    with(&["replace"], &["old", "new"], 2, text::replace),
    with(&["truncate"], &["length", "killwords", "end"], 1, text::truncate),
    with(&["split"], &["sep"], 0, text::split),
    with(&["format"], &["a", "b", "c", "d"], 1, printf::format),
    plain(&["abs"], number::abs),
    with(&["int"], &["default"], 0, number::int),
    with(&["float"], &["default"], 0, number::float),
    with(&["round"], &["precision", "method"], 0, number::round),
    plain(&["length", "count"], list::length),
    plain(&["list"], list::list),
    plain(&["items"], list::items),
    plain(&["first"], list::first),
    plain(&["last"], list::last),
    plain(&["reverse"], list::reverse),
    with(&["min"], &["*", "attribute"], 0, order::min),
    with(&["max"], &["*", "attribute"], 0, order::max),
    with(&["sum"], &["attribute"], 0, list::sum),
    with(&["join"], &["d", "attribute"], 0, list::join),
    with(&["sort"], &["reverse", "case_sensitive", "attribute"], 0, order::sort),
    with(&["map"], &["*", "attribute", "default"], 1, list::map),
    with(&["selectattr"], &["attribute", "test", "value"], 1, list::selectattr),
    with(&["rejectattr"], &["attribute", "test", "value"], 1, list::rejectattr),
];

#[expect(clippy::unnecessary_wraps, reason = "it has the shape of a filter")]
fn default<'a>(_: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let replace = matches!(input, Val::Missing(_) | Val::Null) || (flag_arg(args, 1) && !input.truth());
    Ok(if replace { args[0].clone().unwrap_or(Val::Null) } else { input.clone() })
}
