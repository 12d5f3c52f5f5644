//! Reports: what a reader discloses about messages, and what the relay vouches for.
//!
//! ```text
//!  reader ── secrets of chosen messages ─▶ relay ── its own copies, each with its secret ─▶ operator
//!                                            │
//!                                            └ is this the secret that the sender committed to?
//! ```
//!
//! A secret opens the one message it was drawn for. What a report shows, and what it does not, is
//! in `docs/protocol/reports.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{Bytes, Digest, List};
use crate::envelope::Envelope;
use crate::id::{ConversationId, DeviceAddress, MessageId, ReportId};
use crate::limits::{HEADER_BYTES_MAX, REPORT_MESSAGES_MAX, SEALED_PAYLOAD_BYTES_MAX};
use crate::receipt::Sequence;
use crate::time::Timestamp;

/// Why messages are reported.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReportReason {
    /// Nobody wanted it.
    Spam,
    /// It harasses somebody.
    Harassment,
    /// It threatens, or calls for violence.
    Violence,
    /// It deceives, to somebody's damage.
    Fraud,
    /// It must not be shown where it was, or to whom.
    Unlawful,
    /// As the comment says.
    Other,
}

impl ReportReason {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Spam, Self::Harassment, Self::Violence, Self::Fraud, Self::Unlawful, Self::Other];

    /// Its name, which never means anything else.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::Harassment => "harassment",
            Self::Violence => "violence",
            Self::Fraud => "fraud",
            Self::Unlawful => "unlawful",
            Self::Other => "other",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// What opens one message.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Disclosure {
    /// Which message.
    pub message: MessageId,
    /// Its secret: thirty-two bytes.
    pub secret: Bytes<32>,
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disclosure").field("message", &self.message).finish_non_exhaustive()
    }
}

/// `POST /v1/reports`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileReport {
    /// Drawn by the reporter, so that the same report again is known.
    pub report: ReportId,
    /// Where all its messages belong.
    pub conversation: ConversationId,
    /// Why.
    pub reason: ReportReason,
    /// In the reporter's own words; at most
    /// [`REPORT_COMMENT_BYTES_MAX`](crate::limits::REPORT_COMMENT_BYTES_MAX).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comment: Option<String>,
    /// What is disclosed; at least one message, each once.
    pub messages: List<Disclosure, REPORT_MESSAGES_MAX>,
}

/// How a reported message stands at the relay.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Evidenced {
    /// The relay's own copy is committed to the disclosed secret; both are kept with the report.
    Verified,
    /// The relay has erased its copy. Who sent something there, and when, is all it can say.
    Gone,
}

/// The answer: what became of each message, in the order of the report.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportFiled {
    /// Which report.
    pub report: ReportId,
    /// One for each message.
    pub messages: List<Evidenced, REPORT_MESSAGES_MAX>,
}

/// A report, as it is shown to whoever runs the relay.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which.
    pub report: ReportId,
    /// Where its messages belong.
    pub conversation: ConversationId,
    /// Who filed it.
    pub reporter: DeviceAddress,
    /// Why.
    pub reason: ReportReason,
    /// In their own words.
    pub comment: Option<String>,
    /// When, by the relay's clock.
    pub filed_at: Timestamp,
    /// When an operator was done with it.
    pub closed_at: Option<Timestamp>,
    /// What the operator noted then.
    pub note: Option<String>,
    /// What it is about.
    pub messages: List<ReportedMessage, REPORT_MESSAGES_MAX>,
}

/// A message of a report, with what the relay knows of it by itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ReportedMessage {
    /// Which.
    pub message: MessageId,
    /// Its place.
    pub sequence: Sequence,
    /// The device that was logged in when the relay accepted the message from it.
    pub sender: DeviceAddress,
    /// When that was.
    pub accepted_at: Timestamp,
    /// What it says, for who can open it; absent if the relay had erased its copy.
    pub evidence: Option<Evidence>,
}

/// The relay's copy of a message, and what opens it.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// As [`Envelope::header`].
    pub header: Bytes<HEADER_BYTES_MAX>,
    /// As [`Envelope::commitment`].
    pub commitment: Digest,
    /// As [`Envelope::payload`].
    pub payload: Bytes<SEALED_PAYLOAD_BYTES_MAX>,
    /// The secret that the reporter has disclosed: thirty-two bytes.
    pub secret: Bytes<32>,
}

impl Evidence {
    /// The message, without anybody's wrap.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        Envelope {
            header: self.header.clone(),
            commitment: self.commitment,
            payload: self.payload.clone(),
            wraps: List::default(),
        }
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Evidence(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_the_name_that_it_has_in_json() {
        for reason in ReportReason::ALL {
            let json = serde_json::to_string(&reason).unwrap();

            assert_eq!(json, format!("\"{}\"", reason.name()));
            assert_eq!(ReportReason::named(reason.name()), Some(reason));
        }
        assert_eq!(ReportReason::named("boredom"), None);
    }

    #[test]
    fn what_is_disclosed_is_in_no_log() {
        let secret = Bytes::new(vec![7; 32]).unwrap();
        let disclosure = Disclosure { message: MessageId::from_bytes([1; 16]), secret };

        assert!(!format!("{disclosure:?}").contains("32 bytes"));
    }
}
