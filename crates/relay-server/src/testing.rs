//! A relay in this process, for tests and examples: real sockets, a real database in a folder of
//! its own, limits that nobody notices.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use relay_server::testing::TestRelay;
//!
//! let relay = TestRelay::start().await;
//! let url = relay.url(); // http://127.0.0.1:… for a client's builder
//! # assert!(!url.is_empty());
//! relay.stop().await;
//! # });
//! ```
//!
//! Time is a parameter: with a [`ManualClock`](crate::clock::ManualClock) a test decides when
//! messages expire and tokens run out. So is the network: [`TestRelayBuilder::wired`] puts a
//! [`Wire`] between clients and the relay, which a test cuts, stalls and mends.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use std::sync::Arc;
//! use std::time::Duration;
//! use chat_core::time::Timestamp;
//! use relay_server::clock::ManualClock;
//! use relay_server::testing::TestRelay;
//!
//! let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
//! let relay = TestRelay::builder().clock(clock.clone()).wired().start().await;
//!
//! clock.advance(Duration::from_secs(3_600)); // an hour later …
//! relay.sweep().await; // … what is due is erased
//!
//! let wire = relay.wire().unwrap();
//! wire.cut(); // clients are offline
//! wire.mend(); // and find their way back
//! # relay.stop().await;
//! # });
//! ```

mod wire;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::bus::local::LocalHub;
use crate::bus::redis::meter::RedisMeter;
use crate::bus::{Bus, NodeId};
use crate::clock::{Clock, SystemClock};
use crate::config::{
    Accounts, BlobConfig, BlobLimits, BlobStore, Caps, Config, Database, Network, PushConfig,
    Rates, Tls,
};
use crate::limits::local::LocalLimits;
use crate::presence::Board;
use crate::relay::{Ports, Relay};
use crate::retention::Rules;
use crate::storage::Storage;

pub use wire::{Wire, Wired};

/// A relay on a port of its own. It ends when it is dropped; [`TestRelay::stop`] ends it in order.
#[derive(Debug)]
pub struct TestRelay {
    relay: Relay,
    url: String,
    folder: Folder,
    wire: Option<(Wire, wire::Carrier)>,
}

#[derive(Debug)]
enum Folder {
    Temporary(TempDir),
    Given(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Given(path) => path,
        }
    }
}

/// Puts something before a bus.
pub type Through = fn(Arc<dyn Bus>) -> Arc<dyn Bus>;

/// How a test's relay differs from [`TestRelay::start`]'s.
#[derive(Debug)]
pub struct TestRelayBuilder {
    clock: Arc<dyn Clock>,
    rates: Rates,
    caps: Caps,
    accounts: Accounts,
    listen: SocketAddr,
    data: Option<PathBuf>,
    postgres: Option<String>,
    redis: Option<String>,
    shared: Option<(LocalHub, Arc<dyn Storage>)>,
    board: Option<Arc<dyn Board>>,
    through: Option<Through>,
    origin: Option<String>,
    proxies: Vec<Network>,
    web_origins: Vec<String>,
    tls: Option<Tls>,
    retention: Rules,
    wired: bool,
    blobs: BlobConfig,
    push: PushConfig,
}

impl TestRelay {
    /// Starts one on SQLite in a temporary folder, by the system's clock.
    ///
    /// # Panics
    ///
    /// If it cannot be started; there is nothing to test then.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Starts another way.
    #[must_use]
    pub fn builder() -> TestRelayBuilder {
        TestRelayBuilder {
            clock: Arc::new(SystemClock),
            rates: Rates::GENEROUS,
            caps: Caps::GENEROUS,
            accounts: Accounts::DEFAULT,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: None,
            postgres: None,
            redis: None,
            shared: None,
            board: None,
            through: None,
            origin: None,
            proxies: Vec::new(),
            web_origins: Vec::new(),
            tls: None,
            retention: Rules::default(),
            wired: false,
            blobs: BlobConfig::DEFAULT,
            push: PushConfig::default(),
        }
    }

    /// Where clients find it: `http://127.0.0.1:…`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.relay.address()
    }

    /// The wire in front of it, if it was started [`wired`](TestRelayBuilder::wired).
    #[must_use]
    pub fn wire(&self) -> Option<&Wire> {
        self.wire.as_ref().map(|(wire, _)| wire)
    }

    /// The folder with its database, for a look at what it keeps.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The relay itself.
    #[must_use]
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Erases at once what is due by its clock; returns how many messages.
    ///
    /// # Panics
    ///
    /// If the database fails.
    #[allow(clippy::expect_used)]
    pub async fn sweep(&self) -> usize {
        self.relay.sweep().await.expect("the database failed")
    }

    /// Its store, for what an operator does beside it.
    #[must_use]
    pub fn storage(&self) -> &dyn Storage {
        self.relay.storage()
    }

    /// Drains it; its temporary folder goes with it.
    pub async fn stop(self) {
        self.relay.drain(Duration::ZERO).await;
    }
}

