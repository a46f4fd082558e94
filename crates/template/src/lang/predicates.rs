//! Tests: `is defined`, `is odd` and so on.

use super::ir::CompareOp;
use super::value::Val;
use super::{Budget, Problem, ops};

/// A test, with the names it has.
#[derive(Debug)]
pub(crate) struct Test {
    pub names: &'static [&'static str],
    /// Whether it wants a value to test with.
    pub takes: bool,
    /// Whether it may look at what is not there.
    pub sees_missing: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Defined,
    Undefined,
    Null,
    True,
    False,
    Boolean,
    Text,
    Number,
    Integer,
    Float,
    Mapping,
    Sequence,
    Odd,
    Even,
    DivisibleBy,
    StartingWith,
    EndingWith,
    Compare(CompareOp),
}

const fn test(names: &'static [&'static str], kind: Kind) -> Test {
    Test { names, takes: false, sees_missing: false, kind }
}

const fn with(names: &'static [&'static str], kind: Kind) -> Test {
    Test { names, takes: true, sees_missing: false, kind }
}

static TESTS: &[Test] = &[
    Test { sees_missing: true, ..test(&["defined"], Kind::Defined) },
    Test { sees_missing: true, ..test(&["undefined"], Kind::Undefined) },
    test(&["none", "null"], Kind::Null),
    test(&["true"], Kind::True),
    test(&["false"], Kind::False),
    test(&["boolean"], Kind::Boolean),
    test(&["string"], Kind::Text),
    test(&["number"], Kind::Number),
    test(&["integer"], Kind::Integer),
    test(&["float"], Kind::Float),
    test(&["mapping"], Kind::Mapping),
    test(&["sequence", "iterable"], Kind::Sequence),
    test(&["odd"], Kind::Odd),
    test(&["even"], Kind::Even),
    with(&["divisibleby"], Kind::DivisibleBy),
    with(&["startingwith"], Kind::StartingWith),
    with(&["endingwith"], Kind::EndingWith),
    with(&["eq", "equalto", "=="], Kind::Compare(CompareOp::Eq)),
    with(&["ne", "!="], Kind::Compare(CompareOp::Ne)),
    with(&["lt", "lessthan", "<"], Kind::Compare(CompareOp::Lt)),
    with(&["le", "<="], Kind::Compare(CompareOp::Le)),
    with(&["gt", "greaterthan", ">"], Kind::Compare(CompareOp::Gt)),
    with(&["ge", ">="], Kind::Compare(CompareOp::Ge)),
    with(&["in"], Kind::Compare(CompareOp::In)),
];

pub(super) fn find(name: &str) -> Option<&'static Test> {
    TESTS.iter().find(|test| test.names.contains(&name))
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TESTS.iter().flat_map(|test| test.names.iter().copied())
}

pub(super) fn run(test: &Test, value: &Val<'_>, arg: Option<&Val<'_>>, budget: &mut Budget) -> Result<bool, Problem> {
    let arg = arg.unwrap_or(&Val::Null);
    Ok(match test.kind {
        Kind::Defined => !matches!(value, Val::Missing(_)),
        Kind::Undefined => matches!(value, Val::Missing(_)),
        Kind::Null => matches!(value, Val::Null),
        Kind::True => matches!(value, Val::Bool(true)),
        Kind::False => matches!(value, Val::Bool(false)),
        Kind::Boolean => matches!(value, Val::Bool(_)),
        Kind::Text => value.as_str().is_some(),
        Kind::Number => matches!(value, Val::Int(_) | Val::Float(_)),
        Kind::Integer => matches!(value, Val::Int(_)),
        Kind::Float => matches!(value, Val::Float(_)),
        Kind::Mapping => matches!(value, Val::Object(_) | Val::Dict(_)),
        Kind::Sequence => matches!(value, Val::Array(_) | Val::List(_)),
        Kind::Odd => integer(value)? % 2 != 0,
        Kind::Even => integer(value)? % 2 == 0,
        Kind::DivisibleBy => integer(value)?.checked_rem(integer(arg)?) == Some(0),
        Kind::StartingWith => two_texts(value, arg, budget)?.is_some_and(|(text, part)| text.starts_with(part)),
        Kind::EndingWith => two_texts(value, arg, budget)?.is_some_and(|(text, part)| text.ends_with(part)),
        Kind::Compare(op) => ops::compare(op, value, arg, budget)?,
    })
}

fn integer(value: &Val<'_>) -> Result<i128, Problem> {
    match value {
        Val::Int(value) => Ok(*value),
        other => Problem::failed(format!("{} is no whole number", other.kind())),
    }
}

fn two_texts<'v>(
    value: &'v Val<'_>,
    part: &'v Val<'_>,
    budget: &mut Budget,
) -> Result<Option<(&'v str, &'v str)>, Problem> {
    let pair = value.as_str().zip(part.as_str());
    budget.bytes(pair.map_or(0, |(_, part)| part.len()))?;
    Ok(pair)
}
