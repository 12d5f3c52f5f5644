//! Certificates from an authority: gotten, used, kept; and nothing where it is not convinced.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use relay_server::config::{Acme, Tls};
use relay_server::testing::TestRelay;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::authority::{Authority, shown_by};

const NAMES: [&str; 2] = ["relay.example", "chat.relay.example"];
/// Nothing here takes that long; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_relay_gets_its_certificate_and_has_it_when_it_comes_back() {
    let (authority, folder) = (Authority::start().await, tempfile::tempdir().unwrap());
    let relay = TestRelay::builder().tls(tls(&authority, folder.path())).start().await;
    assert!(!is_trusted(relay.address(), NAMES[0], &authority).await);

    authority.looks_at(relay.address());
    until(async || {
        let _ = relay.relay().reload_certificate();
        is_trusted(relay.address(), NAMES[0], &authority).await
    })
    .await;

    assert!(is_trusted(relay.address(), NAMES[1], &authority).await);
    assert_eq!(authority.complaints(), Vec::<String>::new());
    assert_eq!(authority.looked(), [Some(true), Some(true)]);
    assert_eq!(authority.contact(), json!(["mailto:operator@relay.example"]));
    assert_eq!(shown_by(relay.address(), NAMES[0]).await, None, "nobody is asking any more");
    relay.stop().await;
    let relay = TestRelay::builder().tls(tls(&authority, folder.path())).start().await;
    assert!(is_trusted(relay.address(), NAMES[0], &authority).await);
    assert_eq!(authority.orders(), 1);
    only_its_owner_reads(folder.path());
    relay.stop().await;
}

#[tokio::test]
async fn an_authority_that_finds_somebody_else_at_the_name_gives_nothing() {
    let (authority, folder) = (Authority::start().await, tempfile::tempdir().unwrap());
    let (elsewhere, other) = (Authority::start().await, tempfile::tempdir().unwrap());
    let stranger = TestRelay::builder().tls(tls(&elsewhere, other.path())).start().await;
    let relay = TestRelay::builder().tls(tls(&authority, folder.path())).start().await;

    authority.looks_at(stranger.address());
    until(async || authority.looked().contains(&Some(false))).await;

    assert!(!is_trusted(relay.address(), NAMES[0], &authority).await);
    assert_eq!(authority.complaints(), Vec::<String>::new());
    relay.stop().await;
    stranger.stop().await;
}

fn tls(authority: &Authority, folder: &Path) -> Tls {
    Tls::from_authority(Acme {
        domains: NAMES.map(str::to_owned).to_vec(),
        contact: Some("mailto:operator@relay.example".to_owned()),
        directory: authority.directory(),
        cache: folder.join("acme"),
    })
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let held = timeout(PATIENCE, async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    });
    held.await.expect("it does not come to that");
}

/// Whether who trusts the authority trusts whoever answers there for `name`.
async fn is_trusted(address: SocketAddr, name: &str, authority: &Authority) -> bool {
    connects(address, name, authority.root()).await
}

async fn connects(address: SocketAddr, name: &str, root: &CertificateDer<'static>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.is_ok()
}

fn only_its_owner_reads(folder: &Path) {
    for name in ["acme", "acme/certificate.pem", "acme/account.json"] {
        let found = std::fs::metadata(folder.join(name)).unwrap();
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077, 0);
        assert!(found.len() > 0, "{name}");
    }
}