impl TestRelayBuilder {
    /// By another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// With other limits.
    #[must_use]
    pub fn rates(mut self, rates: Rates) -> Self {
        self.rates = rates;
        self
    }

    /// With other limits to connections.
    #[must_use]
    pub fn caps(mut self, caps: Caps) -> Self {
        self.caps = caps;
        self
    }

    /// With other rules for accounts.
    #[must_use]
    pub fn accounts(mut self, accounts: Accounts) -> Self {
        self.accounts = accounts;
        self
    }

    /// On this address, for a relay that comes back.
    #[must_use]
    pub fn listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// With its data in a folder that stays.
    #[must_use]
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Some(folder.into());
        self
    }

    /// On PostgreSQL.
    #[must_use]
    pub fn postgres(mut self, url: impl Into<String>) -> Self {
        self.postgres = Some(url.into());
        self
    }

    /// With Redis between its nodes.
    #[must_use]
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.redis = Some(url.into());
        self
    }

    /// As one of several nodes in this process, on a store and a hub that they share.
    #[must_use]
    pub fn sharing(mut self, hub: &LocalHub, storage: Arc<dyn Storage>) -> Self {
        self.shared = Some((hub.clone(), storage));
        self
    }

    /// With something before its end of the hub that may lose what it is given; for one that shares
    /// a hub.
    #[must_use]
    pub fn through(mut self, through: Through) -> Self {
        self.through = Some(through);
        self
    }

    /// With another board for presence than the hub's; for one that shares a hub.
    #[must_use]
    pub fn board(mut self, board: Arc<dyn Board>) -> Self {
        self.board = Some(board);
        self
    }

    /// Under another URL than its address; nodes that share a database share their origin.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Behind a proxy at this address.
    #[must_use]
    pub fn proxy(mut self, address: IpAddr) -> Self {
        self.proxies.push(address.into());
        self
    }

    /// For pages of another origin too.
    #[must_use]
    pub fn web_origin(mut self, origin: impl Into<String>) -> Self {
        self.web_origins.push(origin.into());
        self
    }

    /// With rules for how long messages are kept, and how many.
    #[must_use]
    pub fn retention(mut self, rules: Rules) -> Self {
        self.retention = rules;
        self
    }

    /// With TLS.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Behind a [`Wire`] on which things may go wrong.
    #[must_use]
    pub fn wired(mut self) -> Self {
        self.wired = true;
        self
    }

    /// With somebody who wakes devices.
    #[must_use]
    pub fn push(mut self, push: PushConfig) -> Self {
        self.push = push;
        self
    }

    /// With other limits to blobs.
    #[must_use]
    pub fn blob_limits(mut self, limits: BlobLimits) -> Self {
        self.blobs.limits = limits;
        self
    }

    /// With the bytes of blobs elsewhere than in its folder: where its other nodes have them.
    #[must_use]
    pub fn blob_store(mut self, store: BlobStore) -> Self {
        self.blobs.store = Some(store);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it cannot be started; there is nothing to test then.
    #[allow(clippy::expect_used)]
    pub async fn start(self) -> TestRelay {
        let folder = match self.data {
            Some(path) => Folder::Given(path),
            None => Folder::Temporary(TempDir::new().expect("no temporary folder")),
        };
        let mut config = Config::with_data(folder.path());
        config.listen = self.listen;
        config.rates = self.rates;
        config.caps = self.caps;
        config.accounts = self.accounts;
        config.redis = self.redis;
        config.origin = self.origin;
        config.proxies = self.proxies;
        config.web_origins = self.web_origins;
        config.tls = self.tls;
        config.retention = self.retention;
        config.blobs = self.blobs;
        config.push = self.push;
        if let Some(url) = self.postgres {
            config.database = Database::Postgres(url);
        }
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let plug = match self.wired {
            true => Some(wire::Plug::take().await.expect("no port on loopback")),
            false => None,
        };
        if let Some(plug) = &plug {
            // Devices sign the origin that they know.
            config.origin.get_or_insert_with(|| format!("{scheme}://{}", plug.address()));
        }
        let relay = match self.shared {
            None => Relay::start(config, self.clock).await,
            Some((hub, storage)) => {
                let node = NodeId::from_bytes(crate::random::bytes());
                let (bus, inbox) = hub.node(node);
                let bus: Arc<dyn Bus> = Arc::new(bus);
                let bus = self.through.map_or(bus.clone(), |through| through(bus));
                let limits = Arc::new(LocalLimits::new(self.rates));
                let board = self.board.unwrap_or_else(|| Arc::new(hub.boards().node(node)));
                let redis = RedisMeter::default();
                let ports = Ports { storage, bus, inbox, limits, board, redis, node };
                Relay::start_on(config, self.clock, ports).await
            }
        };
        let relay = relay.expect("the relay does not start");
        let wire = plug.map(|plug| plug.connect(relay.address()));
        let address = wire.as_ref().map_or(relay.address(), |(wire, _)| wire.address());
        TestRelay { relay, url: format!("{scheme}://{address}"), folder, wire }
    }
}
