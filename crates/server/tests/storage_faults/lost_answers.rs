//! A statement was sent and its answer is lost, again and again. It is asked again until it is known whether it
//! is in: nobody hears an error, nothing is doubled, nothing is lost.

use std::time::Duration;

use carillon_testkit::fault_proxy::{Fault, FaultProxy};
use carillon_testkit::process::{Carillon, Client, Launch};
use carillon_testkit::rows::Rows;
use carillon_testkit::scene::{Kind, Scene, start};
use carillon_testkit::sendgrid::Answer;
use serde_json::json;

use super::BINARY;
use super::common::{Heard, Storm};

/// What takes notifications in, what writes their outcomes, and the end of what takes several statements.
const WATCHED: &[&str] = &["INSERT INTO notifications", "DELETE FROM queue", "COMMIT"];

/// A Carillon that speaks to its PostgreSQL through the proxy.
pub(crate) struct Proxied {
    pub(crate) scene: Scene,
    pub(crate) proxy: FaultProxy,
    url: String,
    pub(crate) carillon: Carillon,
    pub(crate) client: Client,
}

impl Proxied {
    pub(crate) async fn new() -> Option<Self> {
        let quickly = |_: &_| Answer::After(Duration::from_millis(5), Box::new(Answer::Accept));
        let scene = Scene::new(BINARY, Kind::Postgres, quickly).await?;
        let Rows::Postgres(database) = scene.rows() else { panic!("it is on PostgreSQL") };
        let mut url = url::Url::parse(&database).unwrap();
        let upstream = url.socket_addrs(|| Some(5432)).unwrap()[0];
        let proxy = FaultProxy::start(upstream, WATCHED).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(proxy.port())).unwrap();
        url.set_query(Some("sslmode=disable"));
        let url = String::from(url);
        let carillon = start(&launch(&scene, &url)).await;
        let client = Client::new(carillon.url(""), carillon.key());
        Some(Self { scene, proxy, url, carillon, client })
    }

    /// How to start one more process on the same database.
    pub(crate) fn launch(&self) -> Launch {
        launch(&self.scene, &self.url)
    }

    pub(crate) async fn end(mut self, heard: &Heard) {
        heard.judge(&self.scene, self.scene.rows(), &self.client, 0).await;
        assert!(self.carillon.until_end(Duration::ZERO).await.is_none(), "{}", self.carillon.output());
        self.carillon.kill();
        self.scene.end().await;
    }
}

fn launch(scene: &Scene, url: &str) -> Launch {
    scene.launch().env("DATABASE_URL", url).env("CARILLON_LEASE_SECONDS", "5")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_lost_and_every_caller_gets_a_202() {
    let Some(proxied) = Proxied::new().await else { return };
    proxied.proxy.set(Fault::LoseAnswers { every: 3 });
    let storm = Storm::start(&proxied.client, 8);
    storm.accepts(150, Duration::from_secs(30)).await;
    let mut heard = storm.stop().await;
    for n in 0..30 {
        let ordered = |body: &mut serde_json::Value| body["orderingKey"] = json!(format!("key{}", n % 3));
        heard.send(&proxied.client, ordered).await;
    }
    proxied.proxy.set(Fault::None);
    assert!(proxied.proxy.lost() > 50, "only {} answers were lost", proxied.proxy.lost());
    assert!(heard.taken.unanswered.is_empty(), "{:?}", heard.refusals);
    proxied.end(&heard).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_cut_in_the_middle_of_a_statement() {
    let Some(proxied) = Proxied::new().await else { return };
    proxied.proxy.set(Fault::CutAfter(30_000));
    let storm = Storm::start(&proxied.client, 8);
    storm.accepts(150, Duration::from_secs(30)).await;
    let heard = storm.stop().await;
    proxied.proxy.set(Fault::None);
    heard.assert_refused_well();
    proxied.end(&heard).await;
}
