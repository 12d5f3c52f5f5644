//! Scenario `expiry`: does a flood of messages whose time is over hurt delivery?
//!
//! ```text
//!  sowing ────────────────▶│ quiet            │ flooded ─ ─ ─ ─▶│ after
//!  messages with timers    │ steady deliveries │ they go on      │ and on
//!                                       due ───┘      erased ────┘
//! ```
//!
//! Timers run from acceptance, so each message's is chosen when it is sent: all end within the same
//! second. When they are erased is what the nodes' metrics say. Those who sowed stay connected, and
//! hear of each end as they would.

use std::sync::Arc;
use std::time::Duration;

use chat_core::envelope::{Expiry, ExpiryMode};
use clap::Args;
use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Outcome;
use crate::nodes::Nodes;
use crate::people::{Pair, pairs};
use crate::profile::{Phase, Profile};
use crate::report::{Latencies, Report};
use crate::traffic::{Lines, Run};
use crate::wire::Wire;

/// How many sow at once.
const SOWERS: u32 = 16;
/// How many a second are sown at least, if nobody says how long it takes.
const SOWN_A_SECOND: u32 = 3_000;
/// How often the nodes are asked how far they are.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How much of what.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// How many messages end at once.
    #[arg(long, default_value_t = 1_000_000)]
    messages: u32,
    /// How long storing them may take, in seconds [default: at 3000 a second].
    #[arg(long)]
    sowing: Option<u32>,
    /// Open connections of others; half of them send.
    #[arg(long, default_value_t = 200)]
    connections: u32,
    /// What these send, in messages a second.
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// How long they are watched before the messages end, in seconds.
    #[arg(long, default_value_t = 15)]
    quiet: u32,
    /// How long they are watched from then on, in seconds.
    #[arg(long, default_value_t = 60)]
    watched: u32,
}

pub(crate) async fn run(nodes: &Nodes, report: &mut Report, plan: Plan) -> Outcome<()> {
    let sowers = pairs(nodes, SOWERS, 256).await?;
    let senders = (plan.connections / 2).max(1);
    let before = erased(nodes).await?;
    let sowing = plan.sowing.unwrap_or(plan.messages / SOWN_A_SECOND + 10);
    let start = Instant::now() + Duration::from_secs(u64::from(sowing));
    let due = start + Duration::from_secs(u64::from(plan.quiet));
    let each = plan.messages / SOWERS;
    let began = Instant::now();
    let wires = sow(nodes, sowers, each, due).await?;
    let sown = each * SOWERS;
    report.figure("sown, due within one second", f64::from(sown), "messages");
    report.figure("sown at", f64::from(sown) / began.elapsed().as_secs_f64(), "messages/s");
    // Not before: a relay lets go of connections that say nothing for a minute.
    let lines = Lines::open(nodes, report, senders, 1_024).await?;
    if start < Instant::now() {
        return Err("sowing took longer than was allowed for; say more with --sowing".into());
    }
    for wire in wires {
        tokio::spawn(listen(wire));
    }
    let steady = Phase { rate: plan.rate, seconds: plan.quiet + plan.watched };
    let run = Arc::new(Run::at(start, &Profile::of([steady]), senders)?);
    let end = due + Duration::from_secs(u64::from(plan.watched));
    let (driven, gone) = tokio::join!(lines.drive(&run), async {
        sleep_until(due).await;
        timeout(end - due, until_erased(nodes, before + u64::from(sown))).await
    },);
    driven?;
    run.tell(report, 1)?;
    let took = gone.map_err(|_| "not everything was erased in time; watch for longer")??;
    report.figure("erased after", (took - due).as_secs_f64(), "s");
    report.figure("erased at", f64::from(sown) / (took - due).as_secs_f64(), "messages/s");
    tell(report, &run, u64::from(plan.quiet), (took - start).as_secs() + 1)
}

/// Reports how deliveries went before, during and after.
fn tell(report: &mut Report, run: &Run, due: u64, gone: u64) -> Outcome<()> {
    let (quiet, flooded, after) =
        (run.between(0..due)?, run.between(due..gone)?, run.between(gone..u64::MAX)?);
    report.distribution("delivered before", &quiet);
    report.distribution("delivered while they were erased", &flooded);
    report.distribution("delivered after", &after);
    let p99 = |latencies: &Latencies| {
        u32::try_from(latencies.value_at_quantile(0.99).max(1)).map(f64::from)
    };
    report.figure("p99 while they were erased", p99(&flooded)? / p99(&quiet)?, "× before");
    Ok(())
}

/// Stores messages that all end at the same moment; gives the connections of who sent them.
async fn sow(nodes: &Nodes, sowers: Vec<Pair>, each: u32, due: Instant) -> Outcome<Vec<Wire>> {
    try_join_all(sowers.into_iter().map(async |sower| {
        let mut wire = sower.sender.open(nodes).await?;
        let ending = |number| {
            let left = due.saturating_duration_since(Instant::now());
            let after_ms = u64::try_from(left.as_millis())?.max(1);
            let timer = Expiry { mode: ExpiryMode::AfterSent, after_ms };
            sower.sealed.expiring(number, Some(timer))
        };
        wire.send_all(each, ending).await?;
        Ok(wire)
    }))
    .await
}

/// Takes whatever comes, until the relay closes the connection.
async fn listen(mut wire: Wire) {
    while wire.reading.next().await.is_ok() {}
}

/// Asks until the nodes have erased as many; tells when that was.
async fn until_erased(nodes: &Nodes, count: u64) -> Outcome<Instant> {
    while erased(nodes).await? < count {
        sleep(LOOK_EVERY).await;
    }
    Ok(Instant::now())
}

/// How many messages the nodes have erased since they were started.
async fn erased(nodes: &Nodes) -> Outcome<u64> {
    let mut sum = 0;
    for number in 0..nodes.count() {
        let mut stream = TcpStream::connect(nodes.endpoint(number).address).await?;
        let request = "GET /metrics HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let line = answer.lines().find_map(|line| line.strip_prefix("sealwire_expired_total "));
        let value = line.ok_or("the relay does not say how many messages it has erased")?;
        sum += value.trim().parse::<u64>()?;
    }
    Ok(sum)
}
