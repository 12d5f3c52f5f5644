//! Who may register, who makes workspaces, and what becomes of the names of those who have gone.

use std::fmt;
use std::time::Duration;

/// Who may register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Registration {
    /// Everybody: into the default workspace or, with an invitation, where it leads.
    Open,
    /// Only who has an invitation.
    Invitation,
    /// Nobody.
    Closed,
}

/// Who makes workspaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WorkspacesBy {
    /// The operator, by the command line.
    Operator,
    /// Also whoever owns one.
    Owners,
}

/// What the relay does about accounts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Accounts {
    /// Who may register.
    pub registration: Registration,
    /// Who makes workspaces.
    pub workspaces: WorkspacesBy,
    /// How long nobody else gets the name of an account that was deleted.
    pub name_kept: Duration,
}

impl Accounts {
    /// What a relay does when nobody says otherwise.
    pub const DEFAULT: Self = Self {
        registration: Registration::Open,
        workspaces: WorkspacesBy::Operator,
        name_kept: Duration::from_secs(30 * 24 * 3600),
    };
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Invitation => "invitation",
            Self::Closed => "closed",
        })
    }
}

impl fmt::Display for WorkspacesBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::Owners => "owners",
        })
    }
}

pub(super) fn registration(text: &str) -> Result<Registration, &'static str> {
    match text {
        "open" => Ok(Registration::Open),
        "invitation" => Ok(Registration::Invitation),
        "closed" => Ok(Registration::Closed),
        _ => Err("open, invitation or closed"),
    }
}

pub(super) fn workspaces_by(text: &str) -> Result<WorkspacesBy, &'static str> {
    match text {
        "operator" => Ok(WorkspacesBy::Operator),
        "owners" => Ok(WorkspacesBy::Owners),
        _ => Err("operator or owners"),
    }
}
