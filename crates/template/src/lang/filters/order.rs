//! Filters that put a list in order.

use std::cmp::Ordering;

use super::list::by;
use super::{Args, flag_arg, text_arg};
use crate::lang::ops::order;
use crate::lang::value::Val;
use crate::lang::{Budget, Problem};

pub(super) fn min<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    extreme(budget, input, args, Ordering::Less)
}

pub(super) fn max<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    extreme(budget, input, args, Ordering::Greater)
}

fn extreme<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>, wanted: Ordering) -> Result<Val<'a>, Problem> {
    let path = text_arg(args, 1)?;
    let mut best: Option<(Val<'a>, Val<'a>)> = None;
    for item in input.items(budget)? {
        let key = by(budget, &item, path.as_deref())?;
        let better = match &best {
            None => true,
            Some((_, known)) => order(&key, known, budget)? == wanted,
        };
        if better {
            best = Some((item, key));
        }
    }
    Ok(best.map_or(Val::Null, |(item, _)| item))
}

pub(super) fn sort<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let (path, exact) = (text_arg(args, 2)?, flag_arg(args, 1));
    let mut keyed = Vec::new();
    let mut bytes = 0;
    for item in input.items(budget)? {
        let mut key = by(budget, &item, path.as_deref())?;
        if let Some(text) = key.as_str() {
            budget.bytes(2 * text.len())?;
            bytes += text.len();
            key = if exact { key } else { Val::text(text.to_lowercase()) };
        }
        keyed.push((key, item));
    }
    // Every item is compared about log2(n) times.
    let rounds = keyed.len().checked_ilog2().unwrap_or(0) as usize + 1;
    budget.steps(keyed.len() * rounds)?;
    budget.bytes(bytes * rounds)?;
    let mut failed = None;
    keyed.sort_by(|(left, _), (right, _)| {
        let result = if failed.is_none() { order(left, right, budget) } else { Ok(Ordering::Equal) };
        result.unwrap_or_else(|problem| {
            failed = Some(problem);
            Ordering::Equal
        })
    });
    if let Some(problem) = failed {
        return Err(problem);
    }
    let mut items: Vec<_> = keyed.into_iter().map(|(_, item)| item).collect();
    if flag_arg(args, 0) {
        items.reverse();
    }
    Val::list(items)
}
