//! Web hooks, FCM and APNs against servers in this process that speak their HTTP, and check tokens
//! and signatures as the real ones do.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use aws_lc_rs::{hmac, rsa};
use axum::body::Bytes as Octets;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chat_core::codec::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::guard::Reach;
use super::*;
use crate::config::{ApnsConfig, FcmConfig};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[tokio::test]
async fn a_web_hook_is_told_nothing_but_that_there_is_mail() {
    let server = Server::start().await;
    let hooks = WebHooks::new(Reach::Anywhere).unwrap();

    let woken = hooks.wake(&hook(&server.url), NOW).await;

    assert_eq!(woken, Woken::Delivered);
    let [request] = server.requests().try_into().unwrap();
    assert_eq!((request.method, request.path.as_str()), (Method::POST, "/hook"));
    assert_eq!(request.body, br#"{"event":"mail"}"#);
    assert_eq!(request.headers["x-sealwire-timestamp"], "1700000000");
    let signature = request.headers["x-sealwire-signature"].to_str().unwrap();
    let tag: Vec<u8> = hex(signature.strip_prefix("v1=").unwrap());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    hmac::verify(&key, br#"1700000000.{"event":"mail"}"#, &tag).unwrap();
    let said = request.headers.keys().map(|name| name.as_str()).collect::<Vec<_>>();
    for header in said {
        assert!(
            ["accept", "content-length", "content-type", "host", "user-agent"].contains(&header)
                || header.starts_with("x-sealwire-"),
            "{header} says more"
        );
    }
}

#[tokio::test]
async fn what_a_web_hook_answers_is_understood() {
    let server = Server::start().await;
    let hooks = WebHooks::new(Reach::Anywhere).unwrap();

    for (status, expected) in [
        (204, Woken::Delivered),
        (301, Woken::Refused),
        (400, Woken::Refused),
        (404, Woken::Gone),
        (410, Woken::Gone),
        (429, Woken::Later(Some(Duration::from_secs(120)))),
        (500, Woken::Later(None)),
        (503, Woken::Later(Some(Duration::from_secs(6 * 3600)))),
    ] {
        let patience = match status {
            429 => Some("120"),
            503 => Some("999999"),
            _ => None,
        };
        server.answers(status, patience, json!({}));
        assert_eq!(hooks.wake(&hook(&server.url), NOW).await, expected, "{status}");
    }
    assert_eq!(server.requests().len(), 8, "nobody was followed elsewhere");
}

#[tokio::test]
async fn a_web_hook_into_the_relays_own_network_is_never_called() {
    let server = Server::start().await;
    let hooks = WebHooks::new(Reach::Public).unwrap();
    let port = server.url.rsplit(':').next().unwrap();

    let by_address = hooks.wake(&hook(&server.url), NOW).await;
    let by_name = hooks.wake(&hook(&format!("https://localhost:{port}")), NOW).await;

    assert_eq!(by_address, Woken::Gone);
    assert_eq!(by_name, Woken::Later(None));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn nobody_there_is_later() {
    let hooks = WebHooks::new(Reach::Anywhere).unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);

    assert_eq!(hooks.wake(&hook(&url), NOW).await, Woken::Later(None));
}

#[tokio::test]
async fn apples_service_gets_a_token_of_ours_over_http_2() {
    let server = Server::start().await;
    let keys = Keys::new();
    let apns = keys.apns(&server.url);

    let first = apns.wake(&apple(), NOW).await;
    let again = apns.wake(&apple(), NOW.after(Duration::from_secs(39 * 60))).await;
    let later = apns.wake(&apple(), NOW.after(Duration::from_secs(41 * 60))).await;

    assert_eq!([first, again, later], [Woken::Delivered; 3]);
    let [first, again, later] = server.requests().try_into().unwrap();
    assert_eq!(first.version, Version::HTTP_2);
    assert_eq!(first.path, "/3/device/00ff");
    for (name, expected) in [
        ("apns-topic", "example.app"),
        ("apns-push-type", "alert"),
        ("apns-collapse-id", "mail"),
        ("apns-expiration", "1702419200"),
    ] {
        assert_eq!(first.headers[name], expected);
    }
    let body: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(body, json!({"aps": {"alert": {"loc-key": "SEALWIRE_MAIL"}, "mutable-content": 1}}));
    assert_eq!(first.headers["authorization"], again.headers["authorization"]);
    assert_ne!(first.headers["authorization"], later.headers["authorization"]);
    let (header, claims) = verified(&first.bearer(), &ECDSA_P256_SHA256_FIXED, &keys.p256_public);
    assert_eq!(header, json!({"alg": "ES256", "typ": "JWT", "kid": "KEY"}));
    assert_eq!(claims, json!({"iss": "TEAM", "iat": 1_700_000_000}));
}

#[tokio::test]
async fn what_apples_service_answers_is_understood() {
    let server = Server::start().await;
    let apns = Keys::new().apns(&server.url);

    for (status, reason, expected) in [
        (410, "Unregistered", Woken::Gone),
        (400, "BadDeviceToken", Woken::Gone),
        (400, "DeviceTokenNotForTopic", Woken::Gone),
        (400, "BadTopic", Woken::Refused),
        (403, "InvalidProviderToken", Woken::Refused),
        (403, "ExpiredProviderToken", Woken::Later(None)),
        (429, "TooManyRequests", Woken::Later(Some(Duration::from_secs(30)))),
        (500, "InternalServerError", Woken::Later(None)),
        (503, "Shutdown", Woken::Later(None)),
    ] {
        let patience = (status == 429).then_some("30");
        server.answers(status, patience, json!({ "reason": reason }));
        assert_eq!(apns.wake(&apple(), NOW).await, expected, "{reason}");
    }
    let requests = server.requests();
    let [.., expired, after, _, _] = requests.as_slice() else { panic!("nine requests") };
    assert_ne!(expired.bearer(), after.bearer(), "an expired token is not used again");
}

#[tokio::test]
async fn googles_service_gets_a_token_that_google_gave() {
    let server = Server::start().await;
    let keys = Keys::new();
    let fcm = keys.fcm(&server.url);
    server.grants("given", 3_600);

    let first = fcm.wake(&google(), NOW).await;
    let again = fcm.wake(&google(), NOW.after(Duration::from_secs(3_299))).await;
    let later = fcm.wake(&google(), NOW.after(Duration::from_secs(3_301))).await;

    assert_eq!([first, again, later], [Woken::Delivered; 3]);
    let requests = server.requests();
    let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    let send = "/v1/projects/attic/messages:send";
    assert_eq!(paths, ["/token", send, send, "/token", send]);
    let form = std::str::from_utf8(&requests[0].body).unwrap();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = form.strip_prefix(grant).unwrap();
    let (header, claims) = verified(assertion, &RSA_PKCS1_2048_8192_SHA256, &keys.rsa_public);
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}));
    assert_eq!(claims["iss"], "relay@attic.example");
    assert_eq!(claims["aud"], format!("{}/token", server.url));
    assert_eq!(claims["exp"], 1_700_003_600);
    assert_eq!(requests[1].bearer(), "given");
    let body: Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert_eq!(body["message"]["token"], "device-1");
    assert_eq!(body["message"]["data"], json!({"event": "mail"}));
    assert!(body["message"].get("notification").is_none());
}

