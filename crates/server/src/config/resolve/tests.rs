use std::collections::BTreeMap;
use std::io::Write as _;

use super::{Resolved, Source, Sources, Toml};
use crate::config::table::SETTINGS;
use crate::config::{Config, Mail, show};

fn env(pairs: &[(&str, &str)]) -> Sources {
    let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { flags: BTreeMap::new(), env }
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    let error = Config::load(&env(pairs)).unwrap_err().to_string();
    assert!(!error.contains('\n'), "one line: {error}");
    error
}

fn toml_file(text: &str) -> (tempfile::NamedTempFile, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    (file, path)
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let (_file, path) = toml_file("port = 3003\nhost = \"10.0.0.3\"\nlog = \"debug\"\n");
    let mut sources = env(&[("CARILLON_CONFIG", &path), ("PORT", "3002"), ("HOST", "10.0.0.2")]);
    sources.flags.insert("PORT", "3001".to_owned());
    let values = Resolved::from(&sources).unwrap();
    assert_eq!((values.get("PORT"), values.source("PORT")), (Some("3001"), &Source::Flag("port".to_owned())));
    assert_eq!((values.get("HOST"), values.source("HOST")), (Some("10.0.0.2"), &Source::Env("HOST".to_owned())));
    assert_eq!(values.get("CARILLON_LOG"), Some("debug"));
    assert_eq!(values.source("CARILLON_LOG").to_string(), format!("{path}, key log"));
    assert_eq!((values.get("METRICS_TENANTS"), values.source("METRICS_TENANTS")), (Some("100"), &Source::Default));
}

#[test]
fn a_main_name_beats_its_alias_and_nothing_is_not_a_value() {
    let values = Resolved::from(&env(&[("CARILLON_PORT", "4000"), ("PORT", "5000")])).unwrap();
    assert_eq!(values.get("PORT"), Some("5000"));
    let values = Resolved::from(&env(&[("CARILLON_PORT", "4000"), ("PORT", "")])).unwrap();
    assert_eq!(values.source("PORT"), &Source::Env("CARILLON_PORT".to_owned()));
    assert_eq!(Config::load(&env(&[("SENDGRID_API_KEY", ""), ("SMTP_URL", "smtp://localhost")])).unwrap().port, 3000);
}

#[test]
fn a_secret_can_be_in_a_file() {
    let (_file, path) = toml_file("SG.secret\n");
    let values = Resolved::from(&env(&[("SENDGRID_API_KEY_FILE", &path)])).unwrap();
    assert_eq!(values.get("SENDGRID_API_KEY"), Some("SG.secret"));
    assert_eq!(values.source("SENDGRID_API_KEY").to_string(), "the file in SENDGRID_API_KEY_FILE");
    let error = refusal(&[("SMTP_URL_FILE", "/nowhere/at/all")]);
    assert!(error.contains("SMTP_URL_FILE") && error.contains("/nowhere/at/all"), "{error}");
}

#[test]
fn an_unknown_name_of_ours_is_refused_with_what_may_be_meant() {
    assert_eq!(
        refusal(&[("CARILLON_DATADIR", "/x")]),
        "CARILLON_DATADIR is set in the environment, but there is no such setting (did you mean \"CARILLON_DATA_DIR\"?)"
    );
    Config::load(&env(&[("CARILLON_TEST_X", "1"), ("CARILLON_API_KEY", "k"), ("CARILLON_URL", "u"), ("OTHER", "x")]))
        .unwrap();
    let error = Toml::parse("carillon.toml", "smtp_uri = \"x\"").unwrap_err().to_string();
    assert_eq!(error, "carillon.toml: there is no setting \"smtp_uri\" (did you mean \"smtp_url\"?)");
    let error = Toml::parse("carillon.toml", "port = 1\nhost = ").unwrap_err().to_string();
    assert!(error.starts_with("carillon.toml, line 2:"), "{error}");
    let error = Toml::parse("carillon.toml", "port = [1]").unwrap_err().to_string();
    assert_eq!(error, "carillon.toml: port is not a port, 0 to 65535 but a array");
}

#[test]
fn an_impossible_value_is_refused_with_its_source_and_without_its_secret() {
    assert_eq!(refusal(&[("PORT", "70000")]), "PORT=\"70000\" is not a port, 0 to 65535 (from: environment PORT)");
    let error = refusal(&[("DATABASE_URL", "mysql://u:geheim@h/db")]);
    assert!(error.contains("mysql://u:***@h/db") && error.contains("postgres://…"), "{error}");
    assert!(refusal(&[("DATABASE_URL", "sqlite://x.db")]).contains("CARILLON_DATA_DIR"));
    for (name, value) in [
        ("CARILLON_LEASE_SECONDS", "1"),
        ("CARILLON_ON_UNKNOWN", "drop"),
        ("CARILLON_LOG_FORMAT", "xml"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "A <a@b"),
        ("SMTP_URL", "mail.example.com:25"),
        ("CARILLON_PROVIDER_CONCURRENCY", "0"),
        ("HOST", "a b"),
        ("PUBLIC_URL", "ftp://x"),
    ] {
        assert!(refusal(&[(name, value)]).starts_with(&format!("{name}=")), "{name}");
    }
}

#[test]
fn two_ways_for_one_channel_are_refused_by_name() {
    let error = refusal(&[("SMTP_URL", "smtp://h"), ("SENDGRID_API_KEY", "SG.x")]);
    assert!(error.contains("SMTP_URL (from: environment SMTP_URL) and SENDGRID_API_KEY"), "{error}");
    assert!(!error.contains("SG.x"));
    let config =
        Config::load(&env(&[("SENDGRID_API_KEY", "SG.x"), ("SENDGRID_BASE_URL", "http://localhost:1/")])).unwrap();
    assert!(matches!(config.mail, Mail::SendGrid { base_url, .. } if base_url == "http://localhost:1"));
}

#[test]
fn what_is_shown_holds_no_secret() {
    let sources = env(&[
        ("DATABASE_URL", "postgres://u:geheim@h/db"),
        ("SENDGRID_API_KEY", "geheim"),
        ("METRICS_TOKEN", "geheim"),
        ("REDIS_URL", "redis://:geheim@h"),
        ("TWILIO_AUTH_TOKEN", "geheim"),
        ("KAFKA_BROKERS", "k:9092"),
    ]);
    let values = Resolved::from(&sources).unwrap();
    let shown = show::json(&values).to_string();
    assert!(!shown.contains("geheim") && shown.contains("postgres://u:***@h/db"), "{shown}");
    assert!(shown.contains("not used by this version"));
    let config = Config::from_resolved(&values).unwrap();
    assert_eq!(config.unused, ["REDIS_URL", "KAFKA_BROKERS", "TWILIO_AUTH_TOKEN"]);
    assert!(!format!("{config:?}").contains("geheim"));
}

#[test]
fn names_keys_and_defaults_are_sound() {
    let mut seen = std::collections::BTreeSet::new();
    for setting in SETTINGS {
        for name in std::iter::once(&setting.name).chain(setting.aliases).chain([&setting.key]) {
            assert!(seen.insert(*name), "{name} twice");
        }
        assert!(setting.default.is_none_or(|value| setting.allows(value)), "{} default", setting.name);
        assert!(setting.doc.ends_with('.'), "{}", setting.name);
    }
}
