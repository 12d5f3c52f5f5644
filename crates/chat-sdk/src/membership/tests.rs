use chat_core::membership::Allowed;

use super::*;
use crate::stage::{NOW, Person, alice_and_bob};
use crate::store::Place;

#[tokio::test]
async fn a_log_that_leads_elsewhere_is_refused_and_none_of_it_kept() {
    let (alice, bob, chat) = alice_and_bob().await;
    let fork = alice.decides(Some(chat), policy(Allowed::Admins)).await;
    let ours = alice.decides(Some(chat), policy(Allowed::Members)).await;
    bob.hears_of(chat, &ours).await;
    // Alice goes on where Bob has not been.
    alice.hears_of(chat, &fork).await;
    let behind_the_fork = alice.decides(Some(chat), policy(Allowed::Members)).await;

    let elsewhere = hear(&bob, chat, vec![fork, behind_the_fork.clone()]).await;

    assert_eq!(elsewhere.unwrap_err().kind(), Kind::NotVerified);
    assert_eq!(head(&bob, chat).await, (1, ours.entry.digest()));
}

#[tokio::test]
async fn of_entries_that_came_together_all_are_kept_or_none() {
    let (alice, bob, chat) = alice_and_bob().await;
    let good = alice.decides(Some(chat), policy(Allowed::Admins)).await;
    let again = alice.decides(Some(chat), policy(Allowed::Members)).await;
    let before = head(&bob, chat).await;
    let forged = SignedEntry { signer: bob.own.address, ..again };

    let outcome = hear(&bob, chat, vec![good, forged]).await;

    assert_eq!(outcome.unwrap_err().kind(), Kind::NotVerified);
    assert_eq!(head(&bob, chat).await, before);
}

#[tokio::test]
async fn a_log_under_another_conversations_id_is_refused() {
    let (alice, bob, chat) = alice_and_bob().await;
    let other = ConversationId::from_bytes([0x0c; 16]);
    let entry = alice.decides(Some(chat), policy(Allowed::Admins)).await;

    assert_eq!(hear(&bob, other, vec![entry]).await.unwrap_err().kind(), Kind::NotVerified);
}

#[tokio::test]
async fn a_conversation_of_others_does_not_pass_for_the_one_of_two() {
    let [alice, bob, carol] = [("alice", 1), ("bob", 2), ("carol", 3)];
    let alice = Person::new(alice.0, alice.1, Place::Memory).await.own.account();
    let bob = Person::new(bob.0, bob.1, Place::Memory).await;
    let carol = Person::new(carol.0, carol.1, Place::Memory).await.own.account();
    let direct = begun(&bob, ConversationKind::Direct, alice).await;
    let group = begun(&bob, ConversationKind::Group, alice).await;

    assert!(is_direct_of(&direct, bob.own.account(), &[alice]));
    assert!(!is_direct_of(&direct, bob.own.account(), &[carol]));
    assert!(!is_direct_of(&direct, carol, &[alice]));
    assert!(!is_direct_of(&group, bob.own.account(), &[alice]));
}

fn policy(post: Allowed) -> Change {
    Change::SetPolicy { policy: Policy { post, ..Policy::DEFAULT } }
}

async fn hear(
    person: &Person,
    chat: ConversationId,
    entries: Vec<SignedEntry>,
) -> Result<Extended> {
    let own = person.own.clone();
    person.store.write(move |tx| extend(tx, &own, chat, entries, NOW)).await
}

async fn head(person: &Person, chat: ConversationId) -> (u64, Digest) {
    let row = person.store.read(move |tx| conversations::load(tx, chat)).await.unwrap().unwrap();
    (row.membership.index(), row.membership.head())
}

async fn begun(author: &Person, kind: ConversationKind, other: AccountId) -> Membership {
    let accounts = [author.own.account(), other];
    let members = accounts.map(|account| Member { account, role: Role::Admin });
    let change = Change::Create {
        kind,
        workspace: author.own.workspace,
        members: List::new(members.to_vec()).unwrap(),
        policy: Policy::DEFAULT,
        nonce: Bytes::new(vec![5; 16]).unwrap(),
        document: None,
    };
    let signed = author.decides(None, change).await;
    Membership::create(&signed.entry.verify(&author.own.device.key()).unwrap()).unwrap()
}
