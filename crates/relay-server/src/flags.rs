//! What the command line and its variables say, as text: [`Settings`] checks it with the file.
//!
//! A setting is a field here, a line in [`Flags::settings`], a line in `config::KEYS`, and a row in
//! `docs/operations.md`; a test compares them.

use std::path::PathBuf;

use clap::Args;
use relay_server::config::{Config, Problems, Settings};

/// Everything is text here, so that all that is wrong can be said at once.
#[derive(Clone, Debug, Args)]
pub(crate) struct Flags {
    /// A TOML file with any of these settings.
    #[arg(long, env = "SEALWIRE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:7300].
    #[arg(long, env = "SEALWIRE_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// The folder for database and keys [default: ./sealwire-data].
    #[arg(long, env = "SEALWIRE_DATA", value_name = "FOLDER")]
    data: Option<String>,
    /// A SQLite file or postgres://… [default: relay.db in the data folder].
    #[arg(long, env = "SEALWIRE_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
    /// Redis, when several nodes share a PostgreSQL database.
    #[arg(long, env = "SEALWIRE_REDIS", value_name = "URL", hide_env_values = true)]
    redis: Option<String>,
    /// The name of this node in logs [default: random].
    #[arg(long, env = "SEALWIRE_NODE", value_name = "NAME")]
    node: Option<String>,
    /// Who brings the schema up to date: `at_start` the first node, or `by_command` you
    /// [default: at_start].
    #[arg(long, env = "SEALWIRE_MIGRATE", value_name = "WHEN")]
    migrate: Option<String>,
    /// Connections to PostgreSQL at most [default: 16].
    #[arg(long, env = "SEALWIRE_DATABASE_CONNECTIONS", value_name = "COUNT")]
    database_connections: Option<String>,
    /// When the node leaves, clients come back within this time [default: 20].
    #[arg(long, env = "SEALWIRE_RETURN_WITHIN_SECONDS", value_name = "SECONDS")]
    return_within_seconds: Option<String>,
    /// The URL that clients know the relay by, without a path.
    #[arg(long, env = "SEALWIRE_ORIGIN", value_name = "URL")]
    origin: Option<String>,
    /// Addresses or ranges of proxies before the relay, with commas; their X-Forwarded-For is
    /// believed.
    #[arg(long, env = "SEALWIRE_PROXIES", value_name = "ADDRESSES")]
    proxies: Option<String>,
    /// Origins of web pages that may use the relay beside its own, with commas.
    #[arg(long, env = "SEALWIRE_WEB_ORIGINS", value_name = "URLS")]
    web_origins: Option<String>,
    /// A PEM file with the certificate for TLS and its chain; read again when it changes.
    #[arg(long, env = "SEALWIRE_TLS_CERTIFICATE", value_name = "FILE")]
    tls_certificate: Option<String>,
    /// A PEM file with the certificate's private key.
    #[arg(long, env = "SEALWIRE_TLS_KEY", value_name = "FILE")]
    tls_key: Option<String>,
    /// The oldest TLS that is spoken, 1.2 or 1.3 [default: 1.3].
    #[arg(long, env = "SEALWIRE_TLS_MINIMUM", value_name = "VERSION")]
    tls_minimum: Option<String>,
    /// For how long browsers remember that there is TLS, 0 for not at all [default: 31536000].
    #[arg(long, env = "SEALWIRE_TLS_HSTS_SECONDS", value_name = "SECONDS")]
    tls_hsts_seconds: Option<String>,
    /// Names to get a certificate for from an ACME authority, with commas, instead of files.
    #[arg(long, env = "SEALWIRE_TLS_ACME_DOMAINS", value_name = "NAMES")]
    tls_acme_domains: Option<String>,
    /// A mail address that the authority may write to [default: none].
    #[arg(long, env = "SEALWIRE_TLS_ACME_CONTACT", value_name = "ADDRESS")]
    tls_acme_contact: Option<String>,
    /// The authority's directory [default: Let's Encrypt's].
    #[arg(long, env = "SEALWIRE_TLS_ACME_DIRECTORY", value_name = "URL")]
    tls_acme_directory: Option<String>,
    /// A folder for the account and the certificate [default: acme in the data folder].
    #[arg(long, env = "SEALWIRE_TLS_ACME_CACHE", value_name = "FOLDER")]
    tls_acme_cache: Option<String>,
    /// Who may register: open, invitation or closed [default: open].
    #[arg(long, env = "SEALWIRE_ACCOUNTS_REGISTRATION", value_name = "WHO")]
    accounts_registration: Option<String>,
    /// Who makes workspaces: operator, or also owners [default: operator].
    #[arg(long, env = "SEALWIRE_ACCOUNTS_WORKSPACES_BY", value_name = "WHO")]
    accounts_workspaces_by: Option<String>,
    /// For how many days nobody gets the name of a deleted account [default: 30].
    #[arg(long, env = "SEALWIRE_ACCOUNTS_NAME_KEPT_DAYS", value_name = "DAYS")]
    accounts_name_kept_days: Option<String>,
    /// For how many days the security audit log is kept [default: 365].
    #[arg(long, env = "SEALWIRE_AUDIT_KEEP_DAYS", value_name = "DAYS")]
    audit_keep_days: Option<String>,
    /// How many days messages are kept [default: for ever].
    #[arg(long, env = "SEALWIRE_RETENTION_KEEP_DAYS", value_name = "DAYS")]
    retention_keep_days: Option<String>,
    /// Whether messages go when every device has them [default: false].
    #[arg(long, env = "SEALWIRE_RETENTION_UNTIL_DELIVERED", value_name = "BOOL")]
    retention_until_delivered: Option<String>,
    /// A folder for months of messages that are let go of [default: they are dropped].
    #[arg(long, env = "SEALWIRE_RETENTION_ARCHIVE", value_name = "FOLDER")]
    retention_archive: Option<String>,
    /// MiB of messages an account may have stored [default: no limit].
    #[arg(long, env = "SEALWIRE_RETENTION_MEBIBYTES_AN_ACCOUNT", value_name = "COUNT")]
    retention_mebibytes_an_account: Option<String>,
    /// MiB of messages a workspace may have stored [default: no limit].
    #[arg(long, env = "SEALWIRE_RETENTION_MEBIBYTES_A_WORKSPACE", value_name = "COUNT")]
    retention_mebibytes_a_workspace: Option<String>,
    /// How long a TLS handshake may take [default: 10].
    #[arg(long, env = "SEALWIRE_TIMEOUTS_HANDSHAKE_SECONDS", value_name = "SECONDS")]
    timeouts_handshake_seconds: Option<String>,
    /// How long the head of a request may take [default: 10].
    #[arg(long, env = "SEALWIRE_TIMEOUTS_HEAD_SECONDS", value_name = "SECONDS")]
    timeouts_head_seconds: Option<String>,
    /// How long the body of a request may take [default: 15].
    #[arg(long, env = "SEALWIRE_TIMEOUTS_BODY_SECONDS", value_name = "SECONDS")]
    timeouts_body_seconds: Option<String>,
    /// How long a request and its answer may take in all [default: 30].
    #[arg(long, env = "SEALWIRE_TIMEOUTS_REQUEST_SECONDS", value_name = "SECONDS")]
    timeouts_request_seconds: Option<String>,
    /// Messages an account may send in a minute [default: 60].
    #[arg(long, env = "SEALWIRE_MESSAGES_A_MINUTE", value_name = "COUNT")]
    messages_a_minute: Option<String>,
    /// How often an account may say in a minute that it types, in each conversation [default: 60].
    #[arg(long, env = "SEALWIRE_TYPING_A_MINUTE", value_name = "COUNT")]
    typing_a_minute: Option<String>,
    /// WebSocket connections a device may make in a minute [default: 5].
    #[arg(long, env = "SEALWIRE_CONNECTIONS_A_MINUTE", value_name = "COUNT")]
    connections_a_minute: Option<String>,
    /// Log-ins in fifteen minutes, for each account and address [default: 10].
    #[arg(long, env = "SEALWIRE_LOGINS_A_QUARTER_HOUR", value_name = "COUNT")]
    logins_a_quarter_hour: Option<String>,
    /// Registrations in three minutes from one address [default: 6].
    #[arg(long, env = "SEALWIRE_REGISTRATIONS_IN_3_MINUTES", value_name = "COUNT")]
    registrations_in_3_minutes: Option<String>,
    /// Prekey requests an account may make in a minute [default: 60].
    #[arg(long, env = "SEALWIRE_FETCHES_A_MINUTE", value_name = "COUNT")]
    fetches_a_minute: Option<String>,
    /// MiB of blobs an account may upload and fetch in fifteen minutes [default: 4096].
    #[arg(long, env = "SEALWIRE_BLOB_MEBIBYTES_A_QUARTER_HOUR", value_name = "COUNT")]
    blob_mebibytes_a_quarter_hour: Option<String>,
    /// Where the bytes of blobs lie: a folder that all nodes share, or s3://bucket/prefix
    /// [default: in the data folder].
    #[arg(long, env = "SEALWIRE_BLOBS_STORE", value_name = "PLACE")]
    blobs_store: Option<String>,
    /// Who serves S3 [default: Amazon].
    #[arg(long, env = "SEALWIRE_BLOBS_S3_ENDPOINT", value_name = "URL")]
    blobs_s3_endpoint: Option<String>,
    /// Which region of S3.
    #[arg(long, env = "SEALWIRE_BLOBS_S3_REGION", value_name = "REGION")]
    blobs_s3_region: Option<String>,
    /// Whether devices are woken by web hooks: public, or anywhere [default: not].
    #[arg(long, env = "SEALWIRE_PUSH_WEB_HOOKS", value_name = "REACH")]
    push_web_hooks: Option<String>,
    /// The file of a service account for FCM.
    #[arg(long, env = "SEALWIRE_PUSH_FCM_KEY", value_name = "FILE")]
    push_fcm_key: Option<String>,
    /// Where FCM is.
    #[arg(long, env = "SEALWIRE_PUSH_FCM_SERVER", value_name = "URL")]
    push_fcm_server: Option<String>,
    /// The file of a key for APNs.
    #[arg(long, env = "SEALWIRE_PUSH_APNS_KEY", value_name = "FILE")]
    push_apns_key: Option<String>,
    /// The id of that key.
    #[arg(long, env = "SEALWIRE_PUSH_APNS_KEY_ID", value_name = "ID")]
    push_apns_key_id: Option<String>,
    /// The team that it belongs to.
    #[arg(long, env = "SEALWIRE_PUSH_APNS_TEAM_ID", value_name = "ID")]
    push_apns_team_id: Option<String>,
    /// The bundle id of the app.
    #[arg(long, env = "SEALWIRE_PUSH_APNS_TOPIC", value_name = "ID")]
    push_apns_topic: Option<String>,
    /// Where APNs is.
    #[arg(long, env = "SEALWIRE_PUSH_APNS_SERVER", value_name = "URL")]
    push_apns_server: Option<String>,
    /// Largest blob, in MiB [default: 100].
    #[arg(long, env = "SEALWIRE_BLOBS_MEBIBYTES_A_BLOB", value_name = "COUNT")]
    blobs_mebibytes_a_blob: Option<String>,
    /// All blobs of an account, in MiB [default: 1024].
    #[arg(long, env = "SEALWIRE_BLOBS_MEBIBYTES_AN_ACCOUNT", value_name = "COUNT")]
    blobs_mebibytes_an_account: Option<String>,
    /// All blobs of a workspace, in MiB [default: as many as its accounts may have].
    #[arg(long, env = "SEALWIRE_BLOBS_MEBIBYTES_A_WORKSPACE", value_name = "COUNT")]
    blobs_mebibytes_a_workspace: Option<String>,
    /// Requests an account may make in fifteen minutes; an address before log-in a tenth of it
    /// [default: 1000].
    #[arg(long, env = "SEALWIRE_REQUESTS_A_QUARTER_HOUR", value_name = "COUNT")]
    requests_a_quarter_hour: Option<String>,
    /// Connections at once, in total [default: 50000].
    #[arg(long, env = "SEALWIRE_CONNECTIONS", value_name = "COUNT")]
    connections: Option<String>,
    /// WebSocket connections of one account at once [default: 16].
    #[arg(long, env = "SEALWIRE_CONNECTIONS_AN_ACCOUNT", value_name = "COUNT")]
    connections_an_account: Option<String>,
    /// Connections from one address at once on which nobody has logged in [default: 64].
    #[arg(long, env = "SEALWIRE_UNAUTHENTICATED_AN_ADDRESS", value_name = "COUNT")]
    unauthenticated_an_address: Option<String>,
}

