//! The requests. Each part leaves rows behind that the last part reads.

use serde_json::{Value, json};

use crate::templates;
use crate::transcript::Transcript;

const SEND: &str = "/api/v1/notifications/send";
const BATCH: &str = "/api/v1/notifications/batch";

pub(crate) async fn play(t: &mut Transcript, at: &str) {
    outside(t).await;
    templates::play(t).await;
    sends(t).await;
    refusals(t).await;
    batches(t).await;
    idempotency(t).await;
    actions(t, at).await;
    dead_letters(t).await;
    tenants_and_keys(t).await;
    lists(t, at).await;
    sandbox(t).await;
}

async fn outside(t: &mut Transcript) {
    for path in [
        "/health",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/api/openapi.json",
        "/problems/validation_failed",
        "/problems/nothing",
        "/api/v1/nothing",
    ] {
        t.get(path).await;
    }
    t.delete(SEND).await;
}

/// Every channel, with a template and without, and what the simulators do.
async fn sends(t: &mut Transcript) {
    let order = json!({"order": {"id": "A & 1"}});
    for body in [
        json!({"channel": "email", "recipient": {"email": "ada@bücher.example", "name": "Ada ü", "userId": "u-1"},
            "directContent": {"subject": "Hi {{ name }}", "text": "{{ name }}", "html": "<p>{{ name }}</p>", "replyTo": "help@example.com",
                "attachments": [{"filename": "a.txt", "contentType": "text/plain", "contentBase64": "aGVsbG8="}]},
            "variables": {"name": "<Ada> 🎉"}, "metadata": {"orderId": "A-1", "nested": {"n": [1, 2.50, true, null]}}, "priority": "critical"}),
        json!({"channel": "sms", "recipient": {"phone": "+44 (1632) 960-961"}, "directContent": {"text": "Hi"}, "priority": "low"}),
        json!({"channel": "fcm", "recipient": {"pushToken": "token-1"}, "directContent": {"title": "t", "body": "b", "data": {"k": "v"}}}),
        json!({"channel": "whatsapp", "recipient": {"phone": "+441632960961"}, "directContent": {"text": "Hi"}}),
        json!({"channel": "inapp", "recipient": {"userId": "u-1"}, "directContent": {"title": "t", "body": "b"}}),
        json!({"channel": "email", "recipient": {"email": "delivered@sandbox.example"}, "template": "shipped", "variables": order, "locale": "de-CH"}),
        json!({"channel": "sms", "recipient": {"phone": "+441632960961"}, "templateId": "shipped", "variables": order, "locale": "xx"}),
        json!({"channel": "push", "recipient": {"pushToken": "token-1"}, "template": "shipped", "variables": order}),
        json!({"channel": "whatsapp", "recipient": {"phone": "+441632960961"}, "template": "shipped", "variables": order}),
        json!({"channel": "in_app", "recipient": {"userId": "u-2"}, "template": "shipped", "variables": order, "orderingKey": "u-2"}),
        json!({"channel": "email", "recipient": {"email": "bounce@sandbox.example"}, "directContent": {"subject": "s", "text": "t"}}),
        json!({"channel": "sms", "recipient": {"phone": "+15005550009"}, "directContent": {"text": "t"}}),
    ] {
        let accepted = t.call("POST", SEND, &[("x-correlation-id", "flow-1")], Some(body)).await;
        t.settle(&accepted).await;
    }
}

