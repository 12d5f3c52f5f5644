//! Backup under load, destroy, restore: everything accepted before is there, nothing comes twice.
//!
//! Each test runs on SQLite and on PostgreSQL, with the same programs an operator has.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_core::api::account::OwnAccount;
use chat_core::api::auth::{Refresh, Tokens};
use chat_core::api::conversations::MessagePage;
use chat_core::api::prekeys::PrekeyCount;
use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::frame::RelayFrame;
use chat_core::id::{ConversationId, MessageId};
use chat_core::receipt::Sequence;
use chat_core::reject::RejectCode;
use relay_server::audit::verify;
use relay_server::clock::{Clock as _, SystemClock};
use relay_server::config::{Config, Database};
use relay_server::operator::backup::backup;
use relay_server::operator::manifest::MANIFEST;
use relay_server::operator::restore::restore;
use relay_server::operator::{self, OperatorError};
use relay_server::random;
use relay_server::testing::TestRelay;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::people::{Person, Rest};
use crate::socket::Socket;

const ORIGIN: &str = "http://relay.test";
/// Messages that are accepted before a backup begins, and again while and after it is made.
const SOME: usize = 30;

/// Sequences go on at least so much higher after a restore.
const AHEAD: Sequence = 1 << 32;

async fn what_was_accepted_before_a_backup_survives_the_end_of_everything(stand: Stand) {
    let old = stand.place().await;
    let relay = old.start().await;
    let [alice, bob] = two(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut load = Load::start(alice.clone(), bob.clone(), chat.clone());
    let before = load.more(SOME).await;
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy");

    backup(&old.config, &copy, SystemClock.now()).await.unwrap();
    let after = load.more(SOME).await;
    let everything = load.stop().await;
    relay.stop().await;
    old.destroy().await;

    let new = stand.place().await;
    let restored = restore(&new.config, &copy, SystemClock.now()).await.unwrap();
    let relay = new.start().await;
    let alice = logged_in(alice, &relay).await;
    let log = messages(&alice, chat.id()).await;

    assert!(before >= SOME && after >= before + SOME && everything.len() >= after);
    let missing = everything.iter().take(before).filter(|one| !log.contains(one)).count();
    assert_eq!(missing, 0, "of {before} that were accepted before");
    // What is there is what was accepted, in the order in which it was accepted.
    assert_eq!(log, everything.get(..log.len()).unwrap());
    assert!(restored.manifest.files.iter().all(|file| file.bytes > 0));
    relay.stop().await;
    new.destroy().await;
}

async fn what_was_good_once_is_good_no_more(stand: Stand) {
    let old = stand.place().await;
    let relay = old.start().await;
    let [alice, bob] = two(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut socket = alice.connect_idle().await;
    let due = Expiry { mode: ExpiryMode::AfterSent, after_ms: 60_000 };
    let last = socket.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    let last = last.max(
        socket.send_message(&alice.message(&chat, &[&bob]).expiring(due).seal()).await.unwrap(),
    );
    socket.close().await;
    let epoch = epoch(&alice).await;
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy");
    backup(&old.config, &copy, SystemClock.now()).await.unwrap();
    relay.stop().await;
    old.destroy().await;

    let new = stand.place().await;
    let later = SystemClock.now().after(Duration::from_secs(90));
    let restored = restore(&new.config, &copy, later).await.unwrap();
    let relay = new.start().await;
    let (old_tokens, alice) = (alice.tokens.clone(), elsewhere(alice, &relay));

    // Tokens: none is good, a device comes back by its key.
    let refused = alice.get::<OwnAccount>("/v1/account").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::TokenInvalid);
    let refresh = Refresh { refresh: old_tokens.refresh.clone(), signature: None };
    let refused = alice.rest.post::<Tokens>("/v1/auth/refresh", None, &refresh).await.unwrap_err();
    assert_eq!(refused.code.http_status(), 401);
    let alice = logged_in(alice, &relay).await;
    // Prekeys, the epoch, what was due.
    let count: PrekeyCount = alice.get("/v1/prekeys").await.unwrap();
    assert_eq!(count.remaining, 0);
    assert_eq!(restored.erased, 1);
    assert!(restored.epoch.prekeys > 0 && restored.epoch.sessions >= 2);
    assert_eq!(self::epoch(&alice).await, restored.epoch.epoch);
    assert!(restored.epoch.epoch > epoch);
    // Sequences: beyond everything that anybody has seen.
    let mut socket = alice.connect().await;
    let next = socket.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    assert!(next > last + AHEAD, "{next}");
    let mut bobs = logged_in(bob, &relay).await.connect().await;
    assert_eq!(bobs.until_caught_up().await, [1, next]);
    socket.close().await;
    relay.stop().await;
    new.destroy().await;
}

async fn the_same_backup_restored_twice_begins_two_epochs(stand: Stand) {
    let old = stand.place().await;
    let relay = old.start().await;
    let [alice, bob] = two(&relay).await;
    let chat = alice.direct(&bob).await;
    relay.stop().await;
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy");
    let now = SystemClock.now();
    backup(&old.config, &copy, now).await.unwrap();
    old.destroy().await;

    let mut seen = Vec::new();
    for later in [60, 130] {
        let new = stand.place().await;
        let at = now.after(Duration::from_secs(later));
        let restored = restore(&new.config, &copy, at).await.unwrap();
        let relay = new.start().await;
        let alice = logged_in(alice.clone(), &relay).await;
        let mut socket = alice.connect_idle().await;
        let next = socket.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
        seen.push((restored.epoch.epoch, next));
        socket.close().await;
        relay.stop().await;
        new.destroy().await;
    }

    let [(first_epoch, first), (second_epoch, second)] = seen[..] else { panic!("two") };
    assert!(second_epoch > first_epoch);
    assert!(second >= first + AHEAD);
}

async fn a_backup_and_a_restore_stand_in_the_audit_log(stand: Stand) {
    let old = stand.place().await;
    old.start().await.stop().await;
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy");
    backup(&old.config, &copy, SystemClock.now()).await.unwrap();

    let said = tail(&old.config).await;
    let new = stand.place().await;
    restore(&new.config, &copy, SystemClock.now()).await.unwrap();

    assert!(said.contains("\"backup_made\""), "{said}");
    let said = tail(&new.config).await;
    assert!(said.contains("\"restored\""), "{said}");
    let storage = operator::open(&new.config).await.unwrap();
    verify(&*storage, None).await.unwrap();
    storage.close().await;
    old.destroy().await;
    new.destroy().await;
}

async fn nothing_is_restored_over_something_or_from_something_damaged(stand: Stand) {
    let old = stand.place().await;
    old.start().await.stop().await;
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy");
    let now = SystemClock.now();
    backup(&old.config, &copy, now).await.unwrap();

    let over = restore(&old.config, &copy, now).await.unwrap_err();
    assert!(matches!(over, OperatorError::NotEmpty(_)), "{over}");
    let again = backup(&old.config, &copy, now).await.unwrap_err();
    assert!(matches!(again, OperatorError::Output(_)), "{again}");
    flip_a_byte(&copy);
    let new = stand.place().await;
    let damaged = restore(&new.config, &copy, now).await.unwrap_err();
    assert!(matches!(damaged, OperatorError::Damaged(_)), "{damaged}");
    std::fs::remove_file(copy.join(MANIFEST)).unwrap();
    let none = restore(&new.config, &copy, now).await.unwrap_err();
    assert!(matches!(none, OperatorError::NoBackup(_)), "{none}");
    old.destroy().await;
    new.destroy().await;
}

#[tokio::test]
async fn nobody_starts_on_half_a_restore() {
    let stand = Stand::Postgres;
    let place = stand.place().await;
    let Database::Postgres(url) = &place.config.database else { panic!("it is") };
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute("CREATE TABLE sealwire_restoring (since timestamptz)").await.unwrap();
    connection.close().await.unwrap();

    let refused = operator::open(&place.config).await.unwrap_err();

    assert!(refused.to_string().contains("restore"), "{refused}");
    place.destroy().await;
}

#[derive(Clone, Copy)]
enum Stand {
    Sqlite,
    Postgres,
}

impl Stand {
    /// A place that holds nothing yet.
    async fn place(self) -> Place {
        let folder = TempDir::new().unwrap();
        let mut config = Config::with_data(folder.path().join("data"));
        if let Self::Postgres = self {
            let server = server();
            let name = format!("sealwire_{:016x}", u64::from_le_bytes(random::bytes()));
            administer(format!("CREATE DATABASE {name}")).await;
            let (base, _) = server.rsplit_once('/').unwrap();
            config.database = Database::Postgres(format!("{base}/{name}"));
        }
        Place { config, _folder: folder }
    }
}

struct Place {
    config: Config,
    _folder: TempDir,
}

impl Place {
    async fn start(&self) -> TestRelay {
        let relay = TestRelay::builder().data(&self.config.data).origin(ORIGIN);
        match &self.config.database {
            Database::Sqlite(_) => relay.start().await,
            Database::Postgres(url) => relay.postgres(url).start().await,
        }
    }

    async fn destroy(self) {
        if let Database::Postgres(url) = &self.config.database {
            let name = url.rsplit('/').next().unwrap();
            administer(format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn administer(statement: String) {
    let mut administrator = PgConnection::connect(&server()).await.unwrap();
    administrator.execute(AssertSqlSafe(statement)).await.unwrap();
}

fn server() -> String {
    std::env::var("SEALWIRE_TEST_POSTGRES")
        .expect("SEALWIRE_TEST_POSTGRES names no server; run the tests with `cargo xtask test`")
}

/// Somebody who sends one message after the other, and notes what was accepted.
struct Load {
    accepted: watch::Receiver<Vec<MessageId>>,
    stop: Arc<tokio::sync::Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    fn start(
        alice: Arc<Person>,
        bob: Arc<Person>,
        chat: chat_core::membership::Membership,
    ) -> Self {
        let (sender, accepted) = watch::channel(Vec::new());
        let stop = Arc::new(tokio::sync::Notify::new());
        let told = stop.clone();
        let task = tokio::spawn(async move {
            let mut socket = alice.connect_idle().await;
            let stopped = told.notified();
            tokio::pin!(stopped);
            loop {
                let message = alice.message(&chat, &[&bob]);
                socket.send_message(&message.seal()).await.unwrap();
                sender.send_modify(|all| all.push(message.header.message));
                if futures_util::poll!(&mut stopped).is_ready() {
                    return socket.close().await;
                }
            }
        });
        Self { accepted, stop, task }
    }

    /// Waits until so many more are accepted; returns how many there are.
    async fn more(&mut self, count: usize) -> usize {
        let wanted = self.accepted.borrow().len() + count;
        self.accepted.wait_for(|all| all.len() >= wanted).await.unwrap().len()
    }

    async fn stop(self) -> Vec<MessageId> {
        self.stop.notify_one();
        self.task.await.unwrap();
        self.accepted.borrow().clone()
    }
}

async fn two(relay: &TestRelay) -> [Arc<Person>; 2] {
    [
        Arc::new(Person::register(relay, "alice").await),
        Arc::new(Person::register(relay, "bob").await),
    ]
}

/// The same person, with tokens of before, at another address.
fn elsewhere(person: Arc<Person>, relay: &TestRelay) -> Arc<Person> {
    let person = Arc::try_unwrap(person).unwrap_or_else(|shared| copy_of(&shared));
    Arc::new(Person { rest: Rest::at(relay), ..person })
}

async fn logged_in(person: Arc<Person>, relay: &TestRelay) -> Arc<Person> {
    let person = elsewhere(person, relay);
    let tokens = Arc::new(person.log_in_by_device(ORIGIN).await.unwrap());
    Arc::new(Person { tokens, ..copy_of(&person) })
}

fn copy_of(person: &Person) -> Person {
    Person {
        rest: Rest::at_url(&person.rest.url),
        name: person.name.clone(),
        account: person.account,
        identity: person.identity.clone(),
        device: person.device.clone(),
        devices: person.devices.clone(),
        tokens: person.tokens.clone(),
    }
}

async fn messages(person: &Person, chat: ConversationId) -> Vec<MessageId> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let path = format!("/v1/conversations/{chat}/messages?after={after}");
        let page: MessagePage = person.get(&path).await.unwrap();
        all.extend(page.messages.iter().map(|message| message.message));
        match page.messages.last() {
            Some(last) if page.more => after = last.sequence,
            _ => return all,
        }
    }
}

async fn epoch(person: &Person) -> u64 {
    let mut socket = Socket::open(&person.rest.url, Some(&person.tokens.access)).await.unwrap();
    let greeting = socket.next().await;
    socket.close().await;
    match greeting {
        Some(RelayFrame::Connected { epoch, .. }) => epoch,
        other => panic!("{other:?} instead of connected"),
    }
}

async fn tail(config: &Config) -> String {
    let storage = operator::open(config).await.unwrap();
    let mut said = Vec::new();
    operator::tail(&*storage, 5, &mut said).await.unwrap();
    storage.close().await;
    String::from_utf8(said).unwrap()
}

fn flip_a_byte(folder: &Path) {
    for name in ["relay.db", "relay.pgdump"] {
        let path = folder.join(name);
        if let Ok(mut bytes) = std::fs::read(&path) {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }
    }
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Stand::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Stand::Postgres).await;
            })*
        }
    };
}

on_both! {
    what_was_accepted_before_a_backup_survives_the_end_of_everything,
    what_was_good_once_is_good_no_more,
    the_same_backup_restored_twice_begins_two_epochs,
    a_backup_and_a_restore_stand_in_the_audit_log,
    nothing_is_restored_over_something_or_from_something_damaged,
}
