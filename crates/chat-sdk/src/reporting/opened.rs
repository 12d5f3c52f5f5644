//! Reading a report, for whoever it was sent to: no account, no store and no relay are needed.
//!
//! ```text
//!  relay-server admin reports show ID  ─▶ JSON ─▶ opened ─▶ who said what, and how far that is shown
//! ```

use chat_core::api::reports::{Evidence, Report, ReportReason, ReportedMessage};
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId, ReportId};
use chat_core::time::Timestamp;
use chat_crypto::envelope::open_disclosed;
use chat_crypto::wrap::MessageSecret;

use crate::content::Content;
use crate::error::{Kind, Result};

/// A report, opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenedReport {
    /// Which.
    pub report: ReportId,
    /// Who filed it.
    pub reporter: AccountId,
    /// Where its messages belong.
    pub conversation: ConversationId,
    /// Why.
    pub reason: ReportReason,
    /// What the reporter says about it: their word, and no more.
    pub comment: Option<String>,
    /// When, by the relay's clock.
    pub filed_at: Timestamp,
    /// The messages, in the order of the conversation.
    pub messages: Vec<OpenedMessage>,
}

/// A reported message, opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenedMessage {
    /// Which.
    pub message: MessageId,
    /// The device from which the relay accepted it.
    pub sender: DeviceAddress,
    /// When that was, by the relay's clock.
    pub accepted_at: Timestamp,
    /// What it says, if that is shown.
    pub finding: Finding,
}

/// What a report shows of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// It said this. All its recipients were shown the same.
    Said {
        /// What it said.
        content: Box<Content>,
        /// When it was sent, by the sender's clock.
        sent_at: Timestamp,
    },
    /// The relay had erased it when it was reported.
    Gone,
    /// What is kept does not open, or is another message: the report was tampered with.
    NotAuthentic,
}

/// Opens a report as `relay-server admin reports show` prints it.
///
/// # Errors
///
/// [`Kind::ArgumentInvalid`] for what is no report.
pub fn opened(json: &str) -> Result<OpenedReport> {
    let report: Report =
        serde_json::from_str(json).map_err(|error| Kind::ArgumentInvalid.because(error))?;
    let conversation = report.conversation;
    let message = |message: ReportedMessage| OpenedMessage {
        message: message.message,
        sender: message.sender,
        accepted_at: message.accepted_at,
        finding: match &message.evidence {
            Some(evidence) => {
                finding(conversation, &message, evidence).unwrap_or(Finding::NotAuthentic)
            }
            None => Finding::Gone,
        },
    };
    Ok(OpenedReport {
        report: report.report,
        reporter: report.reporter.account,
        conversation,
        reason: report.reason,
        comment: report.comment,
        filed_at: report.filed_at,
        messages: report.messages.into_iter().map(message).collect(),
    })
}

fn finding(
    conversation: ConversationId,
    message: &ReportedMessage,
    evidence: &Evidence,
) -> Option<Finding> {
    let secret = MessageSecret::from_bytes(<[u8; 32]>::try_from(&*evidence.secret).ok()?);
    let opened = open_disclosed(&evidence.envelope(), &secret).ok()?;
    let header = opened.header;
    let is_it = header.message == message.message
        && header.sender == message.sender
        && header.conversation == conversation;
    is_it.then(|| Finding::Said {
        content: Box::new(Content::read(&opened.content.kind, &opened.content.body)),
        sent_at: header.sent_at,
    })
}
