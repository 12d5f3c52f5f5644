//! `relay-server admin rules`: for how long a workspace's messages are kept, and how many.

use std::num::NonZeroU32;

use clap::{Args, Subcommand};
use relay_server::operator::rules;
use relay_server::retention::WrittenRules;

use super::{Outcome, Place, print};

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Print a workspace's own rules, and what holds together with the relay's, as JSON.
    Show(Place),
    /// Set a workspace's own rules in place of those it had; what is not said is not limited.
    ///
    /// Of these and the relay's the stricter one counts. Messages that a rule lets go are shown to
    /// nobody within five seconds and erased within a minute; no later rule brings them back.
    Set(NewRules),
}

#[derive(Debug, Args)]
pub(crate) struct NewRules {
    /// Messages go when they are so many days old.
    #[arg(long, value_name = "COUNT")]
    keep_days: Option<NonZeroU32>,
    /// Messages go when every device of every member has them.
    #[arg(long)]
    until_delivered: bool,
    /// An account's messages may take so much.
    #[arg(long, value_name = "COUNT")]
    mebibytes_an_account: Option<NonZeroU32>,
    /// The workspace's messages may take so much.
    #[arg(long, value_name = "COUNT")]
    mebibytes_a_workspace: Option<NonZeroU32>,
    #[command(flatten)]
    place: Place,
}

impl NewRules {
    fn written(&self) -> WrittenRules {
        WrittenRules {
            keep_days: self.keep_days.map(NonZeroU32::get),
            until_delivered: self.until_delivered,
            mebibytes_an_account: self.mebibytes_an_account.map(NonZeroU32::get),
            mebibytes_a_workspace: self.mebibytes_a_workspace.map(NonZeroU32::get),
        }
    }
}

pub(super) async fn run(what: RulesCommand) -> Outcome {
    let (place, new) = match what {
        RulesCommand::Show(place) => (place, None),
        RulesCommand::Set(new) => (new.place.clone(), Some(new.written())),
    };
    let (config, storage, workspace) = place.open_configured().await?;
    if let Some(new) = new {
        rules::set(&*storage, workspace, new.into()).await?;
    }
    print(&rules::show(&*storage, workspace, config.retention).await?)
}
