//! Takes out of an answer what no two runs share: ids, uuids, times, keys and cursors get names in the order in which
//! they appear. What is equal in one run is then equal in the other, or the answers differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

#[derive(Default)]
pub(crate) struct Names {
    uuids: BTreeMap<String, usize>,
    /// By resource.
    ids: BTreeMap<String, BTreeMap<String, usize>>,
    /// Times that were asked for, and must come back as they are.
    kept: Vec<String>,
}

impl Names {
    pub(crate) fn new(kept: &str) -> Self {
        Self { kept: vec![kept.to_owned()], ..Self::default() }
    }

    /// An answer of the resource `kind`.
    pub(crate) fn body(&mut self, kind: &str, value: &Value) -> Value {
        // A row of a timeline has its id within its notification's.
        self.ids.remove("timeline");
        self.value(kind, "", value)
    }

    fn value(&mut self, kind: &str, key: &str, value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let kind = if key == "notification" { "notifications" } else { kind };
                let named = map.iter().map(|(key, value)| (key.clone(), self.value(kind, key, value)));
                Value::Object(named.collect::<Map<_, _>>())
            }
            Value::Array(items) => items.iter().map(|item| self.value(kind, key, item)).collect(),
            Value::String(_) if key == "next" => "(cursor)".into(),
            Value::Number(_) | Value::String(_) if matches!(key, "id" | "templateId" | "tenantId") => {
                let kind = match key {
                    "templateId" => "templates",
                    "tenantId" => "tenants",
                    _ => kind,
                };
                self.id(kind, &value.to_string()).into()
            }
            Value::String(path) if key == "instance" => self.path(path).into(),
            Value::String(text) => self.text(text).into(),
            other => other.clone(),
        }
    }

    fn id(&mut self, kind: &str, id: &str) -> String {
        let ids = self.ids.entry(kind.to_owned()).or_default();
        let next = ids.len();
        let number = *ids.entry(id.to_owned()).or_insert(next);
        format!("({kind} {number})")
    }

    /// A text, or a path, with everything in it that has a name.
    pub(crate) fn text(&mut self, text: &str) -> String {
        if is_time(text) && !self.kept.iter().any(|kept| kept == text) {
            return "(time)".to_owned();
        }
        if text.starts_with("ck_live_") || text.starts_with("ck_test_") {
            return format!("({} key)", &text[3..7]);
        }
        let mut named = String::new();
        let mut rest = text;
        while let Some(at) = (0..rest.len()).find(|at| rest.get(*at..at + 36).is_some_and(is_uuid)) {
            let (before, after) = rest.split_at(at);
            let next = self.uuids.len();
            let number = *self.uuids.entry(after[..36].to_owned()).or_insert(next);
            named.push_str(before);
            let _ = write!(named, "(uuid {number})");
            rest = &after[36..];
        }
        named + rest
    }

    /// A path: its ids belong to the resource before them.
    pub(crate) fn path(&mut self, path: &str) -> String {
        let mut kind = String::new();
        let mut named = Vec::new();
        for segment in path.split('/') {
            let is_id = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit()) && kind != "versions";
            named.push(if is_id { self.id(&kind, segment) } else { self.text(segment) });
            kind = match segment {
                "dead-letters" => "notifications".to_owned(),
                "messages" => "sandbox".to_owned(),
                other => other.to_owned(),
            };
        }
        named.join("/")
    }
}

fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}

fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.bytes().enumerate().all(|(at, b)| if dashes.contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() })
}
