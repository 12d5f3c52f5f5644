//! `/v1/blobs…`: JSON about blobs, and their bytes as they are.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chat_core::api::blobs::{BlobCreated, BlobUpload, KeptBlobs, NewBlob, PieceQuery};
use chat_core::id::BlobId;
use chat_core::limits::BLOB_PIECE_BYTES_MAX;
use chat_core::reject::{Reject, RejectCode};
use futures_util::{StreamExt as _, stream};
use schemars::SchemaGenerator;

use super::App;
use super::described::{Answered, BYTES, Description, Input, Output};
use super::extract::{Asked, Body as Json_, Device, Id, Transferring};
use super::range::{self, Wanted};
use super::refusal::{Answer, Refusal};
use crate::blobs::BlobError;
use crate::blobs::depot::Reading;
use crate::service::Caller;
use crate::service::blobs::{self, Incoming};

/// Where a blob is.
pub(super) const PATH: &str = "/v1/blobs/{blob}";
/// How long a piece may take to come; four times as long as 4 MiB take at 112 kbit/s.
pub(super) const PIECE_MAX: Duration = Duration::from_secs(1_200);
/// How long nothing of it may come.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// `POST /v1/blobs`.
///
/// # Errors
///
/// As [`blobs::create`].
pub async fn create(
    State(app): State<App>,
    Device(caller): Device,
    Json_(new): Json_<NewBlob>,
) -> Answer<Json<BlobCreated>> {
    app.check_ready()?;
    Ok(Json(blobs::create(&app.services, caller, new).await?))
}

/// `GET /v1/blobs/{blob}/upload`.
///
/// # Errors
///
/// As [`blobs::upload`].
pub async fn upload(
    State(app): State<App>,
    Device(caller): Device,
    Id(blob): Id<BlobId>,
) -> Answer<Json<BlobUpload>> {
    Ok(Json(blobs::upload(&app.services, caller, blob).await?))
}

/// A body that is taken in as it comes.
#[derive(Debug)]
pub struct Octets {
    announced: u64,
    body: BodyDataStream,
}

impl FromRequest<App> for Octets {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &App) -> Result<Self, Refusal> {
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|value| value.to_str().ok()?.parse().ok());
        let announced = announced.ok_or_else(|| incomplete("The piece's length must be known."))?;
        Ok(Self { announced, body: request.into_body().into_data_stream() })
    }
}

impl Input for Octets {
    fn describe(description: &mut Description, _: &mut SchemaGenerator) {
        description.body = Some((BYTES, None));
    }
}

/// `PUT /v1/blobs/{blob}?offset=…`.
///
/// # Errors
///
/// As [`Incoming`].
pub async fn put(
    State(app): State<App>,
    Transferring(caller): Transferring,
    Id(blob): Id<BlobId>,
    Asked(PieceQuery { offset }): Asked<PieceQuery>,
    Octets { announced, mut body }: Octets,
) -> Answer<Json<BlobUpload>> {
    app.check_ready()?;
    match take_in(&app, caller, blob, offset, announced, &mut body).await {
        Ok(stands) => Ok(Json(stands)),
        Err(reject) => {
            // Who is still sending does not listen: the refusal would be lost with the connection.
            drain(&mut body).await;
            Err(reject.into())
        }
    }
}

async fn take_in(
    app: &App,
    caller: Caller,
    blob: BlobId,
    offset: u64,
    announced: u64,
    body: &mut BodyDataStream,
) -> Result<BlobUpload, Reject> {
    let mut incoming = Incoming::begin(&app.services, caller, blob, offset, announced).await?;
    loop {
        let next = tokio::time::timeout(IDLE_MAX, body.next()).await;
        match next.map_err(|_| incomplete("The piece did not come in time."))? {
            None => return incoming.finish(&app.services).await,
            Some(Ok(bytes)) => incoming.write(&bytes).await?,
            Some(Err(_)) => return Err(incomplete("The piece did not come whole.")),
        }
    }
}

