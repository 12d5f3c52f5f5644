//! HTTP/1.1 as attackers send it: requests that two readers would cut in different places, and
//! clients that take their time (RFC 9112).

use std::time::Duration;

use relay_server::testing::TestRelay;
use tokio::time::Instant;

use crate::raw::Raw;

/// A path that takes a body.
const PATH: &str = "/v1/auth/login/start";
/// What an attacker hides behind a body, to be taken for a request of the next user.
const HIDDEN: &str = "GET /v1/limits HTTP/1.1\r\nhost: relay\r\n\r\n";

/// The status of each response until the relay hangs up.
async fn statuses(relay: &TestRelay, request: &str) -> Vec<u16> {
    let mut raw = Raw::connect(relay.url()).await;
    raw.send(request.as_bytes()).await;
    let said = String::from_utf8_lossy(&raw.rest().await).into_owned();
    said.match_indices("HTTP/1.1 ")
        .filter_map(|(at, _)| said.get(at + 9..at + 12)?.parse().ok())
        .collect()
}

#[tokio::test]
async fn a_length_that_is_no_number_or_not_the_only_one_is_refused() {
    let relay = TestRelay::start().await;

    for lengths in [
        "content-length: 2\r\ncontent-length: 40",
        "content-length: 2, 40",
        "content-length: +2",
        "content-length: -1",
        "content-length: 0x2",
        "content-length: 2 2",
        "content-length: 99999999999999999999",
        "content-length:",
    ] {
        let request =
            format!("POST {PATH} HTTP/1.1\r\nhost: relay\r\n{lengths}\r\n\r\n{{}}{HIDDEN}");

        assert_eq!(statuses(&relay, &request).await, [400], "{lengths}");
    }
}

/// RFC 9112 §6.1: whoever sends both is served one request at most on this connection.
#[tokio::test]
async fn nothing_is_read_behind_a_request_with_two_ends() {
    let relay = TestRelay::start().await;

    for (first, second) in [
        ("content-length: 5", "transfer-encoding: chunked"),
        ("transfer-encoding: chunked", "content-length: 5"),
    ] {
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: relay\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n{HIDDEN}"
        );

        let answered = statuses(&relay, &request).await;

        assert_eq!(answered.len(), 1, "{first}, {second}: {answered:?}");
        assert!(answered[0] >= 400, "{first}, {second}: {answered:?}");
    }
}

#[tokio::test]
async fn an_encoding_that_does_not_end_with_chunked_is_refused() {
    let relay = TestRelay::start().await;

    for encoding in ["identity", "chunked, identity", "xchunked", "gzip", "chunked;q=1"] {
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: relay\r\ntransfer-encoding: {encoding}\r\n\r\n0\r\n\r\n{HIDDEN}"
        );

        assert_eq!(statuses(&relay, &request).await, [400], "{encoding}");
    }
}

#[tokio::test]
async fn chunks_that_lie_about_their_length_are_refused() {
    let relay = TestRelay::start().await;

    for chunk in ["-1", "+2", "0x2", "fffffffffffffffff", "2g", ""] {
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: relay\r\ntransfer-encoding: chunked\r\n\r\n{chunk}\r\n{{}}\r\n{HIDDEN}"
        );

        let answered = statuses(&relay, &request).await;

        assert!(answered.iter().all(|status| *status == 400), "{chunk}: {answered:?}");
        assert!(answered.len() <= 1, "{chunk}: {answered:?}");
    }
}

#[tokio::test]
async fn headers_that_are_none_are_refused() {
    let relay = TestRelay::start().await;

    for header in [
        "content-length : 2",
        " content-length: 2",
        "x: a\r\n b",
        "x\0: a",
        "x: a\0b",
        "no colon",
        ": no name",
        "x(y): a",
    ] {
        let request =
            format!("POST {PATH} HTTP/1.1\r\nhost: relay\r\n{header}\r\n\r\n{{}}{HIDDEN}");

        assert_eq!(statuses(&relay, &request).await, [400], "{header:?}");
    }
}

/// RFC 9112 §3.2: no host, or two, and a proxy may have read another than we do.
#[tokio::test]
async fn a_request_names_one_host() {
    let relay = TestRelay::start().await;
    let end = "connection: close\r\n\r\n";

    assert_eq!(
        statuses(&relay, &format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{end}")).await,
        [200]
    );
    for hosts in ["", "host: a\r\nhost: b\r\n", "host: a\r\nhost: a\r\n"] {
        let request = format!("GET /healthz HTTP/1.1\r\n{hosts}{end}");

        assert_eq!(statuses(&relay, &request).await, [400], "{hosts:?}");
    }
}

#[tokio::test]
async fn a_head_has_its_limits() {
    let relay = TestRelay::start().await;
    let many: String = (0..65).map(|n| format!("x-{n}: a\r\n")).collect();
    let long = format!("x: {}\r\n", "a".repeat(17 * 1024));
    let path = format!("/{}", "a".repeat(17 * 1024));

    for (line, headers) in [("/healthz", &*many), ("/healthz", &long), (&path, "")] {
        let request = format!("GET {line} HTTP/1.1\r\nhost: relay\r\n{headers}\r\n");

        let answered = statuses(&relay, &request).await;

        assert!(matches!(*answered, [400 | 414 | 431]), "{answered:?}");
    }
}

/// Each would hold a connection for as long as it likes, one byte at a time.
#[tokio::test]
async fn who_takes_their_time_is_hung_up_on() {
    let relay = TestRelay::start().await;
    let started = Instant::now();
    let half_a_head = "GET /healthz HTTP/1.1\r\nhost: re";
    let half_a_body = format!(
        "POST {PATH} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{{"
    );

    let (nothing, head, body) = tokio::join!(
        statuses(&relay, ""),
        statuses(&relay, half_a_head),
        statuses(&relay, &half_a_body),
    );

    assert!(nothing.iter().chain(&head).all(|status| *status == 408), "{nothing:?} {head:?}");
    assert!(body.iter().all(|status| *status >= 400) && body.len() == 1, "{body:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
}
