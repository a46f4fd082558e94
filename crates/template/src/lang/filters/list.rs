//! Filters on lists and maps.

use super::{Args, text_arg};
use crate::lang::eval::attribute;
use crate::lang::ir::MathOp;
use crate::lang::ops::{math, number};
use crate::lang::value::{Text, Val};
use crate::lang::{Budget, Problem, predicates};

pub(super) fn length<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    if let Some(text) = input.as_str() {
        budget.bytes(text.len())?;
        return Ok(Val::count(text.chars().count()));
    }
    match input.len() {
        Some(len) => Ok(Val::count(len)),
        None => Problem::failed(format!("{} has no length", input.kind())),
    }
}

pub(super) fn list<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    Val::list(input.items(budget)?)
}

/// The pairs of a map, for `for key, value in map|items`.
pub(super) fn items<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    let keys = match input {
        Val::Object(_) | Val::Dict(_) => input.items(budget)?,
        _ => return Problem::failed(format!("{} is not a map", input.kind())),
    };
    budget.steps(3 * keys.len())?;
    let pairs = keys.into_iter().map(|key| {
        let value = key.as_str().and_then(|name| input.member(name)).unwrap_or(Val::Null);
        Val::list(vec![key, value])
    });
    Val::list(pairs.collect::<Result<_, _>>()?)
}

pub(super) fn first<'a>(_: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    end(input, 0)
}

pub(super) fn last<'a>(_: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    end(input, -1)
}

/// An element, or null if the list is empty.
fn end<'a>(input: &Val<'a>, index: i128) -> Result<Val<'a>, Problem> {
    if let Some(text) = input.as_str() {
        let c = if index == 0 { text.chars().next() } else { text.chars().next_back() };
        return Ok(c.map_or(Val::Null, |c| Val::text(c.to_string())));
    }
    match input {
        Val::Array(_) | Val::List(_) => Ok(input.element(index).unwrap_or(Val::Null)),
        other => Problem::failed(format!("{} is not a list", other.kind())),
    }
}

pub(super) fn reverse<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    if let Some(text) = input.as_str() {
        budget.bytes(2 * text.len())?;
        return Ok(Val::text(text.chars().rev().collect::<String>()));
    }
    let mut items = input.items(budget)?;
    items.reverse();
    Val::list(items)
}

pub(super) fn sum<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let path = text_arg(args, 0)?;
    let mut total = Val::Int(0);
    for item in input.items(budget)? {
        let item = by(budget, &item, path.as_deref())?;
        if number(&item).is_none() {
            return Problem::failed(format!("{} is no number; map(\"float\") makes numbers of text", item.kind()));
        }
        total = math(MathOp::Add, &total, &item, budget)?;
    }
    Ok(total)
}

pub(super) fn join<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let sep = text_arg(args, 0)?.unwrap_or(Text::Given(""));
    let path = text_arg(args, 1)?;
    let mut out = String::new();
    for (at, item) in input.items(budget)?.iter().enumerate() {
        let text = by(budget, item, path.as_deref())?.to_text()?;
        // Twice: the text that is made may be copied as it grows.
        budget.bytes(2 * (sep.len() + text.len()))?;
        if at > 0 {
            out.push_str(&sep);
        }
        out.push_str(&text);
    }
    Ok(Val::text(out))
}

/// `map(attribute="price")`; `map("filter")` is resolved when the template compiles.
pub(super) fn map<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let Some(path) = text_arg(args, 1)? else {
        return Problem::failed("it wants a filter's name or attribute=");
    };
    let mut items = input.items(budget)?;
    for item in &mut items {
        budget.bytes(path.len())?;
        *item = match (attribute(item, &path), &args[2]) {
            (Some(value), _) => value,
            (None, Some(default)) => default.clone(),
            (None, None) => return lacks(&path),
        };
    }
    Val::list(items)
}

pub(super) fn selectattr<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    choose(budget, input, args, true)
}

pub(super) fn rejectattr<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    choose(budget, input, args, false)
}

/// The items whose attribute passes the test; without a test, those whose attribute is true. One that is missing is not.
fn choose<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>, wanted: bool) -> Result<Val<'a>, Problem> {
    let path = text_arg(args, 0)?.unwrap_or(Text::Given(""));
    let test = match text_arg(args, 1)? {
        None => None,
        Some(name) => match predicates::find(&name) {
            Some(test) => Some(test),
            None => return Problem::failed(format!("there is no test \"{:.40}\"", &*name)),
        },
    };
    let mut kept = Vec::new();
    for item in input.items(budget)? {
        budget.bytes(path.len())?;
        let value = attribute(&item, &path).unwrap_or(Val::Null);
        let passes = match test {
            None => value.truth(),
            Some(test) if test.sees_missing => attribute(&item, &path).is_some() == (test.names[0] == "defined"),
            Some(test) => predicates::run(test, &value, args[2].as_ref(), budget)?,
        };
        if passes == wanted {
            kept.push(item);
        }
    }
    Val::list(kept)
}

/// The attribute to go by, or the item itself.
pub(super) fn by<'a>(budget: &mut Budget, item: &Val<'a>, path: Option<&str>) -> Result<Val<'a>, Problem> {
    let Some(path) = path else {
        return Ok(item.clone());
    };
    budget.bytes(path.len())?;
    match attribute(item, path) {
        Some(value) => Ok(value),
        None => lacks(path),
    }
}

fn lacks<T>(path: &str) -> Result<T, Problem> {
    Problem::failed(format!("an item has no \"{path:.40}\""))
}
