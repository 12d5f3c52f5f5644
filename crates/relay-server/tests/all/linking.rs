//! The mailbox of two devices that are being linked, over REST.

use std::time::Duration;

use chat_core::api::linking::{
    LINK_MESSAGE_BYTES_MAX, LinkMessage, LinkRow, LinkSlot, ReadLinkSlot, WriteLinkSlot,
};
use chat_core::codec::Bytes;
use chat_core::reject::{Reject, RejectCode};
use relay_server::config::Rates;
use relay_server::testing::TestRelay;
use serde_json::json;

use crate::people::Rest;

const RENDEZVOUS: [u8; 16] = *b"a rendezvous 16b";

#[tokio::test]
async fn what_one_device_writes_the_other_reads_without_a_log_in() {
    let relay = TestRelay::start().await;
    let rest = Rest::at(&relay);

    write(&rest, LinkRow::Shows, 0, b"hello").await.unwrap();
    write(&rest, LinkRow::Shows, 0, b"hello").await.unwrap();
    let other = write(&rest, LinkRow::Shows, 0, b"other").await;

    assert_eq!(other.unwrap_err().code, RejectCode::Conflict);
    assert_eq!(read(&rest, LinkRow::Shows, 0, 0).await.unwrap().unwrap(), b"hello");
    assert_eq!(read(&rest, LinkRow::Scans, 0, 0).await.unwrap(), None);
}

#[tokio::test]
async fn a_read_waits_for_its_slot() {
    let relay = TestRelay::start().await;
    let rest = Rest::at(&relay);

    let (answer, ()) = tokio::join!(read(&rest, LinkRow::Scans, 1, 60_000), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        write(&rest, LinkRow::Scans, 1, b"answer").await.unwrap();
    });

    assert_eq!(answer.unwrap().unwrap(), b"answer");
}

#[tokio::test]
async fn a_slot_that_cannot_be_and_a_message_too_large_are_refused() {
    let relay = TestRelay::start().await;
    let rest = Rest::at(&relay);
    let call = async |body: serde_json::Value| {
        let refused = rest.post::<()>("/v1/linking/write", None, &body).await;
        refused.unwrap_err().code
    };
    let to = |rendezvous: &str, row: &str, slot: u32| json!({ "to": { "rendezvous": rendezvous, "row": row, "slot": slot }, "message": "aGk" });
    let long = "A".repeat(LINK_MESSAGE_BYTES_MAX * 4 / 3 + 8);

    assert_eq!(call(to("AAAAAAAAAAAAAAAAAAAAAA", "shows", 4)).await, RejectCode::Malformed);
    assert_eq!(call(to("AAAA", "shows", 0)).await, RejectCode::Malformed);
    assert_eq!(call(to("AAAAAAAAAAAAAAAAAAAAAA", "looks", 0)).await, RejectCode::Malformed);
    let mut large = to("AAAAAAAAAAAAAAAAAAAAAA", "shows", 0);
    large["message"] = long.into();
    assert_eq!(call(large).await, RejectCode::TooLarge);
}

#[tokio::test]
async fn an_address_that_asks_too_often_has_to_wait() {
    let rates = Rates { requests_a_quarter_hour: 20, ..Rates::GENEROUS };
    let relay = TestRelay::builder().rates(rates).start().await;
    let rest = Rest::at(&relay);

    let mut outcomes = Vec::new();
    for _ in 0..10 {
        outcomes.push(read(&rest, LinkRow::Shows, 0, 0).await.map_err(|reject| reject.code));
    }

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
    assert_eq!(outcomes.last().unwrap(), &Err(RejectCode::RateLimited));
}

#[tokio::test]
async fn the_store_does_not_know_the_rendezvous() {
    let relay = TestRelay::start().await;
    let rest = Rest::at(&relay);
    write(&rest, LinkRow::Shows, 0, b"a hello that can be found").await.unwrap();

    let mut files = Vec::new();
    for entry in std::fs::read_dir(relay.folder()).unwrap() {
        files.extend(std::fs::read(entry.unwrap().path()).unwrap_or_default());
    }

    let holds = |needle: &[u8]| files.windows(needle.len()).any(|window| window == needle);
    assert!(holds(b"a hello that can be found"), "this test looks in the wrong place");
    assert!(!holds(&RENDEZVOUS));
}

async fn write(rest: &Rest, row: LinkRow, slot: u8, message: &[u8]) -> Result<(), Reject> {
    let message = Bytes::new(message.to_vec()).unwrap();
    let body = WriteLinkSlot { to: place(row, slot), message };
    rest.post("/v1/linking/write", None, &body).await
}

async fn read(
    rest: &Rest,
    row: LinkRow,
    slot: u8,
    wait_ms: u64,
) -> Result<Option<Vec<u8>>, Reject> {
    let body = ReadLinkSlot { from: place(row, slot), wait_ms };
    let answer: LinkMessage = rest.post("/v1/linking/read", None, &body).await?;
    Ok(answer.message.map(Bytes::into_vec))
}

fn place(row: LinkRow, slot: u8) -> LinkSlot {
    LinkSlot { rendezvous: Bytes::new(RENDEZVOUS.to_vec()).unwrap(), row, slot }
}
