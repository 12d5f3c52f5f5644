//! Who may know of whom, and the conversations that a workspace shares.

use chat_core::api::account::AccountName;
use chat_core::api::conversations::MembershipPage;
use chat_core::api::workspaces::{Channel, ChannelPage, NamePage};
use chat_core::codec::List;
use chat_core::id::{AccountId, ConversationId, WorkspaceId};
use chat_core::limits::PAGE_MAX;
use sqlx::{query_as, query_scalar};

use super::conversations::log_page;
use super::row::{fixed, one_more, signed};
use super::{Connection, StorageError};

pub(super) async fn known_to(
    connection: &mut Connection,
    account: AccountId,
    others: &[AccountId],
) -> Result<Vec<AccountId>, StorageError> {
    let mut known = Vec::with_capacity(others.len());
    for other in others {
        let found: Option<i64> = query_scalar(
            "SELECT ours.joined_index FROM stays ours \
             JOIN stays theirs ON theirs.conversation = ours.conversation \
             WHERE ours.account = $1 AND theirs.account = $2 AND ours.left_index IS NULL LIMIT 1",
        )
        .bind(account.as_bytes().as_slice())
        .bind(other.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await?;
        if found.is_some() || *other == account {
            known.push(*other);
        }
    }
    Ok(known)
}

pub(super) async fn of_workspace(
    connection: &mut Connection,
    workspace: WorkspaceId,
    others: &[AccountId],
) -> Result<Vec<AccountId>, StorageError> {
    let mut known = Vec::with_capacity(others.len());
    for other in others {
        let found: Option<i64> = query_scalar(
            "SELECT state FROM workspace_members WHERE workspace = $1 AND account = $2",
        )
        .bind(workspace.as_bytes().as_slice())
        .bind(other.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await?;
        known.extend(found.map(|_| *other));
    }
    Ok(known)
}

pub(super) async fn names(
    connection: &mut Connection,
    workspace: WorkspaceId,
    prefix: &str,
    after: &str,
    among: Option<AccountId>,
    limit: usize,
) -> Result<NamePage, StorageError> {
    let limit = limit.min(PAGE_MAX);
    // No name has a character as high as the tilde, so it ends what begins with the prefix.
    let mut found: Vec<(Vec<u8>, String)> = query_as(concat!(
        "SELECT a.id, a.username FROM accounts a \
         WHERE a.workspace = $1 AND a.deleted_at IS NULL AND a.username",
        bytewise!(),
        " >= $2 AND a.username",
        bytewise!(),
        " < $3 AND a.username",
        bytewise!(),
        " > $4 AND ($5 = 0 OR EXISTS (SELECT 1 FROM stays ours \
             JOIN stays theirs ON theirs.conversation = ours.conversation \
             WHERE ours.account = $6 AND theirs.account = a.id \
               AND ours.left_index IS NULL AND theirs.left_index IS NULL)) ORDER BY a.username",
        bytewise!(),
        " LIMIT $7"
    ))
    .bind(workspace.as_bytes().as_slice())
    .bind(prefix)
    .bind(format!("{prefix}~"))
    .bind(after)
    .bind(i64::from(among.is_some()))
    .bind(among.map(|account| account.as_bytes().to_vec()).unwrap_or_default())
    .bind(one_more(limit))
    .fetch_all(connection)
    .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let name =
        |(id, username): (Vec<u8>, String)| Ok(AccountName { account: fixed(&id)?, username });
    let accounts = found.into_iter().map(name).collect::<Result<_, StorageError>>()?;
    Ok(NamePage { accounts: List::new(accounts)?, more })
}

pub(super) async fn channels(
    connection: &mut Connection,
    workspace: WorkspaceId,
    asking: AccountId,
    after: Option<ConversationId>,
    limit: usize,
) -> Result<ChannelPage, StorageError> {
    let limit = limit.min(PAGE_MAX);
    let mut found: Vec<(Vec<u8>, i64, i64)> = query_as(
        "SELECT c.id, \
             (SELECT count(*) FROM stays s \
              WHERE s.conversation = c.id AND s.left_index IS NULL), \
             (SELECT count(*) FROM stays s \
              WHERE s.conversation = c.id AND s.account = $2 AND s.left_index IS NULL) \
         FROM conversations c WHERE c.workspace = $1 AND c.is_open = 1 AND c.id > $3 \
         ORDER BY c.id LIMIT $4",
    )
    .bind(workspace.as_bytes().as_slice())
    .bind(asking.as_bytes().as_slice())
    .bind(after.map(|id| id.as_bytes().to_vec()).unwrap_or_default())
    .bind(one_more(limit))
    .fetch_all(connection)
    .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let channel = |(id, members, ours): (Vec<u8>, i64, i64)| {
        let members = u32::try_from(members).map_err(|_| StorageError::Corrupt)?;
        Ok(Channel { conversation: fixed(&id)?, members, is_member: ours > 0 })
    };
    let channels = found.into_iter().map(channel).collect::<Result<_, StorageError>>()?;
    Ok(ChannelPage { channels: List::new(channels)?, more })
}

pub(super) async fn of_document(
    connection: &mut Connection,
    workspace: WorkspaceId,
    document: &str,
) -> Result<Option<ConversationId>, StorageError> {
    let found: Option<Vec<u8>> =
        query_scalar("SELECT id FROM conversations WHERE workspace = $1 AND document = $2")
            .bind(workspace.as_bytes().as_slice())
            .bind(document)
            .fetch_optional(connection)
            .await?;
    found.as_deref().map(fixed).transpose()
}

pub(super) async fn whole_log(
    connection: &mut Connection,
    conversation: ConversationId,
    from: u64,
    limit: usize,
) -> Result<MembershipPage, StorageError> {
    let limit = limit.min(PAGE_MAX);
    let found: Vec<Vec<u8>> = query_scalar(
        "SELECT entry FROM entries WHERE conversation = $1 AND place >= $2 \
         ORDER BY place LIMIT $3",
    )
    .bind(conversation.as_bytes().as_slice())
    .bind(signed(from))
    .bind(one_more(limit))
    .fetch_all(connection)
    .await?;
    log_page(found, limit)
}
