//! Who may do what: every path with every method, and every frame, as everybody there is.
//!
//! ```text
//!  http::routes() ─▶ paths × methods it takes ─┐
//!                                              ├─▶ one row each (rows.rs, frames.rs) × every caller
//!  ClientFrame's own list of its kinds ────────┘
//! ```
//!
//! **A new path** fails `every_path_has_a_row_and_every_row_a_path` until it has a line in `rows.rs`:
//! what it needs ([`Needs`]), what it is sent, and what whoever may do it gets. That may be success,
//! or a refusal that only comes behind the guard: a path that needs a device only is sent `{}` and
//! answers `malformed`. A placeholder in the path that is new is filled in [`World::fill`].
//! Where one caller differs from what the need says, add `.but(who, outcome)`.
//! **A new frame** is a line in `frames.rs`.

mod frames;
mod rows;
mod world;

use chat_core::reject::RejectCode;
use relay_server::http::routes;

use self::rows::rows;
use self::world::{Who, World};

/// What a request comes to: whether it was carried out, or with which words it was refused.
pub type Outcome = Result<(), RejectCode>;

/// What a path asks of whoever calls it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    /// Nothing; a token is passed over.
    Nothing,
    /// A token that enrols a device, which nobody here has.
    Enrolment,
    /// A device that may act.
    Device,
    /// A device whose account is a member of [`World::group`].
    Member,
    /// A device whose account is, or was, a member of it.
    Reader,
    /// A device whose account may know of [`World::member`]: they are in one workspace and, for a
    /// guest, in one conversation.
    Acquaintance,
    /// A device whose account is no guest in its workspace.
    Insider,
    /// A device whose account may decide about what is in the path, which is of the workspace that
    /// most are in: it is an admin or an owner there.
    Manager,
}

impl Needs {
    /// What `who` gets, where whoever may gets `granted`.
    fn expects(self, who: Who, granted: Outcome) -> Outcome {
        use RejectCode::{
            AccountSuspended, DeviceRemoved, Forbidden, NotAMember, NotFound, TokenExpired,
            Unauthenticated,
        };
        match (self, who) {
            (Self::Nothing, _) => granted,
            (_, Who::NoToken) => Err(Unauthenticated),
            (_, Who::Expired) => Err(TokenExpired),
            (Self::Enrolment, _) => Err(Forbidden),
            (_, Who::RevokedDevice) => Err(DeviceRemoved),
            (_, Who::Suspended) => Err(AccountSuspended),
            (Self::Device, _) => granted,
            (Self::Member | Self::Reader, Who::Member | Who::Admin) => granted,
            (Self::Reader, Who::RemovedMember) => granted,
            (Self::Member | Self::Reader, _) => Err(NotAMember),
            (Self::Acquaintance, Who::OtherWorkspace | Who::Guest) => Err(NotFound),
            (Self::Insider | Self::Manager, Who::Guest) => Err(Forbidden),
            (Self::Acquaintance | Self::Insider, _) => granted,
            (Self::Manager, Who::Admin) => granted,
            // Who owns another workspace may manage, but there is nothing of it there.
            (Self::Manager, Who::OtherWorkspace) => Err(NotFound),
            (Self::Manager, _) => Err(Forbidden),
        }
    }
}

#[tokio::test]
async fn every_path_has_a_row_and_every_row_a_path() {
    let world = World::new().await;
    let mut routed = Vec::new();
    for path in routes().paths() {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if world.takes(method, path).await {
                routed.push(format!("{method} {path}"));
            }
        }
    }

    let mut listed: Vec<_> = rows().into_iter().map(|row| row.route.to_owned()).collect();

    routed.sort();
    listed.sort();
    assert_eq!(listed, routed, "rows of tests/all/matrix/rows.rs, and what http.rs routes");
}

#[tokio::test]
async fn every_path_does_for_everybody_what_its_row_says() {
    let world = World::new().await;
    let mut wrong = Vec::new();

    for row in rows() {
        let shows = row.needs == Needs::Nothing || !is_a_guards_word(row.granted);
        assert!(shows, "{}: a guard may have said this; what comes behind it?", row.route);
        for who in Who::ALL {
            let expected = row.expects(who);
            let got = world.ask(&row, who).await;
            if got != expected {
                wrong.push(format!("{} as {who:?}: {got:?} instead of {expected:?}", row.route));
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a refusal may come from a guard, so that it does not show that the guard was passed.
fn is_a_guards_word(outcome: Outcome) -> bool {
    use RejectCode::{
        AccountSuspended, DeviceRemoved, Forbidden, NotAMember, TokenExpired, TokenInvalid,
        Unauthenticated,
    };
    outcome.is_err_and(|code| {
        matches!(
            code,
            AccountSuspended
                | DeviceRemoved
                | Forbidden
                | NotAMember
                | TokenExpired
                | TokenInvalid
                | Unauthenticated
        )
    })
}
