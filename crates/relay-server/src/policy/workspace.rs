//! Who may do what in a workspace: one table, asked by every service.
//!
//! | | guest | member | admin | owner |
//! |---|---|---|---|---|
//! | take part in conversations it was added to | yes | yes | yes | yes |
//! | find and write to those it shares one with | yes | yes | yes | yes |
//! | find and write to everybody | | yes | yes | yes |
//! | begin and join channels and documents | | yes | yes | yes |
//! | list the members | | yes | yes | yes |
//! | invite, suspend, reinstate, remove | | | below admin | all |
//! | make somebody guest or member | | | below admin | all |
//! | make somebody admin or owner | | | | yes |
//!
//! Normative: `docs/protocol/workspaces.md` §2.

use chat_core::api::workspaces::WorkspaceRole;
use chat_core::reject::{Reject, RejectCode};

/// Something that a role allows or does not.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Act {
    /// See who is in the workspace, by name or as a list, and write to anybody there.
    KnowEverybody,
    /// Begin and join conversations that are shared with the workspace.
    UseChannels,
    /// Issue, list and revoke invitations; change, suspend and remove members.
    ManageMembers,
    /// Make a workspace more, where the operator lets owners.
    CreateWorkspaces,
}

/// The table.
#[must_use]
pub fn allows(role: WorkspaceRole, act: Act) -> bool {
    let least = match act {
        Act::KnowEverybody | Act::UseChannels => WorkspaceRole::Member,
        Act::ManageMembers => WorkspaceRole::Admin,
        Act::CreateWorkspaces => WorkspaceRole::Owner,
    };
    role >= least
}

/// Whether somebody may decide about another: what they are, and what they are to be.
///
/// Owners decide about everybody, admins about those below them, and nobody hands out more than
/// that.
#[must_use]
pub fn may_decide(decider: WorkspaceRole, about: WorkspaceRole) -> bool {
    match decider {
        WorkspaceRole::Owner => true,
        WorkspaceRole::Admin => about < WorkspaceRole::Admin,
        WorkspaceRole::Member | WorkspaceRole::Guest => false,
    }
}

/// Refuses what the table does not allow.
///
/// # Errors
///
/// [`RejectCode::Forbidden`].
pub fn check(role: WorkspaceRole, act: Act) -> Result<(), Reject> {
    allows(role, act).then_some(()).ok_or_else(|| {
        Reject::from(RejectCode::Forbidden)
            .saying("What this account is in its workspace does not allow it to do this.")
    })
}

#[cfg(test)]
mod tests {
    use WorkspaceRole::{Admin, Guest, Member, Owner};

    use super::*;

    #[test]
    fn the_table_is_as_it_is_written() {
        let rows = [
            (Act::KnowEverybody, [false, true, true, true]),
            (Act::UseChannels, [false, true, true, true]),
            (Act::ManageMembers, [false, false, true, true]),
            (Act::CreateWorkspaces, [false, false, false, true]),
        ];

        for (act, expected) in rows {
            assert_eq!([Guest, Member, Admin, Owner].map(|role| allows(role, act)), expected);
        }
    }

    #[test]
    fn nobody_decides_about_their_equals_but_owners() {
        let about = |decider| [Guest, Member, Admin, Owner].map(|role| may_decide(decider, role));

        assert_eq!(about(Guest), [false; 4]);
        assert_eq!(about(Member), [false; 4]);
        assert_eq!(about(Admin), [true, true, false, false]);
        assert_eq!(about(Owner), [true; 4]);
    }
}
