//! Sealed envelopes: whatever becomes of one on its way, it opens as it was sealed or not at all.
//!
//! `opening` takes the bytes as an envelope. `mauling` takes them as changes to a good one, which
//! reaches what stands behind the checks that random bytes fail:
//!
//! ```text
//!  which envelope ‖ (place: 2 bytes ‖ mask)*          byte[place] ^= mask
//! ```

use std::sync::LazyLock;

use chat_core::codec::{Bytes, Digest, from_bytes, to_bytes};
use chat_core::envelope::{Content, Envelope, Header, Suite, VERSION, WrapScheme};
use chat_core::id::{ConversationId, MessageId};
use chat_crypto::envelope::{
    Opened, Via, open, seal, unwrap_by_chain, unwrap_for_account, unwrap_for_device,
};
use chat_crypto::sender_chain::{Audience, ReceivingChains, SendingChain};
use chat_crypto::session::Sessions;

use crate::people::{ALICE, BOB, NOW, rng};

const LIST: u32 = 3;
pub(crate) const CONVERSATION: ConversationId = ConversationId::from_bytes([0xc0; 16]);
/// Changes beyond these say nothing that fewer do not.
const CHANGES_MAX: usize = 16;

/// One envelope a wrap scheme, from Alice to Bob.
static SEALED: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    let [x25519, xwing] = [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing].map(for_account);
    [x25519, xwing, for_device(), for_everyone()]
});

/// Opens `bytes` as Bob would.
pub fn opening(bytes: &[u8]) {
    let Ok(envelope) = from_bytes::<Envelope>(bytes) else { return };
    for opened in everything_that_opens(&envelope) {
        assert_eq!(opened.header, header(opened.header.suite), "nobody sealed this");
        assert_eq!(opened.content, content(), "nobody sealed this");
    }
}

/// Changes a good envelope as `bytes` say, and opens it as Bob would.
pub fn mauling(bytes: &[u8]) {
    let [which, changes @ ..] = bytes else { return };
    let mut mauled = SEALED[usize::from(*which) % SEALED.len()].clone();
    let (changes, _) = changes.as_chunks::<3>();
    for [high, low, mask] in changes.iter().take(CHANGES_MAX) {
        let place = usize::from(u16::from_be_bytes([*high, *low])) % mauled.len();
        mauled[place] ^= mask;
    }
    opening(&mauled);
}

fn everything_that_opens(envelope: &Envelope) -> Vec<Opened> {
    let sessions = Sessions::new(ALICE.address);
    let (prekeys, chains) = (BOB.prekeys(), held());
    let by_wrap = |wrap| {
        if let Ok((secret, list)) = unwrap_for_account(envelope, wrap, &BOB.keyring, &mut rng(8)) {
            assert_eq!(list, LIST, "nobody wrapped this");
            return open(envelope, &secret, &ALICE.certificate, Via::Account).ok();
        }
        if let Ok(unwrapped) = unwrap_by_chain(envelope, wrap, &chains, NOW) {
            return open(envelope, &unwrapped.secret, &ALICE.certificate, unwrapped.via).ok();
        }
        let unwrapped = unwrap_for_device(
            envelope,
            wrap,
            &sessions,
            &BOB.local(),
            &ALICE.certificate,
            ALICE.identity,
            &[&prekeys],
            NOW,
        )
        .ok()?;
        assert_eq!(unwrapped.list, LIST, "nobody wrapped this");
        open(envelope, &unwrapped.secret, &ALICE.certificate, unwrapped.via).ok()
    };
    envelope.wraps.iter().filter_map(by_wrap).collect()
}

fn for_account(scheme: WrapScheme) -> Vec<u8> {
    let mut sealed = seal(&header(Suite::Signed), &content(), Some(&ALICE.device), &mut rng(9))
        .expect("the content is short");
    let wrapped = sealed.wrap_for_account(&BOB.envelope_keys, scheme, LIST, &mut rng(9));
    wrapped.expect("Bob has such a key");
    to_bytes(&sealed.into_envelope())
}

fn for_device() -> Vec<u8> {
    let rng = &mut rng(9);
    let sessions = Sessions::new(BOB.address)
        .start(&ALICE.local(), BOB.identity, &BOB.bundles[1], NOW, rng)
        .expect("the bundle is good");
    let mut sealed =
        seal(&header(Suite::Deniable), &content(), None, rng).expect("the content is short");
    sealed.wrap_for_device(&sessions, LIST, NOW, rng).expect("the session is new");
    to_bytes(&sealed.into_envelope())
}

fn for_everyone() -> Vec<u8> {
    let chain = SendingChain::begin(CONVERSATION, ALICE.address, NOW, &mut rng(9));
    let mut sealed =
        seal(&header(Suite::Chained), &content(), None, &mut rng(9)).expect("the content is short");
    sealed.wrap_by_chain(&chain).expect("the chain is new");
    to_bytes(&sealed.into_envelope())
}

/// Bob's side of the chain.
fn held() -> ReceivingChains {
    let chain = SendingChain::begin(CONVERSATION, ALICE.address, NOW, &mut rng(9));
    let audience = Audience::of(4, Digest::of(b"the members"), []);
    let none = ReceivingChains::new(CONVERSATION, ALICE.address);
    none.accept(&chain.hand_out(audience), NOW).expect("it is the first")
}

/// The header of whatever Alice sends.
pub(crate) fn header(suite: Suite) -> Header {
    Header {
        version: VERSION,
        suite,
        conversation: CONVERSATION,
        sender: ALICE.address,
        message: MessageId::from_bytes([0x3e; 16]),
        sent_at: NOW,
        expiry: None,
        membership_index: 4,
        membership_head: Digest::of(b"the members"),
    }
}

/// What she says in it.
pub(crate) fn content() -> Content {
    Content {
        version: VERSION,
        sender: ALICE.address,
        conversation: CONVERSATION,
        number: 1,
        previous: Digest::ZERO,
        kind: "text".to_owned(),
        body: Bytes::new(b"only for bob".to_vec()).expect("it is short"),
        sender_list: 7,
        inflated_length: None,
    }
}

/// The good envelopes.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    SEALED.to_vec()
}

/// No change, and one in each part of an envelope.
#[must_use]
pub fn patches() -> Vec<Vec<u8>> {
    let one = |which, place: u16| {
        let [high, low] = place.to_be_bytes();
        vec![which, high, low, 1]
    };
    let places = [8, 40, 130, 180, 240, 600, 700];
    let changed = (0..4).flat_map(|which| places.map(|place| one(which, place)));
    (0..4).map(|which| vec![which]).chain(changed).collect()
}
