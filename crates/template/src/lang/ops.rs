//! Operators.

use std::cmp::Ordering;

use super::ir::{CompareOp, MathOp};
use super::value::{Text, Val};
use super::{Budget, Problem};

/// Arithmetic, `+` and `*` on text, and `~`.
pub(super) fn math<'a>(op: MathOp, left: &Val<'a>, right: &Val<'a>, budget: &mut Budget) -> Result<Val<'a>, Problem> {
    match (op, left, right) {
        (MathOp::Concat, ..) => concat(&left.to_text()?, &right.to_text()?, budget),
        (MathOp::Add, Val::Str(left) | Val::Safe(left), Val::Str(right) | Val::Safe(right)) => {
            concat(left, right, budget)
        }
        (MathOp::Mul, Val::Str(text) | Val::Safe(text), Val::Int(times)) => repeat(text, *times, budget),
        (_, Val::Int(left), Val::Int(right)) => integers(op, *left, *right),
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => floats(op, left, right),
            _ => Problem::failed(format!(
                "cannot calculate with {} and {}{}",
                left.kind(),
                right.kind(),
                hint(left, right)
            )),
        },
    }
}

fn hint(left: &Val<'_>, right: &Val<'_>) -> &'static str {
    if left.as_str().is_some() || right.as_str().is_some() {
        "; the filters int and float make numbers of text"
    } else {
        ""
    }
}

fn concat<'a>(left: &str, right: &str, budget: &mut Budget) -> Result<Val<'a>, Problem> {
    budget.bytes(left.len() + right.len())?;
    Ok(Val::text(format!("{left}{right}")))
}

fn repeat<'a>(text: &str, times: i128, budget: &mut Budget) -> Result<Val<'a>, Problem> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    budget.bytes(text.len().saturating_mul(times))?;
    Ok(Val::text(if text.is_empty() { String::new() } else { text.repeat(times) }))
}

fn integers<'a>(op: MathOp, left: i128, right: i128) -> Result<Val<'a>, Problem> {
    if right == 0 && matches!(op, MathOp::Div | MathOp::FloorDiv | MathOp::Rem) {
        return Problem::failed("division by zero");
    }
    let result = match op {
        MathOp::Add => left.checked_add(right),
        MathOp::Sub => left.checked_sub(right),
        MathOp::Mul => left.checked_mul(right),
        // As in Python: rounded down, and the remainder has the sign of the divisor.
        MathOp::FloorDiv => left.checked_div(right).map(|q| if crosses(left, right) { q - 1 } else { q }),
        MathOp::Rem => left.checked_rem(right).map(|r| if crosses(left, right) { r + right } else { r }),
        MathOp::Pow if right >= 0 => u32::try_from(right).ok().and_then(|exponent| left.checked_pow(exponent)),
        _ => return floats(op, approximate(left), approximate(right)),
    };
    result.map_or_else(|| Problem::failed("the result is too large"), |result| Ok(Val::Int(result)))
}

/// Whether rounding towards zero and rounding down differ.
fn crosses(left: i128, right: i128) -> bool {
    left.checked_rem(right).is_some_and(|r| r != 0 && (r < 0) != (right < 0))
}

fn floats<'a>(op: MathOp, left: f64, right: f64) -> Result<Val<'a>, Problem> {
    if right == 0.0 && matches!(op, MathOp::Div | MathOp::FloorDiv | MathOp::Rem) {
        return Problem::failed("division by zero");
    }
    Val::float(match op {
        MathOp::Add => left + right,
        MathOp::Sub => left - right,
        MathOp::Mul => left * right,
        MathOp::Div => left / right,
        MathOp::FloorDiv => (left / right).floor(),
        MathOp::Rem => left - right * (left / right).floor(),
        MathOp::Pow => left.powf(right),
        MathOp::Concat => f64::NAN,
    })
}

/// A number as a float.
pub(super) fn number(value: &Val<'_>) -> Option<f64> {
    match value {
        Val::Int(value) => Some(approximate(*value)),
        Val::Float(value) => Some(*value),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "what mixing integers and floats means")]
pub(super) fn approximate(value: i128) -> f64 {
    value as f64
}

/// One link of `a < b <= c`.
pub(super) fn compare(op: CompareOp, left: &Val<'_>, right: &Val<'_>, budget: &mut Budget) -> Result<bool, Problem> {
    Ok(match op {
        CompareOp::Eq => equal(left, right, budget)?,
        CompareOp::Ne => !equal(left, right, budget)?,
        CompareOp::In => contains(right, left, budget)?,
        CompareOp::NotIn => !contains(right, left, budget)?,
        CompareOp::Lt => order(left, right, budget)?.is_lt(),
        CompareOp::Le => order(left, right, budget)?.is_le(),
        CompareOp::Gt => order(left, right, budget)?.is_gt(),
        CompareOp::Ge => order(left, right, budget)?.is_ge(),
    })
}