async fn refusals(t: &mut Transcript) {
    for body in [
        json!({}),
        json!([]),
        json!({"channel": "pigeon", "recipient": {}}),
        json!({"channel": "email", "recipient": {"emial": "a@b.example"}}),
        json!({"channel": "email", "recipient": {"email": "nobody"}, "template": "shipped"}),
        json!({"channel": "email", "recipient": {"email": "a@b.example"}}),
        json!({"channel": "email", "recipient": {"email": "a@b.example"}, "template": "shiped"}),
        json!({"channel": "email", "recipient": {"email": "a@b.example"}, "template": "shipped"}),
        json!({"channel": "email", "recipient": {"email": "a@b.example"}, "template": "drafty", "variables": {"order": {}}}),
        json!({"channel": "email", "recipient": {"email": "a@b.example"}, "template": "doomed", "variables": {"order": {}}}),
        json!({"channel": "email", "recipient": {"email": "a@b.example"}, "templateId": 424_242}),
        json!({"channel": "email", "recipient": {"email": "a@b.example"}, "directContent": {"subject": "{{ gone }}", "text": "t"}}),
        json!({"channel": "email", "recipient": {"email": "a@b.example"}, "directContent": {"subject": "s"}}),
        json!({"channel": "sms", "recipient": {"phone": "12"}, "directContent": {"text": "t"}, "expiresAt": "2020-01-01T00:00:00Z"}),
    ] {
        t.post(SEND, body).await;
    }
    t.call("POST", SEND, &[("content-type", "text/plain")], None).await;
}

async fn batches(t: &mut Transcript) {
    let to = |address: &str| json!({"channel": "email", "recipient": {"email": address}, "directContent": {"subject": "b", "text": "b"}, "metadata": {"batch": "1"}});
    let mut batch = json!({"notifications": [to("b0@example.com"), to("nobody"), to("b2@example.com"), {"chanel": 1}]});
    let answer = t.post(BATCH, batch.clone()).await;
    for index in [0, 2] {
        t.settle(&answer["results"][index]).await;
    }
    batch["atomic"] = true.into();
    t.post(BATCH, batch).await;
    t.post(BATCH, json!({"notifications": [to("nobody")]})).await;
    t.post(BATCH, json!({"notifications": []})).await;
    t.post(BATCH, json!({"notifications": vec![json!({}); 1001]})).await;
    let answer = t
        .call("POST", BATCH, &[("idempotency-key", "batch")], Some(json!({"notifications": [to("b4@example.com")]})))
        .await;
    t.settle(&answer["results"][0]).await;
    t.call("POST", BATCH, &[("idempotency-key", "batch")], Some(json!({"notifications": [to("b4@example.com")]})))
        .await;
    t.call("POST", BATCH, &[("idempotency-key", "batch")], Some(json!({"notifications": [to("b5@example.com")]})))
        .await;
}

async fn idempotency(t: &mut Transcript) {
    let body = |text: &str| json!({"channel": "sms", "recipient": {"phone": "+441632960961"}, "directContent": {"text": text}});
    for (key, text) in
        [("one", "a"), ("one", "a"), ("one", "b"), ("two", "{{ gone }}"), ("two", "a"), ("ö", "a"), ("", "a")]
    {
        let answer = t.call("POST", SEND, &[("idempotency-key", key)], Some(body(text))).await;
        if answer["uuid"].is_string() {
            t.settle(&answer).await;
        }
    }
}

/// Cancel, retry, read, each where it is allowed and where it is not, and twice.
async fn actions(t: &mut Transcript, at: &str) {
    let mut later = json!({"channel": "email", "recipient": {"email": "later@example.com"}, "scheduledAt": at,
        "orderingKey": "later", "directContent": {"subject": "s", "text": "t"}});
    let waiting = t.post(SEND, later.clone()).await;
    later["scheduledAt"] = Value::Null;
    let behind = t.post(SEND, later.clone()).await;
    let cancelled = waiting["uuid"].as_str().unwrap();
    t.get(&format!("/api/v1/notifications/{cancelled}/content")).await;
    for action in ["read", "retry", "cancel", "cancel"] {
        t.act(&format!("/api/v1/notifications/{cancelled}/{action}")).await;
    }
    t.settle(&behind).await;
    t.act(&format!("/api/v1/notifications/{cancelled}/retry")).await;
    t.settle(&waiting).await;

    let read = t
        .post(
            SEND,
            json!({"channel": "in_app", "recipient": {"userId": "u-3"}, "directContent": {"title": "t", "body": "b"}}),
        )
        .await;
    let read = t.settle(&read).await;
    for action in ["read", "read", "cancel", "retry"] {
        t.act(&format!("/api/v1/notifications/{read}/{action}")).await;
    }
    later["scheduledAt"] = at.into();
    later["orderingKey"] = Value::Null;
    t.post(SEND, later).await;
    for path in ["424242", "00000000-0000-7000-8000-000000000000", "nonsense"] {
        t.get(&format!("/api/v1/notifications/{path}")).await;
        t.act(&format!("/api/v1/notifications/{path}/cancel")).await;
    }
    t.call("POST", &format!("/api/v1/notifications/{read}/read"), &[], Some(json!({"a": 1}))).await;
}

