//! What every [`Board`] must do, as tests that each of them runs on two nodes' views of one board.

use std::sync::Arc;

use chat_core::id::AccountId;
use chat_core::presence::Availability;

use super::{Board, Word};

/// Two nodes' views.
pub(crate) type Two = [Arc<dyn Board>; 2];

const ALICE: AccountId = AccountId::from_bytes([1; 16]);
const BOB: AccountId = AccountId::from_bytes([2; 16]);
const CAROL: AccountId = AccountId::from_bytes([3; 16]);

/// Makes a test of each sentence, on boards that `$with_boards` brings.
macro_rules! suite {
    ($with_boards:path) => {
        $crate::presence::conformance::sentences! { $with_boards;
            what_one_node_says_all_nodes_read,
            what_several_nodes_say_is_folded,
            a_word_is_replaced_and_taken_back,
            of_whom_nobody_says_anything_nothing_is_known,
            followers_are_named_once,
            an_empty_question_has_an_empty_answer,
        }
    };
}
pub(super) use suite;

macro_rules! sentences {
    ($with_boards:path; $($sentence:ident,)*) => {
        $(#[tokio::test]
        async fn $sentence() {
            $with_boards($crate::presence::conformance::$sentence).await;
        })*
    };
}
pub(super) use sentences;

pub(super) async fn what_one_node_says_all_nodes_read([here, there]: Two) {
    here.say(&[(ALICE, word(Availability::Busy))]).await.unwrap();

    for board in [here, there] {
        assert_eq!(board.read(&[BOB, ALICE]).await.unwrap(), [None, word(Availability::Busy)]);
    }
}

pub(super) async fn what_several_nodes_say_is_folded([here, there]: Two) {
    here.say(&[(ALICE, word(Availability::Away))]).await.unwrap();
    there.say(&[(ALICE, word(Availability::Online))]).await.unwrap();

    assert_eq!(here.read(&[ALICE]).await.unwrap(), [word(Availability::Online)]);
}

pub(super) async fn a_word_is_replaced_and_taken_back([here, there]: Two) {
    here.say(&[(ALICE, word(Availability::Online))]).await.unwrap();
    there.say(&[(ALICE, word(Availability::Away))]).await.unwrap();

    here.say(&[(ALICE, word(Availability::Busy))]).await.unwrap();
    let replaced = there.read(&[ALICE]).await.unwrap();
    here.say(&[(ALICE, None)]).await.unwrap();
    let left = there.read(&[ALICE]).await.unwrap();
    there.say(&[(ALICE, None)]).await.unwrap();

    assert_eq!(replaced, [word(Availability::Busy)]);
    assert_eq!(left, [word(Availability::Away)]);
    assert_eq!(here.read(&[ALICE]).await.unwrap(), [None]);
}

pub(super) async fn of_whom_nobody_says_anything_nothing_is_known([here, _]: Two) {
    here.say(&[(ALICE, None)]).await.unwrap();

    assert_eq!(here.read(&[ALICE, BOB]).await.unwrap(), [None, None]);
}

pub(super) async fn followers_are_named_once([here, there]: Two) {
    here.follow(&[(ALICE, BOB), (ALICE, CAROL)]).await.unwrap();
    there.follow(&[(ALICE, BOB), (CAROL, BOB)]).await.unwrap();

    assert_eq!(here.followers(&[ALICE, CAROL]).await.unwrap(), [BOB, CAROL]);
    assert_eq!(there.followers(&[CAROL]).await.unwrap(), [BOB]);
    assert!(there.followers(&[BOB]).await.unwrap().is_empty());
}

pub(super) async fn an_empty_question_has_an_empty_answer([here, _]: Two) {
    here.say(&[]).await.unwrap();
    here.follow(&[]).await.unwrap();

    assert!(here.read(&[]).await.unwrap().is_empty());
    assert!(here.followers(&[]).await.unwrap().is_empty());
}

#[expect(clippy::unnecessary_wraps, reason = "it stands beside what is not there")]
fn word(availability: Availability) -> Option<Word> {
    Some(Word::everywhere(availability))
}
