//! A router that knows what it routes.
//!
//! ```text
//!  Routes::new().route(path, methods)…  ─┬─▶ into_router()   serves
//!                                        └─▶ paths()         is what tests go through
//! ```
//!
//! The authorisation matrix in `tests/all/matrix.rs` asks every path with every method as somebody
//! who may and as everybody who may not; a path without a row there fails it.

use axum::Router;
use axum::routing::MethodRouter;

use super::App;

/// Paths with their handlers.
#[derive(Debug)]
pub struct Routes {
    router: Router<App>,
    paths: Vec<&'static str>,
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl Routes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { router: Router::new(), paths: Vec::new() }
    }

    /// Adds a path, as [`Router::route`] does.
    #[must_use]
    pub fn route(mut self, path: &'static str, methods: MethodRouter<App>) -> Self {
        self.router = self.router.route(path, methods);
        self.paths.push(path);
        self
    }

    /// Every path, as it was added: `/v1/accounts/{account}/keys`.
    #[must_use]
    pub fn paths(&self) -> &[&'static str] {
        &self.paths
    }

    /// What serves them.
    pub fn into_router(self) -> Router<App> {
        self.router
    }
}
