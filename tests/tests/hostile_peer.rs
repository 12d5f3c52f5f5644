//! A member whose client sends what no honest one would: nothing crashes, nothing is believed that
//! is not theirs to say, and what others say goes on arriving.
//!
//! Mallory has a true account and is a true member. What she says is sealed with chat-crypto, with
//! any numbers and bodies she likes; header and content agree, since what contradicts itself is
//! shown not to open in chat-crypto's own tests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod contents;
mod numbers;

use std::sync::Arc;

use chat_core::api::account::AccountKeys;
use chat_core::codec::{Bytes, Digest};
use chat_core::device::AccountDevices;
use chat_core::envelope::{Content, Envelope, Header, Suite, VERSION};
use chat_core::frame::{ClientFrame, RelayFrame};
use chat_core::id::{ConversationId, MessageId};
use chat_core::membership::MembershipEntry;
use chat_core::reject::RejectCode;
use chat_crypto::envelope::seal;
use chat_sdk::account::{self, Setup};
use chat_sdk::api::Api;
use chat_sdk::context::Context;
use chat_sdk::random::Randomness;
use chat_sdk::store::{Place, Store};
use chat_sdk::transport::{Link, Network, Origin};
use chat_sdk::{Conversation, Policy, WrapScheme};
use relay_server::testing::TestRelay;

use crate::people::{CHEAP, PASSWORD, Person, clock, people, within};

const SCHEME: WrapScheme = WrapScheme::HpkeXwing;

/// Alice and Bob, and the group in which Mallory is the third.
struct Circle {
    _relay: TestRelay,
    alice: Person,
    bob: Person,
    at_alice: Conversation,
    at_bob: Conversation,
    mallory: Mallory,
}

impl Circle {
    async fn of_three() -> Self {
        Self::with(Policy { scheme: SCHEME, ..Policy::DEFAULT }).await
    }

    async fn with(policy: Policy) -> Self {
        let relay = TestRelay::start().await;
        let [alice, mut bob] = people(&relay, ["alice", "bob"]).await;
        let context = mallorys(&relay).await;
        let at_alice =
            alice.client.create_group_with("", &["bob", "mallory"], policy).await.unwrap();
        at_alice.send("hello").await.unwrap();
        assert_eq!(bob.hears().await, ["hello"]);
        let at_bob = bob.client.conversation(at_alice.id()).await.unwrap();
        let readers = [alice.client.account(), bob.client.account(), context.own.account()];
        let mallory = Mallory::enter(context, at_alice.id(), &readers).await;
        Self { _relay: relay, alice, bob, at_alice, at_bob, mallory }
    }

    /// Alice says something, and Bob hears it: all is as before.
    async fn goes_on(&mut self) {
        self.at_alice.send("as if nothing had been").await.unwrap();
        while self.bob.message().await.text() != Some("as if nothing had been") {}
        self.at_bob.mark_seen().await.unwrap();
        self.at_bob.send("indeed").await.unwrap();
        while self.alice.message().await.text() != Some("indeed") {}
    }
}

async fn mallorys(relay: &TestRelay) -> Context {
    let origin = Origin::parse(relay.url()).unwrap();
    let setup = Setup {
        api: Api::over(Arc::new(Network::to(origin).unwrap())),
        store: Store::open(Place::Memory).await.unwrap(),
        clock: Arc::new(clock()),
        randomness: Randomness::system().unwrap(),
        hardening: CHEAP,
        sessions_a_message_max: chat_core::limits::SESSIONS_A_MESSAGE_MAX,
    };
    account::register(setup, "mallory", PASSWORD).await.unwrap().0
}

/// A member with a client of her own making.
struct Mallory {
    context: Context,
    link: Link,
    place: ConversationId,
    head: (u64, Digest),
    readers: Vec<AccountKeys>,
    number: u64,
    request: u32,
}

