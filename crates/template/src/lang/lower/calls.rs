//! Filters, tests and functions: found by name, their arguments put in place.

use carillon_domain::json::nearest;
use minijinja::machinery::ast;

use super::expr::is_loop;
use super::names::did_you_mean;
use super::{Lower, Lowered};
use crate::lang::ir::{Expr, FilterCall, TestCall};
use crate::lang::{filters, predicates};

impl Lower {
    pub(super) fn filter(&mut self, call: &ast::Filter<'_>) -> Lowered<Expr> {
        let Some(input) = &call.expr else {
            return self.refuse("filter blocks are not available");
        };
        let Some(filter) = filters::find(call.name) else {
            let near = nearest(call.name, filters::names());
            return self.refuse(format!("there is no filter \"{}\"{}", call.name, did_you_mean(near)));
        };
        let input = self.expr(input)?;
        if let ("map", [ast::CallArg::Pos(ast::Expr::Const(name))]) = (call.name, &call.args[..]) {
            let Some(each) = name.value.as_str().and_then(filters::find).filter(|filter| filter.required == 0) else {
                return self.refuse("map wants the name of a filter that needs no arguments, or attribute=");
            };
            return Ok(Expr::MapFilter(self.boxed((input, each))));
        }
        let mut args: Vec<Option<Expr>> = filter.params.iter().map(|_| None).collect();
        for (at, arg) in call.args.iter().enumerate() {
            let (place, value) = match arg {
                ast::CallArg::Pos(value) => {
                    (filter.params.iter().take_while(|name| **name != "*").nth(at).map(|_| at), value)
                }
                ast::CallArg::Kwarg(name, value) => (filter.params.iter().position(|known| known == name), value),
                _ => return self.refuse("arguments cannot be unpacked"),
            };
            let Some(place) = place else {
                return self.refuse(format!("the filter {} does not take argument {}", call.name, at + 1));
            };
            args[place] = Some(self.expr(value)?);
        }
        if args.iter().flatten().count() < filter.required {
            let names: Vec<_> = filter.params.iter().copied().filter(|name| *name != "*").collect();
            return self.refuse(format!("the filter {} wants {}: {}", call.name, filter.required, names.join(", ")));
        }
        let call = FilterCall { filter, input, args: self.slice(args) };
        Ok(Expr::Filter(self.boxed(call)))
    }

    pub(super) fn test(&mut self, call: &ast::Test<'_>) -> Lowered<Expr> {
        let Some(test) = predicates::find(call.name) else {
            let near = nearest(call.name, predicates::names());
            return self.refuse(format!("there is no test \"{}\"{}", call.name, did_you_mean(near)));
        };
        let arg = match (&call.args[..], test.takes) {
            ([], false) => None,
            ([ast::CallArg::Pos(arg)], true) => Some(self.expr(arg)?),
            _ => {
                let wants = if test.takes { "one argument" } else { "no argument" };
                return self.refuse(format!("the test {} wants {wants}", call.name));
            }
        };
        let call = TestCall { test, input: self.expr(&call.expr)?, arg };
        Ok(Expr::Test(self.boxed(call)))
    }

    pub(super) fn call(&mut self, call: &ast::Call<'_>) -> Lowered<Expr> {
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            match arg {
                ast::CallArg::Pos(arg) => args.push(self.expr(arg)?),
                _ => return self.refuse("functions take plain arguments only"),
            }
        }
        match &call.expr {
            ast::Expr::Var(var) if var.id == "range" && (1..=3).contains(&args.len()) => {
                Ok(Expr::Range(self.slice(args)))
            }
            ast::Expr::Var(var) => {
                self.refuse(format!("there is no function {}; there is range(start, stop, step)", var.id))
            }
            ast::Expr::GetAttr(attr) if attr.name == "cycle" && is_loop(&attr.expr) && self.loops > 0 => {
                Ok(Expr::Cycle(self.slice(args)))
            }
            ast::Expr::GetAttr(attr) => {
                let filter = filters::find(attr.name).map_or_else(String::new, |_| format!("; try |{}", attr.name));
                self.refuse(format!("values have no methods: .{}(){filter}", attr.name))
            }
            _ => self.refuse("only range and loop.cycle can be called"),
        }
    }
}
