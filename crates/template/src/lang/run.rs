//! Runs a compiled string.

use serde_json::{Map, Value};

use super::ir::{Body, Expr, For, Node, Program, Slot, Statement, Target};
use super::scope::{Scope, Turn};
use super::text::escape_html;
use super::value::{Text, Val};
use super::{Budget, Problem};

/// A string that failed: what, and in which line of the template.
#[derive(Debug)]
pub(crate) struct Failure {
    pub line: u32,
    pub problem: Problem,
}

/// Renders one string; `budget` is the whole message's.
pub(crate) fn render(
    program: &Program,
    slot: Slot,
    variables: &Map<String, Value>,
    budget: &mut Budget,
) -> Result<String, Failure> {
    match program {
        Program::Fixed(text) => {
            budget.output(text.len()).map_err(|problem| Failure { line: 1, problem })?;
            Ok(text.to_string())
        }
        Program::Code { body, text, .. } => {
            // Room for what is fixed and for short values; more is a reallocation, not an error.
            let out = String::with_capacity(*text as usize + 24 * body.len());
            let mut run = Run { scope: Scope::new(variables), budget, out, slot, line: 1 };
            match run.body(body) {
                Ok(_) => Ok(run.out),
                Err(problem) => Err(Failure { line: run.line, problem }),
            }
        }
    }
}

pub(super) struct Run<'a, 'b> {
    pub scope: Scope<'a>,
    pub budget: &'b mut Budget,
    out: String,
    slot: Slot,
    line: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'a> Run<'a, '_> {
    fn body(&mut self, body: &'a Body) -> Result<Flow, Problem> {
        for node in body {
            match self.statement(node)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, node: &'a Node) -> Result<Flow, Problem> {
        self.line = node.line;
        self.budget.steps(1)?;
        match &node.what {
            Statement::Text(text) => self.write(text)?,
            Statement::Emit(expr) => {
                let value = self.eval(expr)?;
                self.emit(&value, expr)?;
            }
            Statement::If(cond) => {
                for (test, body) in &cond.arms {
                    if self.truth(test)? {
                        return self.body(body);
                    }
                }
                return self.body(&cond.otherwise);
            }
            Statement::For(the_loop) => return self.repeat(the_loop),
            Statement::With(with) => {
                let outer = self.scope.open();
                for (target, value) in &with.values {
                    let value = self.eval(value)?;
                    self.assign(target, value)?;
                }
                let flow = self.body(&with.body)?;
                self.scope.close(outer);
                return Ok(flow);
            }
            Statement::Set(set) => {
                let value = self.eval(&set.1)?;
                self.assign(&set.0, value)?;
            }
            Statement::SetBlock(set) => {
                let before = std::mem::take(&mut self.out);
                let flow = self.body(&set.1)?;
                let text = Text::from(std::mem::replace(&mut self.out, before));
                self.assign(&set.0, if self.slot == Slot::Html { Val::Safe(text) } else { Val::Str(text) })?;
                return Ok(flow);
            }
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn repeat(&mut self, the_loop: &'a For) -> Result<Flow, Problem> {
        let list = self.present(&the_loop.items)?;
        let mut items = list.items(self.budget)?;
        if let Some(test) = &the_loop.only_if {
            let mut kept = Vec::new();
            for item in items {
                let outer = self.scope.open();
                self.assign(&the_loop.target, item.clone())?;
                if self.truth(test)? {
                    kept.push(item);
                }
                self.scope.close(outer);
            }
            items = kept;
        }
        if items.is_empty() {
            return self.body(&the_loop.otherwise);
        }
        self.scope.turns.push(Turn { index: 0, len: items.len() });
        for (index, item) in items.into_iter().enumerate() {
            if let Some(turn) = self.scope.turns.last_mut() {
                turn.index = index;
            }
            let outer = self.scope.open();
            self.assign(&the_loop.target, item)?;
            let flow = self.body(&the_loop.body)?;
            self.scope.close(outer);
            self.budget.steps(1)?;
            if flow == Flow::Break {
                break;
            }
        }
        self.scope.turns.pop();
        Ok(Flow::Next)
    }

    fn assign(&mut self, target: &'a Target, value: Val<'a>) -> Result<(), Problem> {
        match target {
            Target::Name(name) => self.scope.set(name, value),
            Target::Unpack(names) => {
                let parts = value.items(self.budget)?;
                if parts.len() != names.len() {
                    return Problem::failed(format!("{} names for {} values", names.len(), parts.len()));
                }
                for (name, part) in names.iter().zip(parts) {
                    self.scope.set(name, part);
                }
            }
        }
        Ok(())
    }

    fn emit(&mut self, value: &Val<'a>, expr: &'a Expr) -> Result<(), Problem> {
        let text = match value {
            Val::Missing(missing) => return Err(self.scope.missing(missing)),
            value => value.to_text()?,
        };
        let bytes = text.as_bytes();
        if bytes.contains(&0) || (self.slot.is_line() && (bytes.contains(&b'\n') || bytes.contains(&b'\r'))) {
            return Err(Problem::Control { pointer: self.scope.pointer(expr) });
        }
        if self.slot == Slot::Html && !matches!(value, Val::Safe(_)) {
            self.write_escaped(&text)
        } else {
            self.write(&text)
        }
    }

    fn write(&mut self, text: &str) -> Result<(), Problem> {
        self.budget.bytes(text.len())?;
        self.budget.output(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn write_escaped(&mut self, text: &str) -> Result<(), Problem> {
        self.budget.bytes(text.len())?;
        if text.len() > self.budget.room() {
            return Err(Problem::Output);
        }
        let before = self.out.len();
        escape_html(text, &mut self.out);
        self.budget.output(self.out.len() - before)
    }
}
