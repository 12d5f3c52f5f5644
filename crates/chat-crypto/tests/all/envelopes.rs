//! Messages that arrive as they were sent.

use chat_core::codec::{Bytes, Digest, to_bytes};
use chat_core::envelope::{Content, Envelope, Expiry, ExpiryMode, Header, Suite, WrapScheme};
use chat_core::id::ConversationId;
use chat_core::limits::{PAYLOAD_BYTES_MAX, WRAPS_MAX};
use chat_crypto::envelope::{
    OpenError, SealError, Unwrapped, Via, open, open_disclosed, seal, unwrap_for_account,
    unwrap_for_device,
};
use chat_crypto::sender_chain::SendingChain;
use chat_crypto::session::Sessions;
use chat_crypto::wrap::{EnvelopeSecrets, MessageSecret, WrapError, rewrap_all};

use crate::people::{CONVERSATION, LIST, NOW, Person, content, header, rng, signed_envelope};

#[test]
fn a_message_by_each_account_scheme_arrives() {
    let (alice, bob) = (Person::new(1), Person::with_rsa());
    for scheme in [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing, WrapScheme::RsaOaep4096] {
        let envelope = signed_envelope(&alice, b"hello", scheme, &[&bob]);

        let (secret, list) =
            unwrap_for_account(&envelope, &envelope.wraps[0], &bob.keyring, &mut rng(5)).unwrap();
        let opened = open(&envelope, &secret, &alice.certificate, Via::Account).unwrap();

        assert_eq!(&opened.content.body[..], b"hello", "{scheme:?}");
        assert_eq!(opened.header, header(&alice, Suite::Signed));
        assert_eq!(list, LIST);
    }
}

#[test]
fn wraps_have_the_length_that_is_written_down() {
    let (alice, bob) = (Person::new(1), Person::with_rsa());
    let length = |scheme| signed_envelope(&alice, b"hello", scheme, &[&bob]).wraps[0].bytes.len();

    assert_eq!(length(WrapScheme::HpkeX25519), 84);
    assert_eq!(length(WrapScheme::HpkeXwing), 1_172);
    assert_eq!(length(WrapScheme::RsaOaep4096), 512);
}

#[test]
fn a_deniable_message_arrives_on_a_session() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let sessions = alice.start_with(&bob, 3);
    let mut sealed =
        seal(&header(&alice, Suite::Deniable), &content(&alice, b"between us"), None, &mut rng(4))
            .unwrap();

    sealed.wrap_for_device(&sessions, LIST, NOW, &mut rng(5)).unwrap();
    let envelope = sealed.into_envelope();
    let unwrapped = unwrap(&envelope, &Sessions::new(alice.address), &alice, &bob).unwrap();
    let opened = open(&envelope, &unwrapped.secret, &alice.certificate, unwrapped.via).unwrap();

    assert_eq!(&opened.content.body[..], b"between us");
    assert_eq!(unwrapped.list, LIST);
    assert_eq!(unwrapped.via, Via::Session(alice.address));
}

#[test]
fn a_conversation_goes_back_and_forth_on_its_sessions() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (mut from, mut to) = (&alice, &bob);
    let (mut ours, mut theirs) = (alice.start_with(&bob, 3), Sessions::new(alice.address));
    let mut lengths = Vec::new();

    for round in 0u8..6 {
        let header = header(from, Suite::Deniable);
        let mut sealed = seal(&header, &content(from, &[round]), None, &mut rng(4)).unwrap();
        ours = sealed.wrap_for_device(&ours, LIST, NOW, &mut rng(round.into())).unwrap();
        let envelope = sealed.into_envelope();
        lengths.push(envelope.wraps[0].bytes.len());

        let unwrapped = unwrap(&envelope, &theirs, from, to).unwrap();
        let opened = open(&envelope, &unwrapped.secret, &from.certificate, unwrapped.via).unwrap();
        theirs = unwrapped.sessions;

        assert_eq!(&opened.content.body[..], [round]);
        let replayed = unwrap(&envelope, &theirs, from, to);
        assert_eq!(replayed.unwrap_err(), OpenError::NotAuthentic);
        (from, to) = (to, from);
        (ours, theirs) = (theirs, ours);
    }

    // The first wrap carries the handshake; an answered session costs little.
    assert!(lengths[1..].iter().all(|length| *length <= 150), "{lengths:?}");
}

