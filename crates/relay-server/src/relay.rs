//! One node of the relay, from its start to its end.
//!
//! ```text
//!  start:  folder ▸ store ▸ secrets ▸ bus ▸ services ▸ listen
//!  drain:  not ready ▸ stop accepting ▸ tell clients when to return ▸ writers ▸ cursors ▸ bus ▸ store
//! ```

mod at_once;
mod certificates;
mod folder;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_core::id::{AccountId, WorkspaceId};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::folder::FolderLock;
pub(crate) use self::folder::prepare;
use crate::acknowledgements::Acknowledgements;
use crate::admission::Admission;
use crate::audit::{Audit, AuditEvent, Note};
use crate::auth::keys::{KeyRing, SECRET_BYTES};
use crate::auth::opaque::Opaque;
use crate::auth::refresh::RefreshSecret;
use crate::auth::tokens::Tokens;
use crate::blobs::depot::Depot;
use crate::blobs::s3::BadS3;
use crate::bus::local::LocalHub;
use crate::bus::redis::meter::RedisMeter;
use crate::bus::redis::{BadRedisUrl, RedisBus, RedisConfig};
use crate::bus::{Bus, Inbox, NodeId};
use crate::clock::Clock;
use crate::config::{Config, Database, Migrate};
use crate::directory::Directory;
use crate::http::{App, router};
use crate::limits::Limits;
use crate::limits::local::LocalLimits;
use crate::limits::redis::RedisLimits;
use crate::metrics::Metrics;
use crate::presence::redis::RedisBoard;
use crate::presence::{Board, WORD_TTL};
use crate::push::courier::{self, News};
use crate::push::{BadPush, Pushers};
use crate::registry::{Ending, Registry};
use crate::retention::ledger::Ledger;
use crate::server::{self, Server};
use crate::service::presence::Presences;
use crate::service::{Services, linking, presence, retention};
use crate::storage::schema::Schema;
use crate::storage::{Storage, StorageError, postgres, sqlite};
use crate::tls::{Certificates, Reloaded, TlsError, choose_provider};
use crate::writer::Writers;
use crate::{dispatcher, janitor, random};

