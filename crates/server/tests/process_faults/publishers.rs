//! F31: many publish versions of one template while it is used. Versions are unique and without gaps, and what a person
//! gets is one published version, whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use carillon_testkit::process::Client;
use carillon_testkit::scene::{Kind, Scene, start};
use carillon_testkit::sendgrid::Answer;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::BINARY;
use crate::common::first_client;

const PUBLISHERS: usize = 50;
const SENDERS: usize = 8;
const SENDS: usize = 25;
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_send_is_one_published_version_on_sqlite() {
    publish_and_send(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_send_is_one_published_version_on_postgresql() {
    publish_and_send(Kind::Postgres).await;
}

async fn publish_and_send(kind: Kind) {
    let sent: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
    let seen = Arc::clone(&sent);
    let script = move |call: &carillon_testkit::sendgrid::Call| {
        seen.lock().unwrap().insert(call.id.clone(), call.mail.clone());
        Answer::Accept
    };
    let Some(scene) = Scene::new(BINARY, kind, script).await else { return };
    let process = start(&scene.launch()).await;
    let client = first_client(&process);
    let (status, template) = client.post("/api/v1/templates", &json!({"code": "news", "name": "News"})).await;
    assert_eq!(status, 201, "{template}");
    let mut published = BTreeMap::from([publish(&client, "first").await]);

    let mut publishers = JoinSet::new();
    for number in 0..PUBLISHERS {
        let client = client.clone();
        publishers.spawn(async move { publish(&client, &format!("by{number}")).await });
    }
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let client = client.clone();
        senders.spawn(async move { send(&client).await });
    }
    while let Some(version) = publishers.join_next().await {
        let (number, word) = version.unwrap();
        assert_eq!(published.insert(number, word), None, "version {number} was given twice");
    }
    let uuids: Vec<String> = senders.join_all().await.concat();

    let numbers: Vec<i64> = published.keys().copied().collect();
    let wanted: Vec<i64> = (1..=i64::try_from(PUBLISHERS + 1).unwrap()).collect();
    assert_eq!(numbers, wanted, "{kind:?}: versions have gaps");
    let mut used = BTreeSet::new();
    for uuid in &uuids {
        let row = client.until_status(uuid, &["sent"], PATIENCE).await;
        let version = row["templateVersion"].as_i64().unwrap();
        let word = &published[&version];
        let mail = sent.lock().unwrap()[uuid].clone();
        let parts: Vec<&str> =
            mail["content"].as_array().unwrap().iter().map(|part| part["value"].as_str().unwrap().trim()).collect();
        assert_eq!(mail["subject"], format!("{word} for Ada"), "{kind:?}: version {version}: {mail}");
        assert_eq!(parts, [format!("{word} as text"), format!("<p>{word} as page</p>")], "{kind:?}: {mail}");
        used.insert(version);
    }
    assert!(used.len() > 1, "{kind:?}: nothing was sent while versions were published");
    println!("{kind:?}: {} sends used {} versions", uuids.len(), used.len());
    scene.end().await;
}

/// Makes a version that says `word` in all its parts, and publishes it; its number and the word.
async fn publish(client: &Client, word: &str) -> (i64, String) {
    let version = json!({
        "defaultLocale": "en",
        "variables": [{"name": "name", "required": true}],
        "localizations": {"en": {"email": {
            "subject": format!("{word} for {{{{ name }}}}"),
            "text": format!("{word} as text"),
            "html": format!("<p>{word} as page</p>"),
        }}},
    });
    let (status, draft) = client.post("/api/v1/templates/news/versions", &version).await;
    assert_eq!(status, 201, "{draft}");
    let number = draft["version"].as_i64().unwrap();
    let (status, done) = client.post(&format!("/api/v1/templates/news/versions/{number}/publish"), &json!({})).await;
    assert_eq!(status, 200, "{done}");
    (number, word.to_owned())
}

async fn send(client: &Client) -> Vec<String> {
    let mut uuids = Vec::new();
    for _ in 0..SENDS {
        let body = json!({
            "channel": "email",
            "recipient": {"email": "ada@example.com"},
            "template": "news",
            "variables": {"name": "Ada"},
        });
        let (status, answer) = client.post("/api/v1/notifications/send", &body).await;
        assert_eq!(status, 202, "{answer}");
        uuids.push(answer["uuid"].as_str().unwrap().to_owned());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    uuids
}
