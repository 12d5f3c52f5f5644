//! Reporting: what is disclosed, to whom it opens, and what stays closed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use chat_core::api::reports::Report;
use chat_core::id::{MessageId, ReportId};
use chat_sdk::content::Content;
use chat_sdk::reporting::{Finding, Line, OpenedReport, opened};
use chat_sdk::{Conversation, Policy, ReportReason, Status, WrapScheme};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};
use relay_server::operator::reports;
use relay_server::storage::Which;

use crate::people::{Person, people, within};

on_both_stands! {
    what_was_said_is_shown_and_nothing_else_is,
    a_report_that_is_not_sent_discloses_nothing,
    an_edit_goes_with_what_it_has_changed,
    messages_of_every_scheme_can_be_reported,
    what_the_relay_has_erased_is_said_to_be_gone,
    who_was_removed_still_reports_what_was_said_to_them,
    a_report_whose_answer_was_lost_stays_one,
}

async fn what_was_said_is_shown_and_nothing_else_is(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    for text in ["a secret of ours", "I will find you", "good night"] {
        chat.send(text).await.unwrap();
    }
    let [_, threat, _] = [bob.message().await, bob.message().await, bob.message().await];
    let at_bob = bob.only_conversation().await;

    let transcript = at_bob.report([threat.id], ReportReason::Violence).await.unwrap();
    let disclosed: Vec<_> = transcript.lines().iter().map(said).collect();
    let filed = transcript.saying("I am afraid").unwrap().send().await.unwrap();
    let shown = shown(relay, filed.report).await;

    assert_eq!(disclosed, ["I will find you"]);
    assert_eq!(filed.verified, [threat.id]);
    let report = opened(&shown).unwrap();
    assert_eq!(texts(&report), ["I will find you"]);
    assert_eq!(report.messages[0].sender.account, alice.client.account());
    assert_eq!(report.reporter, bob.client.account());
    assert_eq!(report.comment.as_deref(), Some("I am afraid"));
    assert!(!shown.contains("find you"), "the relay has read it");
}

async fn a_report_that_is_not_sent_discloses_nothing(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    let message = bob.message().await;
    let at_bob = bob.only_conversation().await;

    drop(at_bob.report([message.id], ReportReason::Spam).await.unwrap());
    let unknown = at_bob.report([MessageId::from_bytes([9; 16])], ReportReason::Spam).await;

    assert!(reports::list(relay.node(0).storage(), Which::All).await.unwrap().is_empty());
    assert_eq!(unknown.unwrap_err().code(), "not_found");
}

