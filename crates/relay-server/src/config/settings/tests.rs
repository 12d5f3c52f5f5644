use super::super::{Migrate, Tls, TlsVersion};
use super::*;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (key, text) in pairs {
        settings.set(key, *text, "a test");
    }
    settings
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = settings(&[]).check().unwrap();

    assert_eq!(config.listen.to_string(), "127.0.0.1:7300");
    assert_eq!(config.database, Database::Sqlite("./sealwire-data/relay.db".into()));
}

#[test]
fn every_problem_is_named_at_once() {
    let problems = settings(&[
        ("listen", "7300"),
        ("database", "mysql://somewhere"),
        ("redis", "localhost"),
        ("origin", "relay.example/chat"),
        ("limits.messages_a_minute", "none"),
        ("colour", "blue"),
    ])
    .check()
    .unwrap_err();

    let text = problems.to_string();
    for named in ["listen", "database", "redis", "origin", "messages_a_minute", "colour"] {
        assert!(text.contains(named), "{named} is missing in: {text}");
    }
    // Redis beside a database that is not PostgreSQL is a problem of its own.
    assert_eq!(problems.sentences().len(), 7);
}

#[test]
fn redis_needs_postgres() {
    let redis = ("redis", "redis://127.0.0.1:6379");

    assert!(settings(&[redis]).check().is_err());
    assert!(settings(&[redis, ("database", "postgres://127.0.0.1/sealwire")]).check().is_ok());
    assert!(settings(&[("database", "postgres://127.0.0.1/sealwire")]).check().is_ok());
}

#[test]
fn an_archive_needs_postgres() {
    let archive = ("retention.archive", "/var/lib/sealwire/archive");

    assert!(settings(&[archive]).check().is_err());
    assert!(settings(&[archive, ("database", "postgres://127.0.0.1/sealwire")]).check().is_ok());
}

#[test]
fn a_public_address_needs_an_origin_with_tls() {
    let listen = ("listen", "0.0.0.0:7300");

    let origin = ("origin", "https://relay.example");
    let tls = [("tls.certificate", "a.pem"), ("tls.key", "b.pem")];

    assert!(settings(&[listen]).check().is_err());
    assert!(settings(&[listen, ("origin", "http://relay.example")]).check().is_err());
    assert!(settings(&[listen, origin]).check().is_err(), "TLS must end somewhere");
    assert!(settings(&[listen, origin, ("proxies", "10.0.0.0/8")]).check().is_ok());
    assert!(settings(&[listen, origin, tls[0], tls[1]]).check().is_ok());
}

#[test]
fn tls_needs_both_files_and_an_origin_to_match() {
    let (certificate, key) = (("tls.certificate", "a.pem"), ("tls.key", "b.pem"));

    let tls = settings(&[certificate, key, ("tls.minimum", "1.2")]).check().unwrap().tls.unwrap();
    assert_eq!(tls.minimum, TlsVersion::Tls12);
    assert_eq!(tls.hsts_seconds, Tls::HSTS_SECONDS);
    for wrong in [
        &[certificate][..],
        &[key],
        &[("tls.minimum", "1.3")],
        &[certificate, key, ("tls.minimum", "1.1")],
        &[certificate, key, ("tls.hsts_seconds", "a year")],
        &[certificate, key, ("origin", "http://127.0.0.1:7300")],
    ] {
        assert!(settings(wrong).check().is_err(), "{wrong:?}");
    }
}

#[test]
fn names_for_an_authority_stand_where_the_files_would() {
    let domains = ("tls.acme_domains", "relay.example");
    let data = ("data", "/srv/sealwire");

    let tls = settings(&[domains, data]).check().map(|config| config.tls);
    let both = settings(&[domains, ("tls.certificate", "a.pem"), ("tls.key", "b.pem")]).check();
    let bare = settings(&[("tls.acme_contact", "me@relay.example")]).check();

    assert_eq!(tls.is_ok(), cfg!(feature = "acme"));
    match tls {
        Ok(tls) => {
            let place = PathBuf::from("/srv/sealwire/acme/certificate.pem");
            assert_eq!(tls.unwrap().certificate, place);
        }
        Err(problems) => assert!(problems.to_string().contains("--features acme"), "{problems}"),
    }
    assert!(both.is_err() && bare.is_err());
}

#[test]
fn the_stronger_source_wins_and_a_file_fills_the_rest() {
    let mut settings = settings(&[("listen", "127.0.0.1:1")]);
    settings.read_toml("listen = \"127.0.0.1:2\"\n[limits]\nmessages_a_minute = 7", "a.toml");

    let config = settings.check().unwrap();

    assert_eq!(config.listen.port(), 1);
    assert_eq!(config.rates.messages_a_minute, 7);
}

fn again_database() -> Database {
    Database::Postgres("postgres://relay:***@127.0.0.1/sealwire".to_owned())
}

#[test]
fn what_is_printed_can_be_read_back_and_holds_no_password() {
    let config = settings(&[
        ("database", "postgres://relay:secret@127.0.0.1/sealwire"),
        ("origin", "https://relay.example/"),
        ("proxies", "127.0.0.1,::1, 10.0.0.0/8"),
        ("web_origins", "https://app.example, https://other.example"),
        ("tls.certificate", "/etc/sealwire/certificate.pem"),
        ("tls.key", "/etc/sealwire/key.pem"),
        ("tls.hsts_seconds", "0"),
    ])
    .check()
    .unwrap();

    let text = config.to_string();
    let mut again = Settings::default();
    again.read_toml(&text, "print");

    assert!(!text.contains("secret"));
    assert!(!format!("{config:?}").contains("secret"));
    assert_eq!(Config { database: again_database(), ..config }, again.check().unwrap());
}

#[test]
fn a_misspelt_setting_is_named_with_the_one_that_was_meant() {
    for (wrong, meant) in [
        ("lissten", "listen"),
        ("limits.message_a_minute", "limits.messages_a_minute"),
        ("messages_a_minute", "limits.messages_a_minute"),
        ("tls.certificat", "tls.certificate"),
    ] {
        let problems = settings(&[(wrong, "1")]).check().unwrap_err();
        let text = problems.to_string();
        assert!(text.contains(&format!("Did you mean `{meant}`?")), "{text}");
    }
    let text = settings(&[("colour", "blue")]).check().unwrap_err().to_string();
    assert!(!text.contains("Did you mean"), "{text}");
}

#[test]
fn an_explanation_says_where_each_setting_comes_from_and_can_be_read_back() {
    let mut given = settings(&[("listen", "127.0.0.1:1"), ("migrate", "by_command")]);
    given.read_toml(
        "database = \"postgres://relay:secret@db/x\"\n[timeouts]\nhead_seconds = 3",
        "a.toml",
    );

    let text = given.explain().unwrap();
    let mut again = Settings::default();
    again.read_toml(&text, "explained");

    for line in [
        "listen = \"127.0.0.1:1\"  # a test",
        "database = \"postgres://relay:***@db/x\"  # a.toml",
        "head_seconds = 3  # a.toml",
        "messages_a_minute = 60  # default",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("secret"));
    let operating = again.check().unwrap().operating;
    assert_eq!(operating.migrate, Migrate::ByCommand);
    assert_eq!(operating.timeouts.head_seconds, 3);
}