#[test]
fn a_disclosed_secret_opens_its_message_and_no_other() {
    let alice = Person::new(1);
    let say = |text: &[u8], seed| {
        seal(&header(&alice, Suite::Deniable), &content(&alice, text), None, &mut rng(seed))
            .unwrap()
    };
    let (threat, greeting) = (say(b"I will find you", 4), say(b"good morning", 5));
    let secret = threat.secret().clone();

    let opened = open_disclosed(&threat.into_envelope(), &secret).unwrap();
    let other = open_disclosed(&greeting.into_envelope(), &secret);

    assert_eq!(&opened.content.body[..], b"I will find you");
    assert_eq!(opened.header.sender, alice.address);
    assert_eq!(other.unwrap_err(), OpenError::NotAuthentic);
}

#[test]
fn a_reported_message_cannot_be_given_other_words_or_another_time() {
    let alice = Person::new(1);
    let sealed =
        seal(&header(&alice, Suite::Deniable), &content(&alice, b"hello"), None, &mut rng(4))
            .unwrap();
    let secret = sealed.secret().clone();
    let envelope = sealed.into_envelope();
    let mut later = header(&alice, Suite::Deniable);
    later.sent_at = later.sent_at.after(std::time::Duration::from_secs(1));
    let mut words = envelope.payload.to_vec();
    words[0] ^= 1;

    let with_words = Envelope { payload: Bytes::new(words).unwrap(), ..envelope.clone() };
    let with_time = Envelope { header: Bytes::new(to_bytes(&later)).unwrap(), ..envelope };

    for altered in [with_words, with_time] {
        assert_eq!(open_disclosed(&altered, &secret).unwrap_err(), OpenError::NotAuthentic);
    }
}

#[test]
fn one_message_mixes_schemes_for_different_recipients() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (carol, dave) = (Person::new(3), Person::with_rsa());
    let mut rng = rng(4);
    let mut sealed = seal(
        &header(&alice, Suite::Signed),
        &content(&alice, b"to all of you"),
        Some(&alice.device),
        &mut rng,
    )
    .unwrap();

    sealed.wrap_for_device(&alice.start_with(&bob, 5), LIST, NOW, &mut rng).unwrap();
    for (person, scheme) in [(&carol, WrapScheme::HpkeXwing), (&dave, WrapScheme::RsaOaep4096)] {
        sealed.wrap_for_account(&person.envelope_keys, scheme, LIST, &mut rng).unwrap();
    }
    let envelope = sealed.into_envelope();

    let by_session = unwrap(&envelope, &Sessions::new(alice.address), &alice, &bob).unwrap();
    let (by_xwing, _) =
        unwrap_for_account(&envelope, &envelope.wraps[1], &carol.keyring, &mut rng).unwrap();
    let (by_rsa, _) =
        unwrap_for_account(&envelope, &envelope.wraps[2], &dave.keyring, &mut rng).unwrap();
    assert_eq!(by_session.secret, by_xwing);
    assert_eq!(by_xwing, by_rsa);
    let opened = open(&envelope, &by_session.secret, &alice.certificate, by_session.via).unwrap();
    assert_eq!(&opened.content.body[..], b"to all of you");
}

