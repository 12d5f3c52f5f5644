//! Frames in both encodings, and what is not a frame.

use chat_core::codec::{Bytes, DecodeError, Digest, List, from_bytes, to_bytes};
use chat_core::deletion::{self, Deletion, SignedDeletion};
use chat_core::envelope::{
    self, Envelope, Expiry, ExpiryMode, Header, Recipient, Suite, Wrap, WrapScheme,
};
use chat_core::frame::{ClientFrame, RelayFrame, Typing};
use chat_core::id::{
    AccountId, BlobId, ConversationId, DeviceAddress, DeviceId, MessageId, WorkspaceId,
};
use chat_core::limits::PRESENCES_A_FRAME_MAX;
use chat_core::presence::{Availability, Presence, PresenceState};
use chat_core::receipt::{self, Receipt, ReceiptKind, SignedReceipt};
use chat_core::reject::RejectCode;
use chat_core::time::Timestamp;

use crate::people::{NOON, Person, sign_with};

#[test]
fn client_frames_survive_both_encodings() {
    for frame in client_frames() {
        let json = serde_json::to_string(&frame).unwrap();

        assert_eq!(from_bytes::<ClientFrame>(&to_bytes(&frame)), Ok(frame.clone()));
        assert_eq!(serde_json::from_str::<ClientFrame>(&json).unwrap(), frame);
    }
}

#[test]
fn relay_frames_survive_both_encodings() {
    for frame in relay_frames() {
        let json = serde_json::to_string(&frame).unwrap();

        assert_eq!(from_bytes::<RelayFrame>(&to_bytes(&frame)), Ok(frame.clone()));
        assert_eq!(serde_json::from_str::<RelayFrame>(&json).unwrap(), frame);
    }
}

#[test]
fn json_frames_are_named_by_type() {
    let json = serde_json::to_value(&client_frames()[1]).unwrap();

    assert_eq!(json["type"], "message:send");
    assert_eq!(json["envelope"]["wraps"][0]["scheme"], "ratchet");
}

#[test]
fn a_frame_of_an_unknown_kind_is_told_from_garbage() {
    // Variant 999 without fields, and a byte string.
    assert_eq!(
        from_bytes::<ClientFrame>(&[0x82, 0x19, 0x03, 0xe7, 0xa0]),
        Err(DecodeError::UnknownKind)
    );
    assert_eq!(from_bytes::<ClientFrame>(&[0x41, 0x00]), Err(DecodeError::Malformed));
}

#[test]
fn a_field_that_a_newer_peer_added_is_skipped() {
    // ping { 0: 7, 9: "new" }
    let bytes = [0x82, 0x05, 0xa2, 0x00, 0x07, 0x09, 0x63, b'n', b'e', b'w'];

    assert_eq!(from_bytes::<ClientFrame>(&bytes), Ok(ClientFrame::Ping { request: 7 }));
}

#[test]
fn every_prefix_of_a_frame_is_refused() {
    let bytes = to_bytes(&client_frames()[1]);

    for end in 0..bytes.len() {
        assert!(from_bytes::<ClientFrame>(&bytes[..end]).is_err());
    }
}

#[test]
fn a_header_of_another_version_is_not_read() {
    let mut envelope = envelope();
    let header = Header { version: 2, ..envelope.read_header().unwrap() };
    envelope.header = Bytes::new(to_bytes(&header)).unwrap();

    assert_eq!(envelope.read_header(), Err(DecodeError::UnknownKind));
}

#[test]
fn the_binding_changes_with_every_part() {
    let envelope = envelope();
    let mut other_payload = envelope.clone();
    other_payload.payload = Bytes::new(vec![1; 32]).unwrap();
    let mut other_commitment = envelope.clone();
    other_commitment.commitment = Digest::ZERO;
    let mut without_wraps = envelope.clone();
    without_wraps.wraps = List::default();

    assert_ne!(other_payload.binding(), envelope.binding());
    assert_ne!(other_commitment.binding(), envelope.binding());
    assert_eq!(without_wraps.binding(), envelope.binding());
}

pub(crate) fn client_frames() -> Vec<ClientFrame> {
    let conversation = ConversationId::from_bytes([4; 16]);
    vec![
        ClientFrame::Authenticate { token: "a.b.c".to_owned() },
        ClientFrame::Send { request: 1, envelope: envelope(), blobs: None },
        ClientFrame::Send { request: 1, envelope: envelope(), blobs: Some(blobs()) },
        ClientFrame::Acknowledge { conversation, up_to: 9 },
        ClientFrame::Receipt { receipt: receipt() },
        ClientFrame::Typing { conversation, state: Typing::Started },
        ClientFrame::Ping { request: 2 },
        ClientFrame::Presence { workspace: None, availability: Availability::Hidden },
        ClientFrame::Presence { workspace: Some(WORKSPACE), availability: Availability::Busy },
        ClientFrame::FollowPresence {
            workspace: WORKSPACE,
            accounts: List::new(vec![AccountId::from_bytes([2; 16])]).unwrap(),
        },
    ]
}

