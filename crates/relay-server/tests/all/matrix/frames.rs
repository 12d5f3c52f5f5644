//! A row for each frame that a client may send.

use chat_core::codec::List;
use chat_core::frame::{ClientFrame, RelayFrame, Typing};
use chat_core::presence::Availability;
use chat_core::receipt::ReceiptKind;
use chat_core::reject::RejectCode::{
    self, AccountSuspended, DeviceRemoved, Malformed, NotAMember, TokenExpired, Unauthenticated,
};

use super::Outcome;
use super::world::{Who, World};
use crate::people::Person;

/// What a frame asks of a connection that has authenticated.
enum Needs {
    /// Nothing more.
    Device,
    /// That the account is a member of the group.
    Member,
}

/// The frame's name, what it needs, what whoever may gets, and one of them.
type Row = (&'static str, Needs, Outcome, fn(&World, &Person) -> ClientFrame);

/// All of them; a frame that is added to `ClientFrame` fails the first test until it stands here.
fn rows() -> Vec<Row> {
    vec![
        // Once is enough: that it is refused shows that the connection is authenticated.
        ("authenticate", Needs::Device, Err(Malformed), |_, person| ClientFrame::Authenticate {
            token: person.tokens.access.clone(),
        }),
        ("message:send", Needs::Member, Ok(()), |world, person| {
            let others = world.wanted(person);
            let envelope = person.message(&world.group, &others).seal();
            ClientFrame::Send { request: 1, envelope, blobs: None }
        }),
        // A stranger's cursor is passed over in silence; that nothing is kept is tested beside.
        ("message:acknowledge", Needs::Device, Ok(()), |world, _| ClientFrame::Acknowledge {
            conversation: world.group.id(),
            up_to: 1,
        }),
        ("message:receipt", Needs::Member, Ok(()), |world, person| ClientFrame::Receipt {
            receipt: person.device.receipt(world.group.id(), ReceiptKind::Seen, 1),
        }),
        ("typing", Needs::Member, Ok(()), |world, _| ClientFrame::Typing {
            conversation: world.group.id(),
            state: Typing::Started,
        }),
        ("presence", Needs::Device, Ok(()), |_, _| ClientFrame::Presence {
            workspace: None,
            availability: Availability::Away,
        }),
        // A stranger is told nothing, in silence; that is tested beside.
        ("presence:follow", Needs::Device, Ok(()), |world, _| ClientFrame::FollowPresence {
            workspace: world.workspace,
            accounts: List::new(vec![world.outsider.account]).unwrap(),
        }),
        ("ping", Needs::Device, Ok(()), |_, _| ClientFrame::Ping { request: 1 }),
    ]
}

#[test]
fn every_frame_has_a_row_and_every_row_a_frame() {
    // The list that the code itself gives to somebody who names a frame that there is not.
    let error = serde_json::from_str::<ClientFrame>(r#"{"type":"?"}"#).unwrap_err().to_string();
    let known = error.split_once("expected one of ").unwrap().1;
    let mut known: Vec<_> = known.split('`').skip(1).step_by(2).collect();

    let mut listed: Vec<_> = rows().into_iter().map(|(name, ..)| name).collect();

    known.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, known, "rows of tests/all/matrix/frames.rs, and the kinds of ClientFrame");
}

#[tokio::test]
async fn every_frame_does_for_everybody_what_its_row_says() {
    let world = World::new().await;
    let mut wrong = Vec::new();

    for (name, needs, granted, frame) in rows() {
        for who in Who::ALL {
            let expected = expected(&needs, who, granted);
            let got = outcome(&world, who, frame).await;
            if got != expected {
                wrong.push(format!("{name} as {who:?}: {got:?} instead of {expected:?}"));
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn expected(needs: &Needs, who: Who, granted: Outcome) -> Outcome {
    match (who, needs) {
        (Who::NoToken, _) => Err(Unauthenticated),
        (Who::Expired, _) => Err(TokenExpired),
        (Who::RevokedDevice, _) => Err(DeviceRemoved),
        (Who::Suspended, _) => Err(AccountSuspended),
        (_, Needs::Device) | (Who::Member | Who::Admin, _) => granted,
        (_, Needs::Member) => Err(NotAMember),
    }
}

/// Authenticates, sends the frame, and tells what the relay refused.
async fn outcome(world: &World, who: Who, frame: fn(&World, &Person) -> ClientFrame) -> Outcome {
    let (person, token, mut socket) = world.socket(who).await;
    let frame = frame(world, &person);
    // Without a token even `authenticate` has nothing to say.
    let frame = match (token, frame) {
        (None, ClientFrame::Authenticate { .. }) => ClientFrame::Ping { request: 1 },
        (None, frame) => frame,
        (Some(token), frame) => {
            socket.send(&ClientFrame::Authenticate { token }).await;
            match socket.next().await {
                Some(RelayFrame::Connected { .. }) => frame,
                Some(RelayFrame::Reject { reject, .. }) => return Err(reject.code),
                other => panic!("{other:?}"),
            }
        }
    };
    let request = matches!(frame, ClientFrame::Send { .. });
    socket.send(&frame).await;
    if request {
        let answer = |frame| match frame {
            RelayFrame::Accepted { .. } => Some(Ok(())),
            RelayFrame::Reject { reject, .. } => Some(Err(reject.code)),
            _ => None,
        };
        return socket.wait_for(answer).await;
    }
    socket.send(&ClientFrame::Ping { request: 4242 }).await;
    let answer = |frame| match frame {
        RelayFrame::Reject { reject, .. } => Some(Err::<(), RejectCode>(reject.code)),
        RelayFrame::Pong { request: 4242 } => Some(Ok(())),
        _ => None,
    };
    socket.wait_for(answer).await
}
