//! Reports: messages copied with what opens them, before their own time is over.

use async_trait::async_trait;
use chat_core::api::reports::{Evidence, Report, ReportReason, ReportedMessage};
use chat_core::codec::{Bytes, List};
use chat_core::envelope::Envelope;
use chat_core::id::{AccountId, ConversationId, MessageId, ReportId};
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};

use super::batch::place_of;
use super::row::{address, fixed, signed, unsigned};
use super::{Connection, Store};
use crate::storage::StorageError;
use crate::storage::reports::{NewReport, ReportStorage, ReportSummary, Reportable, Which};

#[async_trait]
impl ReportStorage for Store {
    async fn reportable(
        &self,
        conversation: ConversationId,
        reader: AccountId,
        messages: &[MessageId],
        now: Timestamp,
    ) -> Result<Option<Vec<Option<Reportable>>>, StorageError> {
        read!(self, |connection| {
            let stayed: i64 =
                query_scalar("SELECT count(*) FROM stays WHERE conversation = $1 AND account = $2")
                    .bind(conversation.as_bytes().as_slice())
                    .bind(reader.as_bytes().as_slice())
                    .fetch_one(&mut *connection)
                    .await?;
            if stayed == 0 {
                return Ok(None);
            }
            let mut found = Vec::with_capacity(messages.len());
            for message in messages {
                found.push(reportable(&mut connection, conversation, reader, *message, now).await?);
            }
            Ok(Some(found))
        })
    }

    async fn file_report(&self, new: &NewReport) -> Result<Report, StorageError> {
        grow!(self, |transaction| {
            if insert(&mut transaction, new).await? {
                for (place, message) in new.report.messages.iter().enumerate() {
                    insert_message(&mut transaction, new.report.report, place, message).await?;
                }
            }
            let kept = load(&mut transaction, new.report.report).await?;
            let kept = kept.ok_or(StorageError::Corrupt)?;
            if kept.reporter.account != new.report.reporter.account {
                return Err(StorageError::AlreadyExists);
            }
            Ok(kept)
        })
    }

    async fn report(&self, report: ReportId) -> Result<Option<Report>, StorageError> {
        read!(self, load(report))
    }

    async fn reports(
        &self,
        which: Which,
        limit: usize,
    ) -> Result<Vec<ReportSummary>, StorageError> {
        read!(self, |connection| {
            let rows: Vec<SummaryRow> = query_as(
                "SELECT id, reporter_account, reporter_device, conversation, reason, \
                     (SELECT count(*) FROM reported_messages m WHERE m.report = r.id), \
                     filed_at, closed_at \
                 FROM reports r WHERE closed_at IS NULL OR $1 \
                 ORDER BY filed_at DESC, id LIMIT $2",
            )
            .bind(which == Which::All)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *connection)
            .await?;
            rows.into_iter().map(summary).collect()
        })
    }

    async fn close_report(
        &self,
        report: ReportId,
        note: Option<&str>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        write!(self, |transaction| {
            let closed = query(
                "UPDATE reports SET closed_at = coalesce(closed_at, $2), \
                     note = CASE WHEN closed_at IS NULL THEN $3 ELSE note END, \
                     expires_at = CASE WHEN expires_at > $4 THEN $4 ELSE expires_at END \
                 WHERE id = $1",
            )
            .bind(report.as_bytes().as_slice())
            .bind(signed(now.as_millis()))
            .bind(note)
            .bind(signed(expires_at.as_millis()))
            .execute(&mut *transaction)
            .await?;
            if closed.rows_affected() == 0 {
                return Err(StorageError::NotFound);
            }
            Ok(())
        })
    }
}

/// Header, commitment and payload, where the message is not due.
type EnvelopeRow = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

async fn reportable(
    connection: &mut Connection,
    conversation: ConversationId,
    reader: AccountId,
    message: MessageId,
    now: Timestamp,
) -> Result<Option<Reportable>, StorageError> {
    let place = place_of(connection, conversation, message).await?;
    let Some(place) = place else { return Ok(None) };
    let could_read: i64 = query_scalar(
        "SELECT count(*) FROM stays WHERE conversation = $1 AND account = $2 \
             AND first_sequence <= $3 AND (last_sequence IS NULL OR last_sequence >= $3)",
    )
    .bind(conversation.as_bytes().as_slice())
    .bind(reader.as_bytes().as_slice())
    .bind(place.sequence)
    .fetch_one(&mut *connection)
    .await?;
    if could_read == 0 {
        return Ok(None);
    }
    // What is due but not swept yet is gone for this, too; so is what went with its month.
    let row: Option<EnvelopeRow> = query_as(
        "SELECT header, commitment, payload FROM messages \
         WHERE conversation = $1 AND sequence = $2 AND received_at = $3 \
           AND (expires_at IS NULL OR expires_at > $4)",
    )
    .bind(conversation.as_bytes().as_slice())
    .bind(place.sequence)
    .bind(place.received_at)
    .bind(signed(now.as_millis()))
    .fetch_optional(connection)
    .await?;
    let envelope = match row {
        Some((Some(header), Some(commitment), Some(payload))) => Some(Envelope {
            header: Bytes::new(header)?,
            commitment: fixed(&commitment)?,
            payload: Bytes::new(payload)?,
            wraps: List::default(),
        }),
        _ => None,
    };
    Ok(Some(Reportable {
        sequence: unsigned(place.sequence)?,
        sender: place.sender,
        accepted_at: Timestamp::from_millis(unsigned(place.received_at)?),
        envelope,
    }))
}

