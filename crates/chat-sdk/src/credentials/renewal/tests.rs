use chat_core::membership::Policy;
use chat_crypto::recovery::RecoveryPhrase;

use super::*;
use crate::context::Own;
use crate::stage::{Person, alice_and_bob, group};
use crate::store::{Place, settings as registers};

#[tokio::test]
async fn a_lock_is_not_wrapped_for_the_envelope_keys() {
    let alice = Person::new("alice", 1, Place::Memory).await;
    for (scheme, is_said) in [(WrapScheme::HpkeXwing, false), (WrapScheme::Ratchet, true)] {
        let chat = group(&[&alice], Policy { scheme, ..Policy::DEFAULT }).await;

        let said = alice.tries(chat, handing(lock_of(&alice, 2).await)).await;

        assert_eq!(said.is_ok(), is_said);
    }
}

#[tokio::test]
async fn a_lock_from_somebody_else_is_none() {
    let (mut alice, bob, chat) = alice_and_bob().await;
    // Even in a conversation that was taken for her own, since somebody else is in it.
    alice.write(move |tx, _, _| registers::add_own_conversation(tx, chat)).await;
    bob.says_with(chat, handing(lock_of(&bob, 2).await)).await;

    let (_, envelope) = bob.seals(chat, &mut [&mut alice]).await;
    let outcome = alice.opens(1, &envelope).await;

    assert!(outcome.message.is_none() && outcome.aside.is_empty());
}

#[tokio::test]
async fn an_older_lock_and_nonsense_are_passed_over() {
    let (alice, _, _) = alice_and_bob().await;
    let first = lock_of(&alice, 1).await;
    let second = lock_of(&alice, 2).await;
    let third = lock_of(&alice, 3).await;
    let nonsense = HandedLock::new(zeroize::Zeroizing::new(vec![7; 100]));

    let heard: Vec<bool> = alice
        .write(move |tx, _, _| {
            [first, nonsense, third, second].iter().map(|lock| keyring::hear(tx, lock)).collect()
        })
        .await;

    assert_eq!(heard, [false, false, true, false]);
}

async fn lock_of(person: &Person, number: u64) -> HandedLock {
    let draw = move |_: &Transaction<'_>, own: &Own, rng: &mut Rng| {
        let phrase = RecoveryPhrase::generate(rng);
        let (_, lock) = own.keyring.get().seal(number, b"export key", &phrase, rng);
        Ok(HandedLock::new(lock.to_snapshot()))
    };
    person.write(draw).await
}

fn handing(lock: HandedLock) -> Draft {
    Draft::of(Content::KeyringLock(lock))
}
