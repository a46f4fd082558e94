//! What is there before: two tenants with a notification, a dead letter, a caught message and templates each.

use std::time::Duration;

use carillon_testkit::process::Client;
use serde_json::{Value, json};

use crate::case::SEND;

const USED_KEY: &str = "used";
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    /// The platform administrator, at home in tenant 1.
    pub(crate) root: Client,
    /// An administrator of the tenant `acme`.
    pub(crate) acme: Client,
    pub(crate) acme_key: String,
    /// Further keys of `acme`: a viewer, one that may only send, one that may only make keys, a test key, a revoked one.
    pub(crate) viewer: String,
    pub(crate) sender: String,
    pub(crate) key_maker: String,
    pub(crate) tester: String,
    pub(crate) revoked: String,
    /// A cursor of tenant 1's notifications.
    pub(crate) cursor: String,
    /// An idempotency key of tenant 1 that another request has used.
    pub(crate) used_key: &'static str,
    /// Of tenant 1.
    pub(crate) mine: Owned,
    /// Of `acme`.
    pub(crate) theirs: Owned,
}

/// Ids of a tenant's objects.
pub(crate) struct Owned {
    pub(crate) notification: String,
    pub(crate) notification_id: String,
    pub(crate) dead_letter: String,
    pub(crate) template: String,
    pub(crate) template_id: i64,
    pub(crate) key_id: String,
}

impl World {
    pub(crate) async fn make(root: &Client) -> Self {
        made(root, "/api/v1/tenants", json!({"code": "acme", "name": "Acme"})).await;
        let acme_key = key(root, json!({"name": "admin"})).await;
        let acme = root.with_key(&acme_key);
        let (mine, theirs) = (Owned::make(root, "1").await, Owned::make(&acme, "acme").await);
        let revoked = key(&acme, json!({"name": "revoked"})).await;
        revoke(root, &revoked).await;
        let used =
            json!({"channel": "sms", "recipient": {"phone": "+441632960961"}, "directContent": {"text": "used"}});
        let (status, answer) = root.try_post(SEND, &used, Some(USED_KEY)).await.unwrap();
        assert_eq!(status, 202, "{answer}");
        root.until_status(answer["uuid"].as_str().unwrap(), &["sent"], PATIENCE).await;
        let (_, page) = root.get("/api/v1/notifications?limit=1").await;
        Self {
            root: root.clone(),
            viewer: key(&acme, json!({"name": "viewer", "roles": ["viewer"]})).await,
            sender: key(&acme, json!({"name": "sender", "scopes": ["notifications:send"]})).await,
            key_maker: key(&acme, json!({"name": "maker", "scopes": ["api-keys:manage"]})).await,
            tester: key(&acme, json!({"name": "tester", "kind": "test"})).await,
            revoked,
            cursor: page["next"].as_str().unwrap().to_owned(),
            used_key: USED_KEY,
            acme,
            acme_key,
            mine,
            theirs,
        }
    }

    /// All that lists show, in both tenants.
    pub(crate) async fn rows(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        for (client, tenant, template) in
            [(&self.root, "1", &self.mine.template), (&self.acme, "acme", &self.theirs.template)]
        {
            for path in [
                "/api/v1/notifications?limit=200".to_owned(),
                "/api/v1/dead-letters".to_owned(),
                "/api/v1/sandbox/messages".to_owned(),
                "/api/v1/templates".to_owned(),
                format!("/api/v1/templates/{template}/versions"),
                "/api/v1/tenants".to_owned(),
                format!("/api/v1/tenants/{tenant}/api-keys"),
            ] {
                let (status, list) = client.get(&path).await;
                assert_eq!(status, 200, "{path}: {list}");
                rows.push(list);
            }
        }
        rows
    }
}

impl Owned {
    async fn make(client: &Client, tenant: &str) -> Self {
        let template = made(client, "/api/v1/templates", json!({"code": "welcome"})).await;
        let version = json!({
            "defaultLocale": "en",
            "variables": [{"name": "name", "required": true}],
            "localizations": {"en": {"email": {"subject": "Welcome {{ name }}", "text": "Hi {{ name }}"}}},
        });
        made(client, "/api/v1/templates/welcome/versions", version.clone()).await;
        client.post("/api/v1/templates/welcome/versions/1/publish", &json!({})).await;
        made(client, "/api/v1/templates/welcome/versions", version).await;
        made(client, "/api/v1/templates", json!({"code": "draft"})).await;
        let sent = send(client, "ada@example.com", "sent").await;
        let failed = send(client, "fail@sandbox.example", "failed").await;
        let key = made(client, &format!("/api/v1/tenants/{tenant}/api-keys"), json!({"name": "other"})).await;
        Self {
            notification: sent["uuid"].as_str().unwrap().to_owned(),
            notification_id: sent["id"].to_string(),
            dead_letter: failed["uuid"].as_str().unwrap().to_owned(),
            template: template["uuid"].as_str().unwrap().to_owned(),
            template_id: template["id"].as_i64().unwrap(),
            key_id: key["uuid"].as_str().unwrap().to_owned(),
        }
    }
}

/// A key of `acme` with these settings.
async fn key(client: &Client, settings: Value) -> String {
    let key = made(client, "/api/v1/tenants/acme/api-keys", settings).await;
    key["key"].as_str().unwrap().to_owned()
}

/// Revokes a key and waits until that is known everywhere.
async fn revoke(root: &Client, key: &str) {
    let (_, keys) = root.get("/api/v1/tenants/acme/api-keys").await;
    let keys = keys["data"].as_array().unwrap().clone();
    let row = keys.iter().find(|row| row["name"] == "revoked").unwrap();
    let (status, _) = root.delete(&format!("/api/v1/tenants/acme/api-keys/{}", row["id"])).await;
    assert_eq!(status, 204);
    let until = std::time::Instant::now() + PATIENCE;
    while root.with_key(key).get("/api/v1/notifications").await.0 != 401 {
        assert!(std::time::Instant::now() < until, "the revoked key still works");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn made(client: &Client, path: &str, body: Value) -> Value {
    let (status, made) = client.post(path, &body).await;
    assert_eq!(status, 201, "{path}: {made}");
    made
}

async fn send(client: &Client, to: &str, status: &str) -> Value {
    let content = json!({"subject": "Hello", "text": "It works."});
    let body = json!({"channel": "email", "recipient": {"email": to}, "directContent": content});
    let (code, accepted) = client.post(SEND, &body).await;
    assert_eq!(code, 202, "{accepted}");
    client.until_status(accepted["uuid"].as_str().unwrap(), &[status], PATIENCE).await
}