async fn an_edit_goes_with_what_it_has_changed(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let id = chat.send("have a nice day").await.unwrap();
    bob.message().await;
    chat.edit(id, "I hate you").await.unwrap();
    let at_bob = bob.only_conversation().await;
    bob.wait_for(|event| matches!(event, chat_sdk::Event::Changed(_)).then_some(())).await;

    let transcript = at_bob.report([id], ReportReason::Harassment).await.unwrap();
    let filed = transcript.send().await.unwrap();

    let report = opened(&shown(relay, filed.report).await).unwrap();
    assert_eq!(texts(&report), ["have a nice day", "I hate you"]);
    let of = match &report.messages[1].finding {
        Finding::Said { content, .. } => match &**content {
            Content::Edit(edit) => Some(edit.of),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(of, Some(id));
}

async fn messages_of_every_scheme_can_be_reported(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    for scheme in [WrapScheme::Ratchet, WrapScheme::HpkeX25519, WrapScheme::HpkeXwing] {
        let policy = Policy { scheme, ..Policy::DEFAULT };
        let group = alice.client.create_group_with("Open", &["bob", "carol"], policy).await;
        group.unwrap().send("spam").await.unwrap();
        let message = bob.message().await;
        carol.message().await;
        let at_bob = bob.client.conversation(message.conversation).await.unwrap();
        let answer = at_bob.send("go away").await.unwrap();
        bob.reaches(answer, Status::Sent).await;
        carol.message().await;

        let transcript = at_bob.report([message.id, answer], ReportReason::Spam).await.unwrap();
        let filed = transcript.send().await.unwrap();

        let report = opened(&shown(relay, filed.report).await).unwrap();
        assert_eq!(texts(&report), ["spam", "go away"], "{scheme:?}");
    }
}

async fn what_the_relay_has_erased_is_said_to_be_gone(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let message = chat.send("and now it is gone").await.unwrap();
    alice.reaches(message, Status::Sent).await;
    bob.message().await;
    let at_bob = bob.only_conversation().await;
    let transcript = at_bob.report([message], ReportReason::Fraud).await.unwrap();

    chat.delete(message).await.unwrap();
    is_deleted(&mut bob, &at_bob, message).await;
    let filed = within(async {
        loop {
            // The sealed deletion may be here before the relay has erased its copy.
            let again = at_bob.report([message], ReportReason::Fraud).await;
            assert_eq!(again.unwrap_err().code(), "not_found");
            if relay_has_erased(relay) {
                break transcript.send().await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    })
    .await;

    assert_eq!((filed.verified, filed.gone), (vec![], vec![message]));
    let report = opened(&shown(relay, filed.report).await).unwrap();
    assert_eq!(report.messages[0].finding, Finding::Gone);
    assert_eq!(report.messages[0].sender.account, alice.client.account());
}

async fn who_was_removed_still_reports_what_was_said_to_them(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Club", &["bob", "carol"]).await.unwrap();
    group.send("you are out").await.unwrap();
    let message = bob.message().await;
    carol.message().await;
    group.remove("bob").await.unwrap();
    bob.learns_of_its_removal().await;
    let at_bob = bob.only_conversation().await;

    let filed = at_bob.report([message.id], ReportReason::Other).await.unwrap().send().await;

    let report = opened(&shown(relay, filed.unwrap().report).await).unwrap();
    assert_eq!(texts(&report), ["you are out"]);
}

async fn a_report_whose_answer_was_lost_stays_one(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    let message = bob.message().await;
    let at_bob = bob.only_conversation().await;
    let transcript = at_bob.report([message.id], ReportReason::Spam).await.unwrap();

    let first = transcript.send().await.unwrap();
    let again = transcript.send().await.unwrap();

    assert_eq!(first, again);
    let kept = reports::list(relay.node(1).storage(), Which::Open).await.unwrap();
    assert_eq!(kept.len(), 1);
    reports::close(relay.node(0).storage(), first.report, Some("warned")).await.unwrap();
    let open = reports::list(relay.node(1).storage(), Which::Open).await.unwrap();
    assert!(open.is_empty());
}

/// A report as the operator gets it printed.
async fn shown(relay: &Stand, report: ReportId) -> String {
    let report: Report = reports::show(relay.node(1).storage(), report).await.unwrap();
    serde_json::to_string_pretty(&report).unwrap()
}

fn texts(report: &OpenedReport) -> Vec<String> {
    let text = |finding: &Finding| match finding {
        Finding::Said { content, .. } => words(content),
        other => format!("{other:?}"),
    };
    report.messages.iter().map(|message| text(&message.finding)).collect()
}

fn said(line: &Line) -> String {
    words(&line.content)
}

fn words(content: &Content) -> String {
    match content {
        Content::Edit(edit) => edit.text.text.clone(),
        content => content.text().unwrap_or("?").to_owned(),
    }
}

async fn is_deleted(person: &mut Person, chat: &Conversation, message: MessageId) {
    while chat.message(message).await.unwrap().unwrap().content != Content::Deleted {
        person.wait_for(|event| matches!(event, chat_sdk::Event::Changed(_)).then_some(())).await;
    }
}

fn relay_has_erased(relay: &Stand) -> bool {
    [0, 1].into_iter().any(|node| {
        let metrics = relay.node(node).relay().metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix("sealwire_deleted_total "));
        line.unwrap() != "0"
    })
}
