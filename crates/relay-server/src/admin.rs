//! `relay-server admin`: what an operator looks at and decides, on the machine itself and by the
//! database alone, whether nodes run or not. What changes something stands in the audit log.
//!
//! Answers are JSON, but for a sentence where something was done.

mod reports;
mod rules;

use std::sync::Arc;

use chat_core::api::workspaces::{AccountState, IssuedInvitation, WorkspaceRole};
use chat_core::id::{AccountId, InvitationId, WorkspaceId};
use clap::{Args, Subcommand};
use relay_server::clock::{A_DAY, Clock as _, SystemClock};
use relay_server::config::Config;
use relay_server::operator::{self, OperatorError, nodes, workspaces};
use relay_server::service::administration;
use relay_server::storage::Storage;
use serde::Serialize;

use self::reports::ReportsCommand;
use self::rules::RulesCommand;
use crate::flags::Flags;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// For how many days the invitation of a new workspace's first owner is good.
const FIRST_OWNER_DAYS: u32 = 7;

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Print how much there is, as JSON; counting may take a while.
    Stats(Flags),
    /// Print the limits that this configuration sets, as TOML.
    Limits(Flags),
    #[command(flatten)]
    Workspace(WorkspaceCommand),
    #[command(flatten)]
    User(UserCommand),
    /// For how long a workspace's messages are kept, and how many.
    Rules {
        #[command(subcommand)]
        what: RulesCommand,
    },
    /// Look at what people have reported, and be done with it.
    Reports {
        #[command(subcommand)]
        what: ReportsCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Print all workspaces, as JSON.
    Workspaces(Flags),
    /// Make a workspace, and an invitation for its first owner that is good once, for a week.
    CreateWorkspace {
        /// What it is called: 1 to 64 bytes.
        name: String,
        #[command(flatten)]
        flags: Flags,
    },
    /// Print who belongs to a workspace, with their roles, as JSON.
    Members(Place),
    /// Print the invitations to a workspace that can still be used, as JSON.
    Invitations(Place),
    /// Issue an invitation to a workspace; its token is printed this once.
    Invite {
        /// What whoever comes by it becomes: guest, member, admin or owner.
        #[arg(long, default_value = "member", value_parser = role)]
        role: WorkspaceRole,
        /// How many may come by it.
        #[arg(long, value_name = "COUNT", default_value_t = 1)]
        uses: u32,
        /// For how many days it is good.
        #[arg(long, value_name = "COUNT", default_value_t = 7)]
        days: u32,
        #[command(flatten)]
        place: Place,
    },
    /// Revoke an invitation.
    RevokeInvitation {
        /// Its id, as `invitations` prints it.
        id: InvitationId,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Print an account with its role, devices and sessions, as JSON.
    User(Person),
    /// Give somebody another role in their workspace: so is its first owner made.
    SetRole {
        #[command(flatten)]
        person: Person,
        /// guest, member, admin or owner.
        #[arg(long, value_parser = role)]
        role: WorkspaceRole,
    },
    /// Cut somebody off until they are reinstated; nothing of theirs is lost.
    Suspend(Person),
    /// Let somebody in again who was suspended.
    Reinstate(Person),
    /// Delete an account.
    DeleteUser {
        #[command(flatten)]
        person: Person,
        /// Say that it is meant: nothing brings the account back.
        #[arg(long, required = true)]
        for_good: bool,
    },
    /// End the sessions of an account; its devices may log in again with their keys.
    EndSessions {
        #[command(flatten)]
        person: Person,
        /// Only those of this device.
        #[arg(long, value_name = "ID")]
        device: Option<String>,
    },
}

/// A database, and what was looked for in it.
type Opened<T> = Result<(Arc<dyn Storage>, T), Box<dyn std::error::Error>>;

/// The same, with the configuration that it was opened by.
type OpenedConfigured<T> = Result<(Config, Arc<dyn Storage>, T), Box<dyn std::error::Error>>;

/// A workspace, and the database it is in.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Its name or id [default: the one people come into without an invitation].
    #[arg(long, value_name = "WORKSPACE")]
    workspace: Option<String>,
    #[command(flatten)]
    flags: Flags,
}

impl Place {
    async fn open(self) -> Opened<WorkspaceId> {
        let (_, storage, workspace) = self.open_configured().await?;
        Ok((storage, workspace))
    }

    async fn open_configured(self) -> OpenedConfigured<WorkspaceId> {
        let config = self.flags.check()?;
        let storage = operator::open(&config).await?;
        let workspace = workspaces::find(&*storage, self.workspace.as_deref()).await?;
        Ok((config, storage, workspace))
    }
}

/// Somebody, and the database they are in.
#[derive(Debug, Args)]
pub(crate) struct Person {
    /// Their username.
    name: String,
    #[command(flatten)]
    flags: Flags,
}

impl Person {
    async fn open(self) -> Opened<AccountId> {
        let (_, storage, account) = self.open_configured().await?;
        Ok((storage, account))
    }

