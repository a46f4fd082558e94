//! What a newcomer meets, with the real binary, on the embedded default and on PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::similar_names,
    clippy::disallowed_methods,
    reason = "a test ends where it is surprised"
)]

use std::time::Duration;

use carillon_testkit::house::House;
use carillon_testkit::on_both_databases;
use carillon_testkit::process::{Client, Launch};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");
/// On PostgreSQL one and a half leases may pass until a dead process is believed to be dead.
const PATIENCE: Duration = Duration::from_secs(20);

fn hello(to: &str) -> Value {
    json!({"channel": "email", "recipient": {"email": to}, "directContent": {"subject": "Hello", "text": "It works."}})
}

async fn the_first_curl_reaches_the_sandbox(house: &House) {
    let (_carillon, client) = house.open();

    let (status, accepted) = client.post("/api/v1/notifications/send", &hello("you@example.com")).await;
    assert_eq!(status, 202, "{accepted}");
    assert_eq!(accepted["status"], "accepted");
    let uuid = accepted["uuid"].as_str().unwrap();
    let sent = client.until_status(uuid, &["sent"], PATIENCE).await;
    assert_eq!((&sent["provider"], &sent["attempts"]), (&json!("sandbox"), &json!(1)), "{sent}");

    let (_, captured) = client.get("/api/v1/sandbox/messages").await;
    assert_eq!(captured["data"][0]["to"], "you@example.com");
    assert_eq!(captured["data"][0]["content"]["text"], "It works.");
    assert_eq!(captured["data"][0]["notificationUuid"], uuid);

    let (_, timeline) = client.get(&format!("/api/v1/notifications/{uuid}/timeline")).await;
    let types: Vec<_> = timeline["data"].as_array().unwrap().iter().map(|entry| entry["type"].clone()).collect();
    assert_eq!(
        types,
        ["notification.requested", "notification.queued", "notification.sending", "notification.sent"].map(Value::from)
    );
}

async fn the_key_is_shown_once_and_the_data_survives_a_restart(house: &House) {
    let mut first = house.launch().start();
    let key = first.key().to_owned();
    let client = Client::new(first.url(""), &key);
    assert_eq!(first.output().matches(&key).count(), 1, "the key is printed once");
    let (_, accepted) = client.post("/api/v1/notifications/send", &hello("you@example.com")).await;
    first.kill();

    let mut second = house.launch().start();
    assert!(!second.output().contains("ck_live_"), "a later start prints no key");
    assert!(second.output().contains("$CARILLON_API_KEY"));
    client.until_status(accepted["uuid"].as_str().unwrap(), &["sent"], PATIENCE).await;
}

async fn a_mistake_is_answered_with_a_pointer_and_nothing_is_stored(house: &House) {
    let (_carillon, client) = house.open();
    for (body, status, code, pointer) in [
        (json!({"channel": "email"}), 422, "validation_failed", "/recipient"),
        (json!({"channel": "emial", "recipient": {}}), 422, "validation_failed", "/channel"),
        (
            json!({"channel": "email", "recipient": {"emial": "a@b.example"}}),
            422,
            "validation_failed",
            "/recipient/emial",
        ),
        (
            json!({"channel": "email", "recipient": {"email": "not an address"}, "template": "welcome"}),
            422,
            "validation_failed",
            "/recipient/email",
        ),
        (
            json!({"channel": "email", "recipient": {"email": "a@b.example"}, "template": "nowhere"}),
            422,
            "validation_failed",
            "/template",
        ),
    ] {
        let (got, problem) = client.post("/api/v1/notifications/send", &body).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{body} → {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} → {problem}");
    }
    let (_, list) = client.get("/api/v1/notifications").await;
    assert_eq!(list["data"], json!([]));
}

async fn the_same_idempotency_key_sends_once(house: &House) {
    let (_carillon, client) = house.open();
    let path = "/api/v1/notifications/send";
    let first = client.try_post(path, &hello("you@example.com"), Some("order-1")).await.unwrap();
    let again = client.try_post(path, &hello("you@example.com"), Some("order-1")).await.unwrap();
    assert_eq!(first, again);
    let (status, problem) = client.try_post(path, &hello("eve@example.com"), Some("order-1")).await.unwrap();
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency_mismatch")));
    let (_, list) = client.get("/api/v1/notifications").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
}

