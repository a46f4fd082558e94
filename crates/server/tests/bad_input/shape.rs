//! What is not JSON, not an object, not the right type, too long or too deep.

use serde_json::{Value, json};

use crate::case::{BATCH, Case, SEND};
use crate::content::email;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = not_json();
    cases.extend(wrong_types());
    cases.extend(arrays_for_objects());
    cases.extend(unknown_fields());
    cases.extend(batches());
    cases.extend(media_types());
    cases
}

fn raw(body: impl Into<Vec<u8>>) -> Case {
    Case::new("POST", SEND, body)
}

fn not_json() -> Vec<Case> {
    let with = |text: &str| {
        format!(r#"{{"channel":"sms","recipient":{{"phone":"+441632960961"}},"directContent":{{"text":"x"}},{text}}}"#)
    };
    let nested = |depth: usize| format!(r#""metadata":{{"a":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "nope",
        "{} {}",
        r#"{"channel":"sms",}"#,
        "{'channel':'sms'}",
        "\u{feff}{}",
        r#"{"channel":"sms","channel":"sms"}"#,
        r#"{"channel":"sms","recipient":{"phone":"1","\u0070hone":"2"}}"#,
        &with(&nested(32)),
        &with(r#""metadata":{"a":"\ud800"}"#),
        &with(r#""variables":{"\udfff":1}"#),
        &with(r#""variables":{"a":1e400000}"#),
        &with(r#""metadata":{"a":NaN}"#),
        &"[".repeat(100_000),
        &"{\"a\":".repeat(100_000),
    ]
    .map(|body| body.as_bytes().to_vec())
    .into();
    bodies.push(b"{\"channel\":\"\xff\"}".to_vec());
    let mut cases: Vec<_> = bodies.into_iter().map(|body| raw(body).is(400, "invalid_request")).collect();
    cases.extend([
        raw(with(r#""metadata":{"a":"x\u0000"}"#)).at("/metadata/a"),
        raw(with(r#""variables":{"list":["a",{"b":"\u0000"}]}"#)).at("/variables/list/1/b"),
        raw(with(r#""variables":{"\u0000":1}"#)),
        raw("[]").at(""),
        raw("null").at(""),
        raw("7").at(""),
        raw("\"text\"").at(""),
        raw(format!("\"{}\"", "x".repeat(1 << 20))).is(413, "payload_too_large"),
        Case::new("POST", BATCH, format!("\"{}\"", "x".repeat(8 << 20))).is(413, "payload_too_large"),
    ]);
    cases
}

fn wrong_types() -> Vec<Case> {
    let mut cases = Vec::new();
    for (pointer, values) in [
        ("/channel", vec![json!(7), json!(null), json!(["sms"]), json!("pigeon"), json!({})]),
        ("/recipient", vec![json!(null), json!("ada@example.com"), json!(7)]),
        ("/recipient/email", vec![json!(7), json!([]), json!({}), json!(true)]),
        ("/recipient/name", vec![json!(7), json!("")]),
        ("/directContent", vec![json!("text"), json!(7), json!(true)]),
        ("/directContent/subject", vec![json!(7), json!(null), json!(["s"])]),
        ("/directContent/attachments", vec![json!({}), json!("a.txt"), json!(null)]),
        ("/variables", vec![json!([]), json!("x"), json!(7)]),
        ("/metadata", vec![json!([]), json!("x"), json!(true)]),
        ("/priority", vec![json!(1), json!("urgent"), json!("")]),
        ("/locale", vec![json!(7), json!(""), json!("x".repeat(36))]),
        (
            "/scheduledAt",
            vec![
                json!(7),
                json!("tomorrow"),
                json!("2026-13-01T00:00:00Z"),
                json!("2026-11-23"),
                json!("2026-11-23T00:00:00"),
            ],
        ),
        ("/expiresAt", vec![json!(false), json!("")]),
        ("/orderingKey", vec![json!(7), json!(""), json!("x".repeat(256))]),
        ("/templateId", vec![json!(true), json!(1.5), json!({}), json!(18_446_744_073_709_551_615_u64)]),
        ("/template", vec![json!(7), json!([])]),
    ] {
        for value in values {
            let mut body = email("ada@example.com");
            set(&mut body, pointer, value);
            cases.push(Case::send(&body).at(pointer));
        }
    }
    cases
}

/// Sets the value at a pointer, whose parent is there.
pub(crate) fn set(body: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[key] = value;
}

/// serde takes an array for a struct, its elements for the fields in order.
fn arrays_for_objects() -> Vec<Case> {
    let mut recipient = email("ada@example.com");
    recipient["recipient"] = json!([null, "ada@example.com"]);
    let mut content = email("ada@example.com");
    content["directContent"] = json!(["Hello", "It works."]);
    let mut files = email("ada@example.com");
    files["directContent"]["attachments"] = json!([["a.txt", "text/plain", "aGk="]]);
    let version = |variables: Value, part: Value| json!({"defaultLocale": "en", "variables": variables, "localizations": {"en": {"sms": part}}});
    let versions = "/api/v1/templates/welcome/versions";
    vec![
        Case::send(&json!(["sms", {"phone": "+441632960961"}])).at(""),
        Case::send(&recipient).at("/recipient"),
        Case::send(&content).at("/directContent"),
        Case::send(&files).at("/directContent/attachments/0"),
        Case::post(BATCH, &json!([[email("ada@example.com")], false])).at(""),
        Case::post(BATCH, &json!({"notifications": [["sms"]]})).at("/notifications/0"),
        Case::post(versions, &json!(["en", [], {}])).at(""),
        Case::post(versions, &version(json!([["name", true]]), json!({"text": "Hi"}))).at("/variables/0"),
        Case::post(versions, &version(json!([]), json!(["Hi"]))).at("/localizations/en/sms"),
        Case::post("/api/v1/templates", &json!(["code", "name"])).at(""),
        Case::post("/api/v1/templates/welcome/rollback", &json!([1])).at(""),
        Case::post("/api/v1/templates/welcome/preview", &json!([1, "en", "email", {}])).at(""),
        Case::post("/api/v1/tenants", &json!(["code", "name"])).at(""),
        Case::post("/api/v1/tenants/1/api-keys", &json!(["name"])).at(""),
        Case::post("/api/v1/dead-letters/replay", &json!(["email"])).at(""),
        Case::post("/api/v1/templates/welcome/versions/2/publish", &json!([])).at(""),
        Case::new("PATCH", "/api/v1/templates/welcome", "[\"name\"]").at(""),
        Case::new("PUT", "/api/v1/templates/welcome/versions/2/localizations/de", "[]").at(""),
    ]
}

fn unknown_fields() -> Vec<Case> {
    let mut cases = Vec::new();
    for (pointer, hint) in [
        ("/chanel", "did you mean \"channel\"?"),
        ("/recipient/emial", "did you mean \"email\"?"),
        ("/recipient/Email", "did you mean \"email\"?"),
        ("/directContent/subjekt", "did you mean \"subject\"?"),
        ("/directContent/title", "there is no field \"title\" here"),
        ("/scheduled_at", "did you mean \"scheduledAt\"?"),
        ("/tenantId", "there is no field \"tenantId\" here"),
    ] {
        let mut body = email("ada@example.com");
        set(&mut body, pointer, json!("x"));
        cases.push(Case::send(&body).at(pointer).says(hint));
    }
    cases
}

fn batches() -> Vec<Case> {
    let good = email("ada@example.com");
    let batch = |items: Value| Case::post(BATCH, &json!({"notifications": items}));
    vec![
        batch(json!([])).at("/notifications"),
        batch(json!(vec![good.clone(); 1001])).at("/notifications"),
        batch(json!({})).at("/notifications"),
        batch(json!([7])).at("/notifications/0"),
        batch(json!([null, {}])).at("/notifications/0"),
        batch(json!([email("nobody")])).at("/notifications/0/recipient/email"),
        Case::post(BATCH, &json!({})).at("/notifications"),
        Case::post(BATCH, &json!({"notifications": [good], "atomic": "yes"})).at("/atomic"),
        Case::post(BATCH, &json!({"notifications": [good], "atomik": true})).at("/atomik"),
        Case::post(BATCH, &json!({"notifications": [good, email("nobody")], "atomic": true}))
            .at("/notifications/1/recipient/email"),
    ]
}

fn media_types() -> Vec<Case> {
    let body = email("ada@example.com").to_string();
    let typed = |media_type: &str| raw(body.clone()).header("content-type", media_type);
    let mut cases: Vec<_> =
        ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "application/xml"]
            .map(|media_type| typed(media_type).is(415, "unsupported_media_type"))
            .into();
    cases.push(raw(body.clone()).header("content-encoding", "zstd").is(415, "unsupported_media_type"));
    cases.push(raw(body.clone()).header("content-encoding", "gzip, gzip").is(415, "unsupported_media_type"));
    cases.push(raw(body).header("content-encoding", "gzip").is(400, "invalid_request"));
    cases
}
