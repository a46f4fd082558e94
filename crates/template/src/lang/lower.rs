//! minijinja's syntax tree → [`ir`](super::ir). Only this and [`gate`](super::gate) see minijinja's types, which are
//! not covered by its semantic versioning: an upgrade that changes them is repaired here.
//!
//! What a message cannot have (other templates, macros, unknown filters, …) is refused here, with its line.

mod calls;
mod expr;
mod names;

use minijinja::machinery::ast::{self, Stmt};
use minijinja::machinery::parse;
use minijinja::syntax::SyntaxConfig;

use super::Refusal;
use super::ir::{Body, Expr, For, If, Node, Program, Slot, Statement, Target, With};

/// Compiles source that has tags.
pub(super) fn program(source: &str, syntax: SyntaxConfig, slot: Slot) -> Result<Program, Refusal> {
    let tree = parse(source, "template", syntax).map_err(|error| {
        let line = u32::try_from(error.line().unwrap_or(1)).unwrap_or(1);
        match error.detail() {
            Some(detail) => Refusal::syntax(line, names::explain(detail)),
            None => Refusal::syntax(line, error.kind().to_string()),
        }
    })?;
    let mut lower = Lower { slot, line: 1, blocks: 0, exprs: 0, loops: 0, text: 0, weight: size_of::<Program>() };
    let body = match &tree {
        Stmt::Template(template) => lower.body(&template.children)?,
        other => lower.body(std::slice::from_ref(other))?,
    };
    let small = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    Ok(Program::Code { body, text: small(lower.text), weight: small(lower.weight) })
}

/// How deep an expression may be: operators, filters and members one upon the other.
const EXPR_DEPTH: usize = 64;
/// How deep `if`, `for`, `with` and `set` may be in each other.
const BLOCK_DEPTH: usize = 32;

struct Lower {
    slot: Slot,
    line: u32,
    /// How many blocks we are in, the string itself among them.
    blocks: usize,
    /// How many expressions we are in.
    exprs: usize,
    /// How many loops we are in.
    loops: usize,
    /// Bytes of fixed text.
    text: usize,
    /// Bytes of memory.
    weight: usize,
}

type Lowered<T> = Result<T, Refusal>;

impl Lower {
    fn refuse<T>(&self, message: impl AsRef<str>) -> Lowered<T> {
        Err(Refusal::syntax(self.line, message))
    }

    fn name(&mut self, name: &str) -> Box<str> {
        // An allocation takes 16 bytes at least.
        self.weight += name.len().next_multiple_of(16);
        name.into()
    }

    fn boxed<T>(&mut self, value: T) -> Box<T> {
        self.weight += size_of::<T>();
        Box::new(value)
    }

    fn slice<T>(&mut self, items: Vec<T>) -> Box<[T]> {
        self.weight += items.len() * size_of::<T>();
        items.into()
    }

