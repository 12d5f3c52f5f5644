//! The way to a client: which relay, which store, and then registered, logged in, or opened.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use chat_core::limits::SESSIONS_A_MESSAGE_MAX;
use chat_crypto::recovery::RecoveryPhrase;
use zeroize::Zeroizing;

use crate::account::{self, Setup};
use crate::api::Api;
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::error::{Kind, Result};
use crate::linking;
use crate::password::PasswordHardening;
use crate::random::Randomness;
use crate::store::{Place, Store, StoreKey};
use crate::transport::{Network, Origin, Transport, Trusted};

/// What a client is made of; see [`Client::builder`].
///
/// ```no_run
/// # async fn example() -> chat_sdk::Result<()> {
/// use chat_sdk::{Client, StoreKey};
///
/// let registered = Client::builder("https://relay.example")
///     .store("alice.store", StoreKey::passphrase("only on this device"))
///     .register("alice", "correct horse battery staple")
///     .await?;
/// println!("Write this down: {}", *registered.recovery_phrase.words());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ClientBuilder {
    relay: String,
    place: Option<Place>,
    clock: Arc<dyn Clock>,
    hardening: PasswordHardening,
    randomness: Option<Randomness>,
    transport: Option<Arc<dyn Transport>>,
    trusted: Trusted,
    sessions_a_message_max: usize,
    invitation: Option<InvitationToken>,
}

/// What somebody was given to register with.
struct InvitationToken(Zeroizing<String>);

impl fmt::Debug for InvitationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationToken(..)")
    }
}

/// A client that has just registered, and the words that bring its account back.
#[derive(Debug)]
pub struct Registered {
    /// The client.
    pub client: Client,
    /// To be written down by a person: 24 words that open the keyring without the password. They
    /// are kept nowhere else.
    pub recovery_phrase: RecoveryPhrase,
}

impl ClientBuilder {
    pub(crate) fn new(relay: &str) -> Self {
        Self {
            relay: relay.to_owned(),
            place: None,
            clock: Arc::new(SystemClock),
            hardening: PasswordHardening::default(),
            randomness: None,
            transport: None,
            trusted: Trusted::default(),
            sessions_a_message_max: SESSIONS_A_MESSAGE_MAX,
            invitation: None,
        }
    }

    /// Remembers in a file, encrypted under `key`; the file is made if there is none.
    #[must_use]
    pub fn store(mut self, path: impl Into<PathBuf>, key: StoreKey) -> Self {
        self.place = Some(Place::File { path: path.into(), key });
        self
    }

    /// Remembers nothing beyond the client's life.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.place = Some(Place::Memory);
        self
    }

    /// Goes by another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes guessing the password cost this much; the same on all devices of an account.
    #[must_use]
    pub fn password_hardening(mut self, hardening: PasswordHardening) -> Self {
        self.hardening = hardening;
        self
    }

    /// Draws from another source than the operating system, for tests.
    #[must_use]
    pub fn randomness(mut self, randomness: Randomness) -> Self {
        self.randomness = Some(randomness);
        self
    }

    /// Trusts a relay that this authority vouches for, besides those that the system trusts; may be
    /// called for several. The system itself goes on not trusting it.
    ///
    /// On Android, authorities are named in the app's network security configuration instead.
    #[must_use]
    #[cfg(not(target_arch = "wasm32"))]
    pub fn authority(mut self, authority: crate::transport::Authority) -> Self {
        self.trusted.push(authority);
        self
    }

    /// Reaches the relay another way than over the network; whom that way trusts is its own matter.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Sends on sender chains to more devices than this; 256 unless it is said.
    ///
    /// A chain costs one wrap a message instead of one for each device, and heals from a stolen
    /// state only when it is replaced: after a hundred messages, a day, or a removal.
    #[must_use]
    pub fn sessions_a_message_max(mut self, devices: usize) -> Self {
        self.sessions_a_message_max = devices;
        self
    }

    /// Registers by an invitation: into its workspace, with its role.
    #[must_use]
    pub fn invitation(mut self, token: &str) -> Self {
        self.invitation = Some(InvitationToken(Zeroizing::new(token.to_owned())));
        self
    }

    /// Registers a new account; this device is its first.
    ///
    /// # Errors
    ///
    /// [`Kind::RegistrationClosed`], [`Kind::InvitationInvalid`], [`Kind::NameTaken`], [`Kind::NameInvalid`], [`Kind::RelayUnreachable`],
    /// [`Kind::StoreInUse`], or that the store does not open, as [`Store::open`].
    pub async fn register(mut self, username: &str, password: &str) -> Result<Registered> {
        let invitation = self.invitation.take().map(|InvitationToken(token)| token);
        let setup = self.setup().await?;
        let (context, recovery_phrase) =
            account::register_by(setup, username, password, invitation).await?;
        Ok(Registered { client: Client::start(context).await?, recovery_phrase })
    }

    /// Logs in to an account from a device that is new to it.
    ///
    /// # Errors
    ///
    /// [`Kind::WrongPassword`], also for a name nobody has; [`Kind::TooManyDevices`],
    /// [`Kind::RelayUnreachable`], [`Kind::StoreInUse`], or that the store does not open.
    pub async fn login(self, username: &str, password: &str) -> Result<Client> {
        let setup = self.setup().await?;
        Client::start(account::log_in(setup, username, password).await?).await
    }

    /// Gets an account back with its recovery phrase, on a device that is new to it: without the
    /// password, and without another device. To choose a new password comes next
    /// ([`Client::change_password`]).
    ///
    /// # Errors
    ///
    /// [`Kind::WrongPassword`] for another account's phrase, an old one, or a name nobody has;
    /// [`Kind::TooManyDevices`], [`Kind::RelayUnreachable`], [`Kind::StoreInUse`], or that the
    /// store does not open.
    pub async fn recover(self, username: &str, phrase: &RecoveryPhrase) -> Result<Client> {
        let setup = self.setup().await?;
        Client::start(account::recover(setup, username, phrase).await?).await
    }

    /// Opens the account of a store; works without a network. Where a linking was interrupted after
    /// the other device had agreed, this ends it, and needs the network for that.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreEmpty`], [`Kind::StoreLocked`], [`Kind::StoreTooNew`], [`Kind::DeviceRemoved`],
    /// [`Kind::AddressInvalid`] if the account is at another relay.
    pub async fn open(self) -> Result<Client> {
        let setup = self.setup().await?;
        let context = match linking::resume(&setup).await? {
            Some(linked) => linked,
            None => account::open(setup).await?,
        };
        Client::start(context).await
    }

    pub(crate) async fn setup(self) -> Result<Setup> {
        let place = self.place.ok_or_else(|| {
            Kind::ArgumentInvalid.because("name a store: .store(path, key) or .in_memory()")
        })?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(Network::trusting(Origin::parse(&self.relay)?, &self.trusted)?),
        };
        let randomness = match self.randomness {
            Some(randomness) => randomness,
            None => Randomness::system()?,
        };
        Ok(Setup {
            api: Api::over(transport),
            store: Store::open(place).await?,
            clock: self.clock,
            randomness,
            hardening: self.hardening,
            sessions_a_message_max: self.sessions_a_message_max,
        })
    }
}
