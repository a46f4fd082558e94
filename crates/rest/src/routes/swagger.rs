//! Swagger UI at `/api`, from files that are part of the program.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{any, get};
use carillon_domain::Error;
use http::header;
use utoipa_swagger_ui::Config;

use super::outside;
use crate::Shared;
use crate::problem::Problem;

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // A validator elsewhere would learn where we are.
    let config = Config::from("/api/openapi.json").validator_url("none");
    Arc::new(config.try_it_out_enabled(true).persist_authorization(false).display_request_duration(true))
});

/// Unknown paths under `/api/v1` stay problems: the files are not asked for them.
pub(super) fn mount(router: Router<Shared>) -> Router<Shared> {
    router
        .route("/api", get(|| async { Redirect::permanent("/api/") }))
        .route("/api/", get(|| file(Path(String::new()))))
        .route("/api/{*file}", get(file))
        .route("/api/v1/{*unknown}", any(outside::unknown))
}

async fn file(Path(path): Path<String>) -> Result<Response, Problem> {
    let found = utoipa_swagger_ui::serve(&path, Arc::clone(&CONFIG));
    let found = found.map_err(|error| Error::internal(error.to_string()))?;
    let file = found.ok_or_else(|| Error::not_found("file"))?;
    let bytes = file.bytes.into_owned();
    let mut response = ([(header::CONTENT_TYPE, file.content_type)], bytes).into_response();
    if file.gzpipped {
        response.headers_mut().insert(header::CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
