//! A relay whose certificate only its owner's own authority vouches for.

#![allow(clippy::unwrap_used)]

use chat_sdk::transport::{AccessToken, Network, Origin, Transport as _};
use chat_sdk::{Authority, Client, Error, Kind};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use relay_server::config::Tls;
use relay_server::testing::TestRelay;
use tempfile::TempDir;

use crate::people::{CHEAP, PASSWORD, Person, clock, within};

/// Where every relay of these stories listens.
const HOST: &str = "127.0.0.1";

#[tokio::test]
async fn who_names_the_authority_talks_to_its_relay_both_ways() {
    let company = Company::founded();
    let relay = company.relay(company.certificate(HOST)).await;
    let pem = Authority::from_pem(company.root.pem().as_bytes()).unwrap();
    let der = Authority::from_der(company.root.der()).unwrap();
    let alice = register(&relay, "alice", [pem]).await.unwrap();
    let mut bob = Person::of(register(&relay, "bob", [der]).await.unwrap(), clock()).await;

    alice.direct("bob").await.unwrap().send("inside").await.unwrap();

    assert_eq!(bob.hears().await, ["inside"]);
}

#[tokio::test]
async fn several_authorities_come_in_one_file_or_one_by_one() {
    let [ours, theirs] = [Company::founded(), Company::founded()];
    let relay = ours.relay(ours.certificate(HOST)).await;
    let bundle = format!("a company's authorities\n{}{}", theirs.root.pem(), ours.root.pem());
    let bundle = Authority::from_pem(bundle.as_bytes()).unwrap();

    let at_once = register(&relay, "alice", [bundle]).await;
    let one_by_one = register(&relay, "bob", [theirs.authority(), ours.authority()]).await;

    assert!(at_once.is_ok() && one_by_one.is_ok(), "{at_once:?} {one_by_one:?}");
}

#[tokio::test]
async fn without_its_authority_a_relay_is_not_trusted() {
    let company = Company::founded();
    let relay = company.relay(company.certificate(HOST)).await;

    let nobody = register(&relay, "alice", []).await.unwrap_err();
    let namesake = register(&relay, "alice", [Company::founded().authority()]).await.unwrap_err();

    for error in [nobody, namesake] {
        assert_eq!(error.code(), "relay_not_trusted", "{error:?}");
        assert!(error.is_transient(), "a network that asks for a log-in first goes away again");
    }
}

#[tokio::test]
async fn an_authority_vouches_for_names_and_for_a_time() {
    let company = Company::founded();
    let mut over = company.certificate(HOST);
    over.not_before = date_time_ymd(2020, 1, 1);
    over.not_after = date_time_ymd(2021, 1, 1);
    let another_name = company.certificate("relay.example");

    for certificate in [over, another_name] {
        let relay = company.relay(certificate).await;
        let error = register(&relay, "alice", [company.authority()]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::RelayNotTrusted, "{error:?}");
    }
}

#[tokio::test]
async fn the_connection_trusts_whom_requests_trust() {
    let company = Company::founded();
    let relay = company.relay(company.certificate(HOST)).await;
    let origin = || Origin::parse(relay.url()).unwrap();
    let token = AccessToken::new("a token of nobody".to_owned());

    let strange = Network::to(origin()).unwrap().connect(&token).await.unwrap_err();
    let known = Network::trusting(origin(), &[company.authority()]).unwrap();
    let known = known.connect(&token).await.unwrap_err();

    assert_eq!(strange.kind(), Kind::RelayNotTrusted, "{strange:?}");
    assert_eq!(known.kind(), Kind::LoggedOut, "the relay itself has refused: {known:?}");
}

async fn register<const N: usize>(
    relay: &TestRelay,
    name: &str,
    authorities: [Authority; N],
) -> Result<Client, Error> {
    let builder = Client::builder(relay.url()).in_memory().password_hardening(CHEAP);
    let builder = authorities.into_iter().fold(builder, |builder, one| builder.authority(one));
    Ok(within(builder.register(name, PASSWORD)).await?.client)
}

/// Somebody with an authority of their own; all of them have given it the same name.
struct Company {
    root: Certificate,
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Company {
    fn founded() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Company Root");
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        Self { root, issuer: Issuer::new(params, key), folder: TempDir::new().unwrap() }
    }

    fn authority(&self) -> Authority {
        Authority::from_pem(self.root.pem().as_bytes()).unwrap()
    }

    fn certificate(&self, name: &str) -> CertificateParams {
        CertificateParams::new([name.to_owned()]).unwrap()
    }

    async fn relay(&self, certificate: CertificateParams) -> TestRelay {
        let key = KeyPair::generate().unwrap();
        let certificate = certificate.signed_by(&key, &self.issuer).unwrap();
        let put = |name: &str, pem: String| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, pem).unwrap();
            path
        };
        let tls = Tls::with(
            put("certificate.pem", certificate.pem()),
            put("key.pem", key.serialize_pem()),
        );
        TestRelay::builder().tls(tls).start().await
    }
}
