//! What a person at a terminal does, with the real binary on both sides.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::process::{Command, Output, Stdio};

use carillon_testkit::port::free_port;
use carillon_testkit::process::{Carillon, Launch};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn templates_travel_and_a_send_is_watched_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(BINARY, &folder.path().join("data"), free_port().unwrap());
    let carillon = launch.start();
    let here = launch.clone().env("CARILLON_API_KEY", carillon.key());
    let run = |line: &str| here.run(&line.split(' ').collect::<Vec<_>>());
    let ok = |line: &str| {
        let output = run(line);
        assert!(output.status.success(), "{line}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };

    let (there, back) = (folder.path().join("there"), folder.path().join("back"));
    std::fs::create_dir(&there).unwrap();
    let file = r#"{"code":"welcome","name":"Welcome","version":{"defaultLocale":"en","variables":[{"name":"name","required":true}],
        "localizations":{"en":{"email":{"subject":"Hi {{ name }}","text":"Welcome"}}}}}"#;
    std::fs::write(there.join("welcome.json"), file).unwrap();
    let push = format!("template push {} --publish", there.display());
    assert_eq!(ok(&push), "welcome: made, version 1 (published)\n");
    assert_eq!(ok(&push), "welcome: unchanged, version 1 (published)\n");
    ok(&format!("template pull {}", back.display()));
    assert_eq!(ok(&format!("template push {}", back.display())), "welcome: unchanged, version 1 (published)\n");

    let watched = ok("send email you@example.com --template welcome --var name=Ada --watch");
    assert!(watched.starts_with("accepted ") && watched.contains("\nsent "), "{watched}");
    assert!(watched.contains("/sandbox/"), "{watched}");

    let typo = run("send email you@example.com --template welcom");
    assert_eq!(typo.status.code(), Some(3));
    assert!(said(&typo).contains("(did you mean \"welcome\"?)"), "{}", said(&typo));
    assert!(said(&typo).contains("[validation_failed /template]"), "{}", said(&typo));

    let failed = run("send email fail@sandbox.example --text x --subject x --watch");
    assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
    assert!(ok("notification list --status failed").contains("fail@sandbox.example"));
    assert_eq!(ok("dead-letter replay --since 1h"), "replayed 1, refused 0\n");
    assert!(ok("health -o json").contains("\"status\":\"ok\""));

    carillon.kill();
    assert_eq!(run("health").status.code(), Some(4));
}

/// A running server, and a way to call commands that know it.
struct House {
    carillon: Carillon,
    here: Launch,
    _folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let launch = Launch::new(BINARY, &folder.path().join("data"), free_port().unwrap());
        let carillon = launch.start();
        let here = launch.env("CARILLON_API_KEY", carillon.key());
        Self { carillon, here, _folder: folder }
    }

    fn run(&self, line: &str) -> Output {
        self.here.run(&line.split(' ').collect::<Vec<_>>())
    }

    /// The last line of a command that succeeds, as JSON.
    fn json(&self, line: &str) -> Value {
        let output = self.run(&format!("{line} -o json"));
        assert!(output.status.success(), "{line}: {}", said(&output));
        let printed = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(printed.lines().last().unwrap())
            .unwrap_or_else(|error| panic!("{line}: {error}: {printed}"))
    }

    /// What a command says that ends with `code`.
    fn fails(&self, line: &str, code: i32) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(code), "{line}: {}", said(&output));
        assert!(output.stdout.is_empty(), "errors go to standard error: {}", said(&output));
        String::from_utf8(output.stderr).unwrap()
    }

    /// What a command prints on a terminal nine hours east of Greenwich.
    fn on_a_terminal(&self, line: &str, environment: &[(&str, &str)]) -> String {
        let output = Command::new("script")
            .args(["-qec", &format!("{BINARY} {line}"), "/dev/null"])
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .env("TZ", "JST-9")
            .env("CARILLON_URL", self.carillon.url(""))
            .env("CARILLON_API_KEY", self.carillon.key())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", said(&output));
        said(&output)
    }
}