/// Equality; values of different kinds are not equal. Every item and byte looked at is paid for.
pub(super) fn equal(left: &Val<'_>, right: &Val<'_>, budget: &mut Budget) -> Result<bool, Problem> {
    budget.steps(1)?;
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return if left.len() == right.len() { budget.bytes(left.len()).map(|()| left == right) } else { Ok(false) };
    }
    match (left, right) {
        (Val::Null, Val::Null) => return Ok(true),
        (Val::Bool(left), Val::Bool(right)) => return Ok(left == right),
        (Val::Int(left), Val::Int(right)) => return Ok(left == right),
        _ => {}
    }
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return Ok(left.total_cmp(&right).is_eq() || (left == 0.0 && right == 0.0));
    }
    if left.kind() != right.kind() || left.len() != right.len() || left.len().is_none() {
        return Ok(false);
    }
    let is_map = matches!(left, Val::Object(_) | Val::Dict(_));
    for (item, other) in left.items(budget)?.iter().zip(right.items(budget)?.iter()) {
        let same = if let (true, Some(key)) = (is_map, item.as_str()) {
            match (left.member(key), right.member(key)) {
                (Some(left), Some(right)) => equal(&left, &right, budget)?,
                _ => false,
            }
        } else {
            equal(item, other, budget)?
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Order of two numbers or two texts.
pub(super) fn order(left: &Val<'_>, right: &Val<'_>, budget: &mut Budget) -> Result<Ordering, Problem> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        budget.bytes(left.len().min(right.len()))?;
        return Ok(left.cmp(right));
    }
    match (left, right) {
        (Val::Int(left), Val::Int(right)) => Ok(left.cmp(right)),
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => Ok(left.total_cmp(&right)),
            _ => Problem::failed(format!("{} and {} have no order{}", left.kind(), right.kind(), hint(left, right))),
        },
    }
}

/// `item in container`: part of a text, element of a list, key of a map.
pub(super) fn contains(container: &Val<'_>, item: &Val<'_>, budget: &mut Budget) -> Result<bool, Problem> {
    if let Some(text) = container.as_str() {
        let part = item.to_text()?;
        budget.bytes(text.len() + part.len())?;
        return Ok(text.contains(&*part));
    }
    if let Val::Object(_) | Val::Dict(_) = container {
        let key = item.as_str();
        budget.bytes(key.map_or(0, str::len))?;
        budget.steps(if let Val::Dict(dict) = container { dict.entries.len() } else { 0 })?;
        return Ok(key.is_some_and(|key| container.member(key).is_some()));
    }
    for element in container.items(budget)? {
        if equal(&element, item, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `value[start:stop]` of text (in characters) or a list; negative counts from the end.
pub(super) fn slice<'a>(
    value: &Val<'a>,
    start: Option<i128>,
    stop: Option<i128>,
    budget: &mut Budget,
) -> Result<Val<'a>, Problem> {
    let range = |len: usize| {
        let len = i128::try_from(len).unwrap_or(i128::MAX);
        let place =
            |index: i128| usize::try_from(if index < 0 { index + len } else { index }.clamp(0, len)).unwrap_or(0);
        let start = place(start.unwrap_or(0));
        (start, place(stop.unwrap_or(len)).saturating_sub(start))
    };
    if let Some(text) = value.as_str() {
        budget.bytes(text.len())?;
        let (start, len) = range(text.chars().count());
        return Ok(Val::text(text.chars().skip(start).take(len).collect::<String>()));
    }
    match value {
        Val::Array(_) | Val::List(_) => {
            let (start, len) = range(value.len().unwrap_or(0));
            Val::list(value.items(budget)?.into_iter().skip(start).take(len).collect())
        }
        other => Problem::failed(format!("{} has no slices", other.kind())),
    }
}

/// `value[key]`; `None` if there is no such thing.
pub(super) fn item<'a>(value: &Val<'a>, key: &Val<'a>, budget: &mut Budget) -> Result<Option<Val<'a>>, Problem> {
    Ok(match (value, key) {
        (Val::Str(text) | Val::Safe(text), Val::Int(index)) => {
            budget.bytes(text.len())?;
            let index = usize::try_from(*index).map_err(|_| Problem::Failed("text is indexed from 0".into()))?;
            text.chars().nth(index).map(|c| Val::text(c.to_string()))
        }
        (_, Val::Int(index)) => value.element(*index),
        (_, Val::Str(key) | Val::Safe(key)) => {
            budget.bytes(key.len())?;
            value.member(key)
        }
        (_, other) => return Problem::failed(format!("{} is no key", other.kind())),
    })
}

/// Text for a map's key or another place that wants text.
pub(super) fn key<'a>(value: &Val<'a>) -> Result<Text<'a>, Problem> {
    match value {
        Val::Str(text) | Val::Safe(text) => Ok(text.clone()),
        other => Problem::failed(format!("a key is text, not {}", other.kind())),
    }
}
