//! Scenario `backlog`: devices come back to messages that waited for them.

use std::time::Instant;

use futures_util::future::try_join_all;

use crate::Outcome;
use crate::nodes::Nodes;
use crate::people::{Pair, pairs};
use crate::report::{Report, latencies};

pub(crate) async fn run(
    nodes: &Nodes,
    report: &mut Report,
    devices: u32,
    messages: u32,
) -> Outcome<()> {
    let pairs = pairs(nodes, devices, 1_024).await?;
    let filling = Instant::now();
    try_join_all(pairs.iter().map(|pair| fill(nodes, pair, messages))).await?;
    let all = f64::from(devices) * f64::from(messages);
    report.figure("stored for absent devices", all / filling.elapsed().as_secs_f64(), "messages/s");
    let before = nodes.processor_micros();
    let coming = Instant::now();
    let mut taken = latencies()?;
    let caught = try_join_all(pairs.iter().map(async |pair| {
        let mut wire = pair.receiver.connect(nodes).await?;
        let found = wire.catch_up().await?;
        Outcome::Ok((found, coming.elapsed()))
    }))
    .await?;
    let seconds = coming.elapsed().as_secs_f64();
    for (_, elapsed) in &caught {
        taken.saturating_record(u64::try_from(elapsed.as_micros())?);
    }
    let found: u32 = caught.iter().map(|(found, _)| found).sum();
    report.figure("found by those who came back", f64::from(found), "messages");
    report.figure("read and acknowledged", f64::from(found) / seconds, "messages/s");
    report.processor(before, nodes.processor_micros(), u64::from(found));
    report.distribution("caught up after", &taken);
    // Each has also the message that the pair was made with.
    if found < devices * messages {
        return Err("messages that were accepted were not there".into());
    }
    Ok(())
}

/// Sends a receiver's messages while it is away.
async fn fill(nodes: &Nodes, pair: &Pair, messages: u32) -> Outcome<()> {
    let mut wire = pair.sender.open(nodes).await?;
    wire.send_all(messages, |number| pair.sealed.frame(number)).await
}
