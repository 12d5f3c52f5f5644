//! The story: what Alice, Bob, Carol and Dave do, and what must come of it.

use std::path::Path;
use std::time::{Duration, Instant};

use chat_sdk::{Conversation, Draft, Event, Page, Status, Timer};
use tokio::time::sleep;

use crate::Outcome;
use crate::evidence::Evidence;
use crate::person::Person;
use crate::report::Report;

/// How long the vanishing message lasts.
const FUSE: Duration = Duration::from_secs(5);

/// Tells all of it; `evidence` is the relay's data folder, where it can be looked at.
pub(crate) async fn tell(
    relay: &str,
    stores: &Path,
    evidence: Option<&Evidence>,
    report: &mut Report,
) -> Outcome<()> {
    let [mut alice, mut bob, mut carol, mut dave] = register(relay, stores, report).await?;
    compare(&alice, &bob, report).await?;
    let chat = talk(&mut alice, &mut bob, report).await?;
    miss_three(&alice, &mut bob, &chat, report).await?;
    gather([&mut alice, &mut bob, &mut carol, &mut dave], report).await?;
    vanish(&mut alice, &mut bob, &chat, evidence, report).await?;
    if let Some(evidence) = evidence {
        look(evidence, report)?;
    }
    for person in [alice, bob, carol, dave] {
        person.client.close().await?;
    }
    Ok(())
}

async fn register(relay: &str, stores: &Path, report: &mut Report) -> Outcome<[Person; 4]> {
    report.step("Four people register (the password never leaves their devices)");
    // A relay that somebody else started may know an Alice already.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let run = now.as_millis() % 100_000_000;
    let mut people = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        let person = Person::register(relay, stores, format!("{name}.{run}")).await?;
        report.line(&format!("{} has an account, a device and 100 prekeys", person.username));
        people.push(person);
    }
    people.try_into().map_err(|_| "somebody is missing".into())
}

async fn compare(alice: &Person, bob: &Person, report: &mut Report) -> Outcome<()> {
    report.step("Alice and Bob compare safety numbers");
    let at_alices = alice.client.safety_number(&bob.username).await?;
    let at_bobs = bob.client.safety_number(&alice.username).await?;
    report.line(&format!("Alice reads  {at_alices}"));
    report.line(&format!("Bob reads    {at_bobs}"));
    if !at_alices.matches_qr(&at_bobs.qr_payload()) {
        return Err("the safety numbers differ".into());
    }
    alice.client.mark_verified(alice.client.find(&bob.username).await?.account).await?;
    report.proof("Alice and Bob read the same safety number");
    Ok(())
}

async fn talk(alice: &mut Person, bob: &mut Person, report: &mut Report) -> Outcome<Conversation> {
    report.step("They exchange direct messages, both ways");
    let chat = alice.client.direct(&bob.username).await?;
    let hello = chat.send("Hello Bob, can they read this?").await?;
    report.line("Alice sent: Hello Bob, can they read this?");
    let heard = bob.hears().await?;
    expect(&heard.text(), &Some("Hello Bob, can they read this?"))?;
    report.line(&format!("Bob read: {}", heard.text().unwrap_or_default()));

    let at_bobs = bob.same(&chat).await?;
    at_bobs.mark_seen().await?;
    at_bobs.send("Not without our keys.").await?;
    let answer = alice.hears().await?;
    expect(&answer.text(), &Some("Not without our keys."))?;
    report.line(&format!("Alice read: {}", answer.text().unwrap_or_default()));

    let is_seen = |event| match event {
        Event::Status { message, status: Status::Seen, .. } if message == hello => Some(()),
        _ => None,
    };
    let already = chat.message(hello).await?.is_some_and(|m| m.status == Status::Seen);
    if !already {
        alice.await_event("Bob's receipt", is_seen).await?;
    }
    report.proof("direct messages went both ways, and Bob's signed receipt says seen");
    Ok(chat)
}

async fn miss_three(
    alice: &Person,
    bob: &mut Person,
    chat: &Conversation,
    report: &mut Report,
) -> Outcome<()> {
    report.step("Bob goes offline, Alice goes on");
    bob.client.go_offline().await?;
    let words = ["First, the station.", "Second, the harbour.", "Third, home."];
    for text in words {
        chat.send(text).await?;
    }
    alice.client.flush().await?;
    report.line("Bob is away; Alice's three messages wait at the relay");

    bob.client.go_online().await?;
    for text in words {
        let heard = bob.hears().await?;
        expect(&heard.text(), &Some(text))?;
        report.line(&format!("Bob is back and read: {text}"));
    }
    report.proof("three messages waited for Bob and came in order");
    Ok(())
}