    fn body(&mut self, statements: &[Stmt<'_>]) -> Lowered<Body> {
        if self.blocks > BLOCK_DEPTH {
            return self.refuse(format!("blocks can be nested {BLOCK_DEPTH} deep"));
        }
        self.blocks += 1;
        let mut body = Vec::with_capacity(statements.len());
        for statement in statements {
            if let Some(what) = self.statement(statement)? {
                body.push(Node { line: self.line, what });
            }
        }
        self.blocks -= 1;
        Ok(self.slice(body))
    }

    fn at<T>(&mut self, node: &ast::Spanned<T>) {
        self.line = node.span().start_line.into();
    }

    fn statement(&mut self, statement: &Stmt<'_>) -> Lowered<Option<Statement>> {
        Ok(Some(match statement {
            Stmt::EmitRaw(raw) => {
                self.at(raw);
                if raw.raw.is_empty() {
                    return Ok(None);
                }
                if self.slot.is_line() && raw.raw.contains(['\r', '\n']) {
                    return Err(Refusal::control(format!(
                        "line {}: this is one line: it cannot hold a line break; {{%- and -%}} take those beside a tag away",
                        self.line
                    )));
                }
                self.text += raw.raw.len();
                Statement::Text(self.name(raw.raw))
            }
            Stmt::EmitExpr(emit) => {
                self.at(emit);
                Statement::Emit(self.expr(&emit.expr)?)
            }
            Stmt::IfCond(cond) => {
                self.at(cond);
                self.condition(cond)?
            }
            Stmt::ForLoop(the_loop) => {
                self.at(the_loop);
                self.for_loop(the_loop)?
            }
            Stmt::WithBlock(with) => {
                self.at(with);
                let line = self.line;
                let mut values = Vec::with_capacity(with.assignments.len());
                for (target, value) in &with.assignments {
                    values.push((self.target(target)?, self.expr(value)?));
                }
                let with = With { values: self.slice(values), body: self.body(&with.body)? };
                self.line = line;
                Statement::With(self.boxed(with))
            }
            Stmt::Set(set) => {
                self.at(set);
                let set = (self.target(&set.target)?, self.expr(&set.expr)?);
                Statement::Set(self.boxed(set))
            }
            Stmt::SetBlock(set) => {
                self.at(set);
                let line = self.line;
                if set.filter.is_some() {
                    return self.refuse("a set block has no filter here: set it, then filter it");
                }
                let set = (self.target(&set.target)?, self.body(&set.body)?);
                self.line = line;
                Statement::SetBlock(self.boxed(set))
            }
            Stmt::Break(_) if self.loops > 0 => Statement::Break,
            Stmt::Continue(_) if self.loops > 0 => Statement::Continue,
            Stmt::Break(_) | Stmt::Continue(_) => {
                return self.refuse("break and continue belong in a for");
            }
            other => {
                let (line, what) = names::unavailable(other);
                self.line = line.max(1);
                return self.refuse(what);
            }
        }))
    }

    /// `if` with its `elif`s, which are nested in the syntax tree and are not here.
    fn condition(&mut self, cond: &ast::IfCond<'_>) -> Lowered<Statement> {
        let line = self.line;
        let mut arms = vec![(self.expr(&cond.expr)?, self.body(&cond.true_body)?)];
        let mut otherwise = &cond.false_body;
        while let [Stmt::IfCond(next)] = &otherwise[..] {
            self.at(next);
            arms.push((self.expr(&next.expr)?, self.body(&next.true_body)?));
            otherwise = &next.false_body;
        }
        let cond = If { arms: self.slice(arms), otherwise: self.body(otherwise)? };
        self.line = line;
        Ok(Statement::If(self.boxed(cond)))
    }

    fn for_loop(&mut self, the_loop: &ast::ForLoop<'_>) -> Lowered<Statement> {
        let line = self.line;
        if the_loop.recursive {
            return self.refuse("recursive loops are not available");
        }
        let target = self.target(&the_loop.target)?;
        let items = self.expr(&the_loop.iter)?;
        let only_if = the_loop.filter_expr.as_ref().map(|test| self.expr(test)).transpose()?;
        self.loops += 1;
        let body = self.body(&the_loop.body)?;
        self.loops -= 1;
        let otherwise = self.body(&the_loop.else_body)?;
        self.line = line;
        let the_loop = For { target, items, only_if, body, otherwise };
        Ok(Statement::For(self.boxed(the_loop)))
    }

    fn target(&mut self, target: &ast::Expr<'_>) -> Lowered<Target> {
        let items = match target {
            ast::Expr::Var(var) => return Ok(Target::Name(self.name(var.id))),
            ast::Expr::List(list) => &list.items,
            ast::Expr::Tuple(tuple) => &tuple.items,
            _ => return self.refuse("only a name can be set"),
        };
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            match item {
                ast::Expr::Var(var) => names.push(self.name(var.id)),
                _ => return self.refuse("only names can be set"),
            }
        }
        Ok(Target::Unpack(self.slice(names)))
    }

    fn exprs(&mut self, exprs: &[ast::Expr<'_>]) -> Lowered<Box<[Expr]>> {
        let exprs = exprs.iter().map(|expr| self.expr(expr)).collect::<Lowered<Vec<_>>>()?;
        Ok(self.slice(exprs))
    }
}
