//! Routes that describe themselves: what a handler takes and gives stands in its types.
//!
//! ```text
//!  .route("/v1/prekeys", get(prekeys::count).put(prekeys::put))
//!             │                    │
//!             │                    └─ (State, Device, Body<PrekeyUpload>) -> Answer<StatusCode>
//!             ▼                                       ▼          ▼                   ▼
//!         the router            Operation: bearer token, JSON body, 204 or a refusal
//! ```
//!
//! [`get`], [`post`], [`put`], [`patch`] and [`delete`] stand where axum's would, so a route
//! cannot be served without being in the document, nor the other way round. A type that a handler
//! takes or gives has to be [`Input`] or [`Output`]; the compiler asks for it. What no type says is
//! a sentence for people: [`super::sentences`].

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::ExtensionRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::MethodRouter;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::App;
use super::extract::{AnyAccount, Asked, Body, Device, Enrolling, From, Id, Peer, Transferring};
use super::refusal::Refusal;

/// What an operation takes and gives.
#[derive(Debug, Default)]
pub struct Description {
    /// Whether a bearer token is asked for.
    pub bearer: bool,
    /// The parts of the path that vary, in their order.
    pub path: Vec<Schema>,
    /// An object; each property is a parameter of the query.
    pub query: Option<Schema>,
    /// The body: its media type, and what it looks like if it is JSON.
    pub body: Option<(&'static str, Option<Schema>)>,
    /// What is answered, by status.
    pub answers: Vec<Answered>,
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// Its status; none for every other one.
    pub status: Option<u16>,
    /// Its media type, if there is a body.
    pub media: Option<&'static str>,
    /// What the body looks like, if it is JSON.
    pub schema: Option<Schema>,
}

/// JSON.
pub const JSON: &str = "application/json";
/// Bytes that the relay does not look into.
pub const BYTES: &str = "application/octet-stream";

/// One method of one path.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// In lower case, as OpenAPI has it.
    pub method: &'static str,
    /// With `{names}` for what varies.
    pub path: &'static str,
    /// The handler, as `module::function`.
    pub handler: &'static str,
    describe: Describe,
}

type Describe = fn(&mut Description, &mut SchemaGenerator);

impl Operation {
    /// What it takes and gives; types with a name go into `schemas`.
    #[must_use]
    pub fn describe(&self, schemas: &mut SchemaGenerator) -> Description {
        let mut description = Description::default();
        (self.describe)(&mut description, schemas);
        description
    }
}

/// A part of a request, or something that a handler gets from elsewhere.
#[diagnostic::on_unimplemented(
    message = "the API's document does not know what the extractor `{Self}` stands for",
    note = "implement `http::described::Input` for it (bodies and ids: derive `JsonSchema`)"
)]
pub trait Input {
    /// Adds what it asks for.
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator);
}

/// What a handler returns.
#[diagnostic::on_unimplemented(
    message = "the API's document does not know what the answer `{Self}` looks like",
    note = "implement `http::described::Output` for it (bodies: derive `JsonSchema`)"
)]
pub trait Output {
    /// Adds what it answers.
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator);
}

/// A handler all of whose parts are known.
#[diagnostic::on_unimplemented(
    message = "this handler cannot describe itself",
    note = "each of its arguments must be `http::described::Input` and what it returns `Output`; \
            a body of chat-core needs \
            `#[cfg_attr(feature = \"schema\", derive(schemars::JsonSchema))]`"
)]
pub trait Described<T>: Handler<T, App> {
    /// Adds what its arguments ask for and what it answers.
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator);
}

macro_rules! described {
    ($marker:ty; $($input:ident)*) => {
        impl<F, Fut, R, M, $($input),*> Described<$marker> for F
        where
            F: Handler<$marker, App> + FnOnce($($input),*) -> Fut,
            Fut: Future<Output = R>,
            R: Output,
            $($input: Input),*
        {
            fn describe(description: &mut Description, schemas: &mut SchemaGenerator) {
                $($input::describe(description, schemas);)*
                R::describe(description, schemas);
            }
        }
    };
}

described!((M, A,); A);
described!((M, A, B,); A B);
described!((M, A, B, C,); A B C);
described!((M, A, B, C, D,); A B C D);
described!((M, A, B, C, D, E,); A B C D E);
described!((M, A, B, C, D, E, G,); A B C D E G);

