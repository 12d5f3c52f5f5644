//! Scenario `storm`: every node is killed and started again, and everybody comes back at once.
//!
//! Clients of ours come back spread over half a minute. These do not: what is measured is how fast
//! the nodes take everybody, and whether one who asks politely is ever refused.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};

use crate::Outcome;
use crate::idle::open_all;
use crate::nodes::Nodes;
use crate::people::{Device, devices};
use crate::report::{Report, approximate, latencies};

/// How many try at a time; the rest waits for its turn.
const AT_ONCE: usize = 256;
/// How long who was refused waits before the next attempt.
const PAUSE: Duration = Duration::from_millis(250);
/// Longer than this nobody tries.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(nodes: &mut Nodes, report: &mut Report, count: u32) -> Outcome<()> {
    let devices = devices(nodes, count).await?;
    let wires = open_all(nodes, &devices).await?;
    report.figure("connected devices", approximate(wires.len()), "");
    let down = Instant::now();
    nodes.restart().await?;
    drop(wires);
    report.figure("killed and ready again", down.elapsed().as_secs_f64(), "s");
    let began = Instant::now();
    let refused = AtomicU32::new(0);
    let mut taken = latencies()?;
    let coming = devices.iter().map(|device| come_back(nodes, device, &refused));
    let mut back = Vec::with_capacity(devices.len());
    let mut coming = stream::iter(coming).buffer_unordered(AT_ONCE);
    while let Some(wire) = coming.next().await {
        back.push(wire?);
        taken.saturating_record(u64::try_from(began.elapsed().as_micros())?);
    }
    report.figure("everybody was back after", began.elapsed().as_secs_f64(), "s");
    report.figure("refused attempts", f64::from(refused.load(Ordering::Relaxed)), "");
    report.distribution("back after the start", &taken);
    Ok(())
}

/// Connects, authenticates and resumes, again and again until it is done.
async fn come_back(
    nodes: &Nodes,
    device: &Device,
    refused: &AtomicU32,
) -> Outcome<crate::wire::Wire> {
    let began = Instant::now();
    loop {
        match device.open(nodes).await {
            Ok(wire) => return Ok(wire),
            Err(error) if began.elapsed() > PATIENCE => return Err(error),
            Err(_) => {
                refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
