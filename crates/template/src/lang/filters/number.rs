//! Filters on numbers.

use super::{Args, count_arg, text_arg};
use crate::lang::ops::number;
use crate::lang::value::Val;
use crate::lang::{Budget, Problem};

/// The longest text that is read as a number.
const DIGITS: usize = 64;

pub(super) fn abs<'a>(_: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    match input {
        Val::Int(value) => Ok(Val::Int(value.saturating_abs())),
        Val::Float(value) => Ok(Val::Float(value.abs())),
        other => Problem::failed(format!("{} is no number", other.kind())),
    }
}

/// A whole number, rounded towards zero; what cannot be read is 0 or the argument.
#[expect(clippy::unnecessary_wraps, reason = "it has the shape of a filter")]
pub(super) fn int<'a>(_: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let read = match input {
        Val::Int(value) => Some(*value),
        Val::Bool(value) => Some((*value).into()),
        Val::Float(value) => whole(*value),
        other => other
            .as_str()
            .map(str::trim)
            .filter(|text| text.len() <= DIGITS)
            .and_then(|text| text.parse().ok().or_else(|| text.parse().ok().and_then(whole))),
    };
    Ok(read.map(Val::Int).or_else(|| args[0].clone()).unwrap_or(Val::Int(0)))
}

/// A number with a fraction; what cannot be read is 0.0 or the argument.
#[expect(clippy::unnecessary_wraps, reason = "it has the shape of a filter")]
pub(super) fn float<'a>(_: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let read = match input {
        Val::Bool(value) => Some(f64::from(u8::from(*value))),
        other => number(other).or_else(|| {
            other.as_str().map(str::trim).filter(|text| text.len() <= DIGITS).and_then(|text| text.parse().ok())
        }),
    };
    Ok(read.filter(|value| value.is_finite()).map(Val::Float).or_else(|| args[0].clone()).unwrap_or(Val::Float(0.0)))
}

/// Rounds to `precision` decimals: half away from zero, or with `method` "ceil" or "floor".
pub(super) fn round<'a>(_: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let Some(value) = number(input) else {
        return Problem::failed(format!("{} is no number; the filter float makes one of text", input.kind()));
    };
    let method = text_arg(args, 1)?;
    let scale = 10_f64.powi(i32::try_from(count_arg(args, 0)?.unwrap_or(0)).unwrap_or(i32::MAX).min(15));
    let scaled = value * scale;
    if !scaled.is_finite() {
        return Ok(Val::Float(value));
    }
    Val::float(
        match method.as_deref() {
            None | Some("common") => scaled.round(),
            Some("ceil") => scaled.ceil(),
            Some("floor") => scaled.floor(),
            Some(_) => return Problem::failed("the method is \"common\", \"ceil\" or \"floor\""),
        } / scale,
    )
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be in range; the fraction is what goes")]
fn whole(value: f64) -> Option<i128> {
    (value.abs() < 1e30).then_some(value as i128)
}
