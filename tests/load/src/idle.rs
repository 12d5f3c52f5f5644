//! Scenario `connections`: what a device weighs that is connected and says nothing.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::Outcome;
use crate::nodes::Nodes;
use crate::people::{Device, devices};
use crate::report::Report;
use crate::wire::Wire;

/// Connections that are being made at a time.
const AT_ONCE: usize = 64;

pub(crate) async fn run(
    nodes: &mut Nodes,
    report: &mut Report,
    count: u32,
    tls: bool,
) -> Outcome<()> {
    let registering = Instant::now();
    let devices = devices(nodes, count).await?;
    report.figure("registered devices", f64::from(count), "");
    report.figure("registering took", registering.elapsed().as_secs_f64(), "s");
    if tls {
        nodes.restart_with_tls().await?;
    }
    let before = nodes.resident_kib();
    let connecting = Instant::now();
    let wires = open_all(nodes, &devices).await?;
    report.figure("connected and caught up", connecting.elapsed().as_secs_f64(), "s");
    report.memory(before, nodes.resident_kib(), wires.len());
    Ok(())
}

/// Opens everybody's connection.
pub(crate) async fn open_all(nodes: &Nodes, devices: &[Device]) -> Outcome<Vec<Wire>> {
    let opening = devices.iter().map(|device| device.open(nodes));
    stream::iter(opening).buffer_unordered(AT_ONCE).try_collect().await
}
