//! A compiled string: owned, small, `Send + Sync`. Names and constants are in place, filters and tests are resolved.

use super::filters::Filter;
use super::predicates::Test;

/// Which rules a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Plain text.
    Text,
    /// HTML: values are escaped.
    Html,
    /// One line of plain text: a subject, a title, an address.
    Line,
}

impl Slot {
    pub(crate) fn is_line(self) -> bool {
        self == Self::Line
    }
}

/// A compiled string.
#[derive(Debug)]
pub(crate) enum Program {
    /// Has no tags.
    Fixed(Box<str>),
    /// Has tags.
    Code {
        body: Body,
        /// Bytes of its text: what the output has at least, mostly.
        text: u32,
        /// Bytes that it takes in memory.
        weight: u32,
    },
}

impl Program {
    pub(crate) fn fixed(text: &str) -> Self {
        Self::Fixed(text.into())
    }

    /// Bytes in memory.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Fixed(text) => text.len(),
            Self::Code { weight, .. } => *weight as usize,
        }
    }
}

pub(crate) type Body = Box<[Node]>;

#[derive(Debug)]
pub(crate) struct Node {
    pub line: u32,
    pub what: Statement,
}

#[derive(Debug)]
pub(crate) enum Statement {
    Text(Box<str>),
    Emit(Expr),
    If(Box<If>),
    For(Box<For>),
    With(Box<With>),
    Set(Box<(Target, Expr)>),
    SetBlock(Box<(Target, Body)>),
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct If {
    pub arms: Box<[(Expr, Body)]>,
    pub otherwise: Body,
}

#[derive(Debug)]
pub(crate) struct For {
    pub target: Target,
    pub items: Expr,
    pub only_if: Option<Expr>,
    pub body: Body,
    pub otherwise: Body,
}

#[derive(Debug)]
pub(crate) struct With {
    pub values: Box<[(Target, Expr)]>,
    pub body: Body,
}

#[derive(Debug)]
pub(crate) enum Target {
    Name(Box<str>),
    Unpack(Box<[Box<str>]>),
}

#[derive(Debug)]
pub(crate) enum Expr {
    Const(Const),
    Var(Box<str>),
    Attr(Box<(Expr, Box<str>)>),
    Item(Box<(Expr, Expr)>),
    Slice(Box<Slice>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    And(Box<(Expr, Expr)>),
    Or(Box<(Expr, Expr)>),
    Math(MathOp, Box<(Expr, Expr)>),
    Compare(Box<Compare>),
    Choose(Box<(Expr, Expr, Option<Expr>)>),
    Filter(Box<FilterCall>),
    /// `|map("filter")`.
    MapFilter(Box<(Expr, &'static Filter)>),
    Test(Box<TestCall>),
    List(Box<[Expr]>),
    Map(Box<[(Expr, Expr)]>),
    Range(Box<[Expr]>),
    Cycle(Box<[Expr]>),
    Loop(LoopField),
}

#[derive(Debug)]
pub(crate) enum Const {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Box<str>),
}

#[derive(Debug)]
pub(crate) struct Slice {
    pub of: Expr,
    pub start: Option<Expr>,
    pub stop: Option<Expr>,
}

#[derive(Debug)]
pub(crate) struct Compare {
    pub first: Expr,
    pub rest: Box<[(CompareOp, Expr)]>,
}

#[derive(Debug)]
pub(crate) struct FilterCall {
    pub filter: &'static Filter,
    pub input: Expr,
    /// In the order of the filter's parameters.
    pub args: Box<[Option<Expr>]>,
}

#[derive(Debug)]
pub(crate) struct TestCall {
    pub test: &'static Test,
    pub input: Expr,
    pub arg: Option<Expr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MathOp {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
    Concat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoopField {
    Index,
    Index0,
    RevIndex,
    RevIndex0,
    First,
    Last,
    Length,
    Depth,
}

impl LoopField {
    /// Name → field.
    pub(crate) const ALL: [(&'static str, Self); 8] = [
        ("index", Self::Index),
        ("index0", Self::Index0),
        ("revindex", Self::RevIndex),
        ("revindex0", Self::RevIndex0),
        ("first", Self::First),
        ("last", Self::Last),
        ("length", Self::Length),
        ("depth", Self::Depth),
    ];
}