async fn gather([alice, bob, carol, dave]: [&mut Person; 4], report: &mut Report) -> Outcome<()> {
    report.step("A group: one joins, one is removed");
    let names = [bob.username.as_str(), carol.username.as_str()];
    let group = alice.client.create_group("Sunday walk", &names).await?;
    group.send("Ten o'clock at the bridge?").await?;
    for person in [&mut *bob, &mut *carol] {
        expect(&person.hears().await?.text(), &Some("Ten o'clock at the bridge?"))?;
    }
    report.line("Alice, Bob and Carol have a group, and a first message in it");

    group.add(&dave.username).await?;
    group.send("Dave comes along.").await?;
    for person in [&mut *bob, &mut *carol, &mut *dave] {
        expect(&person.hears().await?.text(), &Some("Dave comes along."))?;
    }
    report.line("Dave was added and reads what is said from now on");

    group.remove(&carol.username).await?;
    let removed = carol.same(&group).await?;
    let is_out = |event| matches!(event, Event::Membership { .. }).then_some(());
    while removed.is_member().await? {
        carol.await_event("her removal", is_out).await?;
    }
    group.send("Carol must not know: it is her birthday.").await?;
    for person in [&mut *bob, &mut *dave] {
        let secret = "Carol must not know: it is her birthday.";
        expect(&person.hears().await?.text(), &Some(secret))?;
    }
    carol.client.sync().await?;
    let carols: Vec<_> = removed.messages(Page::latest(50)).await?;
    let knows = carols.iter().filter_map(|message| message.text()).any(|t| t.contains("birthday"));
    if knows || removed.send("Hello?").await.is_ok() {
        return Err("Carol still takes part after her removal".into());
    }
    report.proof("a member who was removed neither reads nor writes what comes after");
    Ok(())
}

async fn vanish(
    alice: &mut Person,
    bob: &mut Person,
    chat: &Conversation,
    evidence: Option<&Evidence>,
    report: &mut Report,
) -> Outcome<()> {
    report.step("A message with a five-second timer");
    let draft = Draft::text("The code is 4711.").expiring(Timer::after_sent(FUSE));
    let id = chat.send_with(draft).await?;
    let heard = bob.hears().await?;
    expect(&heard.text(), &Some("The code is 4711."))?;
    report.line("Bob read: The code is 4711.");
    if evidence.map(|relay| relay.holds(&heard)).transpose()? == Some(false) {
        return Err("the relay does not hold a message that it delivered".into());
    }

    let is_gone =
        |event| matches!(event, Event::Expired { message, .. } if message == id).then_some(());
    bob.await_event("the message to vanish", is_gone).await?;
    report.line("it vanished from Bob's device");
    if chat.message(id).await?.is_some() {
        alice.await_event("the message to vanish", is_gone).await?;
    }
    report.line("it vanished from Alice's device");
    for person in [bob.same(chat).await?, chat.clone()] {
        if person.message(id).await?.is_some() {
            return Err("the message is still there".into());
        }
    }
    let Some(relay) = evidence else {
        report.proof("a message with a timer vanished from both devices");
        return Ok(());
    };
    let waiting = Instant::now();
    while relay.holds(&heard)? {
        if waiting.elapsed() > Duration::from_secs(20) {
            return Err("the relay still holds the message".into());
        }
        sleep(Duration::from_millis(100)).await;
    }
    report.line("it vanished from the relay's database");
    report.proof("a message with a timer vanished from both devices and from the relay");
    Ok(())
}

/// What the relay has in its files: numbers, and none of the words.
fn look(evidence: &Evidence, report: &mut Report) -> Outcome<()> {
    report.step("What the relay kept of all this");
    let tally = evidence.tally()?;
    report.line(&format!(
        "{} messages, {} bytes of ciphertext, headers and wraps; {} erased",
        tally.messages, tally.bytes, tally.tombstones
    ));
    let words = [
        "can they read this",
        "Not without our keys",
        "the station",
        "Sunday walk",
        "at the bridge",
        "birthday",
        "4711",
    ];
    let (bytes, found) = evidence.search(&words)?;
    if found > 0 {
        return Err(format!("{found} of {} phrases stand in the relay's files", words.len()).into());
    }
    report.proof(&format!(
        "none of {} phrases stands in the {bytes} bytes of the relay's files",
        words.len()
    ));
    Ok(())
}

fn expect<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Outcome<()> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{found:?} instead of {expected:?}").into())
    }
}
