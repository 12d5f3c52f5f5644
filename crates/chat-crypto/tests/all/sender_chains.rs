//! Sender chains: what arrives, and what members, thieves, relays and strangers try with them.

use std::time::Duration;

use chat_core::codec::{Bytes, Digest, List};
use chat_core::envelope::{Content, Envelope, Header, Recipient, Suite, Wrap, WrapScheme};
use chat_core::id::ConversationId;
use chat_crypto::envelope::{
    OpenError, Opened, SealError, Via, open, open_disclosed, seal, unwrap_by_chain,
    unwrap_for_device,
};
use chat_crypto::sender_chain::{
    Audience, CHAIN_LENGTH_MAX, CHAIN_LIVES_FOR, HAND_OUT, HandOutError, MESSAGES_A_CHAIN,
    ReceivingChains, SKIPPED_KEPT_FOR, SendingChain,
};
use chat_crypto::session::Sessions;
use chat_crypto::wrap::MessageSecret;
use ed25519_dalek::SigningKey;

use crate::chain_spec::{self, HandOut};
use crate::people::{CONVERSATION, LIST, NOW, Person, content, header, rng};
use crate::spec;

const ELSEWHERE: ConversationId = ConversationId::from_bytes([0xe1; 16]);
const NOT_AUTHENTIC: OpenError = OpenError::NotAuthentic;

#[test]
fn one_wrap_reaches_everybody_who_holds_the_chain() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let (bob, carol) = (handed(&alice, &chain), handed(&alice, &chain));

    let (envelope, chain) = says(&alice, &chain, b"to all of you");

    assert_eq!(envelope.wraps.len(), 1);
    assert_eq!(envelope.wraps[0].bytes.len(), 132);
    for held in [bob, carol] {
        let (opened, held) = opens(&alice, &held, &envelope).unwrap();
        assert_eq!(&opened.content.body[..], b"to all of you");
        assert_eq!(opens(&alice, &held, &envelope).unwrap_err(), NOT_AUTHENTIC);
    }
    assert_eq!((chain.epoch(), chain.length()), (1, 1));
}

#[test]
fn a_hand_out_travels_on_a_session() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let chain = chain_of(&alice);
    let body = chain.hand_out(audience());
    let content = Content { kind: HAND_OUT.to_owned(), ..content(&alice, &body) };
    let mut sealed = seal(&header(&alice, Suite::HandOut), &content, None, &mut rng(3)).unwrap();
    sealed.wrap_for_device(&alice.start_with(&bob, 4), LIST, NOW, &mut rng(5)).unwrap();
    let envelope = sealed.into_envelope();

    let unwrapped = unwrap_for_device(
        &envelope,
        &envelope.wraps[0],
        &Sessions::new(alice.address),
        &bob.local(),
        &alice.certificate,
        alice.keyring.identity().key(),
        &[&bob.prekeys],
        NOW,
    )
    .unwrap();
    let opened = open(&envelope, &unwrapped.secret, &alice.certificate, unwrapped.via).unwrap();
    let held = nothing_of(&alice).accept(&opened.content.body, NOW).unwrap();

    let (message, _) = says(&alice, &chain, b"hello");
    assert_eq!(said(&alice, &held, &message), b"hello");
    // It opens other messages, so nobody discloses it as one.
    let disclosed = open_disclosed(&envelope, &unwrapped.secret);
    assert_eq!(disclosed.unwrap_err(), OpenError::NotAuthentic);
}

#[test]
fn who_is_handed_a_chain_late_reads_from_there_on() {
    let alice = Person::new(1);
    let (before, chain) = says(&alice, &chain_of(&alice), b"before");

    let carol = handed(&alice, &chain);
    let (after, _) = says(&alice, &chain, b"after");

    assert_eq!(opens(&alice, &carol, &before).unwrap_err(), NOT_AUTHENTIC);
    assert_eq!(said(&alice, &carol, &after), b"after");
}