async fn a_template_speaks_the_recipients_language(house: &House) {
    let (_carillon, client) = house.open();
    let (status, template) = client.post("/api/v1/templates", &json!({"code": "shipped", "name": "Shipped"})).await;
    assert_eq!(status, 201, "{template}");
    let version = json!({
        "defaultLocale": "en",
        "variables": [{"name": "order", "required": true}],
        "localizations": {
            "en": {"email": {"subject": "Order {{ order.id }}", "html": "<p>Shipped: {{ order.id }}</p>"}},
            "de": {"email": {"subject": "Bestellung {{ order.id }}", "html": "<p>Versandt: {{ order.id }}</p>"}}
        }
    });
    let (status, draft) = client.post("/api/v1/templates/shipped/versions", &version).await;
    assert_eq!((status, &draft["version"], &draft["status"]), (201, &json!(1), &json!("draft")), "{draft}");
    let (status, published) = client.post("/api/v1/templates/shipped/versions/1/publish", &json!({})).await;
    assert_eq!((status, &published["status"]), (200, &json!("published")), "{published}");

    let mut send = json!({"channel": "email", "recipient": {"email": "ada@example.com"}, "template": "shipped", "locale": "de-CH"});
    let (status, problem) = client.post("/api/v1/notifications/send", &send).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/variables/order")), "{problem}");
    send["variables"] = json!({"order": {"id": "<A&1>"}});
    let (_, accepted) = client.post("/api/v1/notifications/send", &send).await;
    let sent = client.until_status(accepted["uuid"].as_str().unwrap(), &["sent"], PATIENCE).await;
    assert_eq!((&sent["locale"], &sent["templateVersion"]), (&json!("de"), &json!(1)), "{sent}");
    let (_, content) = client.get(&format!("/api/v1/notifications/{}/content", sent["uuid"].as_str().unwrap())).await;
    assert!(content.to_string().contains("Versandt: &lt;A&amp;1&gt;"), "{content}");
}

async fn a_batch_is_answered_item_by_item_and_atomic_refuses_all(house: &House) {
    let (_carillon, client) = house.open();
    let mut batch = json!({"notifications": [hello("a@example.com"), hello("nobody"), hello("c@example.com")]});
    let (status, answer) = client.post("/api/v1/notifications/batch", &batch).await;
    assert_eq!((status, &answer["accepted"], &answer["rejected"]), (202, &json!(2), &json!(1)), "{answer}");
    assert_eq!(answer["results"][1]["error"]["errors"][0]["pointer"], "/notifications/1/recipient/email");
    for index in [0, 2] {
        assert_eq!(answer["results"][index]["index"], index);
        client.until_status(answer["results"][index]["uuid"].as_str().unwrap(), &["sent"], PATIENCE).await;
    }
    batch["atomic"] = json!(true);
    let (status, problem) = client.post("/api/v1/notifications/batch", &batch).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/notifications/1/recipient/email")),
        "{problem}"
    );
}