#[test]
fn a_rewrap_lets_one_more_read_and_changes_nothing_else() {
    let (alice, bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    let mut envelope = signed_envelope(&alice, b"history", WrapScheme::HpkeX25519, &[&bob]);
    let before = (envelope.binding(), envelope.header.clone(), envelope.payload.clone());
    let (secret, list) =
        unwrap_for_account(&envelope, &envelope.wraps[0], &bob.keyring, &mut rng(5)).unwrap();

    let binding = envelope.binding();
    let wrap = secret
        .rewrap(binding, &carol.envelope_keys, WrapScheme::HpkeXwing, list, &mut rng(6))
        .unwrap();
    envelope.wraps = chat_core::codec::List::new(vec![wrap]).unwrap();

    let (secret, _) =
        unwrap_for_account(&envelope, &envelope.wraps[0], &carol.keyring, &mut rng(7)).unwrap();
    let opened = open(&envelope, &secret, &alice.certificate, Via::Account).unwrap();
    assert_eq!(&opened.content.body[..], b"history");
    assert_eq!(before, (envelope.binding(), envelope.header.clone(), envelope.payload.clone()));
}

#[test]
fn a_thousand_messages_are_wrapped_again_for_one_more() {
    let (alice, bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    let mut rng = rng(6);
    let history: Vec<_> = (0..1_000u32)
        .map(|number| {
            let header = header(&alice, Suite::Signed);
            let content = content(&alice, &number.to_be_bytes());
            let signer = Some(&alice.device);
            let mut sealed = seal(&header, &content, signer, &mut rng).unwrap();
            let scheme = WrapScheme::HpkeX25519;
            sealed.wrap_for_account(&bob.envelope_keys, scheme, LIST, &mut rng).unwrap();
            sealed.into_envelope()
        })
        .collect();

    let secrets: Vec<_> = history
        .iter()
        .map(|envelope| {
            let wrap = &envelope.wraps[0];
            let (secret, _) = unwrap_for_account(envelope, wrap, &bob.keyring, &mut rng).unwrap();
            (envelope.binding(), secret)
        })
        .collect();
    let scheme = WrapScheme::HpkeX25519;
    let wraps = rewrap_all(&secrets, &carol.envelope_keys, scheme, LIST, &mut rng).unwrap();

    for (number, (envelope, wrap)) in history.iter().zip(&wraps).enumerate() {
        let (secret, _) = unwrap_for_account(envelope, wrap, &carol.keyring, &mut rng).unwrap();
        let opened = open(envelope, &secret, &alice.certificate, Via::Account).unwrap();
        assert_eq!(opened.content.body[..], u32::try_from(number).unwrap().to_be_bytes());
    }
    // Each for its own message: shifted by one, none of them opens.
    for (envelope, wrap) in history.iter().zip(wraps.iter().skip(1)) {
        let refused = unwrap_for_account(envelope, wrap, &carol.keyring, &mut rng);
        assert_eq!(refused.unwrap_err(), OpenError::NotAuthentic);
    }
}

#[test]
fn one_key_that_cannot_be_wrapped_for_leaves_no_half_of_a_batch() {
    let bob = Person::new(2);
    let secrets = vec![(Digest::of(b"one"), MessageSecret::from_bytes([1; 32])); 3];

    let scheme = WrapScheme::RsaOaep4096;
    let refused = rewrap_all(&secrets, &bob.envelope_keys, scheme, LIST, &mut rng(6));

    assert_eq!(refused.unwrap_err(), WrapError::NoKey);
}

/// The byte budget of `docs/adr/0011-what-a-message-weighs.md`: whoever changes it, changes that.
#[test]
fn a_message_of_a_kibibyte_weighs_what_is_written_down() {
    let (alice, bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    let (warm_bob, warm_carol) = (warm(&alice, &bob), warm(&alice, &carol));
    let content = content(&alice, &[b'x'; 1024]);
    let sealed = || seal(&header(&alice, Suite::Deniable), &content, None, &mut rng(4)).unwrap();

    let mut to_one = sealed();
    to_one.wrap_for_device(&warm_bob, LIST, NOW, &mut rng(5)).unwrap();
    let one = to_one.into_envelope();
    let mut to_two = sealed();
    to_two.wrap_for_device(&warm_bob, LIST, NOW, &mut rng(5)).unwrap();
    to_two.wrap_for_device(&warm_carol, LIST, NOW, &mut rng(6)).unwrap();
    let two = to_two.into_envelope();
    let chain = SendingChain::begin(CONVERSATION, alice.address, NOW, &mut rng(7));
    let mut to_all = seal(&header(&alice, Suite::Chained), &content, None, &mut rng(4)).unwrap();
    to_all.wrap_by_chain(&chain).unwrap();
    let all = to_all.into_envelope();

    let length = |envelope: &Envelope| to_bytes(envelope).len();
    let shown = [
        ("header", one.header.len()),
        ("content", to_bytes(&content).len()),
        ("payload", one.payload.len()),
        ("wrap", to_bytes(&one.wraps[0]).len()),
        ("shared wrap", to_bytes(&all.wraps[0]).len()),
        ("to one device", length(&one)),
        ("each further device", length(&two) - length(&one)),
        ("on a chain, to any number", length(&all)),
    ];
    assert_eq!(shown, WEIGHTS);
}

const WEIGHTS: [(&str, usize); 8] = [
    ("header", 126),
    ("content", 1_132),
    ("payload", 1_296),
    ("wrap", 149),
    ("shared wrap", 138),
    ("to one device", 1_616),
    ("each further device", 149),
    ("on a chain, to any number", 1_605),
];

#[test]
fn an_old_epoch_still_reads_old_messages() {
    let (alice, mut bob) = (Person::new(1), Person::new(2));
    let envelope = signed_envelope(&alice, b"long ago", WrapScheme::HpkeXwing, &[&bob]);
    let next = EnvelopeSecrets::generate(bob.address.account, 2, &mut rng(5));

    bob.keyring.add_epoch(next).unwrap();

    let unwrapped = unwrap_for_account(&envelope, &envelope.wraps[0], &bob.keyring, &mut rng(6));
    assert!(unwrapped.is_ok());
    assert_eq!(bob.keyring.current_envelope_secrets().epoch(), 2);
}

#[test]
fn an_epoch_we_do_not_hold_yet_is_named() {
    let (alice, mut bob) = (Person::new(1), Person::new(2));
    let old_keyring = Person::new(2).keyring;
    let next = EnvelopeSecrets::generate(bob.address.account, 2, &mut rng(5));
    let identity = old_keyring.identity();
    let signed = identity.sign_envelope_keys(&next.public(NOW));
    bob.envelope_keys = signed.verify(&identity.key()).unwrap();
    let envelope = signed_envelope(&alice, b"soon", WrapScheme::HpkeXwing, &[&bob]);

    let refused = unwrap_for_account(&envelope, &envelope.wraps[0], &old_keyring, &mut rng(6));

    assert_eq!(refused.unwrap_err(), OpenError::UnknownEpoch);
}

#[test]
fn messages_of_every_size_around_a_boundary_arrive() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let overhead = encoded_overhead(&alice);
    for padded in [256, 512, 3840, 4096, 4352, 9216, 65_536, PAYLOAD_BYTES_MAX] {
        // Shorter texts have shorter length prefixes, so their boundary lies a little higher.
        let end = (padded - overhead + 8).min(PAYLOAD_BYTES_MAX - overhead);
        for text_length in end - 16..=end {
            let text = vec![b'x'; text_length];
            let envelope = signed_envelope(&alice, &text, WrapScheme::HpkeX25519, &[&bob]);

            let (secret, _) =
                unwrap_for_account(&envelope, &envelope.wraps[0], &bob.keyring, &mut rng(5))
                    .unwrap();
            let opened = open(&envelope, &secret, &alice.certificate, Via::Account).unwrap();

            assert_eq!(&opened.content.body[..], &text[..], "{text_length} bytes");
        }
    }
}

#[test]
fn a_payload_shows_a_step_and_not_a_length() {
    let alice = Person::new(1);
    let length =
        |text: &[u8]| signed_envelope(&alice, text, WrapScheme::HpkeX25519, &[]).payload.len();

    assert_eq!(length(b""), length(&[b'x'; 20]));
    assert_eq!(length(&[b'x'; 700]), length(&[b'y'; 701]));
    assert!((length(b"") - 16).is_multiple_of(256));
}

#[test]
fn a_message_that_does_not_fit_is_refused() {
    let alice = Person::new(1);
    let header = header(&alice, Suite::Signed);
    let content = content(&alice, &vec![0; PAYLOAD_BYTES_MAX - encoded_overhead(&alice) + 1]);

    let refused = seal(&header, &content, Some(&alice.device), &mut rng(5));

    assert_eq!(refused.unwrap_err(), SealError::TooLong);
}

#[test]
fn the_timer_arrives_with_the_header() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let timer = Expiry { mode: ExpiryMode::AfterSeen, after_ms: 5_000 };
    let header = Header { expiry: Some(timer), ..header(&alice, Suite::Signed) };
    let mut sealed =
        seal(&header, &content(&alice, b"soon gone"), Some(&alice.device), &mut rng(5)).unwrap();

    sealed.wrap_for_account(&bob.envelope_keys, WrapScheme::HpkeX25519, LIST, &mut rng(6)).unwrap();
    let secret = sealed.secret().clone();
    let opened = open(&sealed.into_envelope(), &secret, &alice.certificate, Via::Account).unwrap();

    assert_eq!(opened.header.expiry, Some(timer));
}

#[test]
fn the_suite_decides_whether_there_is_a_signature() {
    let alice = Person::new(1);
    let content = content(&alice, b"hello");

    let unsigned = seal(&header(&alice, Suite::Signed), &content, None, &mut rng(5));
    let signed = seal(&header(&alice, Suite::Deniable), &content, Some(&alice.device), &mut rng(5));

    assert_eq!(unsigned.unwrap_err(), SealError::SuiteMismatch);
    assert_eq!(signed.unwrap_err(), SealError::SuiteMismatch);
}

#[test]
fn a_deniable_message_is_not_wrapped_for_accounts() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let header = header(&alice, Suite::Deniable);
    let mut sealed = seal(&header, &content(&alice, b"hello"), None, &mut rng(5)).unwrap();

    let refused =
        sealed.wrap_for_account(&bob.envelope_keys, WrapScheme::HpkeXwing, LIST, &mut rng(6));

    assert_eq!(refused.unwrap_err(), SealError::SchemeMismatch);
}