#[test]
fn messages_arrive_in_any_order_and_each_once() {
    let alice = Person::new(1);
    let (messages, _) = many(&alice, chain_of(&alice), 8);
    let mut held = handed(&alice, &chain_of(&alice));

    for number in [3, 0, 7, 1, 2, 6, 5, 4] {
        let envelope = &messages[number];
        let (opened, next) = opens(&alice, &held, envelope).unwrap();
        assert_eq!(&opened.content.body[..], number.to_string().as_bytes());
        assert_eq!(opens(&alice, &next, envelope).unwrap_err(), NOT_AUTHENTIC);
        held = ReceivingChains::from_snapshot(&next.to_snapshot()).unwrap();
    }
}

#[test]
fn a_replaced_chain_is_closed_at_its_length() {
    let alice = Person::new(1);
    let first = chain_of(&alice);
    let thief_has = HandOut::read(&first.hand_out(audience()));
    let held = handed(&alice, &first);
    let (messages, first) = many(&alice, first, 3);
    let (_, held) = opens(&alice, &held, &messages[0]).unwrap();

    let second = first.replaced(NOW, &mut rng(8));
    let held = held.accept(&second.hand_out(audience()), NOW).unwrap();

    // What is on the road still arrives; what is sealed on the old chain afterwards does not.
    assert_eq!(said(&alice, &held, &messages[2]), b"2");
    assert_eq!(said(&alice, &held, &messages[1]), b"1");
    let (late, _) = says(&alice, &first, b"too late");
    assert_eq!(opens(&alice, &held, &late).unwrap_err(), NOT_AUTHENTIC);
    let (new, _) = says(&alice, &second, b"new");
    assert_eq!(said(&alice, &held, &new), b"new");
    // And nothing of the new chain follows from the old one.
    let new = HandOut::read(&second.hand_out(audience()));
    assert_ne!((new.link, new.header_key), (thief_has.link, thief_has.header_key));
    assert_ne!(new.key, thief_has.key);
    assert_eq!((new.epoch, new.previous_length), (2, 3));
    assert_eq!((first.epoch(), second.epoch(), held.epoch()), (1, 2, 2));
}

#[test]
fn a_chain_wears_out_after_a_hundred_messages_or_a_day() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);

    let (_, long) = many(&alice, chain.clone(), MESSAGES_A_CHAIN - 1);
    let (_, longer) = says(&alice, &long, b"the hundredth");

    assert!(!long.is_worn(NOW));
    assert!(longer.is_worn(NOW));
    assert!(!chain.is_worn(NOW.after(CHAIN_LIVES_FOR - Duration::from_millis(1))));
    assert!(chain.is_worn(NOW.after(CHAIN_LIVES_FOR)));
}

#[test]
fn a_chain_ends() {
    let alice = Person::new(1);
    let mut body = HandOut::read(&chain_of(&alice).hand_out(audience()));
    body.index = CHAIN_LENGTH_MAX;
    let held = nothing_of(&alice).accept(&body.to_bytes(), NOW).unwrap();
    let (envelope, secret) = unwrapped(&alice, b"one too many");

    let wrap = forged(&alice, &body, &SigningKey::from_bytes(&[7; 32]), &secret, &envelope);

    assert_eq!(opens(&alice, &held, &with(envelope, wrap)).unwrap_err(), NOT_AUTHENTIC);
    let (_, mut chain) = many(&alice, chain_of(&alice), 0);
    let mut sealed = sealed(&alice, b"again and again");
    for _ in 0..CHAIN_LENGTH_MAX {
        chain = self::sealed(&alice, b"x").wrap_by_chain(&chain).unwrap();
    }
    assert_eq!(sealed.wrap_by_chain(&chain).unwrap_err(), SealError::ChainEnded);
}

#[test]
fn a_thief_of_a_recipients_state_reads_and_forges_nothing() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let held = handed(&alice, &chain);
    // Everything a recipient has, but the signing key, which no recipient has.
    let stolen = HandOut::read(&chain.hand_out(audience()));
    let (envelope, secret) = unwrapped(&alice, b"I never said this");

    for signer in [SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&stolen.link)] {
        let wrap = forged(&alice, &stolen, &signer, &secret, &envelope);
        let refused = opens(&alice, &held, &with(envelope.clone(), wrap));

        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
    }
}

