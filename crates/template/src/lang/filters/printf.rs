//! `"%.2f"|format(x)`: the directives `%s`, `%d`, `%f` and `%%`, with a width, `-`, `0`, `+` and decimals.

use std::fmt::Write as _;

use super::Args;
use crate::lang::ops::number;
use crate::lang::value::Val;
use crate::lang::{Budget, Problem};

/// The largest width and number of decimals.
const WIDTH: usize = 100;

pub(super) fn format<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let pattern = input.to_text()?;
    budget.bytes(2 * pattern.len())?;
    let mut values = args.iter().flatten();
    let mut out = String::with_capacity(pattern.len());
    let mut rest = &*pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (directive, after) = Directive::read(rest)?;
        rest = after;
        let Some(value) = values.next() else {
            return Problem::failed("there are more directives than values");
        };
        let text = directive.apply(value)?;
        budget.steps(1)?;
        budget.bytes(text.len())?;
        out.push_str(&text);
    }
    if values.next().is_some() {
        return Problem::failed("there are more values than directives");
    }
    out.push_str(rest);
    Ok(Val::text(out))
}

#[derive(Default)]
struct Directive {
    left: bool,
    zero: bool,
    plus: bool,
    width: usize,
    decimals: Option<usize>,
    kind: char,
}

impl Directive {
    fn read(text: &str) -> Result<(Self, &str), Problem> {
        let mut directive = Self::default();
        let flags = text.find(|c| !"-0+".contains(c)).unwrap_or(text.len());
        directive.left = text[..flags].contains('-');
        directive.zero = text[..flags].contains('0');
        directive.plus = text[..flags].contains('+');
        let (width, mut rest) = digits(&text[flags..])?;
        directive.width = width.unwrap_or(0);
        if let Some(after) = rest.strip_prefix('.') {
            let (decimals, after) = digits(after)?;
            directive.decimals = Some(decimals.unwrap_or(0));
            rest = after;
        }
        match rest.chars().next() {
            Some(kind @ ('s' | 'd' | 'f')) => {
                directive.kind = kind;
                Ok((directive, &rest[1..]))
            }
            _ => Problem::failed("the directives are %s, %d, %f and %%"),
        }
    }

    fn apply(&self, value: &Val<'_>) -> Result<String, Problem> {
        if self.kind == 's' {
            let text: String = value.to_text()?.chars().take(self.decimals.unwrap_or(usize::MAX)).collect();
            return Ok(self.padded(&text));
        }
        let mut text = String::new();
        let sign = if self.plus { "+" } else { "" };
        match (self.kind, value, number(value)) {
            ('d', Val::Int(value), _) => {
                let _ = write!(text, "{}{value}", if *value < 0 { "" } else { sign });
            }
            ('d', _, Some(value)) => {
                let _ = write!(text, "{}{:.0}", if value < 0.0 { "" } else { sign }, value.trunc());
            }
            ('f', _, Some(value)) => {
                let decimals = self.decimals.unwrap_or(6);
                let _ = write!(text, "{}{value:.decimals$}", if value < 0.0 { "" } else { sign });
            }
            _ => {
                return Problem::failed(format!("%{} is for numbers, not {}", self.kind, value.kind()));
            }
        }
        Ok(self.padded(&text))
    }

    fn padded(&self, text: &str) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.left {
            return format!("{text}{}", " ".repeat(missing));
        }
        match text.strip_prefix(['-', '+']) {
            Some(digits) if self.zero && self.kind != 's' => {
                format!("{}{}{digits}", &text[..1], "0".repeat(missing))
            }
            None if self.zero && self.kind != 's' => format!("{}{text}", "0".repeat(missing)),
            _ => format!("{}{text}", " ".repeat(missing)),
        }
    }
}

fn digits(text: &str) -> Result<(Option<usize>, &str), Problem> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok((None, text));
    }
    match text[..end].parse() {
        Ok(number) if number <= WIDTH => Ok((Some(number), &text[end..])),
        _ => Problem::failed(format!("widths go up to {WIDTH}")),
    }
}
