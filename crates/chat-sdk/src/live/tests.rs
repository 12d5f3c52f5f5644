use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chat_core::id::{ConversationId, MessageId};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::list::summaries;
use super::timeline::items;
use super::*;
use crate::client::Client;
use crate::clock::ManualClock;
use crate::content::{Content, Edit, Reaction};
use crate::context;
use crate::conversation::Conversation;
use crate::expiry;
use crate::hub::Hub;
use crate::message::{Draft, Timer};
use crate::receipts;
use crate::stage::{NOW, Person, alice_and_bob};
use crate::store::{conversations, cursors, history};

#[tokio::test]
async fn whatever_happens_the_changes_lead_to_what_the_store_holds() {
    for seed in 0..4 {
        let mut world = World::new(seed).await;
        let conversation = world.conversation().await;
        let mut timeline = conversation.timeline_of(6).await.unwrap();
        let mut list = world.list().await;
        let mut shown = timeline.items().to_vec();
        let mut listed = list.items().to_vec();

        for _ in 0..40 {
            for _ in 0..world.rng.random_range(1..4) {
                world.something_happens().await;
            }
            if world.rng.random_bool(0.1) {
                // The relay is not there, so this goes as far back as the store does.
                let _ = timeline.earlier(3).await;
            }
            let bound = timeline.pager().bound();
            timeline.refresh().await.unwrap().iter().for_each(|step| step.apply(&mut shown));
            list.refresh().await.unwrap().iter().for_each(|step| step.apply(&mut listed));

            let (chat, now) = (world.chat, world.clock_now());
            let (_, fresh) = world.alice.write(move |tx, _, _| items(tx, chat, bound, now)).await;
            assert_eq!(shown, fresh, "seed {seed}");
            let fresh =
                world.alice.write(move |tx, own, _| summaries(tx, own, HashMap::new(), now)).await;
            assert_eq!(listed, fresh, "seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_view_that_waits_is_woken_and_told_once() {
    let world = World::new(1).await;
    let conversation = world.conversation().await;
    let mut timeline = conversation.timeline().await.unwrap();

    let (steps, ()) = tokio::join!(timeline.next(), async {
        world.alice.says(world.chat, "hello").await;
    });

    let steps = steps.unwrap();
    let [Diff::Insert { index: 0, value }] = &*steps else { unreachable!("{steps:?}") };
    assert_eq!(value.message().and_then(|message| message.text()), Some("hello"));
    assert_eq!(timeline.refresh().await.unwrap(), []);
    world.alice.store.close().await;
    assert_eq!(timeline.next().await.unwrap_err().code(), "closed");
}

#[tokio::test]
async fn a_view_of_one_conversation_is_not_woken_by_another() {
    let world = World::new(2).await;
    let conversation = world.conversation().await;
    let mut timeline = conversation.timeline().await.unwrap();
    let elsewhere = ConversationId::from_bytes([9; 16]);
    let hold = move |tx: &rusqlite::Transaction<'_>| {
        tx.execute(
            "INSERT INTO conversations SELECT ?1, kind, title, NULL, membership, membership_index,
                heard_index, state, created_at, active_at, sent_number, sent_binding
             FROM conversations LIMIT 1",
            [elsewhere.as_bytes()],
        )?;
        Ok(())
    };

    world.alice.store.write(hold).await.unwrap();
    let waited = tokio::select! {
        biased;
        _ = timeline.next() => false,
        () = async { for _ in 0..100 { tokio::task::yield_now().await } } => true,
    };

    assert!(waited);
}

#[tokio::test]
async fn a_place_that_was_never_shown_is_a_gap_until_it_is() {
    let mut world = World::new(3).await;
    let conversation = world.conversation().await;
    let mut timeline = conversation.timeline().await.unwrap();
    world.bob_says("one").await;
    world.sequence += 2;
    world.bob_says("four").await;

    timeline.refresh().await.unwrap();
    let with_gap = kinds(timeline.items());
    let gap = Gap { first: 2, last: 3 };
    let chat = world.chat;
    world.alice.write(move |tx, _, _| history::hold(tx, chat, gap)).await;
    timeline.refresh().await.unwrap();

    assert_eq!(with_gap, ["one", "gap 2 to 3", "four"]);
    assert_eq!(kinds(timeline.items()), ["one", "four"]);
}

#[tokio::test]
async fn a_view_is_full_at_a_thousand() {
    let world = World::new(4).await;
    let conversation = world.conversation().await;
    let chat = world.chat;
    world
        .alice
        .write(move |tx, own, rng| {
            for number in 1..=1_010_u64 {
                let id = MessageId::random(rng);
                crate::outbox::queue(tx, own, chat, id, &Draft::text("."), NOW)?;
                crate::outbox::accept(tx, own, id, number, NOW, NOW)?;
            }
            Ok(())
        })
        .await;

    let mut timeline = conversation.timeline_of(990).await.unwrap();
    let earlier = timeline.earlier(20).await.unwrap();
    for _ in 0..20 {
        world.alice.says(chat, "new").await;
    }
    let steps = timeline.refresh().await.unwrap();

    assert_eq!(earlier, Earlier::Full);
    assert_eq!(timeline.items().len(), 1_000);
    assert!(steps.contains(&Diff::Remove { index: 0 }));
}

fn kinds(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .map(|item| match item {
            Item::Message(message) => message.text().unwrap_or("?").to_owned(),
            Item::Gap(gap) => format!("gap {} to {}", gap.first, gap.last),
        })
        .collect()
}

/// Alice, whose views are looked at, and Bob, in a group of two.
struct World {
    alice: Person,
    bob: Person,
    chat: ConversationId,
    hub: Arc<Hub>,
    clock: ManualClock,
    rng: ChaCha20Rng,
    sequence: u64,
    said: Vec<MessageId>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let (alice, mut bob, chat) = alice_and_bob().await;
        let clock = ManualClock::at(NOW);
        let context = context::tests::over(alice.own.clone(), alice.store.clone(), clock.clone());
        // Each has a session with the other, so that anybody may say something first.
        alice.says(chat, "hello").await;
        let (id, envelope) = alice.seals(chat, &mut [&mut bob]).await;
        alice.is_told(id, 1).await;
        bob.opens(1, &envelope).await;
        alice
            .write(move |tx, _, _| {
                tx.execute("DELETE FROM messages", [])?;
                Ok(())
            })
            .await;
        alice
            .write(move |tx, _, _| {
                tx.execute("DELETE FROM held", [])?;
                Ok(())
            })
            .await;
        alice
            .write(move |tx, _, _| {
                tx.execute("DELETE FROM cursors", [])?;
                Ok(())
            })
            .await;
        let hub = Arc::new(Hub::new(context));
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Self { alice, bob, chat, hub, clock, rng, sequence: 0, said: Vec::new() }
    }

    fn clock_now(&self) -> chat_core::time::Timestamp {
        self.hub.now()
    }

    async fn conversation(&self) -> Conversation {
        let chat = self.chat;
        let row = self.alice.write(move |tx, _, _| conversations::load(tx, chat)).await.unwrap();
        Conversation::new(Arc::clone(&self.hub), &row)
    }

    async fn list(&self) -> ConversationList {
        Client::over(Arc::clone(&self.hub)).conversation_list().await.unwrap()
    }

    /// One of all things that can happen to a conversation.
    async fn something_happens(&mut self) {
        let (chat, now) = (self.chat, self.clock_now());
        match self.rng.random_range(0..16) {
            0..=2 => drop(self.alice_says(Draft::text("from alice")).await),
            3..=5 => self.bob_says("from bob").await,
            6 => {
                let timer = Timer::after_sent(Duration::from_secs(self.rng.random_range(1..90)));
                self.alice_says(Draft::text("for a while").expiring(timer)).await;
            }
            7 => self.about(|message| Content::Reaction(Reaction::new(message, "👍", true))).await,
            8 => self.about(|message| Content::Edit(Edit::new(message, other_words()))).await,
            9 => self.about(Content::Delete).await,
            10 => {
                let see = receipts::seen;
                self.alice.write(move |tx, own, _| see(tx, own, chat, now)).await;
            }
            11 => {
                self.bob.write(move |tx, own, _| receipts::seen(tx, own, chat, now)).await;
                for receipt in self.bob.receipts().await {
                    self.alice
                        .write(move |tx, own, _| receipts::count(tx, own, receipt, now))
                        .await;
                }
            }
            12 => {
                self.clock.advance(Duration::from_secs(30));
                let now = self.clock_now();
                self.alice.write(move |tx, _, _| expiry::erase_due(tx, now)).await;
            }
            13 => self.sequence += self.rng.random_range(0..3),
            14 => {
                let (first, length) = (self.rng.random_range(1..80), self.rng.random_range(0..9));
                let shown = Gap { first, last: first + length };
                self.alice.write(move |tx, _, _| history::hold(tx, chat, shown)).await;
            }
            _ => self.alice_settles().await,
        }
    }

    async fn alice_settles(&mut self) {
        let conversation = self.conversation().await;
        match self.rng.random_range(0..6) {
            0 => conversation.pin().await.unwrap(),
            1 => conversation.unpin().await.unwrap(),
            2 => conversation.mark_unread().await.unwrap(),
            3 => conversation.save_draft("begun".to_owned()).await.unwrap(),
            4 => conversation.save_draft(String::new()).await.unwrap(),
            _ => conversation.rename("another name").await.unwrap(),
        }
    }

    /// Alice says something; sometimes the relay has it at once.
    async fn alice_says(&mut self, draft: Draft) -> MessageId {
        let (chat, id, now) =
            (self.chat, MessageId::from_bytes(self.rng.random()), self.clock_now());
        self.alice
            .write(move |tx, own, _| crate::outbox::queue(tx, own, chat, id, &draft, now))
            .await;
        self.said.push(id);
        if self.rng.random_bool(0.7) {
            self.sequence += 1;
            let sequence = self.sequence;
            self.alice
                .write(move |tx, own, _| {
                    let told = crate::outbox::accept(tx, own, id, sequence, now, now);
                    // Whatever others said before was delivered.
                    cursors::advance(tx, chat, sequence)?;
                    told
                })
                .await;
        }
        id
    }

    /// Somebody says something about a message, which may be gone.
    async fn about(&mut self, what: impl Fn(MessageId) -> Content) {
        if self.said.is_empty() {
            return;
        }
        let place = self.rng.random_range(0..self.said.len());
        let draft = Draft::of(what(self.said[place]));
        let (chat, id) = (self.chat, MessageId::from_bytes(self.rng.random()));
        let (own, now) = (self.alice.own.clone(), self.clock_now());
        let queue = move |tx: &rusqlite::Transaction<'_>| {
            crate::outbox::queue(tx, &own, chat, id, &draft, now)
        };
        // What is gone, or somebody else's, is refused.
        let _ = self.alice.store.write(queue).await;
    }

    async fn bob_says(&mut self, words: &str) {
        let id = self.bob.says(self.chat, words).await;
        let (_, envelope) = self.bob.seals(self.chat, &mut []).await;
        self.sequence += 1;
        self.bob.is_told(id, self.sequence).await;
        self.alice.opens_at(self.sequence, &envelope, self.clock_now()).await;
        self.said.push(id);
    }
}

fn other_words() -> crate::content::Text {
    "other words".to_owned().into()
}