#[test]
fn a_signature_counts_for_its_number_its_binding_and_its_chain_only() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let held = handed(&alice, &chain);
    let keys = HandOut::read(&chain.hand_out(audience()));
    let (genuine, _) = says(&alice, &chain, b"pay 10");
    let signature = signature_in(&keys, &genuine);
    let (other, secret) = unwrapped(&alice, b"pay 1000");

    // Another payload under the genuine signature, and the genuine one under another number.
    let spliced =
        with(other.clone(), chain_spec::seal(&keys, &secret, &signature, other.binding()));
    let secret = secret_of(&alice, &held, &genuine);
    let binding = genuine.binding();
    let renumbered =
        with(genuine.clone(), chain_spec::seal(&keys.step().0, &secret, &signature, binding));

    for forgery in [spliced, renumbered] {
        assert_eq!(opens(&alice, &held, &forgery).unwrap_err(), NOT_AUTHENTIC);
    }
    assert_eq!(said(&alice, &held, &genuine), b"pay 10");
}

#[test]
fn a_co_recipient_cannot_put_another_payload_under_a_shared_wrap() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let held = handed(&alice, &chain);
    let (genuine, _) = says(&alice, &chain, b"pay 10");
    let secret = secret_of(&alice, &held, &genuine);

    let content = content(&alice, b"pay 1000");
    let mut forged = spec::seal(&secret, &header(&alice, Suite::Chained), &content, None);
    forged.wraps = genuine.wraps.clone();

    assert_ne!(forged.payload, genuine.payload);
    assert_eq!(forged.commitment, genuine.commitment);
    assert_eq!(opens(&alice, &held, &forged).unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn a_shared_wrap_of_another_message_does_not_open() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let held = handed(&alice, &chain);
    let (first, chain) = says(&alice, &chain, b"first");
    let (second, _) = says(&alice, &chain, b"second");

    let swapped = with(first, second.wraps[0].clone());

    assert_eq!(opens(&alice, &held, &swapped).unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn a_shared_wrap_has_no_epoch_and_no_recipient() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let held = handed(&alice, &chain);
    let (genuine, _) = says(&alice, &chain, b"hello");
    let wrap = genuine.wraps[0].clone();

    for relabelled in [
        Wrap { epoch: 1, ..wrap.clone() },
        Wrap { to: Recipient::Account(alice.address.account), ..wrap.clone() },
        Wrap { scheme: WrapScheme::Ratchet, ..wrap },
    ] {
        let refused = opens(&alice, &held, &with(genuine.clone(), relabelled));
        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
    }
}

#[test]
fn the_chain_of_another_conversation_opens_nothing_here() {
    let alice = Person::new(1);
    let elsewhere = SendingChain::begin(ELSEWHERE, alice.address, NOW, &mut rng(3));
    let body = elsewhere.hand_out(audience());
    // The same keys, held as the chain of this conversation and as that of the other.
    let here = nothing_of(&alice).accept(&body, NOW).unwrap();
    let there = ReceivingChains::new(ELSEWHERE, alice.address).accept(&body, NOW).unwrap();
    let header = Header { conversation: ELSEWHERE, ..header(&alice, Suite::Chained) };
    let content = Content { conversation: ELSEWHERE, ..content(&alice, b"over there") };
    let mut sealed = seal(&header, &content, None, &mut rng(4)).unwrap();
    sealed.wrap_by_chain(&elsewhere).unwrap();
    let envelope = sealed.into_envelope();

    assert_eq!(opens(&alice, &here, &envelope).unwrap_err(), NOT_AUTHENTIC);
    assert_eq!(said(&alice, &there, &envelope), b"over there");
    let mut here_too = self::sealed(&alice, b"hello");
    assert_eq!(here_too.wrap_by_chain(&elsewhere).unwrap_err(), SealError::Contradiction);
}

#[test]
fn a_member_cannot_send_as_another_on_its_own_chain() {
    let (alice, mallory) = (Person::new(1), Person::new(2));
    let signer = SigningKey::from_bytes(&[7; 32]);
    let mut keys = HandOut::read(&chain_of(&mallory).hand_out(audience()));
    keys.key = signer.verifying_key().to_bytes().into();
    let hers = nothing_of(&mallory).accept(&keys.to_bytes(), NOW).unwrap();
    let (envelope, secret) = unwrapped(&alice, b"as if by alice");
    let wrap = forged(&mallory, &keys, &signer, &secret, &envelope);
    let envelope = with(envelope, wrap.clone());

    let refused = unwrap_by_chain(&envelope, &wrap, &hers, NOW);

    assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
    // Nor does it help to say so, if the secret is known.
    let secret = MessageSecret::from_bytes(secret);
    let refused = open(&envelope, &secret, &alice.certificate, Via::Chain(mallory.address));
    assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn a_message_on_a_chain_counts_only_on_a_chain_of_its_sender() {
    let alice = Person::new(1);
    let (envelope, secret) = unwrapped(&alice, b"hello");
    let secret = MessageSecret::from_bytes(secret);
    let via = |via| open(&envelope, &secret, &alice.certificate, via);

    assert!(via(Via::Chain(alice.address)).is_ok());
    assert_eq!(via(Via::Account).unwrap_err(), NOT_AUTHENTIC);
    assert_eq!(via(Via::Session(alice.address)).unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn a_suite_takes_its_own_wraps_and_kinds_only() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let chain = chain_of(&alice);
    let sessions = alice.start_with(&bob, 4);
    let body = chain.hand_out(audience());
    let handing = Content { kind: HAND_OUT.to_owned(), ..content(&alice, &body) };
    let text = content(&alice, b"hello");
    let seal = |suite, content: &Content| {
        let signer = (suite == Suite::Signed).then_some(&alice.device);
        seal(&header(&alice, suite), content, signer, &mut rng(5))
    };

    for suite in [Suite::Deniable, Suite::Signed, Suite::Chained] {
        assert_eq!(seal(suite, &handing).unwrap_err(), SealError::KindMismatch);
    }
    assert_eq!(seal(Suite::HandOut, &text).unwrap_err(), SealError::KindMismatch);
    for suite in [Suite::Deniable, Suite::Signed] {
        let refused = seal(suite, &text).unwrap().wrap_by_chain(&chain);
        assert_eq!(refused.unwrap_err(), SealError::SchemeMismatch);
    }
    let mut chained = seal(Suite::Chained, &text).unwrap();
    let refused = chained.wrap_for_device(&sessions, LIST, NOW, &mut rng(6));
    assert_eq!(refused.unwrap_err(), SealError::SchemeMismatch);
    let chain = chained.wrap_by_chain(&chain).unwrap();
    assert_eq!(chained.wrap_by_chain(&chain).unwrap_err(), SealError::TooManyWraps);
}

#[test]
fn text_for_some_of_the_members_only_is_refused() {
    let alice = Person::new(1);
    let secret = [9; 32];
    let partial = header(&alice, Suite::HandOut);
    let envelope = spec::seal(&secret, &partial, &content(&alice, b"between us"), None);
    let handing = Content { kind: HAND_OUT.to_owned(), ..content(&alice, b"a chain") };
    let for_all = spec::seal(&secret, &header(&alice, Suite::Deniable), &handing, None);

    for envelope in [envelope, for_all] {
        let secret = MessageSecret::from_bytes(secret);
        let via = Via::Session(alice.address);
        let refused = open(&envelope, &secret, &alice.certificate, via);

        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
    }
}

#[test]
fn keys_that_verify_everything_or_have_two_encodings_are_refused() {
    let alice = Person::new(1);
    let genuine = HandOut::read(&chain_of(&alice).hand_out(audience()));
    let identity = low_bytes(1);
    let order_two = [&[0xec][..], &[0xff; 30], &[0x7f]].concat();
    let order_eight = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    // y = p + 3 and y = p + 4, beyond the field; and a y that is on no curve.
    let beyond = [&[0xf0][..], &[0xff; 30], &[0x7f]].concat();
    let beyond_too = [&[0xf1][..], &[0xff; 30], &[0x7f]].concat();

    let order_eight: Vec<u8> =
        (0..32).map(|i| u8::from_str_radix(&order_eight[2 * i..2 * i + 2], 16).unwrap()).collect();
    let no_point = low_bytes(2);
    for key in [identity, order_two, order_eight, beyond, beyond_too, no_point, vec![0; 32]] {
        let bytes: [u8; 32] = key.try_into().unwrap();
        let bad = HandOut { key: bytes.into(), ..genuine.clone() };
        let refused = nothing_of(&alice).accept(&bad.to_bytes(), NOW);

        assert_eq!(refused.unwrap_err(), HandOutError::UnusableKey, "{bytes:02x?}");
    }
}

#[test]
fn a_hand_out_goes_forward_only() {
    let alice = Person::new(1);
    let first = chain_of(&alice);
    let (messages, first) = many(&alice, first, 2);
    let held = handed(&alice, &chain_of(&alice));
    let (_, held) = opens(&alice, &held, &messages[1]).unwrap();
    let second = first.replaced(NOW, &mut rng(8));
    let body = HandOut::read(&second.hand_out(audience()));
    let fork = HandOut { key: HandOut::read(&first.hand_out(audience())).key, ..body.clone() };
    let shorter = HandOut { previous_length: 1, ..body.clone() };
    let endless = HandOut { previous_length: u32::MAX, ..body.clone() };
    let unknown = HandOut { version: 2, ..body.clone() };
    let accept = |held: &ReceivingChains, body: &HandOut| held.accept(&body.to_bytes(), NOW);

    assert_eq!(accept(&held, &shorter).unwrap_err(), HandOutError::OutOfOrder);
    assert_eq!(accept(&held, &endless).unwrap_err(), HandOutError::OutOfOrder);
    assert_eq!(accept(&held, &unknown).unwrap_err(), HandOutError::Malformed);
    assert_eq!(held.accept(b"", NOW).unwrap_err(), HandOutError::Malformed);
    let next = accept(&held, &body).unwrap();
    assert_eq!(next.epoch(), 2);
    assert_eq!(accept(&next, &fork).unwrap_err(), HandOutError::Forked);
    let back = first.hand_out(audience());
    assert_eq!(next.accept(&back, NOW).unwrap_err(), HandOutError::OutOfOrder);
    let again = accept(&next, &body).unwrap();
    assert_eq!(*again.to_snapshot(), *next.to_snapshot());
}

#[test]
fn a_chain_of_an_epoch_that_was_missed_is_closed_without_its_length() {
    let alice = Person::new(1);
    let first = chain_of(&alice);
    let held = handed(&alice, &first);
    let (messages, first) = many(&alice, first, 2);
    let third = first.replaced(NOW, &mut rng(8)).replaced(NOW, &mut rng(9));

    let held = held.accept(&third.hand_out(audience()), NOW).unwrap();

    assert_eq!(opens(&alice, &held, &messages[0]).unwrap_err(), NOT_AUTHENTIC);
    let (new, _) = says(&alice, &third, b"new");
    assert_eq!(said(&alice, &held, &new), b"new");
}

#[test]
fn no_byte_of_a_shared_wrap_can_be_changed_and_nothing_moves() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let held = handed(&alice, &chain);
    let (genuine, _) = says(&alice, &chain, b"hello");
    let before = held.to_snapshot();

    for place in 0..genuine.wraps[0].bytes.len() {
        let mut bytes = genuine.wraps[0].bytes.to_vec();
        bytes[place] ^= 1;
        let bytes = Bytes::new(bytes).unwrap();
        let changed = with(genuine.clone(), Wrap { bytes, ..genuine.wraps[0].clone() });

        assert_eq!(opens(&alice, &held, &changed).unwrap_err(), NOT_AUTHENTIC, "byte {place}");
    }
    for length in 0..genuine.wraps[0].bytes.len() {
        let bytes = Bytes::new(genuine.wraps[0].bytes[..length].to_vec()).unwrap();
        let cut = with(genuine.clone(), Wrap { bytes, ..genuine.wraps[0].clone() });

        assert_eq!(opens(&alice, &held, &cut).unwrap_err(), NOT_AUTHENTIC, "{length} bytes");
    }
    for to in [Recipient::Account(alice.address.account), Recipient::Device(alice.address)] {
        let relabelled = with(genuine.clone(), Wrap { to, ..genuine.wraps[0].clone() });

        assert_eq!(opens(&alice, &held, &relabelled).unwrap_err(), NOT_AUTHENTIC);
    }
    assert_eq!(*held.to_snapshot(), *before);
    assert_eq!(said(&alice, &held, &genuine), b"hello");
}

#[test]
fn a_forged_number_far_ahead_moves_nothing() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let held = handed(&alice, &chain);
    let keys = HandOut::read(&chain.hand_out(audience()));
    let (envelope, secret) = unwrapped(&alice, b"from the future");
    for number in [CHAIN_LENGTH_MAX - 1, CHAIN_LENGTH_MAX, CHAIN_LENGTH_MAX + 1, u32::MAX] {
        let far = HandOut { index: number, ..keys.clone() };
        let wrap = forged(&alice, &far, &SigningKey::from_bytes(&[7; 32]), &secret, &envelope);

        let refused = opens(&alice, &held, &with(envelope.clone(), wrap));

        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "{number}");
    }
    let (genuine, _) = says(&alice, &chain, b"now");
    assert_eq!(said(&alice, &held, &genuine), b"now");
}