impl<F, Fut, R> Described<((),)> for F
where
    F: Handler<((),), App> + FnOnce() -> Fut,
    Fut: Future<Output = R>,
    R: Output,
{
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator) {
        R::describe(description, schemas);
    }
}

/// The methods of a path.
#[derive(Debug)]
pub struct Methods {
    router: MethodRouter<App>,
    operations: Vec<(&'static str, &'static str, Describe)>,
}

impl Methods {
    /// What serves them, and what each takes and gives at `path`.
    pub fn at(self, path: &'static str) -> (MethodRouter<App>, Vec<Operation>) {
        let described = |(method, handler, describe)| Operation { method, path, handler, describe };
        (self.router, self.operations.into_iter().map(described).collect())
    }
}

macro_rules! methods {
    ($($name:ident)*) => {
        $(
            #[doc = concat!("A path's handler of `", stringify!($name), "`.")]
            pub fn $name<H: Described<T>, T: 'static>(handler: H) -> Methods {
                Methods { router: MethodRouter::new(), operations: Vec::new() }.$name(handler)
            }
        )*

        impl Methods {
            $(
                #[doc = concat!("And its handler of `", stringify!($name), "`.")]
                #[must_use]
                pub fn $name<H: Described<T>, T: 'static>(mut self, handler: H) -> Self {
                    let name = std::any::type_name::<H>();
                    self.operations.push((stringify!($name), short(name), H::describe));
                    Self { router: self.router.$name(handler), ..self }
                }
            )*
        }
    };
}

methods! { get post put patch delete }

/// `module::function` of a function's full name.
fn short(name: &'static str) -> &'static str {
    let function = name.rfind("::").unwrap_or_default();
    let module = name.get(..function).and_then(|modules| modules.rfind("::"));
    module.and_then(|at| name.get(at + 2..)).unwrap_or(name)
}

macro_rules! asks_nothing {
    ($($input:ty),* $(,)?) => {
        $(impl Input for $input {
            fn describe(_: &mut Description, _: &mut SchemaGenerator) {}
        })*
    };
}

asks_nothing! {
    State<App>,
    HeaderMap,
    Peer,
    From,
    Option<Extension<Arc<crate::admission::Admitted>>>,
    Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    Result<Extension<Arc<crate::admission::Admitted>>, ExtensionRejection>,
}

macro_rules! asks_a_token {
    ($($input:ty),*) => {
        $(impl Input for $input {
            fn describe(description: &mut Description, _: &mut SchemaGenerator) {
                description.bearer = true;
            }
        })*
    };
}

asks_a_token!(Device, AnyAccount, Enrolling, Transferring);

impl<T: JsonSchema> Input for Id<T> {
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator) {
        description.path.push(schemas.subschema_for::<T>());
    }
}

impl<T: JsonSchema> Input for Asked<T> {
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator) {
        description.query = Some(T::json_schema(schemas));
    }
}

impl<T: JsonSchema> Input for Body<T> {
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator) {
        description.body = Some((JSON, Some(schemas.subschema_for::<T>())));
    }
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator) {
        let schema = Some(schemas.subschema_for::<T>());
        description.answers.push(Answered { status: Some(200), media: Some(JSON), schema });
    }
}

/// A handler without a body to give answers 204.
impl Output for StatusCode {
    fn describe(description: &mut Description, _: &mut SchemaGenerator) {
        description.answers.push(Answered { status: Some(204), media: None, schema: None });
    }
}

/// What answers with a status of its own is either well, or not there.
impl<T: JsonSchema> Output for (StatusCode, Json<T>) {
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator) {
        for status in [200, 503] {
            let schema = Some(schemas.subschema_for::<T>());
            description.answers.push(Answered { status: Some(status), media: Some(JSON), schema });
        }
    }
}

impl<T: Output> Output for Result<T, Refusal> {
    fn describe(description: &mut Description, schemas: &mut SchemaGenerator) {
        T::describe(description, schemas);
        let schema = Some(schemas.subschema_for::<chat_core::reject::Reject>());
        description.answers.push(Answered { status: None, media: Some(JSON), schema });
    }
}