/// Adds a report; tells whether it was not there.
async fn insert(connection: &mut Connection, new: &NewReport) -> Result<bool, StorageError> {
    let report = &new.report;
    let inserted = query(
        "INSERT INTO reports (id, conversation, reporter_account, reporter_device, reason, \
             comment, filed_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(report.report.as_bytes().as_slice())
    .bind(report.conversation.as_bytes().as_slice())
    .bind(report.reporter.account.as_bytes().as_slice())
    .bind(report.reporter.device.as_bytes().as_slice())
    .bind(report.reason.name())
    .bind(report.comment.as_deref())
    .bind(signed(report.filed_at.as_millis()))
    .bind(signed(new.expires_at.as_millis()))
    .execute(&mut *connection)
    .await?
    .rows_affected()
        > 0;
    if inserted {
        let theirs: i64 = query_scalar("SELECT count(*) FROM reports WHERE reporter_account = $1")
            .bind(report.reporter.account.as_bytes().as_slice())
            .fetch_one(connection)
            .await?;
        if unsigned(theirs)? > new.reports_max {
            return Err(StorageError::QuotaExceeded);
        }
    }
    Ok(inserted)
}

async fn insert_message(
    connection: &mut Connection,
    report: ReportId,
    place: usize,
    message: &ReportedMessage,
) -> Result<(), StorageError> {
    let evidence = message.evidence.as_ref();
    query(
        "INSERT INTO reported_messages (report, place, message, sequence, sender_account, \
             sender_device, accepted_at, header, commitment, payload, secret) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(report.as_bytes().as_slice())
    .bind(i64::try_from(place).unwrap_or(i64::MAX))
    .bind(message.message.as_bytes().as_slice())
    .bind(signed(message.sequence))
    .bind(message.sender.account.as_bytes().as_slice())
    .bind(message.sender.device.as_bytes().as_slice())
    .bind(signed(message.accepted_at.as_millis()))
    .bind(evidence.map(|evidence| evidence.header.to_vec()))
    .bind(evidence.map(|evidence| evidence.commitment.as_bytes().to_vec()))
    .bind(evidence.map(|evidence| evidence.payload.to_vec()))
    .bind(evidence.map(|evidence| evidence.secret.to_vec()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Conversation, reporter's account and device, reason, comment, filed, closed, note.
type ReportRow =
    (Vec<u8>, Vec<u8>, Vec<u8>, String, Option<String>, i64, Option<i64>, Option<String>);

async fn load(
    connection: &mut Connection,
    report: ReportId,
) -> Result<Option<Report>, StorageError> {
    let row: Option<ReportRow> = query_as(
        "SELECT conversation, reporter_account, reporter_device, reason, comment, filed_at, \
             closed_at, note FROM reports WHERE id = $1",
    )
    .bind(report.as_bytes().as_slice())
    .fetch_optional(&mut *connection)
    .await?;
    let Some((conversation, account, device, reason, comment, filed_at, closed_at, note)) = row
    else {
        return Ok(None);
    };
    let rows: Vec<MessageRow> = query_as(
        "SELECT message, sequence, sender_account, sender_device, accepted_at, header, \
             commitment, payload, secret FROM reported_messages WHERE report = $1 ORDER BY place",
    )
    .bind(report.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    let messages = rows.into_iter().map(message).collect::<Result<_, StorageError>>()?;
    Ok(Some(Report {
        report,
        conversation: fixed(&conversation)?,
        reporter: address(&account, &device)?,
        reason: ReportReason::named(&reason).ok_or(StorageError::Corrupt)?,
        comment,
        filed_at: Timestamp::from_millis(unsigned(filed_at)?),
        closed_at: closed_at.map(unsigned).transpose()?.map(Timestamp::from_millis),
        note,
        messages: List::new(messages)?,
    }))
}

/// Message, place in its log, sender's account and device, when, and what is disclosed.
type MessageRow = (
    Vec<u8>,
    i64,
    Vec<u8>,
    Vec<u8>,
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
);

fn message(row: MessageRow) -> Result<ReportedMessage, StorageError> {
    let (message, sequence, account, device, at, header, commitment, payload, secret) = row;
    let evidence = match (header, commitment, payload, secret) {
        (Some(header), Some(commitment), Some(payload), Some(secret)) => Some(Evidence {
            header: Bytes::new(header)?,
            commitment: fixed(&commitment)?,
            payload: Bytes::new(payload)?,
            secret: Bytes::new(secret)?,
        }),
        _ => None,
    };
    Ok(ReportedMessage {
        message: fixed(&message)?,
        sequence: unsigned(sequence)?,
        sender: address(&account, &device)?,
        accepted_at: Timestamp::from_millis(unsigned(at)?),
        evidence,
    })
}

/// Report, reporter's account and device, conversation, reason, messages, filed, closed.
type SummaryRow = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, String, i64, i64, Option<i64>);

fn summary(row: SummaryRow) -> Result<ReportSummary, StorageError> {
    let (report, account, device, conversation, reason, messages, filed_at, closed_at) = row;
    Ok(ReportSummary {
        report: fixed(&report)?,
        reporter: address(&account, &device)?,
        conversation: fixed(&conversation)?,
        reason: ReportReason::named(&reason).ok_or(StorageError::Corrupt)?,
        messages: unsigned(messages)?,
        filed_at: Timestamp::from_millis(unsigned(filed_at)?),
        closed_at: closed_at.map(unsigned).transpose()?.map(Timestamp::from_millis),
    })
}
