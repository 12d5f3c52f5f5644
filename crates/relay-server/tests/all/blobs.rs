//! Blobs over REST: pieces, ranges, rooms, and whose they are.

use chat_core::api::blobs::{BlobCreated, BlobUpload, NewBlob};
use chat_core::id::BlobId;
use chat_core::reject::{Reject, RejectCode};
use relay_server::config::{BlobLimits, Rates};
use relay_server::testing::TestRelay;
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::people::Person;

const MIB: usize = 1024 * 1024;
/// Not a multiple of a block, so that the last one is shorter.
const SIZE: usize = 3 * MIB + 12_345;

#[tokio::test]
async fn what_was_uploaded_in_pieces_comes_back_whole() {
    let relay = TestRelay::start().await;
    let [alice, bob] = people(&relay).await;
    let bytes = content(SIZE);
    let blob = create(&alice, SIZE).await.unwrap().blob;

    let mut offsets = Vec::new();
    for start in (0..SIZE).step_by(MIB) {
        let end = (start + MIB).min(SIZE);
        offsets.push(put(&alice, blob, start, &bytes[start..end]).await.unwrap().offset);
    }

    assert_eq!(offsets, [MIB, 2 * MIB, 3 * MIB, SIZE].map(|offset| offset as u64));
    let (status, answered) = get(&bob, blob, None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(answered == bytes, "the bytes are not those that were uploaded");
}

#[tokio::test]
async fn a_range_is_answered_with_exactly_that() {
    let relay = TestRelay::start().await;
    let [alice, bob] = people(&relay).await;
    let bytes = content(SIZE);
    let blob = uploaded(&alice, &bytes).await;

    for (range, expected) in [
        ("bytes=0-0", &bytes[..1]),
        ("bytes=65535-65536", &bytes[65_535..65_537]),
        ("bytes=1048570-1048590", &bytes[1_048_570..1_048_591]),
        ("bytes=3145720-", &bytes[3_145_720..]),
        ("bytes=-70000", &bytes[SIZE - 70_000..]),
        ("bytes=65536-131071", &bytes[65_536..131_072]),
    ] {
        let answer = ask(&bob, blob).header("range", range).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let named = answer.headers()["content-range"].to_str().unwrap().to_owned();
        assert!(named.ends_with(&format!("/{SIZE}")), "{named}");
        assert_eq!(answer.headers()["content-length"], expected.len().to_string().as_str());
        assert!(answer.bytes().await.unwrap() == expected, "{range}");
    }
    let beyond = format!("bytes={SIZE}-");
    let answer = ask(&bob, blob).header("range", beyond).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(answer.headers()["content-range"], format!("bytes */{SIZE}").as_str());
    let reject: Reject = answer.json().await.unwrap();
    assert_eq!(reject.code, RejectCode::RangeUnsatisfiable);
}

#[tokio::test]
async fn a_range_of_another_state_is_not_answered_in_part() {
    let relay = TestRelay::start().await;
    let [alice, _] = people(&relay).await;
    let blob = uploaded(&alice, &content(1_000)).await;
    let tag = format!("\"{blob}\"");

    for (known, expected) in [(tag.as_str(), 206), ("\"another\"", 200), ("W/\"weak\"", 200)] {
        let request = ask(&alice, blob).header("range", "bytes=0-9").header("if-range", known);
        assert_eq!(request.send().await.unwrap().status(), expected, "{known}");
    }
}

#[tokio::test]
async fn nobody_interprets_what_a_blob_holds() {
    let relay = TestRelay::start().await;
    let [alice, bob] = people(&relay).await;
    let blob = uploaded(&alice, b"<script>alert(1)</script>").await;

    let answer = ask(&bob, blob).send().await.unwrap();

    for (name, expected) in [
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'"),
        ("cache-control", "no-store"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(answer.headers()[name], expected);
    }
}

#[tokio::test]
async fn a_piece_begins_where_the_upload_stands_or_before() {
    let relay = TestRelay::start().await;
    let [alice, _] = people(&relay).await;
    let (old, new) = (content(MIB), vec![7; MIB]);
    let blob = create(&alice, MIB).await.unwrap().blob;
    put(&alice, blob, 0, &old[..300_000]).await.unwrap();
    put(&alice, blob, 300_000, &old[300_000..900_000]).await.unwrap();

    let ahead = put(&alice, blob, 900_001, &old[900_001..]).await.unwrap_err();
    let stands = upload(&alice, blob).await.unwrap();
    let earlier = put(&alice, blob, 400_001, &new[..500_000]).await.unwrap();
    let complete = put(&alice, blob, 900_001, &old[900_001..]).await.unwrap();
    let late = put(&alice, blob, 0, &new).await.unwrap_err();

    assert_eq!((ahead.code, ahead.offset), (RejectCode::WrongOffset, Some(900_000)));
    assert_eq!(stands, BlobUpload { offset: 900_000, bytes: MIB as u64 });
    assert_eq!(earlier.offset, 900_001);
    assert_eq!(complete.offset, complete.bytes);
    assert_eq!((late.code, late.offset), (RejectCode::WrongOffset, Some(MIB as u64)));
    let (_, answered) = get(&alice, blob, None).await;
    let expected = [&old[..400_001], &new[..500_000], &old[900_001..]].concat();
    assert!(answered == expected, "the later piece did not take the place of the earlier one");
}

#[tokio::test]
async fn a_piece_that_does_not_fit_is_refused_before_it_comes() {
    let relay = TestRelay::start().await;
    let [alice, bob] = people(&relay).await;
    let blob = create(&alice, 200_000).await.unwrap().blob;

    let too_long = put(&alice, blob, 0, &content(200_001)).await.unwrap_err();
    let too_short = put(&alice, blob, 0, &content(65_535)).await.unwrap_err();
    let nothing = put(&alice, blob, 0, &[]).await.unwrap_err();
    let huge = put(&alice, blob, 0, &content(4 * MIB + 1)).await.unwrap_err();
    let somebody = put(&bob, blob, 0, &content(100_000)).await.unwrap_err();

    assert_eq!(too_long.code, RejectCode::TooLarge);
    assert_eq!(too_short.code, RejectCode::Malformed);
    assert_eq!(nothing.code, RejectCode::Malformed);
    assert_eq!(huge.code, RejectCode::TooLarge);
    assert_eq!(somebody.code, RejectCode::NotFound);
    assert_eq!(upload(&alice, blob).await.unwrap().offset, 0);
}

#[tokio::test]
async fn an_unfinished_blob_is_its_uploaders_only() {
    let relay = TestRelay::start().await;
    let [alice, bob] = people(&relay).await;
    let blob = create(&alice, 200_000).await.unwrap().blob;
    put(&alice, blob, 0, &content(100_000)).await.unwrap();

    let (theirs, _) = get(&bob, blob, None).await;
    let (ours, beginning) = get(&alice, blob, None).await;
    let nobody = reqwest::get(format!("{}/v1/blobs/{blob}", relay.url())).await.unwrap();

    assert_eq!(theirs, StatusCode::NOT_FOUND);
    assert_eq!((ours, beginning.len()), (StatusCode::OK, 100_000));
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(upload(&bob, blob).await.unwrap_err().code, RejectCode::NotFound);
}

#[tokio::test]
async fn a_blob_goes_with_its_uploaders_word_only() {
    let relay = TestRelay::start().await;
    let [alice, bob] = people(&relay).await;
    let blob = uploaded(&alice, &content(1_000)).await;

    let theirs = delete(&bob, blob).await;
    let ours = delete(&alice, blob).await;
    let again = delete(&alice, blob).await;

    assert_eq!(theirs, StatusCode::NOT_FOUND);
    assert_eq!((ours, again), (StatusCode::NO_CONTENT, StatusCode::NOT_FOUND));
    assert_eq!(get(&bob, blob, None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nothing_is_begun_that_would_not_fit() {
    let limits =
        BlobLimits { mebibytes_a_blob: 2, mebibytes_an_account: 3, mebibytes_a_workspace: None };
    let relay = TestRelay::builder().blob_limits(limits).start().await;
    let [alice, bob] = people(&relay).await;

    let too_large = create(&alice, 2 * MIB + 1).await.unwrap_err();
    let first = create(&alice, 2 * MIB).await.unwrap();
    let too_much = create(&alice, MIB + 1).await.unwrap_err();
    let none = create(&alice, 0).await.unwrap_err();

    assert_eq!(too_large.code, RejectCode::TooLarge);
    assert_eq!(too_much.code, RejectCode::QuotaExceeded);
    assert_eq!(none.code, RejectCode::Malformed);
    assert!(create(&alice, MIB).await.is_ok());
    assert!(create(&bob, 2 * MIB).await.is_ok(), "everybody has room of their own");
    assert_eq!(delete(&alice, first.blob).await, StatusCode::NO_CONTENT);
    assert!(create(&alice, 2 * MIB).await.is_ok());
}

#[tokio::test]
async fn bytes_are_counted_in_both_directions() {
    let rates = Rates { blob_mebibytes_a_quarter_hour: 2, ..Rates::GENEROUS };
    let relay = TestRelay::builder().rates(rates).start().await;
    let [alice, bob] = people(&relay).await;
    let blob = uploaded(&alice, &content(MIB + 65_536)).await;

    let limited = put(&alice, create(&alice, MIB).await.unwrap().blob, 0, &content(MIB)).await;
    let (first, _) = get(&bob, blob, None).await;
    let (second, _) = get(&bob, blob, None).await;

    let limited = limited.unwrap_err();
    assert_eq!(limited.code, RejectCode::RateLimited);
    assert!(limited.retry_after_ms.is_some_and(|wait| wait > 0));
    assert_eq!((first, second), (StatusCode::OK, StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn a_flipped_bit_is_never_served() {
    let relay = TestRelay::start().await;
    let [alice, bob] = people(&relay).await;
    let bytes = content(200_000);
    let blob = uploaded(&alice, &bytes).await;
    let object = only_object(&relay);
    let whole = std::fs::read(&object).unwrap();

    for place in [0, 65_535, 65_536, 65_552, 140_000, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[place] ^= 0x10;
        std::fs::write(&object, flipped).unwrap();

        let answer = ask(&bob, blob).send().await.unwrap();
        if answer.status() == StatusCode::OK {
            assert!(answer.bytes().await.is_err(), "the flipped byte {place} was served");
        } else {
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
    std::fs::write(&object, &whole[..whole.len() - 20]).unwrap();
    assert!(ask(&bob, blob).send().await.unwrap().bytes().await.is_err(), "it ends early");
    let metrics = relay.relay().metrics();
    assert!(metrics.contains("sealwire_blobs_damaged_total 7"), "{metrics}");
}

#[tokio::test]
async fn a_piece_that_breaks_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::builder().data(folder.path()).start().await;
    let [alice, _] = people(&relay).await;
    let blob = create(&alice, MIB).await.unwrap().blob;
    put(&alice, blob, 0, &content(100_000)).await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(relay.address()).await.unwrap();
    let head = format!(
        "PUT /v1/blobs/{blob}?offset=100000 HTTP/1.1\r\nhost: relay\r\n\
         authorization: Bearer {}\r\ncontent-length: 900000\r\n\r\n",
        alice.tokens.access
    );

    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &content(500_000)).await.unwrap();
    drop(stream);
    let stands = upload(&alice, blob).await.unwrap();
    relay.stop().await;

    assert_eq!(stands.offset, 100_000);
    let spooled = std::fs::read_dir(folder.path().join("blobs/spool")).unwrap().count();
    assert_eq!(spooled, 0, "what came of it was deleted");
}

async fn people(relay: &TestRelay) -> [Person; 2] {
    [Person::register(relay, "alice").await, Person::register(relay, "bob").await]
}

async fn create(person: &Person, bytes: usize) -> Result<BlobCreated, Reject> {
    person.post("/v1/blobs", &NewBlob { bytes: bytes as u64 }).await
}

async fn upload(person: &Person, blob: BlobId) -> Result<BlobUpload, Reject> {
    person.get(&format!("/v1/blobs/{blob}/upload")).await
}

async fn uploaded(person: &Person, bytes: &[u8]) -> BlobId {
    let blob = create(person, bytes.len()).await.unwrap().blob;
    let done = put(person, blob, 0, bytes).await.unwrap();
    assert_eq!(done.offset, done.bytes);
    blob
}

async fn put(
    person: &Person,
    blob: BlobId,
    offset: usize,
    bytes: &[u8],
) -> Result<BlobUpload, Reject> {
    let request = request(person, Method::PUT, &format!("{blob}?offset={offset}"));
    let answer = request.body(bytes.to_vec()).send().await.unwrap();
    if answer.status().is_success() {
        return Ok(answer.json().await.unwrap());
    }
    Err(answer.json().await.unwrap())
}

fn ask(person: &Person, blob: BlobId) -> RequestBuilder {
    request(person, Method::GET, &blob.to_string())
}

async fn get(person: &Person, blob: BlobId, range: Option<&str>) -> (StatusCode, Vec<u8>) {
    let mut request = ask(person, blob);
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap().to_vec())
}

async fn delete(person: &Person, blob: BlobId) -> StatusCode {
    request(person, Method::DELETE, &blob.to_string()).send().await.unwrap().status()
}

fn request(person: &Person, method: Method, rest: &str) -> RequestBuilder {
    let url = format!("{}/v1/blobs/{rest}", person.rest.url);
    reqwest::Client::new().request(method, url).bearer_auth(&person.tokens.access)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from((place / 7 + place * 31) % 251).unwrap()).collect()
}

/// The file of the only object there is.
fn only_object(relay: &TestRelay) -> std::path::PathBuf {
    let shards = std::fs::read_dir(relay.folder().join("blobs/objects")).unwrap();
    let mut files: Vec<_> = shards
        .flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1);
    files.remove(0)
}
