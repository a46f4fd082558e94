//! `carillon doctor` finds what would go wrong, says what to do, and sends nothing.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::os::unix::fs::PermissionsExt as _;

use carillon_testkit::certs::Certificate;
use carillon_testkit::ledger::Ledger;
use carillon_testkit::port::free_port;
use carillon_testkit::process::Launch;
use carillon_testkit::sendgrid::{Answer, SendGridStandIn};
use carillon_testkit::smtp::{SmtpSetup, SmtpStandIn};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");

struct Patient {
    folder: tempfile::TempDir,
    launch: Launch,
}

fn patient() -> Patient {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(BINARY, &folder.path().join("data"), free_port().unwrap());
    Patient { launch: launch.env("MAIL_FROM", "Acme <hello@example.com>"), folder }
}

impl Patient {
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.launch = self.launch.env(name, value);
        self
    }

    /// What is found about `name`: grade, sentence, and what to do.
    async fn finding(self, name: &'static str) -> (String, String, String) {
        // The stand-ins live in this process: they must go on while the doctor asks.
        let (launch, _folder) = (self.launch, self.folder);
        let output = tokio::task::spawn_blocking(move || launch.run(&["doctor", "-o", "json"])).await.unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(i32::from(report["ok"] != true)), "{report}");
        let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
        let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
        (text("grade"), text("message"), text("fix"))
    }
}

fn is(found: &(String, String, String), grade: &str, message: &str, fix: &str) {
    assert!(found.0 == grade && found.1.contains(message) && found.2.contains(fix), "{found:?}");
}

#[tokio::test]
async fn a_mail_server_is_asked_as_a_send_would_ask() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::new(folder.path()).unwrap();
    let ca = certificate.cert.to_str().unwrap().to_owned();
    let setup = SmtpSetup {
        starttls: Some(certificate),
        login: Some(("user".to_owned(), "right".to_owned())),
        ..SmtpSetup::default()
    };
    let server = SmtpStandIn::start(setup, Ledger::memory()).unwrap();
    let url = |password: &str| format!("smtp://user:{password}@localhost:{}", server.port());
    let trusting = || patient().with("SMTP_CA_FILE", &ca);

    let good = trusting().with("SMTP_URL", url("right")).finding("e-mail").await;
    is(&good, "ok", "answers over STARTTLS, and the login is accepted", "");
    let wrong = trusting().with("SMTP_URL", url("wrong")).finding("e-mail").await;
    is(&wrong, "bad", "at AUTH", "correct the credentials in SMTP_URL");
    is(
        &patient().with("SMTP_URL", url("right")).finding("e-mail").await,
        "bad",
        "invalid peer certificate",
        "SMTP_CA_FILE",
    );
    let localhost = trusting().with("SMTP_URL", url("right")).with("MAIL_FROM", "noreply@localhost");
    is(&localhost.finding("e-mail").await, "warn", "real servers refuse", "set MAIL_FROM");

    let plain = SmtpStandIn::start(SmtpSetup::default(), Ledger::memory()).unwrap();
    let plain_url = format!("smtp://127.0.0.1:{}?tls=required", plain.port());
    is(&patient().with("SMTP_URL", plain_url).finding("e-mail").await, "bad", "does not offer STARTTLS", "smtps://");
    let nobody = format!("smtp://127.0.0.1:{}", free_port().unwrap());
    is(&patient().with("SMTP_URL", nobody).finding("e-mail").await, "bad", "refused", "correct SMTP_URL");
    assert_eq!((server.received(), plain.received()), (vec![], vec![]), "a doctor sends nothing");
}

#[tokio::test]
async fn sendgrid_is_asked_about_the_key() {
    let sendgrid = SendGridStandIn::start("SG.right", Ledger::memory(), |_| Answer::Accept).unwrap();
    let with = |key: &str| patient().with("SENDGRID_API_KEY", key).with("SENDGRID_BASE_URL", sendgrid.base_url());
    is(&with("SG.right").finding("e-mail").await, "ok", "accepts the key, which may send mail", "");
    let wrong = with("SG.wrong").finding("e-mail").await;
    is(&wrong, "bad", "refuses the key: 401", "correct the credentials in SENDGRID_API_KEY");
    assert!(!wrong.1.contains("SG.wrong"), "{wrong:?}");
    assert_eq!((sendgrid.calls(), sendgrid.refused()), (0, 0), "a doctor sends nothing");
}

#[tokio::test]
async fn folder_port_and_settings_are_looked_at() {
    let open = patient();
    let data = open.folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    is(&open.finding("data folder").await, "warn", "can be read by others (mode 0755)", "chmod 700");
    is(&patient().finding("data folder").await, "ok", "will be made", "");
    let nowhere = patient().with("CARILLON_DATA_DIR", "/proc/nowhere");
    is(&nowhere.finding("data folder").await, "bad", "cannot write to /proc", "CARILLON_DATA_DIR");

    is(&patient().finding("port").await, "ok", "is free", "");
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || other.incoming().take(10).for_each(drop));
    is(&patient().with("PORT", port).finding("port").await, "bad", "something else has", "choose another port");

    let later = patient().with("KAFKA_BROKERS", "localhost:9092");
    is(&later.finding("configuration").await, "warn", "does not use KAFKA_BROKERS", "unset");
    let postgres = patient().with("DATABASE_URL", format!("postgres://a@127.0.0.1:{}/b", free_port().unwrap()));
    is(&postgres.finding("database").await, "bad", "cannot reach PostgreSQL", "start PostgreSQL there");
}