#[test]
fn every_command_speaks_json() {
    let house = House::new();
    assert_eq!(house.json("tenant create acme")["code"], "acme");
    assert_eq!(house.json("tenant list")["data"][1]["code"], "acme");
    let key = house.json("api-key create shop --tenant acme --role send --expires-in 90d");
    assert!(key["key"].as_str().unwrap().starts_with("ck_live_"), "{key}");
    assert_eq!(house.json("api-key list --tenant acme")["data"][0]["name"], "shop");
    house.json(&format!("api-key revoke {} --tenant acme", key["id"]));
    assert!(house.json("api-key list --tenant acme")["data"][0]["revokedAt"].is_string());

    let sent = house.json("send sms +441632960961 --text Hi");
    let uuid = sent["uuid"].as_str().unwrap();
    assert_eq!(house.json(&format!("notification watch {uuid}"))["type"], "notification.sent");
    let shown = house.json(&format!("notification get {uuid}"));
    assert_eq!((&shown["status"], &shown["timeline"][0]["type"]), (&"sent".into(), &"notification.requested".into()));
    assert!(shown["createdAt"].as_str().unwrap().ends_with('Z'), "{shown}");
    assert_eq!(house.json("notification list --channel sms --since 1h")["data"][0]["uuid"], uuid);
    let later = house.json("send email you@example.com --subject S --text T --at 1h --key once");
    assert_eq!(house.json(&format!("notification cancel {}", later["id"]))["status"], "cancelled");

    assert_eq!(house.run("send email bounce@sandbox.example --subject S --text T --watch").status.code(), Some(1));
    let letter = house.json("dead-letter list --reason permanent --provider sandbox")["data"][0].clone();
    assert_eq!(house.json(&format!("dead-letter get {}", letter["id"]))["uuid"], letter["uuid"]);
    assert_eq!(house.json("dead-letter replay --all")["replayed"], 1);
    assert_eq!(house.json("template list")["data"], Value::Array(vec![]));
    assert_eq!(house.json("config")["settings"][0]["name"], "PORT");
    assert_eq!(house.json("doctor")["ok"], true);
    assert_eq!(house.json("health")["status"], "ok");
    assert_eq!(serde_json::from_slice::<Value>(&house.run("openapi").stdout).unwrap()["openapi"], "3.1.0");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = house.run(&format!("completions {shell}"));
        assert!(script.status.success() && said(&script).contains("dead-letter"), "{shell}");
    }
}

#[test]
fn a_mistake_is_met_with_the_next_command() {
    let house = House::new();
    let next = |line: &str, code: i32, words: &[&str]| {
        let said = house.fails(line, code);
        assert!(said.starts_with("error: ") && words.iter().all(|word| said.contains(word)), "{line}: {said}");
    };
    next("sned email you@example.com", 2, &["a similar subcommand exists: 'send'"]);
    next("send emial you@example.com --text x", 2, &["(did you mean \"email\"?)"]);
    next("send sms 1", 2, &["say what to send: --template CODE"]);
    next("send sms +441632960961 --text x --at tomorrow", 2, &["a span from now such as 30m"]);
    next("notification list --status faild", 3, &["did you mean \"failed\"?", "[validation_failed /status]"]);
    next("notification get 999", 3, &["no such notification", "`carillon notification list`"]);
    next("dead-letter get 999", 3, &["`carillon dead-letter list`"]);
    next("dead-letter replay", 2, &["--all"]);
    next("tenant create default", 3, &["[conflict"]);
    next("template push /nowhere", 1, &["/nowhere"]);
    next("notification list --api-key ck_live_nonsense", 3, &["set CARILLON_API_KEY or --api-key"]);
    next(
        "notification list --url http://127.0.0.1:1",
        4,
        &["cannot reach Carillon at http://127.0.0.1:1", "carillon serve"],
    );
    next("notification list --url nonsense", 2, &["is not the URL of a server"]);
}

#[test]
fn colours_and_the_readers_zone_are_for_terminals() {
    let house = House::new();
    let sent = house.json("send sms +441632960961 --text Hi");
    house.json(&format!("notification watch {}", sent["id"]));
    let utc = sent["createdAt"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let local = (utc + chrono::TimeDelta::hours(9)).format("%Y-%m-%d %H:%M:%S").to_string();

    let shown = house.on_a_terminal("notification get 1", &[]);
    assert!(shown.contains(&local) && shown.contains("\u{1b}[32msent"), "{shown}");
    let plain = house.on_a_terminal("notification get 1", &[("NO_COLOR", "1")]);
    assert!(plain.contains(&local) && !plain.contains("\u{1b}["), "{plain}");
    let json = house.on_a_terminal("notification get 1 -o json", &[]);
    assert!(json.contains(sent["createdAt"].as_str().unwrap()) && !json.contains("\u{1b}["), "{json}");
    let piped = said(&house.run("notification get 1"));
    assert!(piped.contains(sent["createdAt"].as_str().unwrap()) && !piped.contains("\u{1b}["), "{piped}");
}

#[test]
fn a_wrong_setting_ends_with_its_own_code_and_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(BINARY, folder.path(), free_port().unwrap());
    let wrong = launch.clone().env("CARILLON_LEASE_SECOND", "10").run(&["serve"]);
    assert_eq!(wrong.status.code(), Some(5));
    assert!(said(&wrong).starts_with("error: CARILLON_LEASE_SECOND is set"), "{}", said(&wrong));
    assert!(said(&wrong).contains("did you mean \"CARILLON_LEASE_SECONDS\"?"), "{}", said(&wrong));
    assert_eq!(launch.run(&["serve", "--nonsense"]).status.code(), Some(2));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = Launch::new(BINARY, folder.path(), port).run(&["serve"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains(&format!("cannot listen on 127.0.0.1:{port}")), "{}", said(&refused));
}
