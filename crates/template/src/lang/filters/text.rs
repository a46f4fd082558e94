//! Filters on text. What they make is not safe, whatever went in: put `safe` last.

use super::{Args, count_arg, flag_arg, text_arg};
use crate::lang::text::{escape_html, escape_url, escaped_len, write_json};
use crate::lang::value::{Text, Val};
use crate::lang::{Budget, Problem};

/// What `truncate` ends with.
const END: &str = "...";

/// The input as text, paid for twice: reading it and making its like.
fn taken<'a>(budget: &mut Budget, input: &Val<'a>) -> Result<Text<'a>, Problem> {
    let text = input.to_text()?;
    budget.bytes(2 * text.len())?;
    Ok(text)
}

pub(super) fn upper<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    Ok(Val::text(taken(budget, input)?.to_uppercase()))
}

pub(super) fn lower<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    Ok(Val::text(taken(budget, input)?.to_lowercase()))
}

pub(super) fn capitalize<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    Ok(Val::text(cased(&taken(budget, input)?, false)))
}

pub(super) fn title<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    Ok(Val::text(cased(&taken(budget, input)?, true)))
}

/// The first letter, or that of each word, in capitals and the rest not.
fn cased(text: &str, each_word: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at_start = true;
    for c in text.chars() {
        if at_start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        at_start = each_word && !c.is_alphanumeric() && c != '\'';
    }
    out
}

pub(super) fn string<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    Ok(Val::Str(taken(budget, input)?))
}

pub(super) fn safe<'a>(_: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    Ok(Val::Safe(input.to_text()?))
}

pub(super) fn escape<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    if let Val::Safe(_) = input {
        return Ok(input.clone());
    }
    let text = input.to_text()?;
    let len = escaped_len(&text);
    budget.bytes(text.len() + len)?;
    let mut out = String::with_capacity(len);
    escape_html(&text, &mut out);
    Ok(Val::Safe(out.into()))
}

pub(super) fn urlencode<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    let text = taken(budget, input)?;
    budget.bytes(3 * text.len())?;
    Ok(Val::text(escape_url(&text)))
}

pub(super) fn tojson<'a>(budget: &mut Budget, input: &Val<'a>, _: &Args<'a>) -> Result<Val<'a>, Problem> {
    let mut out = String::new();
    write_json(input, budget, &mut out)?;
    Ok(Val::Safe(out.into()))
}

pub(super) fn trim<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let text = taken(budget, input)?;
    let trimmed = match text_arg(args, 0)? {
        None => text.trim(),
        Some(chars) if chars.len() <= 64 => text.trim_matches(|c| chars.contains(c)),
        Some(_) => return Problem::failed("at most 64 characters to trim"),
    };
    Ok(Val::text(trimmed.to_owned()))
}

pub(super) fn replace<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let text = taken(budget, input)?;
    let (Some(old), Some(new)) = (text_arg(args, 0)?, text_arg(args, 1)?) else {
        return Ok(input.clone());
    };
    if old.is_empty() {
        return Problem::failed("the text to replace is empty");
    }
    budget.bytes(old.len())?;
    let places = text.matches(&*old).count();
    budget.steps(places)?;
    budget.bytes(places.saturating_mul(new.len()))?;
    Ok(Val::text(text.replace(&*old, &new)))
}

/// At most `length` characters, the end mark among them; at the end of a word unless `killwords`.
pub(super) fn truncate<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let text = taken(budget, input)?;
    let length = count_arg(args, 0)?.unwrap_or(usize::MAX);
    let end = text_arg(args, 2)?.unwrap_or(Text::Given(END));
    budget.bytes(end.len())?;
    if text.chars().count() <= length {
        return Ok(Val::Str(text));
    }
    let keep = length.saturating_sub(end.chars().count());
    let cut = text.char_indices().nth(keep).map_or(text.len(), |(at, _)| at);
    let mut kept = &text[..cut];
    if !flag_arg(args, 1) && !text[cut..].starts_with(char::is_whitespace) {
        kept = kept.rfind(char::is_whitespace).map_or(kept, |at| &kept[..at]);
    }
    let end: String = end.chars().take(length).collect();
    Ok(Val::text(kept.trim_end().to_owned() + &end))
}

/// The pieces between `sep`, or the words.
pub(super) fn split<'a>(budget: &mut Budget, input: &Val<'a>, args: &Args<'a>) -> Result<Val<'a>, Problem> {
    let text = taken(budget, input)?;
    let sep = text_arg(args, 0)?;
    budget.bytes(sep.as_ref().map_or(0, |sep| sep.len()))?;
    let count = match &sep {
        None => text.split_whitespace().count(),
        Some(sep) if sep.is_empty() => return Problem::failed("the separator is empty"),
        Some(sep) => text.split(&**sep).count(),
    };
    // A piece costs as much as a list's element and a small string do: about 64 bytes.
    budget.steps(2 * count)?;
    let piece = |piece: &str| Val::text(piece.to_owned());
    Val::list(match &sep {
        None => text.split_whitespace().map(piece).collect(),
        Some(sep) => text.split(&**sep).map(piece).collect(),
    })
}
