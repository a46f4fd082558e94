//! Evaluates expressions.

use super::Problem;
use super::filters::ARGS;
use super::ir::{Compare, Expr, FilterCall, TestCall};
use super::run::Run;
use super::value::Val;
use super::{ops, predicates};

/// Numbers that `range` makes at most.
const RANGE: i128 = 10_000;

impl<'a> Run<'a, '_> {
    /// The value of `expr`, which may be missing: only `default`, `is defined` and a condition's branch may see that.
    pub(super) fn eval(&mut self, expr: &'a Expr) -> Result<Val<'a>, Problem> {
        self.budget.steps(1)?;
        Ok(match expr {
            Expr::Const(value) => Val::constant(value),
            Expr::Var(name) => self.scope.get(name).unwrap_or(Val::Missing(expr)),
            Expr::Attr(attr) => match self.eval(&attr.0)? {
                missing @ Val::Missing(_) => missing,
                value => value.member(&attr.1).unwrap_or(Val::Missing(expr)),
            },
            Expr::Item(item) => match self.eval(&item.0)? {
                missing @ Val::Missing(_) => missing,
                value => {
                    let key = self.present(&item.1)?;
                    ops::item(&value, &key, self.budget)?.unwrap_or(Val::Missing(expr))
                }
            },
            Expr::Slice(slice) => {
                let value = self.present(&slice.of)?;
                let start = self.index(slice.start.as_ref())?;
                let stop = self.index(slice.stop.as_ref())?;
                ops::slice(&value, start, stop, self.budget)?
            }
            Expr::Not(inner) => Val::Bool(!self.truth(inner)?),
            Expr::Neg(inner) => match self.present(inner)? {
                Val::Int(value) => Val::Int(value.saturating_neg()),
                Val::Float(value) => Val::Float(-value),
                other => return Problem::failed(format!("{} has no negative", other.kind())),
            },
            Expr::And(sides) => match self.present(&sides.0)? {
                value if value.truth() => self.present(&sides.1)?,
                value => value,
            },
            Expr::Or(sides) => match self.present(&sides.0)? {
                value if value.truth() => value,
                _ => self.present(&sides.1)?,
            },
            Expr::Math(op, sides) => {
                let left = self.present(&sides.0)?;
                let right = self.present(&sides.1)?;
                ops::math(*op, &left, &right, self.budget)?
            }
            Expr::Compare(compare) => Val::Bool(self.compare(compare)?),
            Expr::Choose(choose) => {
                if self.truth(&choose.0)? {
                    self.eval(&choose.1)?
                } else {
                    choose.2.as_ref().map_or(Ok(Val::Null), |otherwise| self.eval(otherwise))?
                }
            }
            Expr::Filter(call) => self.filter(call)?,
            Expr::MapFilter(map) => {
                let list = self.present(&map.0)?;
                let mut items = list.items(self.budget)?;
                for item in &mut items {
                    *item = map.1.run(self.budget, item, &[const { None }; ARGS])?;
                }
                Val::list(items)?
            }
            Expr::Test(call) => Val::Bool(self.test(call)?),
            Expr::List(items) => Val::list(self.all(items)?)?,
            Expr::Map(entries) => {
                let mut made = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let key = self.present(key)?;
                    made.push((ops::key(&key)?, self.present(value)?));
                }
                Val::dict(made)?
            }
            Expr::Range(args) => self.range(args)?,
            Expr::Cycle(choices) => {
                let index = self.scope.turns.last().map_or(0, |turn| turn.index);
                choices.get(index % choices.len().max(1)).map_or(Ok(Val::Null), |choice| self.eval(choice))?
            }
            Expr::Loop(field) => self.scope.turn(*field),
        })
    }

    /// The value of `expr`, which must be there.
    pub(super) fn present(&mut self, expr: &'a Expr) -> Result<Val<'a>, Problem> {
        match self.eval(expr)? {
            Val::Missing(missing) => Err(self.scope.missing(missing)),
            value => Ok(value),
        }
    }

    fn seen(&mut self, expr: &'a Expr, lenient: bool) -> Result<Val<'a>, Problem> {
        if lenient { self.eval(expr) } else { self.present(expr) }
    }

    pub(super) fn truth(&mut self, expr: &'a Expr) -> Result<bool, Problem> {
        Ok(self.present(expr)?.truth())
    }

    fn all(&mut self, exprs: &'a [Expr]) -> Result<Vec<Val<'a>>, Problem> {
        exprs.iter().map(|expr| self.present(expr)).collect()
    }

    fn index(&mut self, expr: Option<&'a Expr>) -> Result<Option<i128>, Problem> {
        match expr.map(|expr| self.present(expr)).transpose()? {
            None | Some(Val::Null) => Ok(None),
            Some(Val::Int(index)) => Ok(Some(index)),
            Some(other) => Problem::failed(format!("a slice is between whole numbers, not {}", other.kind())),
        }
    }

    fn compare(&mut self, compare: &'a Compare) -> Result<bool, Problem> {
        let mut left = self.present(&compare.first)?;
        for (op, right) in &compare.rest {
            let right = self.present(right)?;
            if !ops::compare(*op, &left, &right, self.budget)? {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }

    fn filter(&mut self, call: &'a FilterCall) -> Result<Val<'a>, Problem> {
        let lenient = call.filter.sees_missing;
        let input = self.seen(&call.input, lenient)?;
        let mut args = [const { None }; ARGS];
        for (slot, arg) in args.iter_mut().zip(&call.args) {
            *slot = arg.as_ref().map(|arg| self.seen(arg, lenient)).transpose()?;
        }
        call.filter.run(self.budget, &input, &args)
    }

    fn test(&mut self, call: &'a TestCall) -> Result<bool, Problem> {
        let input = self.seen(&call.input, call.test.sees_missing)?;
        let arg = call.arg.as_ref().map(|arg| self.present(arg)).transpose()?;
        predicates::run(call.test, &input, arg.as_ref(), self.budget)
    }

    fn range(&mut self, args: &'a [Expr]) -> Result<Val<'a>, Problem> {
        let mut bounds = [0, 0, 1];
        for (at, arg) in args.iter().enumerate() {
            let Val::Int(value) = self.present(arg)? else {
                return Problem::failed("range is for whole numbers");
            };
            // A single argument is the end.
            bounds[if args.len() == 1 { 1 } else { at }] = value;
        }
        let [from, to, step] = bounds;
        if step == 0 {
            return Problem::failed("range cannot step by 0");
        }
        let len = to
            .saturating_sub(from)
            .saturating_add(step.saturating_sub(step.signum()))
            .checked_div(step)
            .unwrap_or(0)
            .max(0);
        if len > RANGE {
            return Problem::failed(format!("range makes at most {RANGE} numbers"));
        }
        self.budget.steps(usize::try_from(len).unwrap_or(usize::MAX))?;
        Val::list((0..len).map(|at| Val::Int(from.saturating_add(at.saturating_mul(step)))).collect())
    }
}

/// An attribute as a filter's argument names it: `price`, or `product.price`.
pub(super) fn attribute<'a>(value: &Val<'a>, path: &str) -> Option<Val<'a>> {
    let mut value = value.clone();
    for name in path.split('.') {
        value = match name.parse() {
            Ok(index) if matches!(value, Val::Array(_) | Val::List(_)) => value.element(index)?,
            _ => value.member(name)?,
        };
    }
    Some(value)
}