async fn a_scheduled_notification_waits_can_be_cancelled_and_a_failed_one_replayed(house: &House) {
    let (_carillon, client) = house.open();
    let mut later = hello("you@example.com");
    later["scheduledAt"] = json!("2099-01-01T00:00:00Z");
    let (status, problem) = client.post("/api/v1/notifications/send", &later).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/scheduledAt")), "{problem}");
    later["scheduledAt"] = json!((chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339());
    let (_, accepted) = client.post("/api/v1/notifications/send", &later).await;
    let uuid = accepted["uuid"].as_str().unwrap();
    let (_, waiting) = client.get(&format!("/api/v1/notifications/{uuid}")).await;
    assert_eq!(waiting["status"], "accepted");
    let (status, cancelled) = client.post(&format!("/api/v1/notifications/{uuid}/cancel"), &json!({})).await;
    assert_eq!((status, &cancelled["status"]), (200, &json!("cancelled")), "{cancelled}");

    let (_, accepted) = client.post("/api/v1/notifications/send", &hello("fail@sandbox.example")).await;
    let uuid = accepted["uuid"].as_str().unwrap();
    let failed = client.until_status(uuid, &["failed"], PATIENCE).await;
    assert_eq!(failed["error"]["permanent"], true, "{failed}");
    let (_, letters) = client.get("/api/v1/dead-letters").await;
    assert_eq!(letters["data"].as_array().unwrap().len(), 1, "{letters}");
    let (status, replayed) = client.post(&format!("/api/v1/dead-letters/{uuid}/replay"), &json!({})).await;
    assert_eq!(status, 200, "{replayed}");
    client.until_status(uuid, &["failed"], PATIENCE).await;
    let (status, problem) = client.post(&format!("/api/v1/notifications/{uuid}/cancel"), &json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("invalid_state")));
}

async fn a_tenant_sees_only_its_own_and_a_revoked_key_stops(house: &House) {
    let (_carillon, root) = house.open();
    let (_, accepted) = root.post("/api/v1/notifications/send", &hello("you@example.com")).await;
    let uuid = accepted["uuid"].as_str().unwrap();
    let (status, tenant) = root.post("/api/v1/tenants", &json!({"code": "acme", "name": "Acme"})).await;
    assert_eq!(status, 201, "{tenant}");
    let (status, made) = root.post("/api/v1/tenants/acme/api-keys", &json!({"name": "backend", "kind": "live"})).await;
    assert_eq!(status, 201, "{made}");
    let acme = root.with_key(made["key"].as_str().unwrap());
    let (status, _) = acme.get(&format!("/api/v1/notifications/{uuid}")).await;
    assert_eq!(status, 404);
    let (status, _) = acme.get("/api/v1/tenants/1").await;
    assert_eq!(status, 404);
    let (_, list) = acme.get("/api/v1/notifications").await;
    assert_eq!(list["data"], json!([]));

    let id = made["id"].as_i64().unwrap();
    let (status, _) = root.delete(&format!("/api/v1/tenants/acme/api-keys/{id}")).await;
    assert!(status == 204 || status == 200, "{status}");
    let until = std::time::Instant::now() + PATIENCE;
    while acme.get("/api/v1/notifications").await.0 != 401 {
        assert!(std::time::Instant::now() < until, "the revoked key still works");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn sigterm_ends_it_cleanly_and_a_taken_port_is_one_clear_line(house: &House) {
    let mut carillon = house.launch().start();
    let other = tempfile::tempdir().unwrap();
    let said = Launch::new(BINARY, other.path(), house.port()).try_start().unwrap_err();
    assert!(said.contains(&house.port().to_string()), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("error:")).count(), 1, "{said}");
    carillon.signal(15);
    assert_eq!(carillon.wait(Duration::from_secs(25)), Some(0));
}

async fn a_setting_that_does_not_exist_stops_the_start(house: &House) {
    let said = house.launch().env("CARILLON_LEASE_SECOND", "5").try_start().unwrap_err();
    assert!(said.contains("CARILLON_LEASE_SECOND") && said.contains("CARILLON_LEASE_SECONDS"), "{said}");
}

on_both_databases!(
    the_first_curl_reaches_the_sandbox,
    the_key_is_shown_once_and_the_data_survives_a_restart,
    a_mistake_is_answered_with_a_pointer_and_nothing_is_stored,
    the_same_idempotency_key_sends_once,
    a_template_speaks_the_recipients_language,
    a_batch_is_answered_item_by_item_and_atomic_refuses_all,
    a_scheduled_notification_waits_can_be_cancelled_and_a_failed_one_replayed,
    a_tenant_sees_only_its_own_and_a_revoked_key_stops,
    sigterm_ends_it_cleanly_and_a_taken_port_is_one_clear_line,
    a_setting_that_does_not_exist_stops_the_start,
);
