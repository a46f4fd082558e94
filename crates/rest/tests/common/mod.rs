//! The door on a real SQLite store. What it accepts goes nowhere: delivery is tested elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use carillon_app::{App, Catalog, Parts};
use carillon_auth::Authenticator;
use carillon_domain::api_key::ApiKeySecret;
use carillon_domain::tenant::KeyKind;
use carillon_domain::time::{SystemClock, SystemEntropy};
use carillon_domain::{Channel, Clock as _, Entropy as _, Error, Role, TenantId};
use carillon_ports::accept::{Acceptor, Submission};
use carillon_ports::tenants::{NewApiKey, NewTenant};
use carillon_ports::work::Accepted;
use carillon_ports::{Account, Accounts};
use carillon_rest::{HealthReport, HealthSource, RestSettings, RestState};
use carillon_store::{Opened, Options, Target};
use carillon_telemetry::{Meters, Prometheus};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

/// A door, its key, and what it stands on.
pub(crate) struct Door {
    router: Router,
    pub(crate) key: String,
    pub(crate) accepted: Arc<Counting>,
    _opened: Opened,
    _folder: tempfile::TempDir,
}

/// Takes everything, keeps nothing.
#[derive(Default)]
pub(crate) struct Counting(AtomicUsize);

impl Counting {
    pub(crate) fn rows(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Acceptor for Counting {
    async fn accept(&self, submission: Submission) -> Result<Accepted, Error> {
        assert!(submission.idempotency.is_none_or(|i| i.key != "panic"), "as asked");
        self.0.fetch_add(submission.items.len(), Ordering::SeqCst);
        Ok(Accepted::Stored { blocked: Vec::new() })
    }

    async fn ids(&self, _count: usize) -> Result<i64, Error> {
        Ok(1)
    }

    fn nudge(&self) {}
}

struct NoAccounts;

impl Accounts for NoAccounts {
    fn choose(&self, _: TenantId, _: Channel, _: KeyKind) -> Arc<Account> {
        unreachable!("nothing is delivered")
    }

    fn all(&self) -> Vec<Arc<Account>> {
        Vec::new()
    }
}

struct Well;

#[async_trait]
impl HealthSource for Well {
    fn ready(&self) -> bool {
        true
    }

    async fn check(&self) -> HealthReport {
        HealthReport::new(true, true)
    }
}

impl Door {
    /// Tenant 1 with a platform administrator's key.
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let opened = carillon_store::open(Options { target: Target::Sqlite { folder: folder.path().to_owned() } });
        let opened = opened.await.unwrap_or_else(|error| panic!("{error}"));
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let secret = ApiKeySecret::generate(&SystemEntropy, KeyKind::Live);
        let at = clock.now();
        let tenant = NewTenant { uuid: entropy.uuid(at), code: "default".into(), name: "Default".into(), at };
        let key = NewApiKey {
            uuid: entropy.uuid(at),
            name: "first".into(),
            kind: KeyKind::Live,
            prefix: secret.prefix().to_owned(),
            hash: secret.hash(),
            roles: vec![Role::PlatformAdmin],
            scopes: None,
            expires_at: None,
            at,
        };
        assert!(opened.store.tenants.first_start(&tenant, &key).await.unwrap());
        let accepted = Arc::new(Counting::default());
        let prometheus = Prometheus::new();
        let app = App::new(Parts {
            store: opened.store.clone(),
            acceptor: accepted.clone(),
            accounts: Arc::new(NoAccounts),
            catalog: Catalog::new(opened.store.templates.clone()),
            clock: clock.clone(),
            entropy: entropy.clone(),
        });
        let router = carillon_rest::router(RestState {
            app,
            auth: Authenticator::new(opened.store.tenants.clone(), clock.clone()),
            meters: Arc::new(Meters::new(&prometheus, 10)),
            prometheus,
            clock,
            entropy,
            health: Arc::new(Well),
            settings: RestSettings { public_url: None, metrics_token: Some("metrics".into()) },
        });
        let key = secret.expose().to_owned();
        Self { router, key, accepted, _opened: opened, _folder: folder }
    }

    /// The door on a port of its own.
    pub(crate) async fn listen(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// A request as it is.
    pub(crate) async fn ask(&self, request: Request<Body>) -> (http::response::Parts, Value) {
        let answer: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
        (parts, value)
    }

    /// A call with the key and, unless it is empty, a JSON body.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path).header("x-api-key", &self.key);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let (parts, value) = self.ask(request.body(Body::from(body.to_owned())).unwrap()).await;
        (parts.status, value)
    }
}
