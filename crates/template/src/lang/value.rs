//! A value while a message is rendered. What the request gave is borrowed, what the template made is shared.

use std::fmt::Write as _;
use std::ops::Deref;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::ir::{Const, Expr};
use super::{Budget, Problem};

/// How deep a template may nest the lists that it makes; those of the request have the JSON reader's limit.
const DEPTH: usize = 8;

/// Text, given or made.
#[derive(Clone)]
pub(super) enum Text<'a> {
    Given(&'a str),
    Made(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Given(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Made(text.into())
    }
}

/// A value.
#[derive(Clone)]
pub(super) enum Val<'a> {
    /// Nothing has this name; the expression is what to tell the author.
    Missing(&'a Expr),
    Null,
    Bool(bool),
    /// Holds every integer that JSON readers agree on, and u64.
    Int(i128),
    Float(f64),
    Str(Text<'a>),
    /// Text that is HTML already: not escaped again.
    Safe(Text<'a>),
    Array(&'a [Value]),
    Object(&'a Map<String, Value>),
    List(Rc<List<'a>>),
    Dict(Rc<Dict<'a>>),
}

/// A list made by the template.
pub(super) struct List<'a> {
    pub items: Vec<Val<'a>>,
    depth: usize,
}

/// A map made by the template; few entries, in the order written.
pub(super) struct Dict<'a> {
    pub entries: Vec<(Text<'a>, Val<'a>)>,
    depth: usize,
}

impl<'a> Val<'a> {
    pub(super) fn given(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(int), _) => Self::Int(int.into()),
                (None, Some(int)) => Self::Int(int.into()),
                _ => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Str(Text::Given(text)),
            Value::Array(items) => Self::Array(items),
            Value::Object(map) => Self::Object(map),
        }
    }

    pub(super) fn constant(value: &'a Const) -> Self {
        match value {
            Const::Null => Self::Null,
            Const::Bool(value) => Self::Bool(*value),
            Const::Int(value) => Self::Int((*value).into()),
            Const::Float(value) => Self::Float(*value),
            Const::Str(text) => Self::Str(Text::Given(text)),
        }
    }

    pub(super) fn text(text: impl Into<Text<'a>>) -> Self {
        Self::Str(text.into())
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Int(i128::try_from(count).unwrap_or(i128::MAX))
    }

    pub(super) fn float(value: f64) -> Result<Self, Problem> {
        if value.is_finite() { Ok(Self::Float(value)) } else { Problem::failed("the result is not a number") }
    }

    pub(super) fn list(items: Vec<Self>) -> Result<Self, Problem> {
        let depth = deeper(&items)?;
        Ok(Self::List(Rc::new(List { items, depth })))
    }

    pub(super) fn dict(entries: Vec<(Text<'a>, Self)>) -> Result<Self, Problem> {
        let depth = deeper(entries.iter().map(|(_, value)| value))?;
        Ok(Self::Dict(Rc::new(Dict { entries, depth })))
    }

    /// What it is, in an error.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Missing(_) => "nothing",
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Str(_) | Self::Safe(_) => "text",
            Self::Array(_) | Self::List(_) => "a list",
            Self::Object(_) | Self::Dict(_) => "a map",
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) | Self::Safe(text) => Some(text),
            _ => None,
        }
    }

    /// Jinja's truth: empty text, lists and maps, zero and null are false.
    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) | Self::Safe(text) => !text.is_empty(),
            Self::Array(items) => !items.is_empty(),
            Self::Object(map) => !map.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Dict(dict) => !dict.entries.is_empty(),
        }
    }

    /// The text of a scalar: what printing it gives. Null is empty.
    pub(super) fn to_text(&self) -> Result<Text<'a>, Problem> {
        Ok(match self {
            Self::Str(text) | Self::Safe(text) => text.clone(),
            Self::Null => Text::Given(""),
            Self::Bool(true) => Text::Given("true"),
            Self::Bool(false) => Text::Given("false"),
            Self::Int(_) | Self::Float(_) => {
                let mut text = String::new();
                self.write_number(&mut text);
                text.into()
            }
            other => {
                let kind = other.kind();
                return Problem::failed(format!("{kind} cannot be printed: loop over it, or use join or tojson"));
            }
        })
    }

    /// Appends a number as JSON writes it.
    pub(super) fn write_number(&self, out: &mut String) {
        let _ = match self {
            Self::Int(value) => write!(out, "{value}"),
            // `{:?}` is the shortest that reads back, with `.0` for whole numbers: as serde_json does.
            Self::Float(value) => write!(out, "{value:?}"),
            _ => Ok(()),
        };
    }

    /// Its items, paid for: of a list the elements, of a map the keys.
    pub(super) fn items(&self, budget: &mut Budget) -> Result<Vec<Self>, Problem> {
        if let Some(len) = self.len() {
            budget.steps(len)?;
        }
        Ok(match self {
            Self::Array(items) => items.iter().map(Val::given).collect(),
            Self::List(list) => list.items.clone(),
            Self::Object(map) => map.keys().map(|key| Self::Str(Text::Given(key))).collect(),
            Self::Dict(dict) => dict.entries.iter().map(|(key, _)| Self::Str(key.clone())).collect(),
            other => return Problem::failed(format!("{} is not a list", other.kind())),
        })
    }

    /// How many items a list or a map has.
    pub(super) fn len(&self) -> Option<usize> {
        Some(match self {
            Self::Array(items) => items.len(),
            Self::List(list) => list.items.len(),
            Self::Object(map) => map.len(),
            Self::Dict(dict) => dict.entries.len(),
            _ => return None,
        })
    }

    /// The member of a map.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        match self {
            Self::Object(map) => map.get(name).map(Val::given),
            Self::Dict(dict) => {
                dict.entries.iter().rev().find(|(key, _)| **key == *name).map(|(_, value)| value.clone())
            }
            _ => None,
        }
    }

    /// The element of a list; negative counts from the end.
    pub(super) fn element(&self, index: i128) -> Option<Self> {
        let len = i128::try_from(self.len()?).ok()?;
        let index = usize::try_from(if index < 0 { index + len } else { index }).ok()?;
        match self {
            Self::Array(items) => items.get(index).map(Val::given),
            Self::List(list) => list.items.get(index).cloned(),
            _ => None,
        }
    }
}

fn deeper<'v, 'a: 'v>(items: impl IntoIterator<Item = &'v Val<'a>>) -> Result<usize, Problem> {
    let depth = items.into_iter().map(|item| match item {
        Val::List(list) => list.depth,
        Val::Dict(dict) => dict.depth,
        _ => 0,
    });
    match depth.max().unwrap_or(0) + 1 {
        depth if depth <= DEPTH => Ok(depth),
        _ => Problem::failed(format!("lists can be nested {DEPTH} deep")),
    }
}
