use carillon_store::{OpenError, Options, Target, migrate, open};
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::common::{Db, drop_database, empty_database};

const NEWER: &str = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";

#[tokio::test]
async fn a_data_folder_belongs_to_one_process() {
    let db = Db::sqlite().await;
    assert!(db.opened.fresh);
    assert!(db.opened.description.ends_with("carillon.db"));
    let Target::Sqlite { folder } = &db.target else { unreachable!() };
    let error = open(Options { target: db.target.clone() }).await.err().unwrap();
    assert!(matches!(&error, OpenError::Locked { process: Some(number), .. } if *number == std::process::id()));
    assert!(error.to_string().contains("in use by another Carillon process"), "{error}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder), mode(&folder.join("carillon.db"))), (0o700, 0o600));
    }
    let (target, folder) = (db.target.clone(), folder.clone());
    drop(db.store);
    let carillon_store::Opened { store, guard, .. } = db.opened;
    drop(store);
    guard.close().await;
    let again = open(Options { target: target.clone() }).await.unwrap();
    assert!(!again.fresh);
    drop(again.store);
    again.guard.close().await;
    // a database of a later version is left alone
    let file = format!("sqlite://{}", folder.join("carillon.db").display());
    SqliteConnection::connect(&file).await.unwrap().execute(NEWER).await.unwrap();
    let error = open(Options { target }).await.err().unwrap();
    assert!(error.to_string().contains("made by a newer Carillon"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = open(Options { target: Target::Sqlite { folder: file.join("data") } }).await.err().unwrap();
    assert!(error.to_string().starts_with("cannot write to the data folder "), "{error}");
}

#[tokio::test]
async fn an_absent_server_is_named_without_its_password() {
    let url = "postgres://ada:s3cret@127.0.0.1:1/carillon".to_owned();
    let error = open(Options { target: Target::Postgres { url, max_connections: 4 } }).await.err().unwrap();
    assert!(error.to_string().starts_with("cannot reach PostgreSQL at 127.0.0.1:1/carillon: "), "{error}");
    let url = "postgres://ada:s3cret@127.0.0.1:x/carillon".to_owned();
    let target = Target::Postgres { url, max_connections: 4 };
    assert!(!format!("{target:?}").contains("s3cret"));
    let error = open(Options { target }).await.err().unwrap();
    assert!(matches!(error, OpenError::Url { .. }));
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_on_postgres_all_succeed() {
    let Some((url, admin, name)) = empty_database("processes_that_start_together_on_postgres_all_succeed").await else {
        return;
    };
    let target = Target::Postgres { url: url.clone(), max_connections: 4 };
    let starts: Vec<_> = (0..4).map(|_| tokio::spawn(migrate(Options { target: target.clone() }))).collect();
    let mut fresh = 0;
    for start in starts {
        fresh += i32::from(start.await.unwrap().unwrap());
    }
    assert_eq!(fresh, 1);
    let opened = open(Options { target: target.clone() }).await.unwrap();
    assert!(!opened.fresh);
    assert!(opened.description.starts_with("PostgreSQL 1"), "{}", opened.description);
    drop(opened.store);
    opened.guard.close().await;

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let months: Vec<(String,)> = sqlx::query_as(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'notifications'::regclass ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(
        months.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(),
        ["notifications_p0", "notifications_p1", "notifications_p2"]
    );

    connection.execute(NEWER).await.unwrap();
    let error = migrate(Options { target: target.clone() }).await.err().unwrap();
    assert!(matches!(error, OpenError::Newer { .. }), "{error}");

    connection
        .execute(sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} SET synchronous_commit = off")))
        .await
        .unwrap();
    let error = open(Options { target }).await.err().unwrap();
    assert!(matches!(error, OpenError::NotDurable { setting: "synchronous_commit", .. }), "{error}");
    drop(connection);
    drop_database(&admin, &name).await;
}
