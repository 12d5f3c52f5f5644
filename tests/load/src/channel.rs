//! Scenario `channel`: one writes, everybody reads. One row in the database, at most one notice a
//! node, and as many deliveries as there are readers.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::idle::open_all;
use crate::nodes::Nodes;
use crate::people;
use crate::profile::Profile;
use crate::report::Report;
use crate::traffic::{Run, accepted, delivered, send, until_over};

/// Bytes of text in a message.
const TEXT: usize = 1_024;
/// There is one sender.
const WRITER: u32 = 0;

pub(crate) async fn run(
    nodes: &Nodes,
    report: &mut Report,
    members: u32,
    profile: &Profile,
) -> Outcome<()> {
    let (writer, sealed, readers) = people::channel(nodes, members, TEXT).await?;
    let wires = open_all(nodes, &readers).await?;
    let writing = writer.open(nodes).await?;
    let used = nodes.processor_micros();
    let run = Arc::new(Run::new(profile, 1)?);
    let (end, ended) = watch::channel(false);
    let mut ends = JoinSet::new();
    tokio::spawn(send(writing.writing, WRITER, run.clone(), sealed));
    ends.spawn(accepted(writing.reading, WRITER, run.clone(), ended.clone()));
    for wire in wires {
        ends.spawn(delivered(wire, WRITER, run.clone(), ended.clone()));
    }
    until_over(&run, end, ends).await?;
    let deliveries = u64::from(profile.messages()) * u64::from(members);
    report.processor(used, nodes.processor_micros(), deliveries);
    run.tell(report, members)
}