#[tokio::test]
async fn what_googles_service_answers_is_understood() {
    let server = Server::start().await;
    let fcm = Keys::new().fcm(&server.url);
    server.grants("given", 3_600);
    let detail = |code: &str| json!({"error": {"details": [{"errorCode": code}]}});

    for (status, answer, expected) in [
        (404, detail("UNREGISTERED"), Woken::Gone),
        (403, detail("SENDER_ID_MISMATCH"), Woken::Gone),
        (400, detail("INVALID_ARGUMENT"), Woken::Refused),
        (429, detail("QUOTA_EXCEEDED"), Woken::Later(Some(Duration::from_secs(60)))),
        (401, json!({}), Woken::Later(None)),
        (503, detail("UNAVAILABLE"), Woken::Later(None)),
    ] {
        let patience = (status == 429).then_some("60");
        server.answers(status, patience, answer);
        assert_eq!(fcm.wake(&google(), NOW).await, expected, "{status}");
    }
    let asked = server.requests().iter().filter(|request| request.path == "/token").count();
    assert_eq!(asked, 2, "a token that is refused is not used again");
}

#[test]
fn a_file_that_is_no_key_is_named() {
    let keys = Keys::new();
    let path = keys.write("nonsense", "this is no key");
    let apns = ApnsConfig { key: path.clone(), ..keys.apns_config("http://127.0.0.1:9") };
    let fcm = FcmConfig { key: path, server: String::new() };
    let missing = FcmConfig { key: "/nowhere".into(), server: String::new() };

    for problem in [
        Apns::open(&apns).map(|_| ()).unwrap_err(),
        Fcm::open(&fcm).map(|_| ()).unwrap_err(),
        Fcm::open(&missing).map(|_| ()).unwrap_err(),
    ] {
        let text = problem.to_string();
        assert!(text.contains("nonsense") || text.contains("/nowhere"), "{text}");
    }
}

