//! What a person at a terminal does, with the real binary on both sides.

use std::process::Output;

use carillon_testkit::port::free_port;
use carillon_testkit::process::Launch;

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