#[test]
fn header_and_content_must_say_the_same() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (header, genuine) = (header(&alice, Suite::Deniable), content(&alice, b"hello"));
    let elsewhere = ConversationId::from_bytes([9; 16]);
    let contradictions = [
        (header.clone(), content(&bob, b"hello")),
        (header.clone(), Content { conversation: elsewhere, ..genuine.clone() }),
        (header.clone(), Content { version: 2, ..genuine.clone() }),
        (Header { version: 2, ..header.clone() }, genuine.clone()),
    ];

    assert!(seal(&header, &genuine, None, &mut rng(5)).is_ok());
    for (header, content) in contradictions {
        let refused = seal(&header, &content, None, &mut rng(5));

        assert_eq!(refused.unwrap_err(), SealError::Contradiction);
    }
}

#[test]
fn a_scheme_that_the_recipient_has_no_key_for_is_refused() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let header = header(&alice, Suite::Signed);
    let mut sealed =
        seal(&header, &content(&alice, b"hello"), Some(&alice.device), &mut rng(5)).unwrap();
    let mut wrap = |scheme| sealed.wrap_for_account(&bob.envelope_keys, scheme, LIST, &mut rng(6));

    assert_eq!(wrap(WrapScheme::RsaOaep4096), Err(SealError::Wrap(WrapError::NoKey)));
    assert_eq!(wrap(WrapScheme::Ratchet), Err(SealError::Wrap(WrapError::NotForAccounts)));
}

