//! Lists, paths, methods and idempotency keys.

use serde_json::json;

use crate::case::{BATCH, Case, SEND};
use crate::content::email;
use crate::world::World;

const LIST: &str = "/api/v1/notifications";

pub(crate) fn cases(world: &World) -> Vec<Case> {
    let mut cases = queries(world);
    cases.extend(paths(world));
    cases.extend(keys(world));
    cases
}

fn queries(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for list in [
        LIST,
        "/api/v1/dead-letters",
        "/api/v1/templates",
        "/api/v1/templates/welcome/versions",
        "/api/v1/tenants",
        "/api/v1/tenants/1/api-keys",
        "/api/v1/sandbox/messages",
    ] {
        let query = |query: &str| Case::get(format!("{list}?{query}"));
        for cursor in ["nonsense", "!", "", "bm90aGluZzox", &format!("{}x", world.cursor)] {
            cases.push(query(&format!("cursor={cursor}")).is(400, "invalid_request"));
        }
        if list != LIST {
            cases.push(query(&format!("cursor={}", world.cursor)).is(400, "invalid_request"));
        }
        for limit in ["0", "201", "-1", "many", "", "1.5", "99999999999999999999"] {
            cases.push(query(&format!("limit={limit}")).at("/limit"));
        }
        cases.push(query("limit=1&limit=1").at("/limit"));
        cases.push(query("limitt=1").at("/limitt").says("did you mean \"limit\"?"));
        cases.push(query("limit=1%00").at("/limit"));
    }
    for (query, pointer) in [
        ("status=nonsense", "/status"),
        ("channel=pigeon", "/channel"),
        ("createdAfter=yesterday", "/createdAfter"),
        ("createdBefore=2026-13-01T00:00:00Z", "/createdBefore"),
        ("metadata.=x", "/metadata."),
        ("metadata=x", "/metadata"),
        ("userid=x", "/userid"),
    ] {
        cases.push(Case::get(format!("{LIST}?{query}")).at(pointer));
    }
    cases
}

fn paths(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (method, path) in [
        ("GET", SEND),
        ("DELETE", SEND),
        ("PUT", BATCH),
        ("POST", LIST),
        ("PATCH", "/api/v1/templates"),
        ("GET", "/api/v1/templates/welcome/preview"),
        ("DELETE", "/api/v1/tenants/1/api-keys"),
        ("POST", "/api/v1/sandbox/messages"),
        ("POST", "/health"),
    ] {
        // `send` and `batch` are words where an id could be.
        if method != "GET" || !path.starts_with(LIST) {
            cases.push(Case::new(method, path, "{}").is(405, "method_not_allowed"));
        }
    }
    for path in [
        "/api/v1/nothing",
        "/api/v1",
        "/api/v2/notifications",
        "/api/v1/notifications/1/nothing",
        "/api/v1//notifications",
    ] {
        cases.push(Case::get(path).is(404, "not_found"));
    }
    for id in [
        "0",
        "-1",
        "424242",
        "9223372036854775808",
        "nonsense",
        "00000000-0000-7000-8000-000000000000",
        "%00",
        "%0d%0a",
        "'%20OR%201=1",
    ] {
        for path in [LIST, "/api/v1/dead-letters", "/api/v1/templates", "/api/v1/tenants", "/api/v1/sandbox/messages"] {
            let case = Case::get(format!("{path}/{id}"));
            cases.push(case.is(404, "not_found"));
        }
    }
    let sent = &world.mine.notification;
    cases.push(Case::new("POST", format!("{LIST}/{sent}/cancel"), "").is(409, "invalid_state"));
    cases.push(Case::new("POST", format!("{LIST}/{sent}/retry"), "").is(409, "invalid_state"));
    cases.push(Case::new("POST", format!("{LIST}/{sent}/read"), r#"{"a":1}"#).at("/a"));
    cases.push(Case::new("POST", format!("{LIST}/{sent}/read"), "[]").at(""));
    cases.push(Case::new("POST", format!("{LIST}/{sent}/read"), "{").is(400, "invalid_request"));
    cases
}

fn keys(world: &World) -> Vec<Case> {
    let with = |key: String| Case::send(&email("ada@example.com")).header("idempotency-key", key);
    let batch = json!({"notifications": [email("eve@example.com")]});
    vec![
        with(world.used_key.to_owned()).is(422, "idempotency_mismatch"),
        Case::post(BATCH, &batch).header("idempotency-key", world.used_key).is(422, "idempotency_mismatch"),
        with("x".repeat(256)).at("/idempotencyKey"),
        with(String::new()).at("/idempotencyKey"),
        with("a".to_owned()).header("idempotency-key", "a").is(400, "invalid_request"),
        with("tab\there".to_owned()),
        with("ü".to_owned()).is(400, "invalid_request"),
    ]
}
