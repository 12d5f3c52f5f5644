//! The nodes that are measured: started as processes of their own, or somebody else's.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Outcome;
use crate::machine;
use crate::wire::Endpoint;

/// More than any load reaches.
const NO_LIMIT: &str = "10000000";
/// Every limit that a load would reach.
const LIMITS: [&str; 10] = [
    "--messages-a-minute",
    "--typing-a-minute",
    "--connections-a-minute",
    "--logins-a-quarter-hour",
    "--registrations-in-3-minutes",
    "--fetches-a-minute",
    "--requests-a-quarter-hour",
    "--connections",
    "--connections-an-account",
    "--unauthenticated-an-address",
];

/// What the nodes call themselves, wherever they listen: what is signed for them, and their tokens,
/// holds with TLS and without.
const ORIGIN: &str = "https://relay.test";

/// What nodes stand on.
#[derive(Clone, Debug)]
pub(crate) enum Stand {
    /// One node on SQLite.
    Embedded,
    /// Nodes on a PostgreSQL and a Redis.
    Cluster { nodes: u8, postgres: String, redis: String },
}

impl Stand {
    /// # Errors
    ///
    /// If servers are needed and the task runner has started none.
    pub(crate) fn of(nodes: u8, cluster: bool) -> Outcome<Self> {
        if nodes == 1 && !cluster {
            return Ok(Self::Embedded);
        }
        let server = |name| {
            std::env::var(name).map_err(|_| format!("{name} is not set; use `cargo xtask load`"))
        };
        let (postgres, redis) = (server("SEALWIRE_TEST_POSTGRES")?, server("SEALWIRE_TEST_REDIS")?);
        Ok(Self::Cluster { nodes, postgres, redis })
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Embedded => "one node, SQLite".to_owned(),
            Self::Cluster { nodes, .. } => format!("{nodes} node(s), PostgreSQL and Redis"),
        }
    }

    fn nodes(&self) -> u8 {
        match self {
            Self::Embedded => 1,
            Self::Cluster { nodes, .. } => *nodes,
        }
    }
}

/// The nodes.
#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    stand: Option<Stand>,
    tls: Option<Tls>,
    _folder: Option<TempDir>,
}

#[derive(Debug)]
struct Node {
    url: String,
    address: SocketAddr,
    folder: PathBuf,
    own: Option<Own>,
}

/// A process that was started here, and goes with this.
#[derive(Debug)]
struct Own {
    process: Child,
    _output: Lines<BufReader<ChildStdout>>,
}

/// A certificate for this run, and who trusts it.
#[derive(Clone, Debug)]
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    trust: Arc<ClientConfig>,
}

impl Nodes {
    /// One that runs already.
    pub(crate) fn elsewhere(url: String) -> Self {
        let address = url.split("://").nth(1).unwrap_or(&url).trim_end_matches('/');
        let address = address.to_socket_addrs().ok().and_then(|mut found| found.next());
        let address = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7300)));
        let node = Node { url, address, folder: PathBuf::new(), own: None };
        Self { nodes: vec![node], stand: None, tls: None, _folder: None }
    }

    /// Starts nodes of the relay that was built beside this program, each on a port of its own.
    pub(crate) async fn start(stand: Stand) -> Outcome<Self> {
        machine::allow_many_files();
        let folder = TempDir::new()?;
        let mut nodes = Vec::new();
        for number in 0..stand.nodes() {
            let folder = folder.path().join(format!("node-{number}"));
            nodes.push(Node::start(&stand, folder, "127.0.0.1:0", None).await?);
        }
        Ok(Self { nodes, stand: Some(stand), tls: None, _folder: Some(folder) })
    }

    pub(crate) fn stand(&self) -> String {
        self.stand.as_ref().map_or_else(|| "a relay elsewhere".to_owned(), Stand::name)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// The URL of a node, counted round and round.
    pub(crate) fn url(&self, number: u32) -> &str {
        self.node(number).map_or("", |node| &node.url)
    }

    /// What a node calls itself.
    pub(crate) fn origin(&self, number: u32) -> &str {
        if self.stand.is_some() { ORIGIN } else { self.url(number) }
    }

    /// How a node is reached.
    pub(crate) fn endpoint(&self, number: u32) -> Endpoint {
        let address = self.node(number).map(|node| node.address);
        Endpoint {
            address: address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7300))),
            tls: self.tls.as_ref().map(|tls| tls.trust.clone()),
        }
    }

    fn node(&self, number: u32) -> Option<&Node> {
        self.nodes.get(number as usize % self.nodes.len().max(1))
    }

    /// Kills every node and starts it again where it was.
    ///
    /// # Errors
    ///
    /// If the nodes are not ours.
    pub(crate) async fn restart(&mut self) -> Outcome<()> {
        let stand = self.stand.clone().ok_or("only nodes that were started here are killed")?;
        for node in &mut self.nodes {
            let Some(own) = &mut node.own else { continue };
            own.process.kill().await?;
            let (folder, address) = (node.folder.clone(), node.address.to_string());
            *node = Node::start(&stand, folder, &address, self.tls.as_ref()).await?;
        }
        Ok(())
    }

    /// Starts every node again, with TLS.
    pub(crate) async fn restart_with_tls(&mut self) -> Outcome<()> {
        let folder = self._folder.as_ref().ok_or("only nodes that were started here have TLS")?;
        self.tls = Some(Tls::in_folder(folder.path())?);
        self.restart().await
    }

    /// The memory that all have in use, in KiB, where they are ours.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        self.sum(machine::resident_kib)
    }

    /// The processor time that all have used since they were started, in microseconds.
    pub(crate) fn processor_micros(&self) -> Option<u64> {
        self.sum(machine::processor_micros)
    }

    fn sum(&self, what: impl Fn(u32) -> Option<u64>) -> Option<u64> {
        self.nodes.iter().map(|node| what(node.own.as_ref()?.process.id()?)).sum()
    }
}

impl Node {
    async fn start(
        stand: &Stand,
        folder: PathBuf,
        listen: &str,
        tls: Option<&Tls>,
    ) -> Outcome<Self> {
        let relay = format!("relay-server{}", std::env::consts::EXE_SUFFIX);
        let relay = std::env::current_exe()?.with_file_name(relay);
        if !relay.exists() {
            return Err("no relay-server was built beside this; use `cargo xtask load`".into());
        }
        let mut serve = Command::new(relay);
        serve.args(["serve", "--listen", listen, "--origin", ORIGIN, "--data"]).arg(&folder);
        serve.args(LIMITS.iter().flat_map(|limit| [limit, NO_LIMIT]));
        if let Stand::Cluster { postgres, redis, .. } = stand {
            serve.args(["--database", postgres, "--redis", redis]);
        }
        if let Some(Tls { certificate, key, .. }) = tls {
            serve.arg("--tls-certificate").arg(certificate).arg("--tls-key").arg(key);
        }
        let mut process = serve
            .env("SEALWIRE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().ok_or("the relay has no output")?;
        let mut output = BufReader::new(output).lines();
        let mut address = None;
        while let Some(line) = output.next_line().await? {
            if let Some(found) = line.trim().strip_prefix("listens on") {
                address = Some(found.trim().parse::<SocketAddr>()?);
            }
            if let (true, Some(address)) = (line.trim().starts_with("clients use "), address) {
                let own = Some(Own { process, _output: output });
                return Ok(Self { url: format!("http://{address}"), address, folder, own });
            }
        }
        Err("the relay ended before it listened".into())
    }
}

impl Tls {
    fn in_folder(folder: &Path) -> Outcome<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { certificate, key, trust: Arc::new(trust) })
    }
}
