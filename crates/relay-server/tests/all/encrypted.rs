//! TLS on the way to PostgreSQL and to Redis: used, and refused where the other end is not who it
//! should be.
//!
//! ```text
//!  relay-server doctor ──TLS──▶ a proxy of this test ──plain──▶ the server of the tests
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::cli::program;

#[tokio::test]
async fn redis_is_reached_by_tls_if_its_certificate_is_trusted() {
    let plain = service("SEALWIRE_TEST_REDIS");
    let other_end = OtherEnd::new();
    let address = other_end.before(host(&plain), Greeting::None).await;
    let url = format!("rediss://localhost:{}/0", address.port());
    // Redis needs PostgreSQL beside it; what is said of that does not matter here.
    let database = service("SEALWIRE_TEST_POSTGRES");

    let examine = async |trusted: &Path| {
        let mut program = program();
        program.args(["doctor", "--redis", &url, "--database", &database]);
        let output = program.env("SSL_CERT_FILE", trusted).output().await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().find(|line| line.contains("redis")).unwrap().to_owned()
    };

    let said = examine(&other_end.certificate).await;
    assert!(said.starts_with("ok    redis"), "{said}");
    let said = examine(&OtherEnd::new().certificate).await;
    assert!(said.starts_with("FAIL  redis"), "{said}");
}

#[tokio::test]
async fn postgres_is_reached_by_tls_if_its_certificate_is_trusted() {
    let plain = service("SEALWIRE_TEST_POSTGRES");
    let other_end = OtherEnd::new();
    let address = other_end.before(host(&plain), Greeting::Postgres).await;
    let user = plain.split_once("://").unwrap().1.rsplit_once('@').unwrap().0.to_owned();
    let name = plain.rsplit_once('/').unwrap().1.to_owned();

    let examine = async |trusted: &Path| {
        let port = address.port();
        let trusted = trusted.display();
        let url = format!(
            "postgres://{user}@localhost:{port}/{name}?sslmode=verify-full&sslrootcert={trusted}"
        );
        let output = program().args(["doctor", "--database", &url]).output().await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().find(|line| line.contains("database")).unwrap().to_owned()
    };

    let said = examine(&other_end.certificate).await;
    assert!(said.starts_with("ok    database"), "{said}");
    let said = examine(&OtherEnd::new().certificate).await;
    assert!(said.starts_with("FAIL  database"), "{said}");
}

/// How a protocol gets to TLS.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Greeting {
    /// By beginning with it.
    None,
    /// By asking for it in eight bytes, and hearing `S`.
    Postgres,
}

/// Who ends TLS, under the name `localhost`.
struct OtherEnd {
    certificate: PathBuf,
    acceptor: TlsAcceptor,
    _folder: TempDir,
}

impl OtherEnd {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let certificate = folder.path().join("certificate.pem");
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, cert.pem()).unwrap();
        let chain = vec![CertificateDer::from_pem_file(&certificate).unwrap()];
        let key = signing_key.serialize_pem();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        relay_server::tls::choose_provider();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        Self { certificate, acceptor, _folder: folder }
    }

    /// Listens, and passes on what comes to the server at `target`.
    async fn before(&self, target: String, greeting: Greeting) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, target) = (acceptor.clone(), target.clone());
                tokio::spawn(async move {
                    // Who does not trust the certificate goes away in the middle of it.
                    let _ = pass_on(stream, acceptor, &target, greeting).await;
                });
            }
        });
        address
    }
}

async fn pass_on(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    target: &str,
    greeting: Greeting,
) -> std::io::Result<()> {
    if greeting == Greeting::Postgres {
        let mut request = [0; 8];
        stream.read_exact(&mut request).await?;
        // A client that would speak in clear is not let in.
        assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47]);
        stream.write_all(b"S").await?;
    }
    let mut inside = acceptor.accept(stream).await?;
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut inside, &mut server).await.map(drop)
}

/// Host and port of a URL.
fn host(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    rest.split('/').next().unwrap().to_owned()
}

fn service(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} names no server; run the tests with `cargo xtask test`")
    })
}
