//! Typed reading of JSON values, with pointers in the errors and "did you mean" for unknown fields.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{Error, FieldError};

/// A `T` that was an object. serde would also take an array for a struct, its elements for the fields in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// Reads a `T` from an object only, for a field: `#[serde(deserialize_with = "object")]`.
///
/// # Errors
/// `wrong_type` in the end, if it is anything else.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Fields<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }
    }

    deserializer.deserialize_map(Fields(PhantomData))
}

/// Reads a list of objects, for a field.
///
/// # Errors
/// `wrong_type` in the end, if one of them is anything else.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(object)| object).collect())
}

/// Reads the object `value` into `T`; `at` is the JSON pointer of `value` in the request.
///
/// # Errors
/// `validation_failed` with the pointer of the culprit.
pub fn from_value<T: DeserializeOwned>(value: Value, at: &str) -> Result<T, Error> {
    let read = serde_path_to_error::deserialize::<_, Object<T>>(value).map_err(|error| {
        let pointer = pointer(at, error.path());
        field_error(pointer, &error.into_inner().to_string())
    });
    read.map(|Object(read)| read)
}

/// A path of serde as a JSON pointer under `at`.
pub fn pointer(at: &str, path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = at.to_owned();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

/// Turns serde's sentence about a type or a field into our error.
pub fn field_error(mut pointer: String, sentence: &str) -> Error {
    let sentence = sentence.split(" at line ").next().unwrap_or(sentence);
    let quoted = |after: &str| {
        let rest = sentence.strip_prefix(after)?;
        rest.split('`').nth(1).map(str::to_owned)
    };
    if let Some(name) = quoted("unknown field ") {
        if !pointer.ends_with(&format!("/{name}")) {
            pointer.push('/');
            pointer.push_str(&name);
        }
        let known = sentence.split('`').skip(3).step_by(2);
        let near = nearest(&name, known);
        let hint = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        let message = format!("there is no field \"{name}\" here{hint}");
        return Error::invalid(FieldError::new(pointer, "unknown_field", message));
    }
    if let Some(name) = quoted("missing field ") {
        let pointer = format!("{pointer}/{name}");
        return Error::invalid(FieldError::new(pointer, "missing_field", format!("\"{name}\" is missing")));
    }
    let code = if sentence.starts_with("invalid type") { "wrong_type" } else { "invalid_value" };
    Error::invalid(FieldError::new(pointer, code, sentence.to_owned()))
}

/// The known name that is closest to `name`, if one is close.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(name.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}
