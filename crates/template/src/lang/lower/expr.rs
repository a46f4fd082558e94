//! Expressions.

use carillon_domain::json::nearest;
use minijinja::machinery::ast;
use minijinja::value::{Value, ValueKind};

use super::names::did_you_mean;
use super::{EXPR_DEPTH, Lower, Lowered};
use crate::lang::ir::{Compare, CompareOp, Const, Expr, LoopField, MathOp, Slice};

impl Lower {
    pub(super) fn expr(&mut self, expr: &ast::Expr<'_>) -> Lowered<Expr> {
        if self.exprs >= EXPR_DEPTH {
            return self.refuse(format!("expressions can be {EXPR_DEPTH} deep; set gives a part of one a name"));
        }
        self.exprs += 1;
        let lowered = self.one(expr);
        self.exprs -= 1;
        lowered
    }

    fn one(&mut self, expr: &ast::Expr<'_>) -> Lowered<Expr> {
        Ok(match expr {
            ast::Expr::Var(var) if var.id == "loop" => {
                return self.refuse("loop is no value: use loop.index, loop.first, loop.last, loop.length");
            }
            ast::Expr::Var(var) => Expr::Var(self.name(var.id)),
            ast::Expr::Const(constant) => Expr::Const(self.constant(&constant.value)?),
            ast::Expr::GetAttr(attr) => {
                if let Some(field) = self.loop_field(attr)? {
                    Expr::Loop(field)
                } else {
                    let attr = (self.expr(&attr.expr)?, self.name(attr.name));
                    Expr::Attr(self.boxed(attr))
                }
            }
            ast::Expr::GetItem(item) => {
                let item = (self.expr(&item.expr)?, self.expr(&item.subscript_expr)?);
                Expr::Item(self.boxed(item))
            }
            ast::Expr::Slice(slice) => {
                if slice.step.is_some() {
                    return self.refuse("slices have no step");
                }
                let slice = Slice {
                    of: self.expr(&slice.expr)?,
                    start: slice.start.as_ref().map(|start| self.expr(start)).transpose()?,
                    stop: slice.stop.as_ref().map(|stop| self.expr(stop)).transpose()?,
                };
                Expr::Slice(self.boxed(slice))
            }
            ast::Expr::UnaryOp(unary) => {
                let inner = self.expr(&unary.expr)?;
                let inner = self.boxed(inner);
                match unary.op {
                    ast::UnaryOpKind::Not => Expr::Not(inner),
                    ast::UnaryOpKind::Neg => Expr::Neg(inner),
                }
            }
            ast::Expr::BinOp(binary) => {
                let left = self.expr(&binary.left)?;
                let right = self.expr(&binary.right)?;
                self.binary(binary.op, left, right)
            }
            ast::Expr::Compare(compare) => {
                let first = self.expr(&compare.expr)?;
                let mut rest = Vec::with_capacity(compare.ops.len());
                for link in &compare.ops {
                    rest.push((comparison(link.op), self.expr(&link.expr)?));
                }
                let compare = Compare { first, rest: self.slice(rest) };
                Expr::Compare(self.boxed(compare))
            }
            ast::Expr::IfExpr(choose) => {
                let choose = (
                    self.expr(&choose.test_expr)?,
                    self.expr(&choose.true_expr)?,
                    choose.false_expr.as_ref().map(|otherwise| self.expr(otherwise)).transpose()?,
                );
                Expr::Choose(self.boxed(choose))
            }
            ast::Expr::Filter(filter) => self.filter(filter)?,
            ast::Expr::Test(test) => self.test(test)?,
            ast::Expr::List(list) => Expr::List(self.exprs(&list.items)?),
            ast::Expr::Tuple(tuple) => Expr::List(self.exprs(&tuple.items)?),
            ast::Expr::Map(map) => {
                let mut entries = Vec::with_capacity(map.keys.len());
                for (key, value) in map.keys.iter().zip(&map.values) {
                    entries.push((self.expr(key)?, self.expr(value)?));
                }
                Expr::Map(self.slice(entries))
            }
            ast::Expr::Call(call) => self.call(call)?,
        })
    }

    fn constant(&mut self, value: &Value) -> Lowered<Const> {
        Ok(match value.kind() {
            ValueKind::None | ValueKind::Undefined => Const::Null,
            ValueKind::Bool => Const::Bool(value.is_true()),
            ValueKind::Number if value.is_integer() => match value.as_i64() {
                Some(int) => Const::Int(int),
                None => return self.refuse("this number is too large"),
            },
            ValueKind::Number => match f64::try_from(value.clone()) {
                Ok(float) if float.is_finite() => Const::Float(float),
                _ => return self.refuse("this number is too large"),
            },
            _ => match value.as_str() {
                Some(text) if text.contains('\0') => {
                    return self.refuse("text cannot hold the character NUL");
                }
                Some(text) => Const::Str(self.name(text)),
                None => return self.refuse("this constant is not available"),
            },
        })
    }

    /// The field, if this is `loop.something`.
    fn loop_field(&mut self, attr: &ast::GetAttr<'_>) -> Lowered<Option<LoopField>> {
        if !is_loop(&attr.expr) {
            return Ok(None);
        }
        if self.loops == 0 {
            return self.refuse("loop belongs in a for");
        }
        let known = LoopField::ALL.into_iter().find(|(name, _)| *name == attr.name);
        let Some((_, field)) = known else {
            let near = nearest(attr.name, LoopField::ALL.map(|(name, _)| name));
            return self.refuse(format!("there is no loop.{}{}", attr.name, did_you_mean(near)));
        };
        Ok(Some(field))
    }

    fn binary(&mut self, op: ast::BinOpKind, left: Expr, right: Expr) -> Expr {
        use ast::BinOpKind as Op;
        let math = match op {
            Op::ScAnd => return Expr::And(self.boxed((left, right))),
            Op::ScOr => return Expr::Or(self.boxed((left, right))),
            Op::Add => MathOp::Add,
            Op::Sub => MathOp::Sub,
            Op::Mul => MathOp::Mul,
            Op::Div => MathOp::Div,
            Op::FloorDiv => MathOp::FloorDiv,
            Op::Rem => MathOp::Rem,
            Op::Pow => MathOp::Pow,
            Op::Concat => MathOp::Concat,
            Op::Eq | Op::Ne | Op::Lt | Op::Lte | Op::Gt | Op::Gte | Op::In => {
                let link = match op {
                    Op::Eq => CompareOp::Eq,
                    Op::Ne => CompareOp::Ne,
                    Op::Lt => CompareOp::Lt,
                    Op::Lte => CompareOp::Le,
                    Op::Gt => CompareOp::Gt,
                    Op::Gte => CompareOp::Ge,
                    _ => CompareOp::In,
                };
                let compare = Compare { first: left, rest: self.slice(vec![(link, right)]) };
                return Expr::Compare(self.boxed(compare));
            }
        };
        Expr::Math(math, self.boxed((left, right)))
    }
}

pub(super) fn is_loop(expr: &ast::Expr<'_>) -> bool {
    matches!(expr, ast::Expr::Var(var) if var.id == "loop")
}

fn comparison(op: ast::CompareOpKind) -> CompareOp {
    use ast::CompareOpKind as Op;
    match op {
        Op::Eq => CompareOp::Eq,
        Op::Ne => CompareOp::Ne,
        Op::Lt => CompareOp::Lt,
        Op::Lte => CompareOp::Le,
        Op::Gt => CompareOp::Gt,
        Op::Gte => CompareOp::Ge,
        Op::In => CompareOp::In,
        Op::NotIn => CompareOp::NotIn,
    }
}
