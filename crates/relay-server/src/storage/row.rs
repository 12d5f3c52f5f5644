//! What columns hold and what we mean, in both directions.

use chat_core::api::workspaces::{AccountState, WorkspaceRole};
use chat_core::codec::{Digest, List, from_bytes, to_bytes};
use chat_core::envelope::{Envelope, ExpiryMode, Header, Recipient, Wrap, WrapScheme};
use chat_core::id::DeviceAddress;
use chat_core::limits::WRAPS_MAX;
use chat_core::membership::{ConversationKind, Joining, Membership, MembershipEntry, SignedEntry};
use chat_core::receipt::{Receipt, SignedReceipt};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};

use super::error::StorageError;
use super::records::{Backlog, Expired};

/// An unsigned number as a column holds it; what does not fit is as large as a column can be.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that should never be negative.
pub(super) fn unsigned(column: i64) -> Result<u64, StorageError> {
    u64::try_from(column).map_err(|_| StorageError::Corrupt)
}

/// How many rows to ask for, to learn whether there is one more than `limit`.
pub(super) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX)
}

/// An id or a digest.
pub(super) fn fixed<'a, T: TryFrom<&'a [u8]>>(column: &'a [u8]) -> Result<T, StorageError> {
    T::try_from(column).map_err(|_| {
        tracing::error!(length = column.len(), "an id or a digest has another length");
        StorageError::Corrupt
    })
}

/// The address that stands in two columns.
pub(super) fn address(account: &[u8], device: &[u8]) -> Result<DeviceAddress, StorageError> {
    Ok(DeviceAddress { account: fixed(account)?, device: fixed(device)? })
}

/// An entry as it travels, and as it is stored.
pub(super) fn signed_entry(entry: &Verified<MembershipEntry>) -> Vec<u8> {
    to_bytes(&SignedEntry { signer: entry.author, entry: entry.source().clone() })
}

/// A receipt as it travels, and as it is stored.
pub(super) fn signed_receipt(receipt: &Verified<Receipt>) -> Vec<u8> {
    to_bytes(&SignedReceipt { signer: receipt.reader, receipt: receipt.source().clone() })
}

/// Both members of a direct conversation, the lower id first; nothing for other kinds.
pub(super) fn direct_pair(membership: &Membership) -> Option<Vec<u8>> {
    let is_direct = membership.kind() == ConversationKind::Direct;
    is_direct.then(|| membership.members().flat_map(|m| *m.account.as_bytes()).collect())
}

/// The columns that are erased when a message expires.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) header: Vec<u8>,
    pub(super) commitment: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) wraps: Vec<u8>,
}

impl Sealed {
    /// The envelope, with the wraps for one device.
    pub(super) fn for_device(self, address: DeviceAddress) -> Result<Envelope, StorageError> {
        Ok(Envelope {
            wraps: wraps_for(&self.wraps, address)?,
            header: chat_core::codec::Bytes::new(self.header)?,
            commitment: fixed::<Digest>(&self.commitment)?,
            payload: chat_core::codec::Bytes::new(self.payload)?,
        })
    }
}

/// A [`Wrap`] that is looked at before it is copied: most of a group's are for others.
#[derive(Decode, Encode)]
#[cbor(array)]
struct BorrowedWrap<'b> {
    #[n(0)]
    scheme: WrapScheme,
    #[n(1)]
    to: Recipient,
    #[n(2)]
    epoch: u32,
    #[b(3)]
    #[cbor(with = "minicbor::bytes")]
    bytes: &'b [u8],
}

fn wraps_for(column: &[u8], address: DeviceAddress) -> Result<List<Wrap, WRAPS_MAX>, StorageError> {
    let all: List<BorrowedWrap<'_>, WRAPS_MAX> = from_bytes(column)?;
    let theirs = all.into_iter().filter(|wrap| wrap.to.includes(address));
    let owned = theirs.map(|wrap| {
        Ok(Wrap {
            scheme: wrap.scheme,
            to: wrap.to,
            epoch: wrap.epoch,
            bytes: chat_core::codec::Bytes::new(wrap.bytes.to_vec())?,
        })
    });
    Ok(List::new(owned.collect::<Result<_, StorageError>>()?)?)
}

/// Column `wraps` with those of `added` that are news to it, and how many these are.
///
/// The first for a recipient and an epoch stays; there are never more than [`WRAPS_MAX`].
pub(super) fn with_wraps(column: &[u8], added: &[&Wrap]) -> Result<(Vec<u8>, u64), StorageError> {
    let all: List<BorrowedWrap<'_>, WRAPS_MAX> = from_bytes(column)?;
    let mut all = all.into_vec();
    let before = all.len();
    for wrap in added {
        let is_there = all.iter().any(|one| one.to == wrap.to && one.epoch == wrap.epoch);
        if !is_there && all.len() < WRAPS_MAX {
            let Wrap { scheme, to, epoch, ref bytes } = **wrap;
            all.push(BorrowedWrap { scheme, to, epoch, bytes });
        }
    }
    let news = u64::try_from(all.len() - before).unwrap_or(u64::MAX);
    Ok((to_bytes(&List::<_, WRAPS_MAX>::new(all)?), news))
}