/// Reads what is left of a body, if it is not more than a piece may be twice over.
async fn drain(body: &mut BodyDataStream) {
    let mut left = usize::try_from(2 * BLOB_PIECE_BYTES_MAX).unwrap_or(usize::MAX);
    while let Ok(Some(Ok(bytes))) = tokio::time::timeout(IDLE_MAX, body.next()).await {
        match left.checked_sub(bytes.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

fn incomplete(sentence: &str) -> Reject {
    Reject::from(RejectCode::Malformed).saying(sentence)
}

/// Bytes of a blob, on their way out.
#[derive(Debug)]
pub struct Served(Response);

impl IntoResponse for Served {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for Served {
    fn describe(description: &mut Description, _: &mut SchemaGenerator) {
        for status in [200, 206] {
            let answered = Answered { status: Some(status), media: Some(BYTES), schema: None };
            description.answers.push(answered);
        }
    }
}

/// `GET /v1/blobs/{blob}`, whole or in part.
///
/// # Errors
///
/// As [`blobs::read`]; [`RejectCode::RangeUnsatisfiable`].
pub async fn get(
    State(app): State<App>,
    Transferring(caller): Transferring,
    Id(blob): Id<BlobId>,
    headers: HeaderMap,
) -> Answer<Served> {
    let found = blobs::readable(&app.services, caller, blob).await?;
    let tag = format!("\"{blob}\"");
    let wanted = wanted(&headers, &tag, found.stored);
    let total = found.stored;
    let (status, range) = match wanted {
        Wanted::All => (StatusCode::OK, 0..total),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => return Ok(Served(unsatisfiable(total))),
    };
    let mut reading = blobs::read(&app.services, caller, blob, range.clone()).await?;
    // What is missing or damaged at its beginning can still be told.
    let first =
        reading.next().await.inspect_err(|error| note(&app, *error)).map_err(Reject::from)?;
    let length = range.end - range.start;
    let mut response = (status, Body::from_stream(bytes(app, first, reading))).into_response();
    let fields = response.headers_mut();
    for (name, text) in [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::ETAG, &tag),
        (header::CONTENT_LENGTH, &length.to_string()),
    ] {
        fields.insert(name, field(text));
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let last = range.end - 1;
        let text = format!("bytes {}-{last}/{total}", range.start);
        fields.insert(header::CONTENT_RANGE, field(&text));
    }
    Ok(Served(response))
}

/// The range that is asked for, unless it is asked for only of another state of the blob.
fn wanted(headers: &HeaderMap, tag: &str, total: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::RANGE), text(header::IF_RANGE)) {
        (Some(range), None) => range::read(range, total),
        (Some(range), Some(known)) if known == tag => range::read(range, total),
        _ => Wanted::All,
    }
}

fn unsatisfiable(total: u64) -> Response {
    let mut response = Refusal(RejectCode::RangeUnsatisfiable.into()).into_response();
    let text = format!("bytes */{total}");
    response.headers_mut().insert(header::CONTENT_RANGE, field(&text));
    response
}

/// Digits, hexadecimal digits and words of this file.
fn field(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// Block after block; an error ends the connection, so that nobody takes the beginning for all.
fn bytes(
    app: App,
    first: Option<Bytes>,
    reading: Reading,
) -> impl stream::Stream<Item = Result<Bytes, BlobError>> {
    stream::unfold((app, first, Some(reading)), async |(app, first, reading)| {
        let mut reading = reading?;
        let next = match first {
            Some(first) => Ok(Some(first)),
            None => reading.next().await,
        };
        match next {
            Ok(None) => None,
            Ok(Some(bytes)) => {
                app.services.metrics.blobs.bytes_out.add(bytes.len() as u64);
                Some((Ok(bytes), (app, None, Some(reading))))
            }
            Err(error) => {
                note(&app, error);
                Some((Err(error), (app, None, None)))
            }
        }
    })
}

fn note(app: &App, error: BlobError) {
    if matches!(error, BlobError::Missing | BlobError::Damaged) {
        app.services.metrics.blobs.damaged.add(1);
    }
}

/// `DELETE /v1/blobs/{blob}`.
///
/// # Errors
///
/// As [`blobs::delete`].
pub async fn delete(
    State(app): State<App>,
    Device(caller): Device,
    Id(blob): Id<BlobId>,
) -> Answer<StatusCode> {
    blobs::delete(&app.services, caller, blob).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/account/kept-blobs`.
///
/// # Errors
///
/// As [`blobs::kept`].
pub async fn kept(State(app): State<App>, Device(caller): Device) -> Answer<Json<KeptBlobs>> {
    Ok(Json(blobs::kept(&app.services, caller).await?))
}

/// `PUT /v1/account/kept-blobs`.
///
/// # Errors
///
/// As [`blobs::keep`].
pub async fn keep(
    State(app): State<App>,
    Device(caller): Device,
    Json_(new): Json_<KeptBlobs>,
) -> Answer<StatusCode> {
    blobs::keep(&app.services, caller, &new).await?;
    Ok(StatusCode::NO_CONTENT)
}
