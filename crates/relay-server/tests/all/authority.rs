//! A small certificate authority that speaks ACME (RFC 8555) and looks at names by TLS-ALPN-01
//! (RFC 8737): it believes nothing that is not signed, fresh and shown.
//!
//! Whatever a client does wrong is refused and noted; [`Authority::complaints`] tells.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SignatureAlgorithm,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

/// The object identifier of acmeIdentifier, that it is critical, and the head of 32 bytes in it.
const ACME_IDENTIFIER: [u8; 17] =
    [6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f, 1, 1, 0xff, 4, 0x22, 4, 0x20];
/// The object identifier of P-256, and the head of a point on it.
const ON_P256: [u8; 13] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3, 0x42, 0];

/// The authority; it ends with the test.
pub struct Authority {
    url: String,
    shared: Arc<Shared>,
    looks_at: watch::Sender<Option<SocketAddr>>,
    root: CertificateDer<'static>,
}

struct Shared {
    url: String,
    issuer: Issuer<'static, KeyPair>,
    root: String,
    target: watch::Receiver<Option<SocketAddr>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The point of the account's key.
    key: Option<Vec<u8>>,
    contact: Value,
    nonces: HashSet<String>,
    orders: u32,
    names: Vec<String>,
    /// What became of looking at each name.
    looked: Vec<Option<bool>>,
    chain: Option<String>,
    complaints: Vec<String>,
}

impl Authority {
    pub async fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (looks_at, target) = watch::channel(None);
        let shared = Arc::new(Shared {
            url: url.clone(),
            issuer: Issuer::new(params, key),
            root: certificate.pem(),
            target,
            seen: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared, looks_at, root: certificate.der().clone() }
    }

    pub fn directory(&self) -> String {
        format!("{}/directory", self.url)
    }

    /// Where every name leads to.
    pub fn looks_at(&self, address: SocketAddr) {
        self.looks_at.send_replace(Some(address));
    }

    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    pub fn orders(&self) -> u32 {
        self.shared.seen.lock().unwrap().orders
    }

    pub fn contact(&self) -> Value {
        self.shared.seen.lock().unwrap().contact.clone()
    }

    /// What it found when it looked, name by name.
    pub fn looked(&self) -> Vec<Option<bool>> {
        self.shared.seen.lock().unwrap().looked.clone()
    }

    pub fn complaints(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().complaints.clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let answered = match (method, path.as_str()) {
        (Method::GET, "/directory") => return shared.directory().into_response(),
        (Method::HEAD, "/nonce") => Ok(().into_response()),
        (Method::POST, path) => match shared.signed(path, &body) {
            Ok(payload) => shared.clone().post(path, &payload).await,
            Err(why) => Err(why),
        },
        _ => Err(format!("there is no {path}")),
    };
    let mut response = answered.unwrap_or_else(|why| {
        shared.seen.lock().unwrap().complaints.push(why.clone());
        let problem = json!({"type": "urn:ietf:params:acme:error:malformed", "detail": why});
        (StatusCode::BAD_REQUEST, Json(problem)).into_response()
    });
    let nonce = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    response.headers_mut().insert("replay-nonce", HeaderValue::from_str(&nonce).unwrap());
    shared.seen.lock().unwrap().nonces.insert(nonce);
    response
}

impl Shared {
    fn directory(&self) -> Json<Value> {
        let url = |path: &str| format!("{}{path}", self.url);
        Json(json!({
            "newNonce": url("/nonce"), "newAccount": url("/account"), "newOrder": url("/order"),
        }))
    }

