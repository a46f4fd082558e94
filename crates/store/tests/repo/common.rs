//! A database of its own for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use carillon_domain::principal::TenantScope;
use carillon_domain::tenant::{KeyKind, Tenant};
use carillon_domain::{Action, Clock as _, Entropy as _, Principal, Role, TenantId, Timestamp, time};
use carillon_ports::Store;
use carillon_ports::tenants::{NewApiKey, NewTenant};
use carillon_store::{Opened, Options, Target, open};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// Runs a promise on SQLite, and on PostgreSQL where there is one.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::common::Db::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(db) = $crate::common::Db::postgres(stringify!($name)).await else { return };
                super::$name(&db).await;
                db.close().await;
            })*
        }
    };
}

pub(crate) struct Db {
    pub(crate) store: Store,
    pub(crate) opened: Opened,
    pub(crate) target: Target,
    home: Home,
}

enum Home {
    Folder { _folder: TempDir },
    Server { admin: String, name: String },
}

impl Db {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Sqlite { folder: folder.path().join("data") };
        Self::over(target, Home::Folder { _folder: folder }).await
    }

    pub(crate) async fn postgres(test: &str) -> Option<Self> {
        let (url, admin, name) = empty_database(test).await?;
        Some(Self::over(Target::Postgres { url, max_connections: 12 }, Home::Server { admin, name }).await)
    }

    async fn over(target: Target, home: Home) -> Self {
        let opened = open(Options { target: target.clone() }).await.unwrap();
        Self { store: opened.store.clone(), opened, target, home }
    }

    pub(crate) async fn close(self) {
        drop(self.store);
        self.opened.guard.close().await;
        if let Home::Server { admin, name } = self.home {
            drop_database(&admin, &name).await;
        }
    }

    /// A tenant of its own.
    pub(crate) async fn tenant(&self, code: &str) -> (Tenant, TenantScope) {
        let tenant = self.store.tenants.tenant_create(&new_tenant(code)).await.unwrap();
        let scope = scope(tenant.id);
        (tenant, scope)
    }
}

/// An empty database on the test server: its URL, the server's URL, and its name.
pub(crate) async fn empty_database(test: &str) -> Option<(String, String, String)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Ok(admin) = std::env::var("CARILLON_TEST_POSTGRES") else {
        assert!(std::env::var("CARILLON_TEST_REQUIRE").is_err(), "{test} needs CARILLON_TEST_POSTGRES");
        println!("LEFT OUT: {test} on PostgreSQL needs CARILLON_TEST_POSTGRES");
        return None;
    };
    let name = format!("carillon_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (server, _) = admin.rsplit_once('/').unwrap();
    Some((format!("{server}/{name}"), admin.clone(), name))
}

pub(crate) async fn drop_database(admin: &str, name: &str) {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    connection.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
}

pub(crate) fn now() -> Timestamp {
    time::SystemClock.now()
}

pub(crate) fn uuid() -> Uuid {
    time::SystemEntropy.uuid(now())
}

pub(crate) fn scope(tenant: TenantId) -> TenantScope {
    Principal::system(tenant).scope(Action::TemplateEdit, tenant).unwrap()
}

pub(crate) fn new_tenant(code: &str) -> NewTenant {
    NewTenant { uuid: uuid(), code: code.to_owned(), name: code.to_uppercase(), at: now() }
}

pub(crate) fn new_key(fill: u8) -> NewApiKey {
    NewApiKey {
        uuid: uuid(),
        name: "ci".to_owned(),
        kind: KeyKind::Test,
        prefix: "ck_test_abcd".to_owned(),
        hash: [fill; 32],
        roles: vec![Role::Send, Role::Viewer],
        scopes: Some(vec!["notifications:send".to_owned()]),
        expires_at: Some(now()),
        at: now(),
    }
}
