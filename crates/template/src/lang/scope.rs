//! Names: the template's own (`set`, `for`, `with`) before the message's variables.

use serde_json::{Map, Value};

use super::Problem;
use super::ir::{Const, Expr, LoopField};
use super::value::Val;

/// Where a loop stands.
pub(super) struct Turn {
    pub index: usize,
    pub len: usize,
}

pub(super) struct Scope<'a> {
    variables: &'a Map<String, Value>,
    locals: Vec<(&'a str, Val<'a>)>,
    /// Where the innermost block's own names begin in `locals`.
    base: usize,
    pub turns: Vec<Turn>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(variables: &'a Map<String, Value>) -> Self {
        Self { variables, locals: Vec::new(), base: 0, turns: Vec::new() }
    }

    /// Opens a block; give what it returns to [`close`](Self::close).
    pub(super) fn open(&mut self) -> (usize, usize) {
        let outer = (self.base, self.locals.len());
        self.base = self.locals.len();
        outer
    }

    /// Forgets the names of the block.
    pub(super) fn close(&mut self, (base, len): (usize, usize)) {
        self.locals.truncate(len);
        self.base = base;
    }

    pub(super) fn set(&mut self, name: &'a str, value: Val<'a>) {
        match self.locals[self.base..].iter_mut().find(|(known, _)| *known == name) {
            Some(local) => local.1 = value,
            None => self.locals.push((name, value)),
        }
    }

    fn local(&self, name: &str) -> Option<&Val<'a>> {
        self.locals.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(super) fn get(&self, name: &str) -> Option<Val<'a>> {
        self.local(name).cloned().or_else(|| self.variables.get(name).map(Val::given))
    }

    pub(super) fn turn(&self, field: LoopField) -> Val<'a> {
        let Some(Turn { index, len }) = self.turns.last() else {
            return Val::Null;
        };
        let left = len.saturating_sub(*index);
        match field {
            LoopField::Index => Val::count(index + 1),
            LoopField::Index0 => Val::count(*index),
            LoopField::RevIndex => Val::count(left),
            LoopField::RevIndex0 => Val::count(left.saturating_sub(1)),
            LoopField::First => Val::Bool(*index == 0),
            LoopField::Last => Val::Bool(left <= 1),
            LoopField::Length => Val::count(*len),
            LoopField::Depth => Val::count(self.turns.len()),
        }
    }

    /// The value that `expr` names is not there, and now it is needed.
    pub(super) fn missing(&self, expr: &Expr) -> Problem {
        Problem::Missing { name: name(expr), pointer: self.pointer(expr) }
    }

    /// Where in the request `expr` would take its value from, if it is a path into the variables.
    pub(super) fn pointer(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Var(name) if self.local(name).is_some() => None,
            Expr::Var(name) => Some(format!("/variables/{}", segment(name))),
            Expr::Attr(attr) => Some(format!("{}/{}", self.pointer(&attr.0)?, segment(&attr.1))),
            Expr::Item(item) => {
                let base = self.pointer(&item.0)?;
                match &item.1 {
                    Expr::Const(Const::Str(key)) => Some(format!("{base}/{}", segment(key))),
                    Expr::Const(Const::Int(index)) if *index >= 0 => Some(format!("{base}/{index}")),
                    _ => Some(base),
                }
            }
            _ => None,
        }
    }
}

/// A name as a segment of a JSON pointer.
fn segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The expression as its author wrote it, or nearly.
fn name(expr: &Expr) -> String {
    match expr {
        Expr::Var(name) => name.to_string(),
        Expr::Attr(attr) => format!("{}.{}", name(&attr.0), attr.1),
        Expr::Item(item) => match &item.1 {
            Expr::Const(Const::Str(key)) => format!("{}[\"{key}\"]", name(&item.0)),
            Expr::Const(Const::Int(index)) => format!("{}[{index}]", name(&item.0)),
            Expr::Var(index) => format!("{}[{index}]", name(&item.0)),
            _ => format!("{}[…]", name(&item.0)),
        },
        _ => "the value".to_owned(),
    }
}
