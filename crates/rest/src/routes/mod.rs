//! The routes, one file per resource. Each is mounted together with its description.

pub(crate) mod dead_letters;
mod notifications;
pub(crate) mod outside;
mod sandbox;
mod swagger;
pub(crate) mod templates;
pub(crate) mod tenants;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};

use crate::Shared;
use crate::openapi::Operation;

/// Routes and their descriptions.
pub(crate) struct Routes {
    pub(crate) router: Router<Shared>,
    pub(crate) operations: Vec<Operation>,
}

impl Routes {
    /// Mounts `handler` where `operation` says.
    fn add<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        let method = MethodFilter::try_from(operation.method.clone()).unwrap_or(MethodFilter::GET);
        self.router = self.router.route(operation.path, on(method, handler));
        self.operations.push(operation);
        self
    }
}

/// All of them.
pub(crate) fn all() -> Routes {
    let mut routes = Routes { router: Router::new(), operations: Vec::new() };
    for mount in
        [notifications::mount, dead_letters::mount, templates::mount, tenants::mount, sandbox::mount, outside::mount]
    {
        routes = mount(routes);
    }
    routes.router = swagger::mount(routes.router);
    routes
}
