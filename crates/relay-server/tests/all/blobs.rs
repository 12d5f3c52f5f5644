//! Blobs over REST: pieces, ranges, rooms, and whose they are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat_core::api::backup::{BackupHead, SegmentPage};
use chat_core::api::blobs::{BlobCreated, BlobUpload, NewBlob};
use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::id::BlobId;
use chat_core::reject::{Reject, RejectCode};
use relay_server::clock::{Clock as _, ManualClock, SystemClock};
use relay_server::config::{BlobLimits, Rates};
use relay_server::testing::TestRelay;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::people::{NOW, Person};

/// In milliseconds.
const DAY: u64 = 86_400_000;
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

#[tokio::test]
async fn a_message_takes_its_blobs_along() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let [alice, bob] = people(&relay).await;
    let chat = alice.direct(&bob).await;
    let named = uploaded(&alice, &content(100_000)).await;
    let unnamed = uploaded(&alice, &content(1_000)).await;
    let mut message = alice.message(&chat, &[&bob]);
    message.header.expiry = Some(Expiry { mode: ExpiryMode::AfterSent, after_ms: 3 * DAY });
    let mut socket = alice.connect_idle().await;
    let envelope = message.seal();

    let missing = BlobId::from_bytes([9; 16]);
    let refused = socket.send_naming(&envelope, &[named, missing]).await.unwrap_err();
    let accepted = socket.send_naming(&envelope, &[named]).await;
    let after = async |days: u64| {
        clock.set(NOW.after(Duration::from_millis(days * DAY)));
        relay.relay().sweep().await.unwrap();
        relay.relay().collect_blobs().await.unwrap();
        let objects = files(&relay).len();
        (ask_status(&bob, named, &relay).await, ask_status(&bob, unnamed, &relay).await, objects)
    };

    assert_eq!(refused.code, RejectCode::BlobMissing);
    assert_eq!(accepted, Ok(1));
    assert_eq!(after(0).await, (200, 200, 2));
    assert_eq!(after(2).await, (200, 404, 1), "nothing names the second");
    assert_eq!(after(3).await, (404, 404, 0), "it went with its message");
}

#[tokio::test]
async fn what_a_crash_left_is_swept_after_a_day() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let [alice, bob] = people(&relay).await;
    let blob = uploaded(&alice, &content(1_000)).await;
    alice.put("/v1/account/kept-blobs", &json!({ "blobs": [blob] })).await.unwrap();
    let orphan = relay.folder().join("blobs/objects/00/00112233445566778899aabbccddeeff");
    let spooled = relay.folder().join("blobs/spool/00112233445566778899aabbccddeeff");
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    for left in [&orphan, &spooled] {
        std::fs::write(left, b"left behind").unwrap();
    }

    let too_early = relay.relay().sweep_orphans().await;
    clock.advance(Duration::from_secs(2 * 86_400));
    let late = relay.relay().sweep_orphans().await;

    assert_eq!((too_early, late), (Ok(0), Ok(1)));
    assert!(!orphan.exists() && !spooled.exists());
    relay.relay().collect_blobs().await.unwrap();
    assert_eq!(ask_status(&bob, blob, &relay).await, 200, "the account keeps it");
}

#[tokio::test]
async fn a_backup_is_a_head_and_blobs_that_it_keeps() {
    let relay = TestRelay::start().await;
    let [alice, _] = people(&relay).await;
    let path = "/v1/account/backup";
    let segments = [uploaded(&alice, b"one").await, uploaded(&alice, b"two").await];
    let head = |number: u64, last: u64, brought: &[(u64, BlobId)]| {
        let brought: Vec<_> =
            brought.iter().map(|(n, it)| json!({"number": n, "blob": it})).collect();
        json!({
            "number": number, "backup": BlobId::from_bytes([1; 16]), "first": 1, "last": last,
            "head": "AAAA", "segments": brought,
        })
    };

    let none = alice.get::<BackupHead>(path).await.unwrap_err();
    alice.put(path, &head(1, 1, &[(1, segments[0])])).await.unwrap();
    alice.put(path, &head(2, 2, &[(2, segments[1])])).await.unwrap();
    let repeated = alice.put(path, &head(2, 2, &[(2, segments[1])])).await;
    let lost = alice.put(path, &head(2, 3, &[(3, segments[0])])).await.unwrap_err();
    let nonsense = alice.put(path, &head(0, 0, &[])).await.unwrap_err();

    assert_eq!(none.code, RejectCode::NotFound);
    assert_eq!(repeated, Ok(()));
    assert_eq!((lost.code, nonsense.code), (RejectCode::Conflict, RejectCode::Malformed));
    let stored: BackupHead = alice.get(path).await.unwrap();
    assert_eq!((stored.number, stored.last), (2, 2));
    let page: SegmentPage = alice.get("/v1/account/backup/segments?before=2").await.unwrap();
    assert_eq!(page.segments[0].blob, segments[0]);
    assert!(!page.more);
}

async fn ask_status(person: &Person, blob: BlobId, relay: &TestRelay) -> u16 {
    // The clock may have moved past the end of the token.
    let tokens = person.log_in_by_device(relay.url()).await.unwrap();
    let url = format!("{}/v1/blobs/{blob}", relay.url());
    let request = reqwest::Client::new().get(url).bearer_auth(tokens.access);
    request.send().await.unwrap().status().as_u16()
}

async fn people(relay: &TestRelay) -> [Person; 2] {
    [Person::register(relay, "alice").await, Person::register(relay, "bob").await]
}

pub async fn create(person: &Person, bytes: usize) -> Result<BlobCreated, Reject> {
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

pub async fn put(
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

pub async fn get(person: &Person, blob: BlobId, range: Option<&str>) -> (StatusCode, Vec<u8>) {
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

pub fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from((place / 7 + place * 31) % 251).unwrap()).collect()
}

/// The file of the only object there is.
fn only_object(relay: &TestRelay) -> PathBuf {
    let mut files = files(relay);
    assert_eq!(files.len(), 1);
    files.remove(0)
}

/// The files of all objects.
fn files(relay: &TestRelay) -> Vec<PathBuf> {
    let shards = std::fs::read_dir(relay.folder().join("blobs/objects")).unwrap();
    let shards = shards.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
    shards.map(|file| file.unwrap().path()).collect()
}
