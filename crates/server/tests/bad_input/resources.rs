//! Templates, tenants and API keys that cannot be, or not in this state.

use serde_json::{Value, json};

use crate::case::Case;
use crate::world::World;

const TEMPLATES: &str = "/api/v1/templates";
const VERSIONS: &str = "/api/v1/templates/welcome/versions";
const TENANTS: &str = "/api/v1/tenants";

pub(crate) fn cases(_: &World) -> Vec<Case> {
    let mut cases = templates();
    cases.extend(versions());
    cases.extend(tenants());
    cases.extend(api_keys());
    cases
}

fn templates() -> Vec<Case> {
    let new = |body: Value| Case::post(TEMPLATES, &body);
    let mut cases: Vec<_> =
        ["", "a b", "ä", "7", "a\u{1}", "../x", "00000000-0000-7000-8000-000000000000", &"x".repeat(101)]
            .map(|code| new(json!({"code": code})).at("/code"))
            .into();
    cases.extend([
        new(json!({})).at("/code"),
        new(json!({"code": "x", "name": ""})).at("/name"),
        new(json!({"code": "x", "name": "a\nb"})).at("/name"),
        new(json!({"code": "x", "name": "x".repeat(201)})).at("/name"),
        new(json!({"code": "x", "description": "x".repeat(2001)})).at("/description"),
        new(json!({"code": "x", "descripton": "x"})).at("/descripton"),
        new(json!({"code": "welcome"})).is(409, "conflict"),
        Case::new("PATCH", "/api/v1/templates/welcome", r#"{"name":null}"#).at("/name"),
        Case::new("PATCH", "/api/v1/templates/welcome", r#"{"name":" "}"#).at("/name"),
        Case::new("PATCH", "/api/v1/templates/welcome", r#"{"code":"other"}"#).at("/code"),
        Case::new("DELETE", "/api/v1/templates/nothing", "").is(404, "not_found"),
        Case::post("/api/v1/templates/welcome/rollback", &json!({"version": 2})).is(409, "invalid_state"),
        Case::post("/api/v1/templates/welcome/rollback", &json!({"version": 9})).is(404, "not_found"),
        Case::post("/api/v1/templates/welcome/rollback", &json!({"version": "1"})).at("/version"),
        Case::post("/api/v1/templates/welcome/rollback", &json!({"version": 99_999_999_999_i64})).at("/version"),
        Case::post("/api/v1/templates/welcome/preview", &json!({"channel": "email"})).at("/variables/name"),
        Case::post("/api/v1/templates/welcome/preview", &json!({"channel": "sms", "variables": {"name": "x"}}))
            .at("/channel"),
        Case::post("/api/v1/templates/draft/preview", &json!({"channel": "sms"})),
    ]);
    cases
}

fn versions() -> Vec<Case> {
    let version = |localizations: Value| json!({"defaultLocale": "en", "localizations": localizations});
    let sms = |text: &str| json!({"sms": {"text": text}});
    let new = |body: Value| Case::post(VERSIONS, &body);
    let named =
        |name: &str| json!({"defaultLocale": "en", "variables": [{"name": name}], "localizations": {"en": sms("x")}});
    let file = |name: &str, kind: &str| json!({"email": {"subject": "s", "text": "t", "attachments": [{"filename": name, "contentType": kind, "contentBase64": "aGk="}]}});
    let put =
        |locale: &str, body: &Value| Case::new("PUT", format!("{VERSIONS}/2/localizations/{locale}"), body.to_string());
    vec![
        new(json!({})).at("/defaultLocale"),
        new(version(json!({}))).at("/defaultLocale"),
        new(version(json!({"de": sms("x")}))).at("/defaultLocale"),
        new(version(json!({"en": sms("x"), "EN": sms("x")}))),
        new(version(json!({"en": sms("x"), "no locale": sms("x")}))).at("/localizations/no locale"),
        new(version(json!({"en": {"pigeon": {}}}))).at("/localizations/en/pigeon"),
        new(version(json!({"en": {"push": {"title": "t", "body": "b"}, "fcm": {"title": "t", "body": "b"}}}))),
        new(version(json!({"en": {"sms": {"txt": "x"}}}))).at("/localizations/en/sms/txt"),
        new(version(json!({"en": sms("{{ a"), "de": sms("{% for %}")}))).at("/localizations/de/sms/text"),
        new(version(json!({"en": sms("{{ a | nonsense }}")}))).at("/localizations/en/sms/text"),
        new(version(json!({"en": sms(&"x".repeat(64 * 1024 + 1))}))).at("/localizations/en/sms/text"),
        new(version(json!({"en": {"email": {"subject": "a\r\nBcc: eve@example.com", "text": "t"}}})))
            .at("/localizations/en/email/subject"),
        new(version(json!({"en": file("a\r\nb", "text/plain")}))).at("/localizations/en/email/attachments/0/filename"),
        new(version(json!({"en": file("a", "text")}))).at("/localizations/en/email/attachments/0/contentType"),
        new(named("a b")).at("/variables/0/name"),
        new(named("")).at("/variables/0/name"),
        put("de", &json!({"email": {"subject": "{{ x", "text": "t"}})).at("/email/subject"),
        put("de", &json!({"pigeon": {}})).at("/pigeon"),
        put("de_!", &sms("x")),
        Case::new("PUT", format!("{VERSIONS}/1/localizations/de"), sms("x").to_string()).is(409, "invalid_state"),
        Case::new("PUT", format!("{VERSIONS}/9/localizations/de"), sms("x").to_string()).is(404, "not_found"),
        Case::new("POST", format!("{VERSIONS}/9/publish"), "").is(404, "not_found"),
        Case::get(format!("{VERSIONS}/0")).is(404, "not_found"),
        Case::get(format!("{VERSIONS}/one")).is(404, "not_found"),
    ]
}

fn tenants() -> Vec<Case> {
    let new = |body: Value| Case::post(TENANTS, &body);
    let mut cases: Vec<_> = ["", "Acme", "7up", "a b", "a/b", "ä", &"x".repeat(64)]
        .map(|code| new(json!({"code": code, "name": "x"})).at("/code"))
        .into();
    cases.extend([
        new(json!({"code": "x"})).at("/name"),
        new(json!({"code": "x", "name": "\u{7}"})).at("/name"),
        new(json!({"code": "acme", "name": "x"})).is(409, "conflict"),
        Case::new("PATCH", "/api/v1/tenants/acme", r#"{"name":""}"#).at("/name"),
        Case::new("PATCH", "/api/v1/tenants/acme", r#"{"code":"x"}"#).at("/code"),
        Case::new("PATCH", "/api/v1/tenants/nobody", r#"{"name":"x"}"#).is(404, "not_found"),
        Case::new("DELETE", "/api/v1/tenants/1", "").is(409, "invalid_state"),
        Case::new("DELETE", "/api/v1/tenants/nobody", "").is(404, "not_found"),
    ]);
    cases
}

fn api_keys() -> Vec<Case> {
    let new = |body: Value| Case::post("/api/v1/tenants/acme/api-keys", &body);
    vec![
        new(json!({})).at("/name"),
        new(json!({"name": ""})).at("/name"),
        new(json!({"name": "x", "kind": "lively"})).at("/kind"),
        new(json!({"name": "x", "roles": []})).at("/roles"),
        new(json!({"name": "x", "roles": ["admin", "sned"]})).at("/roles/1").says("did you mean \"send\"?"),
        new(json!({"name": "x", "roles": "admin"})).at("/roles"),
        new(json!({"name": "x", "scopes": ["notifications:sned"]}))
            .at("/scopes/0")
            .says("did you mean \"notifications:send\"?"),
        new(json!({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"})).at("/expiresAt"),
        new(json!({"name": "x", "key": "ck_live_mine"})).at("/key"),
        Case::post("/api/v1/tenants/nobody/api-keys", &json!({"name": "x"})).is(404, "not_found"),
        Case::new("DELETE", "/api/v1/tenants/acme/api-keys/424242", "").is(404, "not_found"),
    ]
}