fn blobs() -> List<BlobId, 32> {
    List::new(vec![BlobId::from_bytes([7; 16]), BlobId::from_bytes([8; 16])]).unwrap()
}

pub(crate) fn relay_frames() -> Vec<RelayFrame> {
    let conversation = ConversationId::from_bytes([4; 16]);
    let message = MessageId::from_bytes([6; 16]);
    let address = Person::new(1).address(1);
    vec![
        RelayFrame::Connected { address, epoch: 1, now: NOON },
        RelayFrame::Accepted { request: 1, sequence: 2, at: NOON },
        RelayFrame::Deliver { sequence: 2, at: NOON, envelope: envelope() },
        RelayFrame::Deleted { conversation, sequence: 2, message, deletion: None },
        RelayFrame::Deleted { conversation, sequence: 3, message, deletion: Some(deletion()) },
        RelayFrame::CaughtUp,
        RelayFrame::Receipt { receipt: receipt() },
        RelayFrame::Typing { conversation, sender: address, state: Typing::Stopped },
        RelayFrame::Membership { conversation, index: 3 },
        RelayFrame::DevicesChanged { account: address.account, number: 2 },
        RelayFrame::PrekeysLow { remaining: 3 },
        RelayFrame::Draining { return_after_ms: 500 },
        RelayFrame::Reject { request: Some(1), reject: RejectCode::RateLimited.into() },
        RelayFrame::Pong { request: 2 },
        RelayFrame::Presence { presences: presences() },
        RelayFrame::AccountDeleted { account: address.account },
    ]
}

const WORKSPACE: WorkspaceId = WorkspaceId::from_bytes([7; 16]);

fn presences() -> List<Presence, PRESENCES_A_FRAME_MAX> {
    let presence = |number, state, last_seen| Presence {
        account: AccountId::from_bytes([number; 16]),
        workspace: WORKSPACE,
        state,
        last_seen,
    };
    List::new(vec![
        presence(2, PresenceState::Online, None),
        presence(3, PresenceState::Offline, Some(NOON)),
    ])
    .unwrap()
}

fn deletion() -> SignedDeletion {
    let signer = Person::new(1).address(1);
    let deletion = Deletion {
        version: deletion::VERSION,
        conversation: ConversationId::from_bytes([4; 16]),
        message: MessageId::from_bytes([6; 16]),
        author: signer,
        at: NOON,
    };
    SignedDeletion { signer, deletion: sign_with(&Person::device_key(1), &deletion) }
}

fn receipt() -> SignedReceipt {
    let signer = Person::new(1).address(1);
    let receipt = Receipt {
        version: receipt::VERSION,
        conversation: ConversationId::from_bytes([4; 16]),
        reader: signer,
        kind: ReceiptKind::Seen,
        up_to: 2,
        at: NOON,
    };
    SignedReceipt { signer, receipt: sign_with(&Person::device_key(1), &receipt) }
}

fn envelope() -> Envelope {
    let header = Header {
        version: envelope::VERSION,
        suite: Suite::Deniable,
        conversation: ConversationId::from_bytes([4; 16]),
        sender: Person::new(1).address(1),
        message: MessageId::from_bytes([5; 16]),
        sent_at: Timestamp::from_millis(1),
        expiry: Some(Expiry { mode: ExpiryMode::AfterSeen, after_ms: 5_000 }),
        membership_index: 0,
        membership_head: Digest::of(b"entry"),
    };
    let wrap = Wrap {
        scheme: WrapScheme::Ratchet,
        to: Recipient::Device(DeviceAddress {
            account: AccountId::from_bytes([2; 16]),
            device: DeviceId::from_bytes([3; 16]),
        }),
        epoch: 0,
        bytes: Bytes::new(vec![7; 100]).unwrap(),
    };
    Envelope {
        header: Bytes::new(to_bytes(&header)).unwrap(),
        commitment: Digest::of(b"commitment"),
        payload: Bytes::new(vec![0; 272]).unwrap(),
        wraps: List::new(vec![wrap]).unwrap(),
    }
}

#[test]
fn a_message_names_32_blobs_and_no_more() {
    let named = |count: u8| {
        let ids = (0..count).map(|number| BlobId::from_bytes([number; 16]));
        let json = serde_json::json!({
            "type": "message:send",
            "request": 1,
            "envelope": envelope(),
            "blobs": ids.collect::<Vec<_>>(),
        });
        serde_json::from_value::<ClientFrame>(json)
    };

    assert!(named(32).is_ok());
    assert!(named(33).is_err());
}
