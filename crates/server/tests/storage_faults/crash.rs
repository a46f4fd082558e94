//! F03: the database dies under load and comes back. The server stays.

use std::time::Duration;

use carillon_testkit::postgres_server::PostgresServer;
use carillon_testkit::process::Client;
use carillon_testkit::rows::Rows;
use carillon_testkit::scene::{Kind, Scene, start};
use carillon_testkit::sendgrid::Answer;

use super::BINARY;
use super::common::{RECOVERY, Storm};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_killed_twice_and_nothing_is_lost() {
    let scene =
        Scene::new(BINARY, Kind::Sqlite, |_| Answer::After(Duration::from_millis(20), Box::new(Answer::Accept)))
            .await
            .unwrap();
    let place = tempfile::tempdir().unwrap();
    let Some(mut server) = PostgresServer::create(place.path(), None).await else { return };
    let mut carillon = start(&scene.launch().env("DATABASE_URL", server.url())).await;
    let client = Client::new(carillon.url(""), carillon.key());

    let storm = Storm::start(&client, 16);
    for _ in 0..2 {
        storm.accepts(200, RECOVERY).await;
        server.kill();
        storm.refuses(100, RECOVERY).await;
        server.start().await;
        storm.accepts(1, RECOVERY).await;
    }
    storm.accepts(100, RECOVERY).await;
    let heard = storm.stop().await;
    assert!(carillon.until_end(Duration::ZERO).await.is_none(), "{}", carillon.output());
    heard.assert_refused_well();
    // The server was never in doubt about what it had sent: it kept the outcomes until they could be written.
    heard.judge(&scene, Rows::Postgres(server.url()), &client, 0).await;
}
