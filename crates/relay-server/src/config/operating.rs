//! How a node is operated: its schema, its connections to the database, its patience, its end.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Who brings the database's schema up to date.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Migrate {
    /// The first node that starts.
    #[default]
    AtStart,
    /// `relay-server migrate`; a node refuses an older schema.
    ByCommand,
}

impl fmt::Display for Migrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtStart => "at_start",
            Self::ByCommand => "by_command",
        })
    }
}

impl FromStr for Migrate {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "at_start" => Ok(Self::AtStart),
            "by_command" => Ok(Self::ByCommand),
            _ => Err("`at_start` or `by_command`"),
        }
    }
}

/// How long clients may take, in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// For a TLS handshake.
    pub handshake_seconds: u32,
    /// For the head of a request; also how long a connection may idle between two.
    pub head_seconds: u32,
    /// For its body.
    pub body_seconds: u32,
    /// For all of it, with the answer.
    pub request_seconds: u32,
}

impl Timeouts {
    /// What a relay allows when nobody says otherwise.
    pub const DEFAULT: Self =
        Self { handshake_seconds: 10, head_seconds: 10, body_seconds: 15, request_seconds: 30 };

    /// Each, under its name in a file.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u32); 4] {
        let mut timeouts = *self;
        timeouts.named_mut().map(|(name, seconds)| (name, *seconds))
    }

    pub(super) fn named_mut(&mut self) -> [(&'static str, &mut u32); 4] {
        [
            ("handshake_seconds", &mut self.handshake_seconds),
            ("head_seconds", &mut self.head_seconds),
            ("body_seconds", &mut self.body_seconds),
            ("request_seconds", &mut self.request_seconds),
        ]
    }

    /// For a TLS handshake.
    #[must_use]
    pub fn handshake(&self) -> Duration {
        seconds(self.handshake_seconds)
    }

    /// For the head of a request.
    #[must_use]
    pub fn head(&self) -> Duration {
        seconds(self.head_seconds)
    }

    /// For the body of a request.
    #[must_use]
    pub fn body(&self) -> Duration {
        seconds(self.body_seconds)
    }

    /// For a request and its answer.
    #[must_use]
    pub fn request(&self) -> Duration {
        seconds(self.request_seconds)
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

/// How a node is operated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Operating {
    /// Who brings the schema up to date.
    pub migrate: Migrate,
    /// Connections to PostgreSQL that this node opens at most.
    pub database_connections: u32,
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// When the node leaves, clients are told to come back at a moment drawn from so many seconds.
    pub return_within_seconds: u32,
}

impl Operating {
    /// What a relay does when nobody says otherwise.
    pub const DEFAULT: Self = Self {
        migrate: Migrate::AtStart,
        database_connections: 16,
        timeouts: Timeouts::DEFAULT,
        return_within_seconds: 20,
    };

    /// When the node leaves, clients come back within this time.
    #[must_use]
    pub fn return_within(&self) -> Duration {
        seconds(self.return_within_seconds)
    }
}