/// How long clients may take to hear that they are to leave, and requests to end. Together with the
/// four below it is less than ten seconds: whoever runs services often kills after that.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long it may take until the others know that nobody is here any more.
const PRESENCE_MAX: Duration = Duration::from_secs(1);
/// How long what was accepted may take to be written.
const WRITE_MAX: Duration = Duration::from_secs(2);
/// How long the last notes for the audit log may take.
const AUDIT_FLUSH_MAX: Duration = Duration::from_secs(1);
/// How long connections to database and bus may take to end.
const CLOSE_MAX: Duration = Duration::from_millis(500);

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The folder cannot be made or written to.
    #[error("the data folder {} cannot be used: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another relay holds the folder.
    #[error("another relay is running on the data folder {}; stop it first", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// The database.
    #[error("the database cannot be used: {0}")]
    Storage(#[from] StorageError),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] BadRedisUrl),
    /// The certificate.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// There is no certificate, nor anything that could stand in for it.
    #[cfg(feature = "acme")]
    #[error(transparent)]
    Acme(#[from] crate::acme::AcmeError),
    /// Who wakes devices.
    #[error(transparent)]
    Push(#[from] BadPush),
    /// The place for blobs.
    #[error(transparent)]
    Blobs(#[from] BadS3),
    /// The address.
    #[error("the relay cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A secret in the store is not one.
    #[error("the keys in the database cannot be read")]
    Secrets,
}

/// What a relay stands on.
#[derive(Debug)]
pub struct Ports {
    /// The durable state.
    pub storage: Arc<dyn Storage>,
    /// This node's end of the bus.
    pub bus: Arc<dyn Bus>,
    /// And where its notices arrive.
    pub inbox: Inbox,
    /// Who counts how often something happens.
    pub limits: Arc<dyn Limits>,
    /// Where nodes put down who is there.
    pub board: Arc<dyn Board>,
    /// Counts how Redis does, if there is one.
    pub redis: RedisMeter,
    /// Which node this is.
    pub node: NodeId,
}

/// A running node.
#[derive(Debug)]
pub struct Relay {
    services: Arc<Services>,
    address: SocketAddr,
    ready: Arc<AtomicBool>,
    stop: CancellationToken,
    connections: TaskTracker,
    requests: TaskTracker,
    certificates: Option<Arc<Certificates>>,
    tasks: Vec<JoinHandle<()>>,
    _lock: Option<FolderLock>,
}

impl Relay {
    /// Starts a node as `config` says.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let schema = match config.operating.migrate {
            Migrate::AtStart => Schema::Migrate,
            Migrate::ByCommand => Schema::AsItIs,
        };
        let (storage, lock): (Arc<dyn Storage>, _) = match &config.database {
            Database::Sqlite(path) => {
                let lock = prepare(&config.data, path)?;
                (Arc::new(sqlite::Store::open_with(path, schema).await?), Some(lock))
            }
            Database::Postgres(url) => {
                let connections = config.operating.database_connections;
                (Arc::new(postgres::Store::open_with(url, connections, schema).await?), None)
            }
        };
        choose_provider();
        let node = NodeId::from_bytes(random::bytes());
        let redis = config.redis.as_deref().map(RedisConfig::at);
        let (bus, inbox, board) = connect_bus(redis.as_ref(), node)?;
        let limits = limits(&config, redis.as_ref())?;
        let redis = redis.map(|redis| redis.meter).unwrap_or_default();
        let ports = Ports { storage, bus, inbox, limits, board, redis, node };
        let mut relay = Self::start_on(config, clock, ports).await?;
        relay._lock = lock;
        Ok(relay)
    }

    /// Starts a node on ports that the caller has made; `config` names no database then.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start_on(
        config: Config,
        clock: Arc<dyn Clock>,
        ports: Ports,
    ) -> Result<Self, StartError> {
        let ends_here = config.tls.clone();
        let certificates = ends_here.as_ref().map(certificates::read).transpose()?;
        let tls = match (&certificates, &ends_here) {
            (Some(certificates), Some(tls)) => Some(certificates.server_config(tls)?.into()),
            _ => None,
        };
        let refused = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (services, inbox, news) = services(&config, address, ports, clock).await?;
        let services = Arc::new(services);
        let app = App {
            services: services.clone(),
            ready: Arc::new(AtomicBool::new(true)),
            connections: TaskTracker::new(),
            hsts: config.tls.as_ref().and_then(certificates::hsts),
            timeouts: config.operating.timeouts,
            proxies: config.proxies.into(),
            web_origins: config.web_origins.into(),
        };
        let (ready, connections) = (app.ready.clone(), app.connections.clone());
        let (stop, requests) = (CancellationToken::new(), TaskTracker::new());
        let server = Server {
            admission: Admission::new(config.caps),
            proxies: app.proxies.clone(),
            timeouts: config.operating.timeouts,
            tls,
            metrics: services.metrics.clone(),
            router: router(app),
            stop: stop.clone(),
            tasks: requests.clone(),
        };
        let cursors = services.clone();
        let mut tasks = vec![
            tokio::spawn(server::run(listener, server)),
            tokio::spawn(dispatcher::run(services.clone(), inbox)),
            tokio::spawn(async move { cursors.acknowledgements.run().await }),
            tokio::spawn(janitor::run(services.clone())),
            tokio::spawn(presence::run(services.clone())),
            tokio::spawn(retention::run(services.clone())),
        ];
        if let Some(news) = news {
            tasks.push(tokio::spawn(courier::gather(services.clone(), news)));
            tasks.push(tokio::spawn(courier::run(services.clone())));
        }
        if let (Some(certificates), Some(tls)) = (&certificates, ends_here) {
            tasks.extend(certificates::keep(certificates, &tls, &services));
        }
        let note = Note::done(AuditEvent::Started).saying(env!("CARGO_PKG_VERSION"));
        services.audit.note(note);
        Ok(Self {
            services,
            address,
            ready,
            stop,
            connections,
            requests,
            certificates,
            tasks,
            _lock: None,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients know it by.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.services.origins.first().map_or("", String::as_str)
    }

    /// What it counts, in Prometheus' text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.services.render_metrics()
    }

    /// Its store, for what an operator does beside it.
    #[must_use]
    pub fn storage(&self) -> &dyn Storage {
        &*self.services.storage
    }

    /// Looks at once whether the files of the certificate have changed, as it does every few
    /// seconds; nothing without TLS.
    ///
    /// # Errors
    ///
    /// [`TlsError`], if they can no longer be used; what was in use stays in use.
    pub fn reload_certificate(&self) -> Result<Reloaded, TlsError> {
        self.certificates.as_ref().map_or(Ok(Reloaded::Unchanged), |those| those.reload())
    }

    /// Leaves without losing anything; clients are told to come back within `spread`.
    pub async fn drain(mut self, spread: Duration) {
        self.ready.store(false, Ordering::SeqCst);
        self.stop.cancel();
        let spread = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        let return_after = || Ending::Draining { return_after_ms: random::below(spread) };
        self.services.registry.end_all(return_after);
        self.connections.close();
        self.requests.close();
        let left = async {
            self.connections.wait().await;
            self.requests.wait().await;
        };
        within(DRAIN_MAX, left, "some connections did not end in time").await;
        let gone = presence::leave(&self.services);
        within(PRESENCE_MAX, gone, "presence could not be taken back").await;
        let written = async {
            self.services.writers.close().await;
            self.services.acknowledgements.flush().await;
            self.services.retention.flush(&*self.services.storage, self.services.now()).await;
            janitor::resign(&self.services).await;
            retention::resign(&self.services).await;
        };
        within(WRITE_MAX, written, "not everything that was queued could be written").await;
        self.services.audit.note(Note::done(AuditEvent::Stopped));
        let noted = self.services.audit.flush();
        within(AUDIT_FLUSH_MAX, noted, "the end of the audit log could not be written").await;
        for task in self.tasks.drain(..) {
            task.abort();
        }
        let closed = async {
            self.services.limits.close().await;
            self.services.bus.close().await;
            self.services.storage.close().await;
        };
        within(CLOSE_MAX, closed, "some connections of ours did not end in time").await;
    }
}

/// Awaits `work`, but not for longer than `most`.
async fn within(most: Duration, work: impl Future<Output = ()>, otherwise: &str) {
    if tokio::time::timeout(most, work).await.is_err() {
        tracing::warn!("{otherwise}");
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.cancel();
        self.services.registry.end_all(|| Ending::Draining { return_after_ms: 0 });
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Where the courier hears of messages.
type Arriving = mpsc::Receiver<Arc<[AccountId]>>;

async fn services(
    config: &Config,
    address: SocketAddr,
    ports: Ports,
    clock: Arc<dyn Clock>,
) -> Result<(Services, Inbox, Option<Arriving>), StartError> {
    let Ports { storage, bus, inbox, limits, board, redis, node } = ports;
    let opaque = storage.secret("opaque", &Opaque::generate()).await?;
    let ring = storage.secret("token-keys", &random::bytes::<SECRET_BYTES>()).await?;
    let refresh = storage.secret("refresh-tokens", &random::bytes::<SECRET_BYTES>()).await?;
    let epoch = storage.epoch().await?;
    let workspace = WorkspaceId::random(&mut rand::rng());
    let workspace = storage.default_workspace(workspace, clock.now()).await?;
    let origins = origins(config, address);
    let issuer = origins.first().cloned().unwrap_or_default();
    let metrics = Arc::new(Metrics::default());
    let ledger = Arc::new(Ledger::with(config.retention, config.archive.clone()));
    ledger.refresh(&*storage).await?;
    let pushers = Pushers::open(&config.push)?;
    let (news, arriving) = match pushers.is_empty() {
        true => (News::default(), None),
        false => {
            let (news, arriving) = News::channel();
            (news, Some(arriving))
        }
    };
    let services = Services {
        opaque: Opaque::from_bytes(&opaque).map_err(|_| StartError::Secrets)?,
        tokens: Tokens::new(KeyRing::new(ring, epoch), issuer),
        refresh_secret: RefreshSecret::new(refresh),
        audit_kept: config.audit_kept,
        audit: Audit::start(storage.clone(), clock.clone(), node),
        limits,
        pushers,
        web_hooks: config.push.web_hooks,
        depot: Depot::open(&config.blobs, &config.data)?,
        rates: config.rates,
        directory: Directory::over(storage.clone()),
        presence: Presences::over(board),
        registry: Registry::with_cap(config.caps.connections_an_account),
        writers: Writers::start(&storage, &bus, &clock, &metrics, &news, &ledger),
        retention: ledger,
        mailboxes: linking::Mailboxes::default(),
        acknowledgements: Acknowledgements::over(storage.clone()),
        storage,
        bus,
        redis,
        clock,
        node,
        origins,
        workspace,
        accounts: config.accounts,
        epoch,
        metrics,
    };
    Ok((services, inbox, arriving))
}

/// The URLs that clients may know the relay by; the first is the one it calls itself.
fn origins(config: &Config, address: SocketAddr) -> Vec<String> {
    match &config.origin {
        Some(origin) => vec![origin.clone()],
        // Only on loopback; a public relay has to be given its origin.
        None => {
            let scheme = if config.tls.is_some() { "https" } else { "http" };
            let port = address.port();
            vec![format!("{scheme}://{address}"), format!("{scheme}://localhost:{port}")]
        }
    }
}

/// What a node and the others meet on.
type Meeting = (Arc<dyn Bus>, Inbox, Arc<dyn Board>);

fn connect_bus(redis: Option<&RedisConfig>, node: NodeId) -> Result<Meeting, StartError> {
    match redis {
        None => {
            let hub = LocalHub::default();
            let (bus, inbox) = hub.node(node);
            Ok((Arc::new(bus), inbox, Arc::new(hub.boards().node(node))))
        }
        Some(redis) => {
            let (bus, inbox) = RedisBus::start(redis, node)?;
            let board = RedisBoard::start(redis, node, WORD_TTL)?;
            Ok((Arc::new(bus), inbox, Arc::new(board)))
        }
    }
}

fn limits(config: &Config, redis: Option<&RedisConfig>) -> Result<Arc<dyn Limits>, StartError> {
    Ok(match redis {
        None => Arc::new(LocalLimits::new(config.rates)),
        Some(redis) => Arc::new(RedisLimits::start(redis, config.rates)?),
    })
}