#[test]
fn keys_of_messages_on_the_road_age_and_are_limited() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let held = handed(&alice, &chain);
    let (messages, _) = many(&alice, chain, 1_202);

    let (_, held) = opens(&alice, &held, &messages[1_201]).unwrap();

    assert_eq!(opens(&alice, &held, &messages[200]).unwrap_err(), NOT_AUTHENTIC);
    assert_eq!(said(&alice, &held, &messages[201]), b"201");
    let wrap = &messages[201].wraps[0];
    let just = NOW.after(SKIPPED_KEPT_FOR - Duration::from_millis(1));
    assert!(unwrap_by_chain(&messages[201], wrap, &held, just).is_ok());
    let late = NOW.after(SKIPPED_KEPT_FOR);
    assert_eq!(unwrap_by_chain(&messages[201], wrap, &held, late).unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn a_sender_that_was_rolled_back_shows_nothing_and_is_heard_once() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);
    let held = handed(&alice, &chain);
    let restored = SendingChain::from_snapshot(&chain.to_snapshot()).unwrap();

    let (once, _) = says(&alice, &chain, b"once");
    let (twice, _) = says(&alice, &restored, b"twice");

    // The number shows again; under the mode's guarantee nothing else does.
    assert_eq!(once.wraps[0].bytes[..20], twice.wraps[0].bytes[..20]);
    let different = once.wraps[0].bytes[20..]
        .iter()
        .zip(&twice.wraps[0].bytes[20..])
        .filter(|(a, b)| a != b)
        .count();
    assert!(different > 90, "{different}");
    let (_, held) = opens(&alice, &held, &once).unwrap();
    assert_eq!(opens(&alice, &held, &twice).unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn the_audience_is_the_same_in_any_order_and_another_for_any_change() {
    let [a, b] = [1, 2].map(|seed| Person::new(seed).address.account);
    let of = |lists: Vec<_>| Audience::of(4, Digest::of(b"head"), lists);

    let audience = of(vec![(a, 1), (b, 2)]);

    assert_eq!(audience, of(vec![(b, 2), (a, 1)]));
    assert_ne!(audience, of(vec![(a, 1), (b, 3)]));
    assert_ne!(audience, of(vec![(a, 1)]));
}

#[test]
fn chains_do_not_show_in_debug_output() {
    let alice = Person::new(1);
    let chain = chain_of(&alice);

    let shown = format!("{chain:?} {:?}", handed(&alice, &chain));

    assert!(shown.contains("ChainSigner(..)") && shown.contains("Link(0, ..)"), "{shown}");
    let keys = HandOut::read(&chain.hand_out(audience()));
    for secret in [*keys.link, *keys.header_key] {
        assert!(!shown.contains(&format!("{:?}", &secret[..4])[1..]), "{shown}");
    }
}

fn low_bytes(first: u8) -> Vec<u8> {
    let mut bytes = vec![0; 32];
    bytes[0] = first;
    bytes
}

pub(crate) fn audience() -> Audience {
    Audience::of(4, Digest::of(b"the members"), [])
}

/// The same chain every time.
fn chain_of(sender: &Person) -> SendingChain {
    SendingChain::begin(CONVERSATION, sender.address, NOW, &mut rng(3))
}

fn nothing_of(sender: &Person) -> ReceivingChains {
    ReceivingChains::new(CONVERSATION, sender.address)
}

pub(crate) fn handed(sender: &Person, chain: &SendingChain) -> ReceivingChains {
    nothing_of(sender).accept(&chain.hand_out(audience()), NOW).unwrap()
}

fn sealed(sender: &Person, text: &[u8]) -> chat_crypto::envelope::Sealed {
    let header = header(sender, Suite::Chained);
    seal(&header, &content(sender, text), None, &mut rng(text.len() as u64)).unwrap()
}

pub(crate) fn says(sender: &Person, chain: &SendingChain, text: &[u8]) -> (Envelope, SendingChain) {
    let mut sealed = sealed(sender, text);
    let chain = sealed.wrap_by_chain(chain).unwrap();
    (sealed.into_envelope(), chain)
}

fn many(sender: &Person, mut chain: SendingChain, count: u32) -> (Vec<Envelope>, SendingChain) {
    let messages = (0..count).map(|number| {
        let (envelope, next) = says(sender, &chain, number.to_string().as_bytes());
        chain = next;
        envelope
    });
    (messages.collect(), chain)
}

pub(crate) fn opens(
    sender: &Person,
    held: &ReceivingChains,
    envelope: &Envelope,
) -> Result<(Opened, ReceivingChains), OpenError> {
    let unwrapped = unwrap_by_chain(envelope, &envelope.wraps[0], held, NOW)?;
    let opened = open(envelope, &unwrapped.secret, &sender.certificate, unwrapped.via)?;
    Ok((opened, unwrapped.chains))
}

fn said(sender: &Person, held: &ReceivingChains, envelope: &Envelope) -> Vec<u8> {
    opens(sender, held, envelope).unwrap().0.content.body.to_vec()
}

fn secret_of(_: &Person, held: &ReceivingChains, envelope: &Envelope) -> [u8; 32] {
    *unwrap_by_chain(envelope, &envelope.wraps[0], held, NOW).unwrap().secret.as_bytes()
}

/// A message for a chain, without its wrap, and its secret.
fn unwrapped(sender: &Person, text: &[u8]) -> (Envelope, [u8; 32]) {
    let sealed = sealed(sender, text);
    let secret = *sealed.secret().as_bytes();
    (sealed.into_envelope(), secret)
}

fn with(envelope: Envelope, wrap: Wrap) -> Envelope {
    Envelope { wraps: List::new(vec![wrap]).unwrap(), ..envelope }
}

fn forged(
    sender: &Person,
    keys: &HandOut,
    signer: &SigningKey,
    secret: &[u8; 32],
    envelope: &Envelope,
) -> Wrap {
    chain_spec::wrap(keys, signer, CONVERSATION, sender.address, secret, envelope.binding())
}

/// The signature in the shared wrap of message `keys.index`.
fn signature_in(keys: &HandOut, envelope: &Envelope) -> [u8; 64] {
    let (sealed_number, sealed) = envelope.wraps[0].bytes.split_at(20);
    let aad = chain_spec::associated(envelope.binding(), sealed_number);
    let carried = chain_spec::open_siv(&keys.step().1, sealed, &aad).unwrap();
    carried[32..].try_into().unwrap()
}