impl Flags {
    fn settings(self) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in [
            ("listen", self.listen),
            ("data", self.data),
            ("database", self.database),
            ("redis", self.redis),
            ("node", self.node),
            ("migrate", self.migrate),
            ("database_connections", self.database_connections),
            ("return_within_seconds", self.return_within_seconds),
            ("origin", self.origin),
            ("proxies", self.proxies),
            ("web_origins", self.web_origins),
            ("tls.certificate", self.tls_certificate),
            ("tls.key", self.tls_key),
            ("tls.minimum", self.tls_minimum),
            ("tls.hsts_seconds", self.tls_hsts_seconds),
            ("tls.acme_domains", self.tls_acme_domains),
            ("tls.acme_contact", self.tls_acme_contact),
            ("tls.acme_directory", self.tls_acme_directory),
            ("tls.acme_cache", self.tls_acme_cache),
            ("accounts.registration", self.accounts_registration),
            ("accounts.workspaces_by", self.accounts_workspaces_by),
            ("accounts.name_kept_days", self.accounts_name_kept_days),
            ("audit.keep_days", self.audit_keep_days),
            ("retention.keep_days", self.retention_keep_days),
            ("retention.until_delivered", self.retention_until_delivered),
            ("retention.archive", self.retention_archive),
            ("retention.mebibytes_an_account", self.retention_mebibytes_an_account),
            ("retention.mebibytes_a_workspace", self.retention_mebibytes_a_workspace),
            ("timeouts.handshake_seconds", self.timeouts_handshake_seconds),
            ("timeouts.head_seconds", self.timeouts_head_seconds),
            ("timeouts.body_seconds", self.timeouts_body_seconds),
            ("timeouts.request_seconds", self.timeouts_request_seconds),
            ("limits.messages_a_minute", self.messages_a_minute),
            ("limits.typing_a_minute", self.typing_a_minute),
            ("limits.connections_a_minute", self.connections_a_minute),
            ("limits.logins_a_quarter_hour", self.logins_a_quarter_hour),
            ("limits.registrations_in_3_minutes", self.registrations_in_3_minutes),
            ("limits.fetches_a_minute", self.fetches_a_minute),
            ("limits.blob_mebibytes_a_quarter_hour", self.blob_mebibytes_a_quarter_hour),
            ("blobs.store", self.blobs_store),
            ("blobs.s3_endpoint", self.blobs_s3_endpoint),
            ("blobs.s3_region", self.blobs_s3_region),
            ("push.web_hooks", self.push_web_hooks),
            ("push.fcm_key", self.push_fcm_key),
            ("push.fcm_server", self.push_fcm_server),
            ("push.apns_key", self.push_apns_key),
            ("push.apns_key_id", self.push_apns_key_id),
            ("push.apns_team_id", self.push_apns_team_id),
            ("push.apns_topic", self.push_apns_topic),
            ("push.apns_server", self.push_apns_server),
            ("blobs.mebibytes_a_blob", self.blobs_mebibytes_a_blob),
            ("blobs.mebibytes_an_account", self.blobs_mebibytes_an_account),
            ("blobs.mebibytes_a_workspace", self.blobs_mebibytes_a_workspace),
            ("limits.requests_a_quarter_hour", self.requests_a_quarter_hour),
            ("limits.connections", self.connections),
            ("limits.connections_an_account", self.connections_an_account),
            ("limits.unauthenticated_an_address", self.unauthenticated_an_address),
        ] {
            if let Some(value) = value {
                let name = key.strip_prefix("limits.").unwrap_or(key).replace('.', "_");
                let flag = name.replace('_', "-");
                let flag = format!("--{flag}");
                // A flag is stronger than its variable, so where there is one it was it.
                let is_given =
                    std::env::args().any(|word| word.strip_prefix(&flag).is_some_and(is_end));
                let variable = format!("SEALWIRE_{}", name.to_uppercase());
                settings.set(key, value, if is_given { flag } else { variable });
            }
        }
        if let Some(file) = self.config {
            settings.read_file(&file);
        }
        settings
    }

    /// The settings as they would be used, each with where it comes from.
    pub(crate) fn explain(self) -> Result<String, Problems> {
        self.settings().explain()
    }

    /// The settings, checked.
    pub(crate) fn check(self) -> Result<Config, Problems> {
        self.settings().check()
    }
}

/// Whether a flag's name ends here.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('=')
}