    async fn open_configured(self) -> OpenedConfigured<AccountId> {
        let config = self.flags.check()?;
        let storage = operator::open(&config).await?;
        let account = administration::find(&*storage, &self.name).await;
        Ok((config, storage, account.map_err(OperatorError::from)?))
    }
}

pub(crate) async fn run(what: AdminCommand) -> Outcome {
    match what {
        AdminCommand::Stats(flags) => {
            let storage = operator::open(&flags.check()?).await?;
            print(&storage.stats().await?)
        }
        AdminCommand::Limits(flags) => {
            let config = flags.check()?;
            let limits = config.rates.named().into_iter().chain(config.caps.named());
            limits.for_each(|(name, count)| println!("{name} = {count}"));
            Ok(())
        }
        AdminCommand::Workspace(what) => of_workspaces(what).await,
        AdminCommand::User(what) => of_users(what).await,
        AdminCommand::Rules { what } => rules::run(what).await,
        AdminCommand::Reports { what } => reports::run(what).await,
    }
}

async fn of_workspaces(what: WorkspaceCommand) -> Outcome {
    match what {
        WorkspaceCommand::Workspaces(flags) => {
            let storage = operator::open(&flags.check()?).await?;
            print(&workspaces::list(&*storage).await?)
        }
        WorkspaceCommand::CreateWorkspace { name, flags } => {
            let storage = operator::open(&flags.check()?).await?;
            let workspace = workspaces::create(&*storage, &name).await?;
            println!("The workspace is {workspace}.");
            let good_for = A_DAY * FIRST_OWNER_DAYS;
            say(&workspaces::invite(&*storage, workspace, WorkspaceRole::Owner, 1, good_for)
                .await?);
            Ok(())
        }
        WorkspaceCommand::Members(place) => {
            let (storage, workspace) = place.open().await?;
            print(&workspaces::members(&*storage, workspace).await?)
        }
        WorkspaceCommand::Invitations(place) => {
            let (storage, workspace) = place.open().await?;
            print(&workspaces::invitations(&*storage, workspace).await?)
        }
        WorkspaceCommand::Invite { role, uses, days, place } => {
            let (storage, workspace) = place.open().await?;
            let good_for = A_DAY.saturating_mul(days);
            say(&workspaces::invite(&*storage, workspace, role, uses, good_for).await?);
            Ok(())
        }
        WorkspaceCommand::RevokeInvitation { id, place } => {
            let (storage, workspace) = place.open().await?;
            workspaces::revoke(&*storage, workspace, id).await?;
            println!("The invitation is revoked.");
            Ok(())
        }
    }
}

async fn of_users(what: UserCommand) -> Outcome {
    match what {
        UserCommand::User(person) => {
            let (storage, account) = person.open().await?;
            let found = administration::account(&*storage, account).await;
            return print(&found.map_err(OperatorError::from)?);
        }
        UserCommand::SetRole { person, role } => {
            let (storage, account) = person.open().await?;
            workspaces::set_role(&*storage, account, role).await?;
            println!("The role is changed.");
        }
        UserCommand::Suspend(person) => {
            let (config, storage, account) = person.open_configured().await?;
            workspaces::set_state(&*storage, account, AccountState::Suspended).await?;
            let ends = nodes::look_at(&config, account).await.words();
            println!("The account is suspended; its connections end {ends}.");
        }
        UserCommand::Reinstate(person) => {
            let (storage, account) = person.open().await?;
            workspaces::set_state(&*storage, account, AccountState::Active).await?;
            println!("The account is reinstated; its devices log in with their keys.");
        }
        UserCommand::DeleteUser { person, for_good: _ } => {
            let (config, storage, account) = person.open_configured().await?;
            let name_free_at = SystemClock.now().after(config.accounts.name_kept);
            workspaces::delete_account(&*storage, account, name_free_at).await?;
            let ends = nodes::look_at(&config, account).await.words();
            println!("The account is deleted; its connections end {ends}.");
        }
        UserCommand::EndSessions { person, device } => {
            let device = device.map(|device| device.parse()).transpose()?;
            let (config, storage, account) = person.open_configured().await?;
            let now = SystemClock.now();
            let ended = administration::end_sessions(&*storage, account, device, now).await;
            let ended = ended.map_err(OperatorError::from)?;
            let ends = nodes::look_at(&config, account).await.words();
            println!("The sessions of {ended} devices are ended; their connections end {ends}.");
        }
    }
    Ok(())
}

fn print(answer: &impl Serialize) -> Outcome {
    println!("{}", serde_json::to_string_pretty(answer)?);
    Ok(())
}

fn say(issued: &IssuedInvitation) {
    println!("The invitation is {}; whoever has this token comes in by it:", issued.invitation);
    println!("{}", issued.token);
}

fn role(word: &str) -> Result<WorkspaceRole, &'static str> {
    match word {
        "guest" => Ok(WorkspaceRole::Guest),
        "member" => Ok(WorkspaceRole::Member),
        "admin" => Ok(WorkspaceRole::Admin),
        "owner" => Ok(WorkspaceRole::Owner),
        _ => Err("guest, member, admin or owner"),
    }
}
