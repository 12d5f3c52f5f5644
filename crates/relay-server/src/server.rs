//! Accepting connections: TLS, and HTTP/1.1 with limits and timeouts that nobody gives for free.

mod patient;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use self::patient::{Patient, STALL_MAX};
use crate::admission::{Admission, Admitted};
use crate::config::{Network, Timeouts};
use crate::http::extract::PeerAddress;
use crate::metrics::Metrics;

const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long to wait when the system has no more descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// What every connection is served with.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) admission: Admission,
    /// Proxies, which speak for many.
    pub(crate) proxies: Arc<[Network]>,
    pub(crate) timeouts: Timeouts,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Accepts until `stop`; connections that are open then finish what they are at.
pub(crate) async fn run(listener: TcpListener, server: Server) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => server.admit(stream, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

impl Server {
    /// Serves a connection, or closes it at once.
    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let address = peer.ip();
        let is_proxy = self.proxies.iter().any(|proxy| proxy.contains(address));
        let counted = (!is_proxy).then_some(address);
        match self.admission.admit(counted) {
            Ok(admitted) => {
                // Small frames are to leave at once.
                let _ = stream.set_nodelay(true);
                self.tasks.spawn(self.clone().open(
                    Patient::over(stream, STALL_MAX),
                    peer,
                    admitted,
                ));
            }
            Err(too_many) => {
                tracing::debug!(%too_many, "a connection is refused");
                self.metrics.connections_refused.add(1);
            }
        }
    }

    /// Shakes hands, if there is TLS, and serves.
    async fn open(self, stream: Patient<TcpStream>, peer: SocketAddr, admitted: Arc<Admitted>) {
        let Self { router, tls, metrics, stop, timeouts, .. } = self;
        let head = timeouts.head();
        let Some(tls) = tls else { return serve(stream, peer, admitted, router, head, stop).await };
        match timeout(timeouts.handshake(), tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                metrics.tls_handshakes.add(1);
                // Who has asked for a challenge has seen it now.
                #[cfg(feature = "acme")]
                if stream.get_ref().1.alpn_protocol() == Some(crate::tls::challenges::ALPN) {
                    return;
                }
                // A connection is mostly waiting; what its handshake needed is not kept for that.
                Box::pin(serve(stream, peer, admitted, router, head, stop)).await;
            }
            Ok(Err(error)) => {
                metrics.tls_failed.add(1);
                tracing::debug!(%error, "a TLS handshake failed");
            }
            Err(_) => metrics.tls_failed.add(1),
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    admitted: Arc<Admitted>,
    router: Router,
    head: Duration,
    stop: CancellationToken,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(PeerAddress(peer));
        request.extensions_mut().insert(admitted.clone());
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
