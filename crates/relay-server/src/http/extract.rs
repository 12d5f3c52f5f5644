//! What handlers take in: bounded JSON bodies, ids in paths, and who is asking.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use chat_core::id::AccountId;
use chat_core::limits::BODY_BYTES_MAX;
use chat_core::reject::{Reject, RejectCode};
use serde::de::DeserializeOwned;

use super::App;
use super::refusal::Refusal;
use crate::limits::{Class, Subject};
use crate::service::{Caller, authenticate};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address at the other end, put into every request by the server.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub SocketAddr);

/// Who asks, as far as the network knows.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The same, for paths that need no log-in: the request counts against the address.
#[derive(Clone, Copy, Debug)]
pub struct From(pub IpAddr);

/// A device that is logged in.
#[derive(Clone, Copy, Debug)]
pub struct Device(pub Caller);

/// A device that is logged in, and moves bytes: these are counted, the request is not.
#[derive(Clone, Copy, Debug)]
pub struct Transferring(pub Caller);

/// An account, by a device or by a token that enrols one.
#[derive(Clone, Copy, Debug)]
pub struct AnyAccount(pub AccountId);

/// An account that is about to enrol a device.
#[derive(Clone, Copy, Debug)]
pub struct Enrolling(pub AccountId);

/// A JSON body of at most [`BODY_BYTES_MAX`].
#[derive(Debug)]
pub struct Body<T>(pub T);

/// An id in the path.
#[derive(Clone, Copy, Debug)]
pub struct Id<T>(pub T);

/// The query, of which unknown parts are passed over.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl FromRequestParts<App> for Peer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        Ok(Self(peer(parts, app)))
    }
}

impl FromRequestParts<App> for From {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let from = peer(parts, app);
        app.services.take(Class::Anonymous, Subject::address(from)).await?;
        Ok(Self(from))
    }
}

impl FromRequestParts<App> for Device {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let caller = authenticate::device(&app.services, bearer(&parts.headers)?).await?;
        count(app, caller.address.account).await?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<App> for Transferring {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        Ok(Self(authenticate::device(&app.services, bearer(&parts.headers)?).await?))
    }
}

impl FromRequestParts<App> for AnyAccount {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let account = authenticate::account(&app.services, bearer(&parts.headers)?).await?;
        count(app, account).await?;
        Ok(Self(account))
    }
}

impl FromRequestParts<App> for Enrolling {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let account = authenticate::enrolling(&app.services, bearer(&parts.headers)?).await?;
        count(app, account).await?;
        Ok(Self(account))
    }
}

async fn count(app: &App, account: AccountId) -> Result<(), Reject> {
    app.services.take(Class::Request, Subject::Account(account)).await
}

/// The client's address: what the nearest proxy of ours has added to the list, or, without one,
/// the other end.
fn peer(parts: &Parts, app: &App) -> IpAddr {
    let peer = parts.extensions.get::<PeerAddress>();
    let peer = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |PeerAddress(address)| address.ip());
    // SECURITY: what stands further to the left was written by the client itself.
    let mut hops = parts.headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = hops.by_ref().filter_map(|value| value.to_str().ok());
    let mut hops = hops.flat_map(|value| value.rsplit(',')).map(|hop| hop.trim().parse());
    let mut client = peer;
    while app.proxies.iter().any(|proxy| proxy.contains(client)) {
        match hops.next() {
            Some(Ok(hop)) => client = hop,
            _ => break,
        }
    }
    client
}

/// The token of the `Authorization` header.
///
/// # Errors
///
/// [`RejectCode::Unauthenticated`] without one.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Reject> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(token.trim())
    } else {
        Err(RejectCode::Unauthenticated.into())
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced: Option<usize> = announced.and_then(|v| v.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
            return Err(RejectCode::TooLarge.into());
        }
        let arriving = to_bytes(request.into_body(), BODY_BYTES_MAX);
        let bytes = tokio::time::timeout(app.timeouts.body(), arriving)
            .await
            .map_err(|_| malformed("it did not arrive in time"))?
            .map_err(|error| match is_length_limit(&error) {
                true => Reject::from(RejectCode::TooLarge),
                false => malformed("it did not arrive"),
            })?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            let text = error.to_string();
            match text.contains("too long for this field") || text.contains("exceed the limit") {
                true => Reject::from(RejectCode::TooLarge),
                false => malformed(&text),
            }
        })?;
        Ok(Self(value))
    }
}

/// The limit's error type is not part of axum's interface; its sentence has to do.
fn is_length_limit(error: &axum::Error) -> bool {
    error.to_string().contains("length limit exceeded")
}

fn malformed(why: &str) -> Reject {
    let why: String = why.chars().take(200).collect();
    Reject::from(RejectCode::Malformed).saying(format!("The body could not be read: {why}."))
}

impl<T: FromStr> FromRequestParts<App> for Id<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, app).await else {
            return Err(RejectCode::NotFound.into());
        };
        let id = text.parse().map_err(|_| {
            Reject::from(RejectCode::NotFound).saying("The path holds something that is no id.")
        })?;
        Ok(Self(id))
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        match Query::<T>::from_request_parts(parts, app).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(_) => Err(Refusal(
                Reject::from(RejectCode::Malformed).saying("The query could not be read."),
            )),
        }
    }
}
