//! Pages for people: the sandbox inbox at `/sandbox`.
//!
//! Rendered here, without scripts: what a notification holds is shown as the person would see it, and is never trusted.
//! Every text goes through `html::Escaped`; HTML e-mails are shown in a frame that may run nothing and load nothing from
//! us. May use `app` and `auth`; reads through services only, as any other door.

mod html;
mod mail;
mod page;
mod phone;
mod query;
mod session;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::{get, post};
use carillon_app::{App, OpCtx};
use carillon_auth::Authenticator;
use carillon_domain::{Clock, Error, ErrorCode, Ref};
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};

use crate::page::Page;

/// The longest form that is read, in bytes.
const FORM: usize = 8 << 10;

struct Console {
    app: App,
    auth: Authenticator,
    clock: Arc<dyn Clock>,
}

/// The pages. To be mounted at the root, beside the REST door.
pub fn router(app: App, auth: Authenticator, clock: Arc<dyn Clock>) -> Router {
    Router::new()
        .route("/sandbox", get(inbox))
        .route("/sandbox/style.css", get(|| async { page::style() }))
        .route("/sandbox/login", post(login))
        .route("/sandbox/logout", post(logout))
        .route("/sandbox/{id}", get(message))
        .with_state(Arc::new(Console { app, auth, clock }))
}

impl Console {
    /// The person behind the cookie, in their own tenant.
    async fn enter(&self, headers: &HeaderMap) -> Result<OpCtx, Error> {
        let key = session::key(headers).ok_or_else(|| Error::new(ErrorCode::Unauthenticated, "not logged in"))?;
        let principal = self.auth.authenticate(key).await?;
        let tenant = self.auth.tenant(&principal, None).await?;
        let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("console").to_owned();
        Ok(OpCtx { principal, tenant, correlation_id: request_id.clone(), request_id, now: self.clock.now() })
    }
}

async fn inbox(State(console): State<Arc<Console>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let listed = async {
        let ctx = console.enter(&headers).await?;
        let (filter, page) = query::read(query.as_deref().unwrap_or_default())?;
        let listed = console.app.sandbox.sandbox_list(&ctx, &filter, &page).await?;
        Ok(views::inbox(&listed, &filter))
    };
    answer(listed.await, &headers)
}

async fn message(State(console): State<Arc<Console>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let shown = async {
        let ctx = console.enter(&headers).await?;
        let wanted: Ref = id.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
        if matches!(wanted, Ref::Code(_)) {
            return Err(Error::not_found("message"));
        }
        Ok(views::message(&console.app.sandbox.sandbox_get(&ctx, &wanted).await?))
    };
    answer(shown.await, &headers)
}

async fn login(State(console): State<Arc<Console>>, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    if !session::is_same_origin(&headers) {
        return page::error(StatusCode::FORBIDDEN, "This form was sent from another site.");
    }
    let form = Limited::new(body, FORM).collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let key = query::field(&form, "key").unwrap_or_default();
    match console.auth.authenticate(key.trim()).await {
        Ok(_) => session::open(key.trim(), session::is_secure(&headers, &uri)),
        Err(error) => refused(&error, &headers),
    }
}

async fn logout(headers: HeaderMap) -> Response {
    if !session::is_same_origin(&headers) {
        return page::error(StatusCode::FORBIDDEN, "This form was sent from another site.");
    }
    session::close()
}

fn answer(page: Result<Page, Error>, headers: &HeaderMap) -> Response {
    match page {
        Ok(page) => page::html(StatusCode::OK, &page),
        Err(error) => refused(&error, headers),
    }
}

/// Whoever is not logged in sees the form; a key that was given and is not valid is said to be so.
fn refused(error: &Error, headers: &HeaderMap) -> Response {
    let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if error.code == ErrorCode::Unauthenticated {
        let tried = session::key(headers).is_some() || headers.contains_key(http::header::CONTENT_TYPE);
        return page::html(status, &views::login(tried));
    }
    page::error(status, &error.detail)
}
