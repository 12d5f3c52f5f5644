//! A bad network between a node and Redis: it cuts, refuses and stalls when it is told to.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does to connections, and how often it has cut all of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mood {
    Fair,
    Refusing,
    Stalled,
}

/// Listens on a port of its own and passes on what it is sent.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    database: String,
    weather: watch::Sender<(Mood, u32)>,
}

impl Proxy {
    /// Stands before the server at `url`.
    pub(crate) async fn before(url: &str) -> Self {
        let rest = url.strip_prefix("redis://").unwrap();
        let (host, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, database) = (host.to_owned(), database.to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = watch::Sender::new((Mood::Fair, 0));
        let changes = weather.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, host.clone(), changes.clone()));
            }
        });
        Self { address, database, weather }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}/{}", self.address, self.database)
    }

    /// Ends every connection; new ones are passed on.
    pub(crate) fn cut(&self) {
        self.weather.send_modify(|(_, cuts)| *cuts += 1);
    }

    /// Ends every connection, and each new one at once.
    pub(crate) fn refuse(&self) {
        self.weather.send_modify(|(mood, cuts)| (*mood, *cuts) = (Mood::Refusing, *cuts + 1));
    }

    pub(crate) fn accept(&self) {
        self.weather.send_modify(|(mood, _)| *mood = Mood::Fair);
    }

    /// Keeps every connection, and lets nothing through any more.
    pub(crate) fn stall(&self) {
        self.weather.send_modify(|(mood, cuts)| (*mood, *cuts) = (Mood::Stalled, *cuts));
    }
}

async fn pass_on(mut client: TcpStream, host: String, mut weather: watch::Receiver<(Mood, u32)>) {
    let (mood, cuts) = *weather.borrow_and_update();
    match mood {
        Mood::Refusing => return,
        Mood::Stalled => return std::future::pending().await,
        Mood::Fair => {}
    }
    let Ok(mut server) = TcpStream::connect(host).await else { return };
    let is_stalled = async {
        let ended = weather.wait_for(|(mood, now)| *now != cuts || *mood == Mood::Stalled).await;
        ended.is_ok_and(|weather| weather.0 == Mood::Stalled)
    };
    let is_stalled = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => false,
        is_stalled = is_stalled => is_stalled,
    };
    if is_stalled {
        std::future::pending::<()>().await;
    }
}
