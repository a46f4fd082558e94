//! The door as a client meets it.

mod common;

use axum::body::Body;
use common::Door;
use http::{Request, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SEND: &str = "/api/v1/notifications/send";

fn sms() -> String {
    json!({ "channel": "sms", "recipient": { "phone": "+441632960961" }, "directContent": { "text": "Hi" } })
        .to_string()
}

#[tokio::test]
async fn a_send_is_answered_with_202_and_where_it_is() {
    let door = Door::open().await;
    let request = Request::post(SEND)
        .header("authorization", format!("Bearer {}", door.key))
        .header("content-type", "application/json; charset=utf-8")
        .header("x-request-id", "mine")
        .body(Body::from(sms()))
        .unwrap();
    let (parts, body) = door.ask(request).await;
    assert_eq!(parts.status, StatusCode::ACCEPTED, "{body}");
    assert_eq!(parts.headers["x-request-id"], "mine");
    assert_eq!(parts.headers["x-correlation-id"], "mine");
    let location = format!("/api/v1/notifications/{}", body["uuid"].as_str().unwrap());
    assert_eq!(parts.headers["location"], location);
    assert_eq!(body["status"], "accepted");
    assert_eq!(door.accepted.rows(), 1);
}

#[tokio::test]
async fn what_is_refused_says_why_and_stores_nothing() {
    let door = Door::open().await;
    let cases = [
        ("{", 400, "invalid_request", None),
        (r#"{"channel":"sms","channel":"sms"}"#, 400, "invalid_request", None),
        (r#"{"chanel":"sms"}"#, 422, "validation_failed", Some("/chanel")),
        (r#"{"channel":"sms","recipient":{"phone":"x\u0000"}}"#, 422, "validation_failed", Some("/recipient/phone")),
        (r#"{"channel":"sms","recipient":{"phone":7}}"#, 422, "validation_failed", Some("/recipient/phone")),
    ];
    for (body, status, code, pointer) in cases {
        let (got, problem) = door.call("POST", SEND, body).await;
        assert_eq!((got.as_u16(), problem["code"].as_str().unwrap()), (status, code), "{body}: {problem}");
        assert_eq!(problem["instance"], SEND);
        assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{problem}");
    }
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    assert_eq!(door.call("POST", SEND, &long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let plain = Request::post(SEND).header("x-api-key", &door.key).body(Body::from(sms())).unwrap();
    assert_eq!(door.ask(plain).await.0.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(door.accepted.rows(), 0);
}

#[tokio::test]
async fn a_batch_points_into_itself() {
    let door = Door::open().await;
    let batch = format!(r#"{{"notifications":[{},{{"channel":"sms","recipient":{{}},"x":1}}]}}"#, sms());
    let (status, body) = door.call("POST", "/api/v1/notifications/batch", &batch).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    assert_eq!((&body["accepted"], &body["rejected"]), (&json!(1), &json!(1)));
    assert_eq!(body["results"][1]["error"]["errors"][0]["pointer"], "/notifications/1/x");
    let (status, body) = door.call("POST", "/api/v1/notifications/batch", r#"{"notifications":[]}"#).await;
    assert_eq!((status.as_u16(), &body["errors"][0]["pointer"]), (422, &json!("/notifications")));
}

#[tokio::test]
async fn without_credentials_nothing_is_said() {
    let door = Door::open().await;
    for key in ["", "ck_live_0000000000000000000000000000000000000000000"] {
        let mut request = Request::get("/api/v1/notifications");
        if !key.is_empty() {
            request = request.header("x-api-key", key);
        }
        let (parts, problem) = door.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(parts.status, StatusCode::UNAUTHORIZED);
        assert!(parts.headers.contains_key("www-authenticate"));
        assert_eq!(problem["code"], "unauthenticated");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let door = Door::open().await;
    for (method, path, status) in [
        ("GET", "/api/v1/nothing", 404),
        ("POST", "/api/v1/nothing/here", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/api/nothing.js", 404),
        ("GET", "/problems/nothing", 404),
        ("DELETE", SEND, 405),
        ("GET", "/api/v1/notifications/%00", 404),
        ("GET", "/api/v1/templates/%00", 404),
        ("GET", "/api/v1/templates/%ff", 400),
    ] {
        let request = Request::builder().method(method).uri(path).header("x-api-key", &door.key);
        let (parts, problem) = door.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(parts.status.as_u16(), status, "{method} {path}: {problem}");
        assert_eq!(parts.headers["content-type"], "application/problem+json", "{path}");
        assert!(parts.headers.contains_key("x-request-id"));
        assert_eq!(parts.headers.contains_key("allow"), status == 405, "{path}");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_door_stays_open() {
    let door = Door::open().await;
    let request = Request::post(SEND)
        .header("x-api-key", &door.key)
        .header("content-type", "application/json")
        .header("idempotency-key", "panic")
        .body(Body::from(sms()))
        .unwrap();
    let (parts, problem) = door.ask(request).await;
    assert_eq!(parts.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(problem["code"], "internal");
    assert_eq!(door.call("POST", SEND, &sms()).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn lists_are_strict_and_actions_take_no_body() {
    let door = Door::open().await;
    let (status, body) = door.call("GET", "/api/v1/notifications?metadata.a=1&status=sent&limit=2", "").await;
    assert_eq!((status, &body), (StatusCode::OK, &json!({ "data": [], "next": null })));
    let (status, body) = door.call("GET", "/api/v1/notifications?statos=sent", "").await;
    assert_eq!((status.as_u16(), &body["errors"][0]["pointer"]), (422, &json!("/statos")));
    assert_eq!(door.call("GET", "/api/v1/notifications?cursor=x", "").await.0, StatusCode::BAD_REQUEST);
    for (body, status) in [("", 404), ("{}", 404), (r#"{"a":1}"#, 422), ("x", 400)] {
        assert_eq!(door.call("POST", "/api/v1/notifications/7/cancel", body).await.0.as_u16(), status, "{body}");
    }
}

#[tokio::test]
async fn templates_go_their_way() {
    let door = Door::open().await;
    let (status, made) = door.call("POST", "/api/v1/templates", r#"{"code":"shipped"}"#).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(door.call("POST", "/api/v1/templates", r#"{"code":"shipped"}"#).await.0, StatusCode::CONFLICT);
    let version = json!({
        "defaultLocale": "en", "variables": [{ "name": "n", "required": true }],
        "localizations": { "en": { "sms": { "text": "Hi {{ n }}" } } },
    });
    let path = "/api/v1/templates/shipped";
    let (status, draft) = door.call("POST", &format!("{path}/versions"), &version.to_string()).await;
    assert_eq!((status, &draft["status"]), (StatusCode::CREATED, &json!("draft")), "{draft}");
    let german = r#"{"sms":{"text":"Hallo {{ n }}"}}"#;
    let (status, _) = door.call("PUT", &format!("{path}/versions/1/localizations/de"), german).await;
    assert_eq!(status, StatusCode::OK);
    let (status, published) = door.call("POST", &format!("{path}/versions/1/publish"), "").await;
    assert_eq!((status, &published["status"]), (StatusCode::OK, &json!("published")), "{published}");
    let preview = r#"{"channel":"sms","locale":"de-CH","variables":{"n":"Ada"}}"#;
    let (status, content) = door.call("POST", &format!("{path}/preview"), preview).await;
    assert_eq!((status, content), (StatusCode::OK, json!({ "text": "Hallo Ada" })));
    let (status, changed) = door.call("PATCH", path, r#"{"name":"S","description":null}"#).await;
    assert_eq!((status, &changed["name"]), (StatusCode::OK, &json!("S")));
    assert_eq!(door.call("DELETE", path, "").await.0, StatusCode::NO_CONTENT);
    assert_eq!(door.call("GET", path, "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_tenant_and_its_key_are_for_themselves() {
    let door = Door::open().await;
    let (status, tenant) = door.call("POST", "/api/v1/tenants", r#"{"code":"acme","name":"Acme"}"#).await;
    assert_eq!(status, StatusCode::CREATED, "{tenant}");
    let key = r#"{"name":"ci","kind":"test","roles":["send"]}"#;
    let (status, made) = door.call("POST", "/api/v1/tenants/acme/api-keys", key).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let theirs = made["key"].as_str().unwrap();
    assert!(theirs.starts_with("ck_test_"));
    for (tenant, status) in [("acme", 200), ("default", 403), ("1", 403)] {
        let request = Request::get("/api/v1/notifications").header("x-api-key", theirs).header("x-tenant-id", tenant);
        assert_eq!(door.ask(request.body(Body::empty()).unwrap()).await.0.status.as_u16(), status, "{tenant}");
    }
    let (_, listed) = door.call("GET", "/api/v1/tenants/acme/api-keys", "").await;
    assert!(listed["data"][0].get("key").is_none() && !listed.to_string().contains(theirs));
    let bad = r#"{"name":"ci","roles":["sned"]}"#;
    let (status, problem) = door.call("POST", "/api/v1/tenants/acme/api-keys", bad).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["pointer"]), (422, &json!("/roles/0")));
}

#[tokio::test]
async fn the_outside_is_open_but_for_the_metrics() {
    let door = Door::open().await;
    for (path, kind) in [
        ("/health", "application/json"),
        ("/health/live", "application/json"),
        ("/health/ready", "application/json"),
        ("/api/openapi.json", "application/json"),
        ("/problems/validation_failed", "application/json"),
        ("/api/", "text/html"),
        ("/api/swagger-ui.css", "text/css"),
    ] {
        let (parts, _) = door.ask(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(parts.status, StatusCode::OK, "{path}");
        assert!(parts.headers["content-type"].to_str().unwrap().starts_with(kind), "{path}");
    }
    let metrics = |token: &str| Request::get("/metrics").header("authorization", format!("Bearer {token}"));
    let (parts, _) = door.ask(metrics("wrong").body(Body::empty()).unwrap()).await;
    assert_eq!(parts.status, StatusCode::UNAUTHORIZED);
    let (parts, page) = door.ask(metrics("metrics").body(Body::empty()).unwrap()).await;
    assert_eq!(parts.status, StatusCode::OK);
    assert!(page.as_str().unwrap().contains(r#"route="/health/live""#));
}

/// The client writes all of a body that is refused, then reads: it must find the answer and not a reset connection.
#[tokio::test]
async fn a_body_that_is_too_long_is_read_to_its_end_and_answered() {
    let door = Door::open().await;
    for length in ["content-length: 6291456", "transfer-encoding: chunked"] {
        let mut stream = tokio::net::TcpStream::connect(door.listen().await).await.unwrap();
        let (key, type_) = (&door.key, "content-type: application/json");
        let head = format!("POST {SEND} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{type_}\r\n{length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..96 {
            let part = "x".repeat(65536);
            let part = if length.contains("chunked") { format!("10000\r\n{part}\r\n") } else { part };
            stream.write_all(part.as_bytes()).await.unwrap();
        }
        if length.contains("chunked") {
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 413", "{length}");
    }
}