    /// What is in a request that is signed for this path, with a nonce of ours, by the account.
    fn signed(&self, path: &str, body: &Bytes) -> Result<Value, String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)).unwrap_or_default();
        let head: Value =
            serde_json::from_slice(&bytes("protected")).map_err(|error| error.to_string())?;
        let mut seen = self.seen.lock().unwrap();
        if !seen.nonces.remove(head["nonce"].as_str().unwrap_or_default()) {
            return Err("the nonce is not fresh".to_owned());
        }
        if head["url"] != format!("{}{path}", self.url) || head["alg"] != "ES256" {
            return Err(format!("the head is not for {path}: {head}"));
        }
        let key = match (path, &seen.key) {
            ("/account", _) => point(&head["jwk"]),
            (_, Some(key)) if head["kid"] == format!("{}/account/1", self.url) => key.clone(),
            _ => return Err(format!("nobody knows {}", head["kid"])),
        };
        let message = format!("{}.{}", text("protected"), text("payload"));
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key)
            .verify(message.as_bytes(), &bytes("signature"))
            .map_err(|_| "the signature does not hold".to_owned())?;
        seen.key = Some(key);
        let payload = bytes("payload");
        Ok(if payload.is_empty() { Value::Null } else { serde_json::from_slice(&payload).unwrap() })
    }

    async fn post(self: Arc<Self>, path: &str, payload: &Value) -> Result<Response, String> {
        let number = |text: &str| text.parse::<usize>().map_err(|error| error.to_string());
        match path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
            ["account"] => {
                self.seen.lock().unwrap().contact = payload["contact"].clone();
                Ok(self.created("/account/1", json!({"status": "valid"})))
            }
            ["order"] => {
                self.begin(payload);
                Ok(self.created("/order/1", self.order()))
            }
            ["order", "1"] => Ok(Json(self.order()).into_response()),
            ["authorization", name] => Ok(Json(self.authorization(number(name)?)).into_response()),
            ["challenge", name] => {
                let name = number(name)?;
                let found = self.look(name).await;
                self.seen.lock().unwrap().looked[name] = Some(found);
                Ok(Json(self.authorization(name)["challenges"][0].clone()).into_response())
            }
            ["finalize"] => {
                self.issue(payload["csr"].as_str().unwrap_or_default())?;
                Ok(Json(self.order()).into_response())
            }
            ["certificate"] => {
                let chain = self.seen.lock().unwrap().chain.clone();
                chain.map(IntoResponse::into_response).ok_or_else(|| "none was issued".to_owned())
            }
            _ => Err(format!("there is no {path}")),
        }
    }

    fn created(&self, path: &str, body: Value) -> Response {
        let location = format!("{}{path}", self.url);
        let headers =
            HeaderMap::from_iter([("location".parse().unwrap(), location.parse().unwrap())]);
        (StatusCode::CREATED, headers, Json(body)).into_response()
    }

    fn begin(&self, payload: &Value) {
        let names = payload["identifiers"].as_array().into_iter().flatten();
        let mut seen = self.seen.lock().unwrap();
        seen.names = names.map(|it| it["value"].as_str().unwrap_or_default().to_owned()).collect();
        seen.looked = vec![None; seen.names.len()];
        seen.chain = None;
        seen.orders += 1;
    }

    fn order(&self) -> Value {
        let seen = self.seen.lock().unwrap();
        let status = match (&seen.chain, seen.looked.as_slice()) {
            (Some(_), _) => "valid",
            (None, looked) if looked.contains(&Some(false)) => "invalid",
            (None, looked) if looked.contains(&None) => "pending",
            (None, _) => "ready",
        };
        let url = |path: String| format!("{}{path}", self.url);
        let authorizations: Vec<_> =
            (0..seen.names.len()).map(|name| url(format!("/authorization/{name}"))).collect();
        let identifiers: Vec<_> =
            seen.names.iter().map(|name| json!({"type": "dns", "value": name})).collect();
        let mut order = json!({
            "status": status, "identifiers": identifiers, "authorizations": authorizations,
            "finalize": url("/finalize".to_owned()),
        });
        if seen.chain.is_some() {
            order["certificate"] = url("/certificate".to_owned()).into();
        }
        order
    }

    fn authorization(&self, name: usize) -> Value {
        let seen = self.seen.lock().unwrap();
        let status = match seen.looked[name] {
            None => "pending",
            Some(true) => "valid",
            Some(false) => "invalid",
        };
        let url = format!("{}/challenge/{name}", self.url);
        let challenge =
            json!({"type": "tls-alpn-01", "url": url, "token": token(name), "status": status});
        json!({
            "status": status, "challenges": [challenge],
            "identifier": {"type": "dns", "value": seen.names[name]},
        })
    }

    /// Whether who answers for a name shows that the account is its own.
    async fn look(&self, name: usize) -> bool {
        let (host, key) = {
            let seen = self.seen.lock().unwrap();
            (seen.names[name].clone(), seen.key.clone().unwrap())
        };
        let mut target = self.target.clone();
        let address = target.wait_for(Option::is_some).await.unwrap().unwrap();
        let wanted = digest(&SHA256, format!("{}.{}", token(name), thumbprint(&key)).as_bytes());
        let Some(shown) = shown_by(address, &host).await else { return false };
        let names_it = shown.windows(host.len()).any(|bytes| bytes == host.as_bytes());
        let says = after(&shown, &ACME_IDENTIFIER).and_then(|rest| rest.get(..32));
        names_it && says == Some(wanted.as_ref())
    }

    fn issue(&self, request: &str) -> Result<(), String> {
        let request = URL_SAFE_NO_PAD.decode(request).unwrap_or_default();
        let point = after(&request, &ON_P256).and_then(|rest| rest.get(..65));
        let point = Point(point.ok_or("the request has no key on P-256")?.to_vec());
        let mut seen = self.seen.lock().unwrap();
        if seen.looked.iter().any(|looked| *looked != Some(true)) {
            return Err("not every name was looked at".to_owned());
        }
        let params = CertificateParams::new(seen.names.clone()).unwrap();
        let certificate = params.signed_by(&point, &self.issuer).unwrap();
        seen.chain = Some(format!("{}{}", certificate.pem(), self.root));
        Ok(())
    }
}

fn token(name: usize) -> String {
    format!("token-of-name-{name}-long-enough-to-be-one")
}

/// The uncompressed point of a key in JSON.
fn point(key: &Value) -> Vec<u8> {
    let coordinate = |name: &str| {
        URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap_or_default()).unwrap_or_default()
    };
    [vec![4], coordinate("x"), coordinate("y")].concat()
}

/// RFC 7638.
fn thumbprint(point: &[u8]) -> String {
    let [x, y] = [&point[1..33], &point[33..65]].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let key = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, key.as_bytes()))
}

fn after<'a>(bytes: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(what.len()).position(|window| window == what)?;
    bytes.get(at + what.len()..)
}

/// The certificate that is shown for `host` to who asks for a challenge.
pub async fn shown_by(address: SocketAddr, host: &str) -> Option<Vec<u8>> {
    let keeper = Arc::new(Keeper(Mutex::default()));
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(keeper.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let stream = TcpStream::connect(address).await.ok()?;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    (stream.get_ref().1.alpn_protocol() == Some(b"acme-tls/1")).then_some(())?;
    keeper.0.lock().unwrap().take()
}

/// Believes everything, as RFC 8737 has it, and keeps what it was shown.
#[derive(Debug)]
struct Keeper(Mutex<Option<Vec<u8>>>);

impl ServerCertVerifier for Keeper {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.0.lock().unwrap() = Some(shown.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

struct Point(Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}
