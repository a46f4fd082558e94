//! Credentials that are none or not enough, and what belongs to somebody else.

use serde_json::{Value, json};

use crate::case::{BATCH, Case, SEND};
use crate::content::email;
use crate::world::World;

const LIST: &str = "/api/v1/notifications";

pub(crate) fn cases(world: &World) -> Vec<Case> {
    let mut cases = credentials(world);
    cases.extend(narrow_keys(world));
    cases.extend(tenants(world));
    cases.extend(foreign_ids(world));
    cases
}

fn credentials(world: &World) -> Vec<Case> {
    let stranger = "ck_live_0000000000000000000000000000000000000000000";
    let root = world.acme_key.as_str();
    let unknown = |case: Case| case.is(401, "unauthenticated");
    vec![
        unknown(Case::get(LIST).key("")),
        unknown(Case::send(&email("ada@example.com")).key("")),
        unknown(Case::send(&json!("nonsense")).key("")),
        unknown(Case::get(LIST).key(stranger)),
        unknown(Case::get(LIST).key("nonsense")),
        unknown(Case::get(LIST).key(&root[..root.len() - 1])),
        unknown(Case::get(LIST).key(&root.to_uppercase())),
        unknown(Case::get(LIST).key(&root.replace("live", "test"))),
        unknown(Case::get(LIST).key(&world.revoked)),
        unknown(Case::send(&email("ada@example.com")).key(&world.revoked)),
        unknown(Case::get(LIST).key("").header("authorization", "Basic YTpi")),
        unknown(Case::get(LIST).key("").header("authorization", format!("Bearer {stranger}"))),
        Case::get(LIST).header("authorization", format!("Bearer {stranger}")).is(400, "invalid_request"),
        Case::get(LIST).header("x-api-key", root).is(400, "invalid_request"),
    ]
}