fn hook(server: &str) -> PushTarget {
    let secret = Bytes::new(vec![7; 32]).unwrap();
    PushTarget::WebHook { url: format!("{server}/hook"), secret }
}

fn apple() -> PushTarget {
    PushTarget::Apns { token: "00ff".to_owned() }
}

fn google() -> PushTarget {
    PushTarget::Fcm { token: "device-1".to_owned() }
}

/// A request as a service got it.
#[derive(Clone, Debug)]
struct Got {
    method: Method,
    version: Version,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn bearer(&self) -> String {
        let value = self.headers["authorization"].to_str().unwrap();
        value.strip_prefix("Bearer ").unwrap().to_owned()
    }
}

#[derive(Debug)]
struct Script {
    status: u16,
    patience: Option<&'static str>,
    answer: Value,
    granted: Value,
    got: Vec<Got>,
}

/// A service that answers as it is told to, in HTTP/1.1 and HTTP/2.
struct Server {
    url: String,
    script: Arc<Mutex<Script>>,
}

impl Server {
    async fn start() -> Self {
        crate::tls::choose_provider();
        let script = Arc::new(Mutex::new(Script {
            status: 200,
            patience: None,
            answer: json!({}),
            granted: json!({}),
            got: Vec::new(),
        }));
        let told = script.clone();
        let answer = async move |method: Method,
                                 version: Version,
                                 uri: Uri,
                                 headers: HeaderMap,
                                 body: Octets| {
            let mut script = told.lock().unwrap();
            let path = uri.path().to_owned();
            let is_token = path == "/token";
            script.got.push(Got { method, version, path, headers, body: body.to_vec() });
            if is_token {
                return axum::Json(script.granted.clone()).into_response();
            }
            let status = StatusCode::from_u16(script.status).unwrap();
            let mut response = (status, axum::Json(script.answer.clone())).into_response();
            if let Some(patience) = script.patience {
                response.headers_mut().insert("retry-after", patience.parse().unwrap());
            }
            if status.is_redirection() {
                response.headers_mut().insert("location", "/elsewhere".parse().unwrap());
            }
            response
        };
        let router: axum::Router = axum::Router::new().fallback(answer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = TowerToHyperService::new(router.clone());
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, script }
    }

    fn answers(&self, status: u16, patience: Option<&'static str>, answer: Value) {
        let mut script = self.script.lock().unwrap();
        (script.status, script.patience, script.answer) = (status, patience, answer);
    }

    fn grants(&self, token: &str, seconds: u64) {
        let granted = json!({ "access_token": token, "expires_in": seconds });
        self.script.lock().unwrap().granted = granted;
    }

    fn requests(&self) -> Vec<Got> {
        self.script.lock().unwrap().got.clone()
    }
}

/// The relay's keys, in files as the services give them out.
struct Keys {
    folder: TempDir,
    p256_public: Vec<u8>,
    rsa_public: Vec<u8>,
    p256: PathBuf,
    rsa: String,
}

impl Keys {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let p256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let rsa = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa);
        let rsa = pem(rsa.unwrap().as_ref());
        let rsa_public = jwt::SigningKey::rs256(rsa.as_bytes()).unwrap().public().to_vec();
        let p256_public = p256.public_key_raw().to_vec();
        let path = folder.path().join("AuthKey.p8");
        std::fs::write(&path, p256.serialize_pem()).unwrap();
        Self { folder, p256_public, rsa_public, p256: path, rsa }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn apns_config(&self, server: &str) -> ApnsConfig {
        ApnsConfig {
            key: self.p256.clone(),
            key_id: "KEY".to_owned(),
            team_id: "TEAM".to_owned(),
            topic: "example.app".to_owned(),
            server: server.to_owned(),
        }
    }

    fn apns(&self, server: &str) -> Apns {
        Apns::open(&self.apns_config(server)).unwrap()
    }

    fn fcm(&self, server: &str) -> Fcm {
        let account = json!({
            "type": "service_account",
            "project_id": "attic",
            "client_email": "relay@attic.example",
            "private_key_id": "key-1",
            "private_key": self.rsa,
            "token_uri": format!("{server}/token"),
        });
        let key = self.write("account.json", &account.to_string());
        Fcm::open(&FcmConfig { key, server: server.to_owned() }).unwrap()
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// Header and claims of a token whose signature verifies.
fn verified(
    token: &str,
    algorithm: &'static dyn VerificationAlgorithm,
    public: &[u8],
) -> (Value, Value) {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let signed = format!("{header}.{claims}");
    UnparsedPublicKey::new(algorithm, public).verify(signed.as_bytes(), &signature).unwrap();
    let part = |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    (part(header), part(claims))
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}
