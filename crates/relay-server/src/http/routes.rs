//! A router that knows what it routes.
//!
//! ```text
//!  Routes::new().route(path, methods)…  ─┬─▶ into_router()   serves
//!                                        ├─▶ paths()         is what tests go through
//!                                        └─▶ operations()    is what the OpenAPI document says
//! ```
//!
//! The authorisation matrix in `tests/all/matrix.rs` asks every path with every method as somebody
//! who may and as everybody who may not; a path without a row there fails it.

use axum::Router;

use super::App;
use super::described::{Methods, Operation};

/// Paths with their handlers.
#[derive(Debug, Default)]
pub struct Routes {
    router: Router<App>,
    paths: Vec<&'static str>,
    operations: Vec<Operation>,
}

impl Routes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path, as [`Router::route`] does.
    #[must_use]
    pub fn route(mut self, path: &'static str, methods: Methods) -> Self {
        let (router, operations) = methods.at(path);
        self.router = self.router.route(path, router);
        self.paths.push(path);
        self.operations.extend(operations);
        self
    }

    /// Every path, as it was added: `/v1/accounts/{account}/keys`.
    #[must_use]
    pub fn paths(&self) -> &[&'static str] {
        &self.paths
    }

    /// What each takes and gives, method by method, in the order in which they were added.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// What serves them.
    pub fn into_router(self) -> Router<App> {
        self.router
    }
}