async fn dead_letters(t: &mut Transcript) {
    let letters = t.pages("/api/v1/dead-letters?limit=1").await;
    for letter in &letters {
        t.get(&format!("/api/v1/dead-letters/{}", letter["uuid"].as_str().unwrap())).await;
        t.get(&format!("/api/v1/dead-letters/{}", letter["id"])).await;
    }
    t.act(&format!("/api/v1/dead-letters/{}/replay", letters[0]["uuid"].as_str().unwrap())).await;
    t.settle(&letters[0]).await;
    t.get("/api/v1/dead-letters/424242").await;
    t.act("/api/v1/dead-letters/424242/replay").await;
    for filter in
        ["channel=sms", "reason=permanent", "reason=exhausted", "provider=sandbox", "since=2099-01-01T00:00:00Z"]
    {
        t.get(&format!("/api/v1/dead-letters?{filter}")).await;
    }
    t.post("/api/v1/dead-letters/replay", json!({"channel": "email", "reason": "permanent"})).await;
    for letter in &letters {
        t.settle(letter).await;
    }
    t.post("/api/v1/dead-letters/replay", json!({"reasons": 1})).await;
    t.get("/api/v1/dead-letters").await;
}

async fn tenants_and_keys(t: &mut Transcript) {
    t.post("/api/v1/tenants", json!({"code": "acme", "name": "Acme"})).await;
    t.post("/api/v1/tenants", json!({"code": "acme", "name": "Again"})).await;
    t.post("/api/v1/tenants", json!({"code": "Not A Code", "name": "x"})).await;
    t.post("/api/v1/tenants", json!({"code": "globex", "name": "Globex"})).await;
    t.call("PATCH", "/api/v1/tenants/acme", &[], Some(json!({"name": "Acme Ltd"}))).await;
    t.pages("/api/v1/tenants?limit=2").await;
    t.get("/api/v1/tenants/acme").await;
    t.get("/api/v1/tenants/nobody").await;
    let keys = "/api/v1/tenants/acme/api-keys";
    let admin = t.post(keys, json!({"name": "backend", "kind": "live"})).await;
    let sender = t
        .post(keys, json!({"name": "narrow", "kind": "test", "roles": ["send"], "scopes": ["notifications:send"]}))
        .await;
    t.post(keys, json!({"name": "x", "roles": ["sned"]})).await;
    t.post(keys, json!({"name": "x", "scopes": ["notifications:sned"]})).await;
    t.post(keys, json!({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"})).await;
    t.pages(&format!("{keys}?limit=1")).await;

    let theirs = t.sign_in(admin["key"].as_str().unwrap());
    for path in [
        "/api/v1/notifications",
        "/api/v1/tenants",
        "/api/v1/tenants/1",
        "/api/v1/tenants/globex",
        "/api/v1/templates/shipped",
        "/api/v1/dead-letters",
        "/api/v1/sandbox/messages",
        keys,
    ] {
        t.get(path).await;
    }
    t.post("/api/v1/tenants", json!({"code": "more", "name": "More"})).await;
    t.call("GET", "/api/v1/notifications", &[("x-tenant-id", "1")], None).await;
    t.post("/api/v1/templates", json!({"code": "shipped"})).await;
    let mine = t
        .post(
            SEND,
            json!({"channel": "sms", "recipient": {"phone": "+441632960961"}, "directContent": {"text": "acme"}}),
        )
        .await;
    let mine = t.settle(&mine).await;
    t.get("/api/v1/sandbox/messages").await;
    t.sign_in(sender["key"].as_str().unwrap());
    t.post(SEND, json!({"channel": "sms", "recipient": {"phone": "+441632960961"}, "directContent": {"text": "test"}}))
        .await;
    t.get("/api/v1/notifications").await;
    t.sign_in("ck_live_0000000000000000000000000000000000000000000");
    t.get("/api/v1/notifications").await;
    t.sign_in("");
    t.get("/api/v1/notifications").await;
    t.sign_back(theirs);

    t.get(&format!("/api/v1/notifications/{mine}")).await;
    t.call("GET", &format!("/api/v1/notifications/{mine}"), &[("x-tenant-id", "acme")], None).await;
    t.call("GET", "/api/v1/notifications", &[("x-tenant-id", "nobody")], None).await;
    t.delete(&format!("{keys}/{}", sender["uuid"].as_str().unwrap())).await;
    t.delete(&format!("{keys}/{}", sender["id"])).await;
    t.delete(&format!("{keys}/424242")).await;
    t.get(keys).await;
    t.delete("/api/v1/tenants/globex").await;
    t.delete("/api/v1/tenants/globex").await;
    t.delete("/api/v1/tenants/1").await;
    t.get("/api/v1/tenants").await;
}

/// The rows: every notification with what it says and what happened to it, and each filter of the list.
async fn lists(t: &mut Transcript, at: &str) {
    let rows = t.pages("/api/v1/notifications?limit=7").await;
    assert!(rows.len() > 20, "{}", rows.len());
    for row in &rows {
        let uuid = row["uuid"].as_str().unwrap();
        t.get(&format!("/api/v1/notifications/{}", row["id"])).await;
        t.get(&format!("/api/v1/notifications/{uuid}/content")).await;
        t.get(&format!("/api/v1/notifications/{uuid}/timeline")).await;
    }
    for filter in [
        "status=sent",
        "status=failed",
        "status=cancelled",
        "status=accepted",
        "status=nonsense",
        "channel=database",
        "channel=pigeon",
        "templateId=shipped",
        "templateId=nothing",
        "recipient=ada@xn--bcher-kva.example",
        "recipient=%2B441632960961",
        "userId=u-1",
        "metadata.orderId=A-1",
        "metadata.orderId=A-2",
        "metadata.batch=1&channel=email",
        "createdBefore=2020-01-01T00:00:00Z",
        "createdAfter=2020-01-01T00:00:00Z&limit=1",
        &format!("createdAfter={at}"),
        "limit=0",
        "limit=201",
        "cursor=nonsense",
        "statos=sent",
        "status=sent&status=sent",
    ] {
        t.get(&format!("/api/v1/notifications?{filter}")).await;
    }
}

async fn sandbox(t: &mut Transcript) {
    let caught = t.pages("/api/v1/sandbox/messages?limit=5").await;
    t.get(&format!("/api/v1/sandbox/messages/{}", caught[0]["id"])).await;
    t.get(&format!("/api/v1/sandbox/messages/{}", caught[0]["notificationUuid"].as_str().unwrap())).await;
    t.get("/api/v1/sandbox/messages/424242").await;
    for filter in ["channel=whatsapp", "recipient=token-1", "since=2099-01-01T00:00:00Z", "sinse=1"] {
        t.get(&format!("/api/v1/sandbox/messages?{filter}")).await;
    }
    t.delete("/api/v1/sandbox/messages").await;
    t.get("/api/v1/sandbox/messages").await;
}