fn narrow_keys(world: &World) -> Vec<Case> {
    let no = |case: Case, key: &str| case.key(key).is(403, "forbidden");
    let send = || Case::send(&email("ada@example.com"));
    let theirs = &world.theirs;
    let act = |path: String| Case::new("POST", path, "");
    let keys = "/api/v1/tenants/acme/api-keys";
    let mut cases = vec![
        no(send(), &world.viewer),
        no(Case::post(BATCH, &json!({"notifications": [email("ada@example.com")]})), &world.viewer),
        no(act(format!("{LIST}/{}/cancel", theirs.notification)), &world.viewer),
        no(act(format!("/api/v1/dead-letters/{}/replay", theirs.dead_letter)), &world.viewer),
        no(Case::post("/api/v1/dead-letters/replay", &json!({})), &world.viewer),
        no(Case::post("/api/v1/templates", &json!({"code": "x"})), &world.viewer),
        no(Case::new("DELETE", "/api/v1/templates/welcome", ""), &world.viewer),
        no(Case::new("DELETE", "/api/v1/sandbox/messages", ""), &world.viewer),
        no(Case::get(keys), &world.viewer),
        no(Case::post(keys, &json!({"name": "x"})), &world.viewer),
        no(Case::get(LIST), &world.sender),
        no(Case::get("/api/v1/templates"), &world.sender),
        no(Case::get("/api/v1/sandbox/messages"), &world.sender),
        no(Case::post("/api/v1/tenants", &json!({"code": "more", "name": "More"})), &world.acme_key),
        no(Case::new("PATCH", "/api/v1/tenants/acme", r#"{"name":"x"}"#), &world.acme_key),
        no(Case::new("DELETE", "/api/v1/tenants/acme", ""), &world.acme_key),
    ];
    // Nobody hands out more than they have.
    cases.extend([
        no(Case::post(keys, &json!({"name": "x", "roles": ["platform-admin"]})), &world.acme_key),
        no(Case::post(keys, &json!({"name": "x"})), &world.key_maker),
        no(
            Case::post(keys, &json!({"name": "x", "scopes": ["api-keys:manage", "notifications:send"]})),
            &world.key_maker,
        ),
        no(Case::post(keys, &json!({"name": "x"})), &world.tester),
        no(Case::post(keys, &json!({"name": "x", "kind": "live"})), &world.tester),
    ]);
    cases
}

fn tenants(world: &World) -> Vec<Case> {
    let as_acme = |tenant: &str| Case::get(LIST).key(&world.acme_key).header("x-tenant-id", tenant);
    vec![
        as_acme("1").is(403, "forbidden"),
        as_acme("default").is(403, "forbidden"),
        as_acme("nobody").is(403, "forbidden"),
        as_acme("424242").is(403, "forbidden"),
        Case::send(&email("ada@example.com")).key(&world.acme_key).header("x-tenant-id", "1").is(403, "forbidden"),
        as_acme("acme").header("x-tenant-id", "1").is(400, "invalid_request"),
        Case::get(LIST).header("x-tenant-id", "nobody").is(404, "not_found"),
        Case::get("/api/v1/tenants/1").key(&world.acme_key).is(404, "not_found"),
        Case::get("/api/v1/tenants/1/api-keys").key(&world.acme_key).is(404, "not_found"),
        Case::post("/api/v1/tenants/1/api-keys", &json!({"name": "x"})).key(&world.acme_key).is(404, "not_found"),
    ]
}

/// Each operation on an object of the other tenant, by each of its names: it looks as if there were none.
fn foreign_ids(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (owned, key) in [(&world.mine, Some(&world.acme_key)), (&world.theirs, None)] {
        let mut ask = |method, path: String, body: Value| {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let case = Case::new(method, path, body).is(404, "not_found");
            cases.push(match key {
                Some(key) => case.key(key),
                None => case,
            });
        };
        for id in [&owned.notification, &owned.notification_id] {
            for (method, end) in [
                ("GET", ""),
                ("GET", "/content"),
                ("GET", "/timeline"),
                ("POST", "/cancel"),
                ("POST", "/retry"),
                ("POST", "/read"),
            ] {
                ask(method, format!("{LIST}/{id}{end}"), Value::Null);
            }
            ask("GET", format!("/api/v1/dead-letters/{id}"), Value::Null);
        }
        ask("GET", format!("/api/v1/dead-letters/{}", owned.dead_letter), Value::Null);
        ask("POST", format!("/api/v1/dead-letters/{}/replay", owned.dead_letter), Value::Null);
        ask("GET", format!("/api/v1/sandbox/messages/{}", owned.notification), Value::Null);
        for template in [owned.template.clone(), owned.template_id.to_string()] {
            let path = format!("/api/v1/templates/{template}");
            let part = json!({"sms": {"text": "x"}});
            let version = json!({"defaultLocale": "en", "localizations": {"en": part}});
            ask("GET", path.clone(), Value::Null);
            ask("PATCH", path.clone(), json!({"name": "x"}));
            ask("DELETE", path.clone(), Value::Null);
            ask("POST", format!("{path}/versions"), version);
            ask("GET", format!("{path}/versions"), Value::Null);
            ask("GET", format!("{path}/versions/1"), Value::Null);
            ask("PUT", format!("{path}/versions/2/localizations/de"), part);
            ask("POST", format!("{path}/versions/2/publish"), Value::Null);
            ask("POST", format!("{path}/rollback"), json!({"version": 1}));
            ask("POST", format!("{path}/preview"), json!({"channel": "email", "variables": {"name": "x"}}));
        }
    }
    let theirs = &world.theirs.key_id;
    cases.push(Case::new("DELETE", format!("/api/v1/tenants/1/api-keys/{theirs}"), "").is(404, "not_found"));
    let mine = format!("/api/v1/tenants/acme/api-keys/{}", world.mine.key_id);
    cases.push(Case::new("DELETE", mine, "").key(&world.acme_key).is(404, "not_found"));
    cases.push(Case::new("POST", SEND, "{}").key("").is(401, "unauthenticated"));
    cases
}
