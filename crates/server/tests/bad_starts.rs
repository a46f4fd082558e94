//! A start that cannot work ends at once: one clear line, what to do below it, and the documented exit code.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::path::Path;
use std::process::Output;

use carillon_testkit::port::free_port;
use carillon_testkit::postgres_server::PostgresServer;
use carillon_testkit::process::Launch;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");

fn launch(folder: &Path) -> Launch {
    Launch::new(BINARY, &folder.join("data"), free_port().unwrap())
}

/// A start that ends with `code`, says `line` after `error: ` and then one hint or none, and prints no banner.
fn refused(launch: &Launch, code: i32, line: &str) {
    let Err(said) = launch.try_start() else { panic!("it started, instead of: {line}") };
    judge(&said, &format!("(exit status: {code})"), line);
}

fn judge(said: &str, end: &str, line: &str) {
    let lines: Vec<_> = said.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(lines[0].starts_with("error: ") && lines[0].contains(line), "not {line}:\n{said}");
    let hints: Vec<_> = lines[1..].iter().filter(|line| **line != end).collect();
    assert!(hints.len() <= 1 && hints.iter().all(|hint| hint.starts_with("       ")), "{said}");
    assert!(lines.contains(&end), "not {end}:\n{said}");
}

/// The same for a command that always ends.
fn fails(output: &Output, code: i32, line: &str) {
    let said = format!("{}({})", String::from_utf8_lossy(&output.stderr), output.status);
    judge(&said, &format!("(exit status: {code})"), line);
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn what_is_set_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str, value: &str| launch(folder.path()).env(name, value);
    refused(&with("PORT", "abc"), 5, "PORT=\"abc\" is not a port, 0 to 65535 (from: environment PORT)");
    refused(&with("CARILLON_LEASE_SECONDS", "1"), 5, "is not a whole number, 5 to 3600");
    refused(&with("CARILLON_LEASE_SECOND", "10"), 5, "did you mean \"CARILLON_LEASE_SECONDS\"?");
    refused(&with("DATABASE_URL", "mysql://a:geheim@b/c"), 5, "is not a URL postgres://");
    refused(&with("SMTP_URL", "smtp://h?tls=maybe"), 5, "tls is none, opportunistic or required");
    refused(
        &with("METRICS_TOKEN_FILE", "/nowhere"),
        5,
        "cannot read the file \"/nowhere\" that METRICS_TOKEN_FILE names",
    );
    refused(&with("CARILLON_CONFIG", "/nowhere.toml"), 5, "cannot read the settings file");
    refused(&with("HOST", "192.0.2.1"), 1, "cannot listen on 192.0.2.1:");
    let wrong = with("DATABASE_URL", "mysql://a:geheim@b/c").try_start().unwrap_err();
    assert!(!wrong.contains("geheim"), "a password is shown");
    assert!(!folder.path().join("data").exists(), "a refused start leaves nothing behind");
}

#[test]
fn what_stands_in_the_way_of_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let first = launch(folder.path()).start();
    refused(&launch(folder.path()), 1, "is in use by another Carillon process (process ");
    fails(&launch(folder.path()).run(&["migrate"]), 1, "is in use by another Carillon process (process ");
    first.kill();

    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    refused(&launch(&file), 1, "cannot write to the data folder");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    launch(folder.path()).start().kill();
    let file = folder.path().join("data/carillon.db");
    let mut database = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("INSERT INTO seaql_migrations VALUES ('m9999_from_the_future', 0)")
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    let line = "was made by a newer Carillon (it has \"m9999_from_the_future\")";
    refused(&launch(folder.path()), 1, line);
    fails(&launch(folder.path()).run(&["migrate"]), 1, line);
    let doctor = launch(folder.path()).run(&["doctor"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains(line), "{doctor:?}");
}

/// A server of the test's own: its settings and its passwords are played with.
#[tokio::test]
async fn a_postgresql_that_would_lose_data_or_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("postgres");
    std::fs::create_dir(&place).unwrap();
    let Some(server) = PostgresServer::create(&place, None).await else { return };
    let mut admin = PgConnection::connect(&server.url()).await.unwrap();
    let as_who = |who: &str, database: &str| format!("postgres://{who}@127.0.0.1:{}/{database}", server.port());
    let on = |url: String| launch(folder.path()).env("DATABASE_URL", url);
    let fixes = |url: String, fix: &str| {
        let output = on(url).run(&["doctor"]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(fix), "{said}");
    };

    for setting in ["fsync", "synchronous_commit"] {
        tell(&mut admin, &format!("ALTER SYSTEM SET {setting} = off")).await;
        tell(&mut admin, "SELECT pg_reload_conf()").await;
        until(&server.url(), setting, "off").await;
        refused(&on(server.url()), 1, &format!("has {setting} = off: an accepted notification could be lost"));
        fixes(server.url(), &format!("ALTER SYSTEM SET {setting} = on"));
        tell(&mut admin, &format!("ALTER SYSTEM RESET {setting}")).await;
        tell(&mut admin, "SELECT pg_reload_conf()").await;
        until(&server.url(), setting, "on").await;
    }

    tell(&mut admin, "CREATE ROLE app LOGIN PASSWORD 'right'").await;
    fixes(as_who("app:right", "postgres"), "GRANT CREATE ON SCHEMA");
    refused(&on(as_who("app", "nowhere")), 1, "database \"nowhere\" does not exist");
    fixes(as_who("app", "nowhere"), "createdb");

    let rules: String = sqlx::query_scalar("SHOW hba_file").fetch_one(&mut admin).await.unwrap();
    tell(&mut admin, &format!("COPY (SELECT 'host all all 127.0.0.1/32 scram-sha-256') TO '{rules}'")).await;
    tell(&mut admin, "SELECT pg_reload_conf()").await;
    until_refused(&as_who("app:geheim", "postgres")).await;
    let locked_out = on(as_who("app:geheim", "postgres"));
    refused(&locked_out, 1, "password authentication failed for user \"app\"");
    assert!(!locked_out.try_start().unwrap_err().contains("geheim"), "a password is shown");
    fixes(as_who("app:geheim", "postgres"), "correct user and password in DATABASE_URL");

    let nobody = free_port().unwrap();
    refused(&on(format!("postgres://a@127.0.0.1:{nobody}/b")), 1, "cannot reach PostgreSQL at 127.0.0.1");
}

async fn tell(admin: &mut PgConnection, statement: &str) {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(admin).await.unwrap();
}

/// New sessions have the value: a reload takes a moment.
async fn until(url: &str, setting: &str, value: &str) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let mut session = PgConnection::connect(url).await.unwrap();
        let now: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut session).await.unwrap();
        if now == value {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{setting} is still {now}");
    }
}

/// The server has taken up its new rules.
async fn until_refused(url: &str) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while PgConnection::connect(url).await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "everybody is still let in");
    }
}
