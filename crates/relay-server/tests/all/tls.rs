//! TLS in the program, and which pages may use it.

use std::path::Path;
use std::sync::Arc;

use chat_core::api::info::Health;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use relay_server::config::{Tls, TlsVersion};
use relay_server::testing::TestRelay;
use relay_server::tls::{Reloaded, TlsError};
use reqwest::header::{HeaderMap, ORIGIN};
use reqwest::{Client, Method, Response, StatusCode};
use rustls::crypto::aws_lc_rs::kx_group::{X25519, X25519MLKEM768};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, NamedGroup, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[tokio::test]
async fn the_relay_speaks_tls_1_3_with_a_key_exchange_for_tomorrow() {
    let (files, certificate) = certified();
    let relay = TestRelay::builder().tls(files.tls()).start().await;

    let stream = connect(&relay, &certificate, &TLS13).await.unwrap();
    let answer = client(&certificate).get(format!("{}/readyz", named(&relay))).send().await;

    let session = stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let group = session.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
    assert_eq!(session.alpn_protocol(), None);
    let answer = answer.unwrap();
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    assert_eq!(answer.json::<Health>().await.unwrap().status, "ok");
    assert!(relay.url().starts_with("https://"));
    assert!(relay.relay().origin().starts_with("https://"));
}

#[tokio::test]
async fn an_older_tls_is_spoken_only_where_the_operator_says_so() {
    let (files, certificate) = certified();
    let strict = TestRelay::builder().tls(files.tls()).start().await;
    let lenient = Tls { minimum: TlsVersion::Tls12, hsts_seconds: 0, ..files.tls() };
    let lenient = TestRelay::builder().tls(lenient).start().await;

    let refused = connect(&strict, &certificate, &TLS12).await;
    let spoken = connect(&lenient, &certificate, &TLS12).await.unwrap();

    assert!(refused.is_err());
    assert_eq!(spoken.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let answer = client(&certificate).get(format!("{}/healthz", named(&lenient))).send().await;
    assert!(!answer.unwrap().headers().contains_key("strict-transport-security"));
    let metrics = strict.relay().metrics();
    assert!(metrics.contains("sealwire_tls_failed_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn who_speaks_no_tls_hears_nothing() {
    let (files, _) = certified();
    let relay = TestRelay::builder().tls(files.tls()).start().await;
    let mut plain = TcpStream::connect(relay.address()).await.unwrap();

    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: relay\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard).await;

    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_open_connections_go_on() {
    let (files, old) = certified();
    let relay = TestRelay::builder().tls(files.tls()).start().await;
    let mut open = connect(&relay, &old, &TLS13).await.unwrap();
    assert_eq!(relay.relay().reload_certificate().unwrap(), Reloaded::Unchanged);

    let new = files.renew();

    assert_eq!(relay.relay().reload_certificate().unwrap(), Reloaded::Changed);
    assert!(connect(&relay, &new, &TLS13).await.is_ok());
    assert!(connect(&relay, &old, &TLS13).await.is_err(), "the old one is not shown any more");
    open.write_all(b"GET /healthz HTTP/1.1\r\nhost: relay\r\n\r\n").await.unwrap();
    let mut heard = [0; 12];
    open.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 200");
}

#[tokio::test]
async fn files_that_are_half_written_change_nothing() {
    let (files, certificate) = certified();
    let relay = TestRelay::builder().tls(files.tls()).start().await;
    let another = generate_simple_self_signed(["localhost".to_owned()]).unwrap();

    std::fs::write(files.path("certificate.pem"), another.cert.pem()).unwrap();
    let mismatch = relay.relay().reload_certificate().unwrap_err();
    std::fs::write(files.path("certificate.pem"), "-----BEGIN CERT").unwrap();
    let half = relay.relay().reload_certificate().unwrap_err();
    std::fs::remove_file(files.path("key.pem")).unwrap();
    let missing = relay.relay().reload_certificate().unwrap_err();

    assert!(matches!(mismatch, TlsError::Unusable(_)), "{mismatch}");
    assert!(matches!(half, TlsError::NoCertificate { .. }), "{half}");
    assert!(matches!(missing, TlsError::File { .. }), "{missing}");
    assert!(connect(&relay, &certificate, &TLS13).await.is_ok());
}

#[tokio::test]
async fn pages_may_use_the_relay_if_they_are_its_own_or_named() {
    let relay = TestRelay::builder().web_origin("https://app.example").start().await;
    let ask = async |method: Method, origins: &[&str], preflight: bool| -> Response {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, origin.parse().unwrap());
        }
        if preflight {
            headers.insert("access-control-request-method", "PUT".parse().unwrap());
        }
        let url = format!("{}/v1/limits", relay.url());
        Client::new().request(method, url).headers(headers).send().await.unwrap()
    };

    let named = ask(Method::GET, &["https://app.example"], false).await;
    assert_eq!(named.status(), StatusCode::OK);
    assert_eq!(named.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(named.headers()["vary"], "origin");
    let asked_first = ask(Method::OPTIONS, &["https://app.example"], true).await;
    assert_eq!(asked_first.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        asked_first.headers()["access-control-allow-headers"],
        "authorization, content-type, range, if-range"
    );
    assert_eq!(ask(Method::GET, &[relay.url()], false).await.status(), StatusCode::OK);
    let programs = ask(Method::GET, &[], false).await;
    assert_eq!(programs.status(), StatusCode::OK);
    assert!(!programs.headers().contains_key("access-control-allow-origin"));
    for foreign in [
        &["https://evil.example"][..],
        &["null"],
        &["https://app.example", "https://app.example"],
        &["https://app.example.evil.example"],
        &["http://app.example"],
    ] {
        for preflight in [false, true] {
            let method = if preflight { Method::OPTIONS } else { Method::GET };
            let refused = ask(method, foreign, preflight).await;
            assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{foreign:?}");
            assert!(!refused.headers().contains_key("access-control-allow-origin"));
        }
    }
}

/// A folder with a certificate for `localhost` and its key.
struct Files(TempDir);

fn certified() -> (Files, CertificateDer<'static>) {
    let files = Files(TempDir::new().unwrap());
    let certificate = files.renew();
    (files, certificate)
}

impl Files {
    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.0.path()).join(name)
    }

    fn tls(&self) -> Tls {
        Tls::with(self.path("certificate.pem"), self.path("key.pem"))
    }

    fn renew(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(self.path("certificate.pem"), cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), signing_key.serialize_pem()).unwrap();
        CertificateDer::from_pem_slice(cert.pem().as_bytes()).unwrap()
    }
}

async fn connect(
    relay: &TestRelay,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    // As browsers do: the hybrid first.
    let kx_groups = vec![X25519MLKEM768, X25519];
    let provider = CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(relay.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn client(trusted: &CertificateDer<'static>) -> Client {
    let trusted = reqwest::Certificate::from_der(trusted).unwrap();
    Client::builder().tls_certs_only([trusted]).build().unwrap()
}

/// The relay's URL, by the name in its certificate.
fn named(relay: &TestRelay) -> String {
    format!("https://localhost:{}", relay.address().port())
}
