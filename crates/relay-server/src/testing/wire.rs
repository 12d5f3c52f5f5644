//! The wire between clients and a test's relay, and what may go wrong on it.
//!
//! ```text
//!  client ─▶ wire (its own port) ─▶ relay           fine      bytes pass
//!         ◀─                    ◀─                   stalled   nothing passes, nothing ends: a tunnel
//!                                                    cut       everything ends, nobody gets through
//! ```
//!
//! It carries bytes and knows nothing of what they say, so TLS passes too. What is on the way when
//! the wire is cut is lost, in the middle of a frame if need be.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// As much as one read carries on.
const PIECE_BYTES: usize = 16 * 1024;

/// The wire in front of a [`TestRelay`](super::TestRelay); clones are the same wire.
#[derive(Clone, Debug)]
pub struct Wire {
    weather: Arc<watch::Sender<Weather>>,
    address: SocketAddr,
}

/// How it stands with the wire.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    state: State,
    delay: Duration,
    /// Connections of an earlier generation have been hung up.
    generation: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Fine,
    Stalled,
    Cut,
}

/// A wire before a server that is no test's relay; it ends with this.
#[derive(Debug)]
pub struct Wired {
    wire: Wire,
    _carrier: Carrier,
}

impl Wired {
    /// The wire.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        &self.wire
    }
}

impl Wire {
    /// Stands before the server at `server`, as between a relay and its database.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    pub async fn before(server: SocketAddr) -> io::Result<Wired> {
        let (wire, _carrier) = Plug::take().await?.connect(server);
        Ok(Wired { wire, _carrier })
    }

    /// Ends every connection, and refuses new ones until [`Wire::mend`].
    pub fn cut(&self) {
        self.change(|weather| {
            weather.state = State::Cut;
            weather.generation += 1;
        });
    }

    /// Holds everything back without ending anything, until [`Wire::mend`].
    pub fn stall(&self) {
        self.change(|weather| weather.state = State::Stalled);
    }

    /// Lets everything through again; what was held back arrives.
    pub fn mend(&self) {
        self.change(|weather| weather.state = State::Fine);
    }

    /// Ends every connection once; clients may come back at once.
    pub fn hang_up(&self) {
        self.change(|weather| weather.generation += 1);
    }

    /// Lets every piece of data wait this long, in each direction.
    pub fn delay(&self, each_way: Duration) {
        self.change(|weather| weather.delay = each_way);
    }

    /// Where clients find it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn change(&self, how: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(how);
    }
}

/// The end of a wire at which clients arrive, before there is a relay.
pub(super) struct Plug {
    listener: TcpListener,
    weather: Arc<watch::Sender<Weather>>,
    address: SocketAddr,
}

/// What carries; ends with its drop.
#[derive(Debug)]
pub(super) struct Carrier(JoinHandle<()>);

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Plug {
    /// Takes a port on loopback.
    pub(super) async fn take() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let weather = Arc::new(watch::Sender::new(Weather::default()));
        Ok(Self { listener, weather, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects the wire with the relay at `relay`.
    pub(super) fn connect(self, relay: SocketAddr) -> (Wire, Carrier) {
        let wire = Wire { weather: self.weather.clone(), address: self.address };
        let carrier = tokio::spawn(async move {
            // The set ends what it carries when this task ends.
            let mut carried = tokio::task::JoinSet::new();
            while let Ok((client, _)) = self.listener.accept().await {
                let weather = self.weather.subscribe();
                carried.spawn(carry(client, relay, weather));
                while carried.try_join_next().is_some() {}
            }
        });
        (wire, Carrier(carrier))
    }
}

/// Carries one connection until either end, or the wire, has had enough.
async fn carry(client: TcpStream, relay: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let born = *weather.borrow();
    if born.state == State::Cut {
        return;
    }
    let Ok(relay) = TcpStream::connect(relay).await else { return };
    // Small frames are what clients and relays send; holding them back would be a fault of its own.
    if client.set_nodelay(true).is_err() || relay.set_nodelay(true).is_err() {
        return;
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_relay, mut to_relay) = relay.into_split();
    let (out, back) = (weather.clone(), weather.clone());
    let both = async {
        tokio::join!(
            one_way(&mut from_client, &mut to_relay, out),
            one_way(&mut from_relay, &mut to_client, back),
        )
    };
    tokio::select! {
        _ = both => {}
        _ = weather.wait_for(|now| now.generation != born.generation) => {}
    }
}

async fn one_way(
    from: &mut tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let bytes = from.read(&mut piece).await?;
        let delay = weather.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if weather.wait_for(|now| now.state == State::Fine).await.is_err() {
            return Ok(());
        }
        if bytes == 0 {
            return to.shutdown().await;
        }
        to.write_all(piece.get(..bytes).unwrap_or_default()).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relay of the simplest kind: it says back what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn wire() -> (Wire, Carrier) {
        Plug::take().await.unwrap().connect(echo().await)
    }

    async fn says_and_hears(stream: &mut TcpStream, word: &[u8; 4]) -> io::Result<[u8; 4]> {
        stream.write_all(word).await?;
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn in_fine_weather_bytes_pass_both_ways() {
        let (wire, _carrier) = wire().await;
        let mut client = TcpStream::connect(wire.address()).await.unwrap();

        assert_eq!(&says_and_hears(&mut client, b"ping").await.unwrap(), b"ping");
    }

    #[tokio::test]
    async fn a_cut_ends_what_runs_and_refuses_what_comes_until_it_is_mended() {
        let (wire, _carrier) = wire().await;
        let mut client = TcpStream::connect(wire.address()).await.unwrap();
        says_and_hears(&mut client, b"ping").await.unwrap();

        wire.cut();

        assert!(says_and_hears(&mut client, b"ping").await.is_err());
        let mut while_cut = TcpStream::connect(wire.address()).await.unwrap();
        assert!(says_and_hears(&mut while_cut, b"ping").await.is_err());
        wire.mend();
        let mut mended = TcpStream::connect(wire.address()).await.unwrap();
        assert_eq!(&says_and_hears(&mut mended, b"ping").await.unwrap(), b"ping");
    }

    #[tokio::test]
    async fn what_a_stall_held_back_arrives_when_it_is_mended() {
        let (wire, _carrier) = wire().await;
        let mut client = TcpStream::connect(wire.address()).await.unwrap();
        says_and_hears(&mut client, b"ping").await.unwrap();
        wire.stall();
        client.write_all(b"late").await.unwrap();

        wire.mend();

        let mut heard = [0; 4];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"late");
    }

    #[tokio::test]
    async fn who_was_hung_up_on_may_call_again() {
        let (wire, _carrier) = wire().await;
        let mut client = TcpStream::connect(wire.address()).await.unwrap();
        says_and_hears(&mut client, b"ping").await.unwrap();

        wire.hang_up();

        assert!(says_and_hears(&mut client, b"ping").await.is_err());
        let mut again = TcpStream::connect(wire.address()).await.unwrap();
        assert_eq!(&says_and_hears(&mut again, b"ping").await.unwrap(), b"ping");
    }
}
