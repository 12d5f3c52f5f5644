//! `relay-server admin reports`: what people have reported.

use chat_core::id::ReportId;
use clap::Subcommand;
use relay_server::operator::{self, reports};
use relay_server::storage::Which;

use super::{Outcome, print};
use crate::flags::Flags;

#[derive(Debug, Subcommand)]
pub(crate) enum ReportsCommand {
    /// Print the reports that nobody has closed, the newest first, as JSON.
    List {
        /// Also those that were closed and are still kept.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        flags: Flags,
    },
    /// Print a report with the messages that it discloses, still sealed, and what opens them.
    ///
    /// The relay cannot read them; a program with the SDK can, such as the example `read_report`. That
    /// a report was looked at stands in the audit log.
    Show {
        /// Its id, as `list` prints it.
        report: ReportId,
        #[command(flatten)]
        flags: Flags,
    },
    /// Be done with a report: it is kept for thirty more days, and then forgotten.
    Close {
        /// Its id, as `list` prints it.
        report: ReportId,
        /// What was decided.
        #[arg(long)]
        note: Option<String>,
        #[command(flatten)]
        flags: Flags,
    },
}

pub(super) async fn run(what: ReportsCommand) -> Outcome {
    match what {
        ReportsCommand::List { all, flags } => {
            let storage = operator::open(&flags.check()?).await?;
            let which = if all { Which::All } else { Which::Open };
            print(&reports::list(&*storage, which).await?)
        }
        ReportsCommand::Show { report, flags } => {
            let storage = operator::open(&flags.check()?).await?;
            print(&reports::show(&*storage, report).await?)
        }
        ReportsCommand::Close { report, note, flags } => {
            let storage = operator::open(&flags.check()?).await?;
            reports::close(&*storage, report, note.as_deref()).await?;
            println!("The report is closed.");
            Ok(())
        }
    }
}