/// Columns `expires_at` and `seen_timer_ms` of a message that is accepted `now`.
pub(super) fn timers(header: &Header, now: Timestamp) -> (Option<i64>, Option<i64>) {
    match header.expiry {
        None => (None, None),
        Some(expiry) => match expiry.mode {
            ExpiryMode::AfterSent => (Some(signed(now.after(expiry.after()).as_millis())), None),
            ExpiryMode::AfterSeen => {
                (None, Some(i64::try_from(expiry.after().as_millis()).unwrap_or(i64::MAX)))
            }
        },
    }
}

/// Where a message stands, or stood, as its columns say, and whose it is.
pub(super) struct PlaceOf {
    pub(super) sequence: i64,
    pub(super) received_at: i64,
    pub(super) sender: DeviceAddress,
}

impl PlaceOf {
    pub(super) fn read(row: (i64, i64, Vec<u8>, Vec<u8>)) -> Result<Self, StorageError> {
        let (sequence, received_at, account, device) = row;
        Ok(Self { sequence, received_at, sender: address(&account, &device)? })
    }
}

/// A row of a session: when the device was removed, whether there is such a device, whether its
/// family is revoked, and the state of its account.
pub(super) type SessionRow = (Option<i64>, bool, Option<bool>, Option<i64>);

/// Account, number of its list, device, whether the account was deleted.
pub(super) type ActiveRow = (Vec<u8>, i64, Option<Vec<u8>>, bool);

/// What somebody who joins may read.
#[derive(Clone, Copy)]
pub(super) struct Read {
    /// From this message on.
    pub(super) from: u64,
    /// The first one after they came.
    pub(super) came_at: u64,
}

/// The numbers in column `role`, never given another meaning.
pub(super) fn role_number(role: WorkspaceRole) -> i64 {
    match role {
        WorkspaceRole::Guest => 1,
        WorkspaceRole::Member => 2,
        WorkspaceRole::Admin => 3,
        WorkspaceRole::Owner => 4,
    }
}

pub(super) fn role(column: i64) -> Result<WorkspaceRole, StorageError> {
    use WorkspaceRole::{Admin, Guest, Member, Owner};
    let known = [Guest, Member, Admin, Owner].into_iter();
    known.into_iter().find(|role| role_number(*role) == column).ok_or(StorageError::Corrupt)
}

/// The numbers in column `state`, never given another meaning.
pub(super) fn state_number(state: AccountState) -> i64 {
    match state {
        AccountState::Active => 1,
        AccountState::Suspended => 2,
        AccountState::Gone => 3,
    }
}

pub(super) fn state(column: i64) -> Result<AccountState, StorageError> {
    use AccountState::{Active, Gone, Suspended};
    let known = [Active, Suspended, Gone].into_iter();
    known.into_iter().find(|state| state_number(*state) == column).ok_or(StorageError::Corrupt)
}

/// The number of a conversation's kind, as creation entries have it.
pub(super) fn kind_number(kind: ConversationKind) -> i64 {
    match kind {
        ConversationKind::Direct => 1,
        ConversationKind::Group => 2,
        ConversationKind::Channel => 3,
        ConversationKind::Document => 4,
    }
}

/// Column `is_open`: whether whoever is in the workspace may join.
pub(super) fn is_open(membership: &Membership) -> i64 {
    i64::from(membership.policy().join == Joining::Workspace)
}

/// A row of a backlog: account, device, conversation, cursor, last.
pub(super) type BacklogRow = (Vec<u8>, Vec<u8>, Vec<u8>, i64, i64);

pub(super) fn backlog(row: BacklogRow) -> Result<Backlog, StorageError> {
    let (account, device, conversation, cursor, last) = row;
    Ok(Backlog {
        address: address(&account, &device)?,
        conversation: fixed(&conversation)?,
        cursor: unsigned(cursor)?,
        last: unsigned(last)?,
    })
}

/// Rows of erased messages: conversation, sequence, message.
pub(super) fn expired(rows: Vec<(Vec<u8>, i64, Vec<u8>)>) -> Result<Vec<Expired>, StorageError> {
    let read = |(conversation, sequence, message): (Vec<u8>, i64, Vec<u8>)| {
        Ok(Expired {
            conversation: fixed(&conversation)?,
            sequence: unsigned(sequence)?,
            message: fixed(&message)?,
        })
    };
    let mut expired: Vec<_> = rows.into_iter().map(read).collect::<Result<_, StorageError>>()?;
    expired.sort_unstable();
    Ok(expired)
}