#[test]
fn the_recipient_after_the_last_is_refused() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let header = header(&alice, Suite::Signed);
    let mut sealed =
        seal(&header, &content(&alice, b"hello"), Some(&alice.device), &mut rng(5)).unwrap();
    let mut rng = rng(6);
    let mut wrap = || {
        let scheme = WrapScheme::HpkeX25519;
        sealed.wrap_for_account(&bob.envelope_keys, scheme, LIST, &mut rng)
    };

    for _ in 0..WRAPS_MAX {
        wrap().unwrap();
    }

    assert_eq!(wrap(), Err(SealError::TooManyWraps));
    assert_eq!(sealed.into_envelope().wraps.len(), WRAPS_MAX);
}

#[test]
fn an_rsa_key_of_another_size_is_not_wrapped_for() {
    use rsa::pkcs8::EncodePublicKey as _;
    let (alice, mut bob) = (Person::new(1), Person::new(2));
    let short = rsa::RsaPrivateKey::new(&mut rng(5), 2048).unwrap().to_public_key();
    let mut keys = bob.keyring.current_envelope_secrets().public(NOW);
    let der = short.to_public_key_der().unwrap().into_vec();
    keys.rsa = Some(Bytes::new(der).unwrap());
    let identity = bob.keyring.identity();
    bob.envelope_keys = identity.sign_envelope_keys(&keys).verify(&identity.key()).unwrap();
    let header = header(&alice, Suite::Signed);
    let mut sealed =
        seal(&header, &content(&alice, b"hello"), Some(&alice.device), &mut rng(6)).unwrap();

    let refused =
        sealed.wrap_for_account(&bob.envelope_keys, WrapScheme::RsaOaep4096, LIST, &mut rng(7));

    assert_eq!(refused.unwrap_err(), SealError::Wrap(WrapError::UnusableKey));
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let alice = Person::new(1);
    let sealed = seal(
        &header(&alice, Suite::Signed),
        &content(&alice, b"hello"),
        Some(&alice.device),
        &mut rng(5),
    )
    .unwrap();

    assert_eq!(format!("{sealed:?}"), "Sealed(..)");
    assert_eq!(format!("{:?}", sealed.secret()), "MessageSecret(..)");
    assert_eq!(format!("{:?}", alice.keyring), "Keyring(..)");
    let epoch = alice.keyring.current_envelope_secrets();
    assert_eq!(format!("{epoch:?}"), "EnvelopeSecrets(..)");
}

