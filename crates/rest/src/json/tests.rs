use std::collections::HashSet;

use carillon_app::SendNotification;
use http::HeaderValue;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn code(text: &str) -> ErrorCode {
    scan::check(text.as_bytes()).unwrap_err().code
}

fn refused(text: &str) -> (ErrorCode, String, String) {
    let error = read::<SendNotification>(text.as_bytes(), "").unwrap_err();
    let field = error.fields.into_iter().next();
    let (pointer, word) = field.map_or_else(Default::default, |f| (f.pointer, f.code.into_owned()));
    (error.code, pointer, word)
}

#[test]
fn nesting_ends_at_32() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(scan::check(nested(32).as_bytes()).is_ok());
    assert_eq!(code(&nested(33)), ErrorCode::InvalidRequest);
    assert_eq!(code(&"{\"a\":".repeat(33)), ErrorCode::InvalidRequest);
}

#[test]
fn a_key_is_there_once_however_it_is_written() {
    for twice in
        [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"b":{"x":[{"a":1}],"y":"a","x":1}}]"#, r#"{"":1,"":2}"#]
    {
        assert_eq!(code(twice), ErrorCode::InvalidRequest, "{twice}");
    }
    for once in
        [r#"{"a":{"a":1},"b":"a"}"#, r#"[{"a":1},{"a":2}]"#, r#"{"a":"a","b":["a","a"]}"#, r#"{"a":"\"a\":1,\"a\""}"#]
    {
        assert!(scan::check(once.as_bytes()).is_ok(), "{once}");
    }
}

#[test]
fn many_keys_are_checked_too() {
    let keys = |last: &str| {
        let keys: Vec<_> = (0..5000).map(|n| format!("\"k{n}\":1")).chain([format!("\"{last}\":1")]).collect();
        format!("{{{}}}", keys.join(","))
    };
    assert!(scan::check(keys("new").as_bytes()).is_ok());
    for twice in ["k0", "k23", "k24", "k25", "k4999"] {
        assert_eq!(code(&keys(twice)), ErrorCode::InvalidRequest, "{twice}");
    }
}

#[test]
fn nul_is_refused_where_it_stands() {
    let error = scan::check(br#"{"a":[{"b":"x"},{"c/d":"x\u0000"}]}"#).unwrap_err();
    assert_eq!(error.code, ErrorCode::ValidationFailed);
    assert_eq!(error.fields[0].pointer, "/a/1/c~1d");
    assert!(scan::check(br#"{"a":"\\u0000"}"#).is_ok());
    assert!(scan::check_but_nul(br#"{"a":"\u0000"}"#).is_ok_and(|has_nul| has_nul));
    assert!(scan::check_but_nul(br#"{"a":"\\u0000"}"#).is_ok_and(|has_nul| !has_nul));
}

#[test]
fn what_is_wrong_is_pointed_at() {
    use ErrorCode::{InvalidRequest, ValidationFailed};
    let found = |text: &str, code: ErrorCode, pointer: &str, word: &str| {
        assert_eq!(refused(text), (code, pointer.to_owned(), word.to_owned()), "{text}");
    };
    found(r#"{"chanel":"sms"}"#, ValidationFailed, "/chanel", "unknown_field");
    found(r#"{"channel":"sms"}"#, ValidationFailed, "/recipient", "missing_field");
    found(r#"{"channel":7,"recipient":{}}"#, ValidationFailed, "/channel", "wrong_type");
    found(r#"{"channel":"sms","recipient":{"phone":7}}"#, ValidationFailed, "/recipient/phone", "wrong_type");
    found(r#"{"channel":"sms","recipient":{"phne":"7"}}"#, ValidationFailed, "/recipient/phne", "unknown_field");
    found(r#"{"channel":"pigeon","recipient":{}}"#, ValidationFailed, "/channel", "invalid_value");
    found("[]", ValidationFailed, "", "wrong_type");
    found(r#"{"channel":"sms","recipient":[null,"a@b.example"]}"#, ValidationFailed, "/recipient", "wrong_type");
    found("7", ValidationFailed, "", "wrong_type");
    for text in ["", "{", "nope", r#"{"chanel":1,"#, r#"{"channel":"\ud800"}"#, r#"{"channel":1e999}"#, "{} {}", "[}"] {
        found(text, InvalidRequest, "", "");
    }
}

#[test]
fn sentences_do_not_name_our_types() {
    let error = read::<SendNotification>(br#"{"channel":"sms","recipient":7}"#, "").unwrap_err();
    assert_eq!(error.detail, "invalid type: integer `7`, expected an object");
}

#[test]
fn only_json_is_json() {
    let is =
        |value: &'static str| is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]));
    assert!(is("application/json") && is("Application/JSON; charset=utf-8"));
    assert!(!is("text/plain") && !is("application/jsonp") && !is(""));
    assert!(!is_json(&HeaderMap::new()));
}

/// The slow, obvious way: whether any object of a document has a key twice.
fn has_duplicates(document: &Document) -> bool {
    match document {
        Document::Leaf(_) => false,
        Document::Array(items) => items.iter().any(has_duplicates),
        Document::Object(fields) => {
            let mut seen = HashSet::new();
            fields.iter().any(|(key, value)| !seen.insert(key) || has_duplicates(value))
        }
    }
}

#[derive(Debug, Clone)]
enum Document {
    Leaf(String),
    Array(Vec<Document>),
    Object(Vec<(String, Document)>),
}

impl Document {
    fn text(&self) -> String {
        let quote = |text: &String| Value::String(text.clone()).to_string();
        match self {
            Self::Leaf(text) => quote(text),
            Self::Array(items) => format!("[{}]", items.iter().map(Self::text).collect::<Vec<_>>().join(" ,")),
            Self::Object(fields) => {
                let field = |(key, value): &(String, Document)| format!("{} : {}", quote(key), value.text());
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
            }
        }
    }
}

fn documents() -> impl Strategy<Value = Document> {
    let leaf = "[a-c\"\\\\{}\\[\\],:é]{0,4}".prop_map(Document::Leaf);
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Document::Array),
            prop::collection::vec(("[a-c\"\\\\é]{0,2}", inner), 0..5).prop_map(Document::Object),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = scan::check(&bytes);
        let _ = read::<SendNotification>(&bytes, "");
    }

    #[test]
    fn what_almost_is_json_does_not_either(text in "[\\[\\]{}\",:\\\\u0a1 ]{0,60}") {
        let _ = scan::check(text.as_bytes());
        let _ = read::<SendNotification>(text.as_bytes(), "");
    }

    #[test]
    fn duplicates_are_found_and_nothing_else(document in documents()) {
        let text = document.text();
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
        prop_assert_eq!(scan::check(text.as_bytes()).is_err(), has_duplicates(&document), "{}", text);
    }
}
