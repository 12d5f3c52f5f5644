//! Reports: who may file them, about what, and what is refused.

use chat_core::api::reports::{Disclosure, Evidenced, FileReport, ReportFiled, ReportReason};
use chat_core::codec::{Bytes, Digest, List};
use chat_core::envelope::{Envelope, Suite};
use chat_core::id::{ConversationId, MessageId, ReportId};
use chat_core::label;
use chat_core::membership::{Change, Membership};
use chat_core::reject::{Reject, RejectCode};
use hkdf::Hkdf;
use relay_server::operator::reports;
use relay_server::random;
use relay_server::storage::Which;
use relay_server::testing::TestRelay;
use sha2::Sha256;

use crate::conversations::three;
use crate::people::{Message, Person};

const SECRET: [u8; 32] = [7; 32];

#[tokio::test]
async fn a_reader_reports_what_was_said_and_the_operator_finds_it() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let sent = says(&alice, &chat, &bob).await;

    let report = about(&chat, &[(sent.header.message, SECRET)]);
    let filed = file(&bob, &report).await.unwrap();
    let again = file(&bob, &report).await.unwrap();

    assert_eq!(&filed.messages[..], [Evidenced::Verified]);
    assert_eq!(filed, again);
    let kept = reports::show(relay.storage(), report.report).await.unwrap();
    let [message] = &kept.messages[..] else { panic!("{kept:?}") };
    assert_eq!((kept.reporter, message.sender), (bob.device.address, alice.device.address));
    let evidence = message.evidence.as_ref().unwrap();
    assert_eq!(evidence.envelope(), Envelope { wraps: List::default(), ..committed(&sent) });
    let metrics = relay.relay().metrics();
    assert!(metrics.contains("sealwire_reports_total 1"), "{metrics}");
}

#[tokio::test]
async fn another_secret_than_the_senders_is_refused() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let id = says(&alice, &chat, &bob).await.header.message;

    let made_up = file(&bob, &about(&chat, &[(id, [8; 32])])).await;
    let mut short = about(&chat, &[(id, SECRET)]);
    let secret = Bytes::new(vec![7; 31]).unwrap();
    short.messages = List::new(vec![Disclosure { message: id, secret }]).unwrap();
    let short = file(&bob, &short).await;

    assert_eq!(made_up.unwrap_err().code, RejectCode::NotVerified);
    assert_eq!(short.unwrap_err().code, RejectCode::Malformed);
    assert!(reports::list(relay.storage(), Which::All).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_hands_out_a_sender_chain_is_not_reported() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.group(&[&bob]).await;
    let mut hand_out = alice.message(&chat, &[&bob]);
    hand_out.header.suite = Suite::HandOut;
    alice.connect_idle().await.send_message(&committed(&hand_out)).await.unwrap();

    let refused = file(&bob, &about(&chat, &[(hand_out.header.message, SECRET)])).await;

    assert_eq!(refused.unwrap_err().code, RejectCode::NotVerified);
}

#[tokio::test]
async fn nobody_reports_what_was_not_for_them() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let mut group = alice.group(&[&bob]).await;
    let before = says(&alice, &group, &bob).await.header.message;
    alice.change(&mut group, Change::Remove { account: bob.account }).await.unwrap();
    let add = chat_core::membership::Member {
        account: carol.account,
        role: chat_core::membership::Role::Member,
    };
    let members = List::new(vec![add]).unwrap();
    let stranger = file(&carol, &about(&group, &[(before, SECRET)])).await;
    alice.change(&mut group, Change::Add { members }).await.unwrap();
    let after = says(&alice, &group, &carol).await.header.message;

    let newcomer = file(&carol, &about(&group, &[(before, SECRET)])).await;
    let removed = file(&bob, &about(&group, &[(after, SECRET)])).await;
    let of_their_time = file(&bob, &about(&group, &[(before, SECRET)])).await;
    let elsewhere = ConversationId::from_bytes([9; 16]);
    let report = FileReport { conversation: elsewhere, ..about(&group, &[(before, SECRET)]) };
    let elsewhere = file(&bob, &report).await;

    assert_eq!(stranger.unwrap_err().code, RejectCode::NotAMember);
    assert_eq!(newcomer.unwrap_err().code, RejectCode::NotFound);
    assert_eq!(removed.unwrap_err().code, RejectCode::NotFound);
    assert_eq!(&of_their_time.unwrap().messages[..], [Evidenced::Verified]);
    assert_eq!(elsewhere.unwrap_err().code, RejectCode::NotAMember);
}

#[tokio::test]
async fn a_report_has_its_limits() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let id = says(&alice, &chat, &bob).await.header.message;
    let good = about(&chat, &[(id, SECRET)]);
    let saying = |words: String| FileReport { comment: Some(words), ..good.clone() };

    let refused = [
        file(&bob, &saying("x".repeat(2_001))).await,
        file(&bob, &saying("\0".to_owned())).await,
        file(&bob, &about(&chat, &[])).await,
        file(&bob, &about(&chat, &[(id, SECRET), (id, SECRET)])).await,
        file(&bob, &about(&chat, &[(MessageId::from_bytes([9; 16]), SECRET)])).await,
    ];

    let codes = refused.map(|refused| refused.unwrap_err().code);
    use RejectCode::{Malformed, NotFound, TooLarge};
    assert_eq!(codes, [TooLarge, Malformed, Malformed, Malformed, NotFound]);
    let mut filed = 0;
    let limited = loop {
        match file(&bob, &about(&chat, &[(id, SECRET)])).await {
            Ok(_) => filed += 1,
            Err(reject) => break reject,
        }
    };
    assert_eq!(limited.code, RejectCode::RateLimited);
    // One was taken by the message that there is not.
    assert_eq!(filed, 9);
}

#[tokio::test]
async fn anothers_report_is_neither_shown_nor_replaced() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let id = says(&alice, &chat, &bob).await.header.message;
    let report = about(&chat, &[(id, SECRET)]);
    file(&bob, &report).await.unwrap();

    let refused = file(&alice, &report).await;

    assert_eq!(refused.unwrap_err().code, RejectCode::AlreadyExists);
    let kept = reports::show(relay.storage(), report.report).await.unwrap();
    assert_eq!(kept.reporter, bob.device.address);
}

async fn file(by: &Person, report: &FileReport) -> Result<ReportFiled, Reject> {
    by.post("/v1/reports", report).await
}

fn about(chat: &Membership, messages: &[(MessageId, [u8; 32])]) -> FileReport {
    let disclosure = |(message, secret): &(MessageId, [u8; 32])| Disclosure {
        message: *message,
        secret: Bytes::new(secret.to_vec()).unwrap(),
    };
    FileReport {
        report: ReportId::from_bytes(random::bytes()),
        conversation: chat.id(),
        reason: ReportReason::Spam,
        comment: None,
        messages: List::new(messages.iter().map(disclosure).collect()).unwrap(),
    }
}

/// Sends a message that is committed to [`SECRET`].
async fn says(by: &Person, chat: &Membership, to: &Person) -> Message {
    let message = by.message(chat, &[to]);
    by.connect_idle().await.send_message(&committed(&message)).await.unwrap();
    message
}

fn committed(message: &Message) -> Envelope {
    let sealed = message.seal();
    let mut derived = [0; 76];
    let info = [label::ENVELOPE.as_bytes(), Digest::of(&sealed.header).as_bytes()].concat();
    Hkdf::<Sha256>::new(None, &SECRET).expand(&info, &mut derived).unwrap();
    Envelope { commitment: Digest::try_from(&derived[44..]).unwrap(), ..sealed }
}