/// A session of `from` with `to` that was answered.
fn warm(from: &Person, to: &Person) -> Sessions {
    let (ours, theirs) = (from.start_with(to, 3), Sessions::new(from.address));
    let (first, ours) = ours.encrypt(b"hello", b"", NOW, &mut rng(4)).unwrap();
    let (local, identity) = (to.local(), from.keyring.identity().key());
    let prekeys = [&to.prekeys];
    let theirs = theirs
        .decrypt(&local, &from.certificate, identity, &prekeys, &first, b"", NOW)
        .unwrap()
        .sessions;
    let (answer, _) = theirs.encrypt(b"hello", b"", NOW, &mut rng(5)).unwrap();
    let (local, identity) = (from.local(), to.keyring.identity().key());
    ours.decrypt(&local, &to.certificate, identity, &[], &answer, b"", NOW).unwrap().sessions
}

/// Unwraps the first wrap, for the device of `to`.
fn unwrap(
    envelope: &Envelope,
    sessions: &Sessions,
    from: &Person,
    to: &Person,
) -> Result<Unwrapped, OpenError> {
    unwrap_for_device(
        envelope,
        &envelope.wraps[0],
        sessions,
        &to.local(),
        &from.certificate,
        from.keyring.identity().key(),
        &[&to.prekeys],
        NOW,
    )
}

/// How much longer than its text the padded content of a long signed message at least is.
fn encoded_overhead(sender: &Person) -> usize {
    let text = vec![0; 100_000];
    let signature = Some(sender.device.sign(chat_core::label::CONTENT, b""));
    let content = to_bytes(&content(sender, &text));
    let content = Bytes::new(content).unwrap();
    let sealed = chat_core::envelope::SealedContent { content, signature };
    to_bytes(&sealed).len() - text.len() + 1
}