impl Mallory {
    async fn enter(
        context: Context,
        place: ConversationId,
        readers: &[chat_core::id::AccountId],
    ) -> Self {
        let link = context.relay.connect().await.unwrap();
        let log = context.relay.membership(place, 0).await.unwrap().entries;
        let last = log.last().unwrap().entry.clone();
        let head: MembershipEntry = chat_core::codec::from_bytes(last.signed_bytes()).unwrap();
        let mut keys = Vec::new();
        for reader in readers {
            keys.push(context.relay.account_keys(*reader).await.unwrap());
        }
        let head = (head.index, last.digest());
        Self { context, link, place, head, readers: keys, number: 0, request: 0 }
    }

    /// Seals what `change` makes of an ordinary message, for everybody.
    fn seals(&mut self, change: impl FnOnce(&mut Header, &mut Content)) -> (MessageId, Envelope) {
        self.number += 1;
        let mut rng = self.context.rng();
        let sender = self.context.own.address;
        let mut header = Header {
            version: VERSION,
            suite: Suite::Signed,
            conversation: self.place,
            sender,
            message: MessageId::random(&mut rng),
            sent_at: self.context.now(),
            expiry: None,
            membership_index: self.head.0,
            membership_head: self.head.1,
        };
        let mut content = Content {
            version: VERSION,
            sender,
            conversation: self.place,
            number: self.number,
            previous: Digest::ZERO,
            kind: "text".to_owned(),
            body: Bytes::new(text("I am Mallory")).unwrap(),
            sender_list: 1,
            inflated_length: None,
        };
        change(&mut header, &mut content);
        let signer = &*self.context.own.device;
        let mut sealed = seal(&header, &content, Some(signer), &mut rng).unwrap();
        for keys in &self.readers {
            let devices = AccountDevices::verify(keys.account, keys.devices.clone()).unwrap();
            let keys = keys.envelope_keys.clone().verify(&devices.identity_key()).unwrap();
            sealed.wrap_for_account(&keys, SCHEME, devices.number(), &mut rng).unwrap();
        }
        (header.message, sealed.into_envelope())
    }

    /// Sends it; gives its id, or why the relay did not take it.
    async fn says(
        &mut self,
        change: impl FnOnce(&mut Header, &mut Content),
    ) -> Result<MessageId, RejectCode> {
        let (message, envelope) = self.seals(change);
        self.request += 1;
        let request = self.request;
        let frame = ClientFrame::Send { request, envelope, blobs: None };
        self.link.sink.send(&frame).await.unwrap();
        loop {
            match within(self.link.stream.next()).await.unwrap().unwrap() {
                RelayFrame::Accepted { request: of, .. } if of == request => return Ok(message),
                RelayFrame::Reject { request: Some(of), reject } if of == request => {
                    return Err(reject.code);
                }
                _ => {}
            }
        }
    }

    /// Sends a body under a kind.
    async fn says_of(&mut self, kind: &str, body: Vec<u8>) -> MessageId {
        let says = self.says(|_, content| {
            content.kind = kind.to_owned();
            content.body = Bytes::new(body).unwrap();
        });
        says.await.unwrap()
    }
}

// ── bodies, byte by byte ────────────────────────────────────────────────────────────────────────

/// `{ 0: words }`
fn text(words: &str) -> Vec<u8> {
    [&[0xa1, 0x00, 0x60 + u8::try_from(words.len()).unwrap()], words.as_bytes()].concat()
}

/// `{ 0: message }`
fn deletion(of: MessageId) -> Vec<u8> {
    [&[0xa1, 0x00, 0x50], of.as_bytes().as_slice()].concat()
}

/// `{ 0: message, 1: text }`
fn edit(of: MessageId, words: &str) -> Vec<u8> {
    let text = text(words);
    let length = 0x40 + u8::try_from(text.len()).unwrap();
    [&[0xa2, 0x00, 0x50], of.as_bytes().as_slice(), &[0x01, length], &text].concat()
}

/// `{ 0: message, 1: emoji, 2: true }`
fn reaction(to: MessageId, emoji: &str) -> Vec<u8> {
    let length = 0x60 + u8::try_from(emoji.len()).unwrap();
    let to = to.as_bytes().as_slice();
    [&[0xa3, 0x00, 0x50], to, &[0x01, length], emoji.as_bytes(), &[0x02, 0xf5]].concat()
}
