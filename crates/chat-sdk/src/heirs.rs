//! Who decides after an account that goes: before it is deleted, it names somebody in each
//! conversation that would be left without an admin.
//!
//! Only a member can sign who decides in a conversation, and the one who goes is still one. The
//! relay could not do it afterwards, nor could anybody else.

use std::collections::BTreeSet;

use chat_core::id::{AccountId, ConversationId};
use chat_core::membership::{Change, ConversationKind, Membership, Role};
use rusqlite::Transaction;

use crate::devices;
use crate::error::{Kind, Result};
use crate::hub::Hub;
use crate::membership;
use crate::store::conversations::{self, Standing};

/// A conversation that the account alone decides in, and who could after it: those first who have
/// been in it the longest.
struct Bequest {
    conversation: ConversationId,
    heirs: Vec<AccountId>,
}

/// Makes somebody else an admin wherever this account is the last one that is left. Where nobody
/// else is left there is nothing to decide.
///
/// # Errors
///
/// [`Kind::RelayUnreachable`], [`Kind::StoreFailed`]; what was settled before stays so.
pub(crate) async fn name_all(hub: &Hub) -> Result<()> {
    let ours = hub.context.own.account();
    let bequests = hub.context.store.read(move |tx| bequests(tx, ours)).await?;
    for Bequest { conversation, heirs } in bequests {
        let decide = move |membership: &Membership| heir(membership, ours, &heirs);
        match membership::change(hub, conversation, decide).await {
            // Somebody else has settled it meanwhile.
            Err(error) if matches!(error.kind(), Kind::NotAMember | Kind::Forbidden) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

fn bequests(tx: &Transaction<'_>, ours: AccountId) -> Result<Vec<Bequest>> {
    let mut all = Vec::new();
    for row in conversations::all(tx)? {
        let is_shared = row.membership.kind() != ConversationKind::Direct;
        if !is_shared || row.standing == Standing::Former {
            continue;
        }
        let mut heirs = Vec::new();
        for account in conversations::by_seniority(tx, row.membership.id())? {
            if account != ours && !devices::is_deleted(tx, account)? {
                heirs.push(account);
            }
        }
        all.push(Bequest { conversation: row.membership.id(), heirs });
    }
    Ok(all)
}

/// The change that makes the first of `heirs` who is a member an admin, if this account decides and
/// none of them does.
fn heir(membership: &Membership, ours: AccountId, heirs: &[AccountId]) -> Option<Change> {
    let left: BTreeSet<_> = heirs.iter().collect();
    let decides = |account: AccountId| membership.role(account) == Some(Role::Admin);
    let mut members = membership.members();
    if !decides(ours) || members.any(|one| left.contains(&one.account) && decides(one.account)) {
        return None;
    }
    let heir = heirs.iter().find(|account| membership.role(**account).is_some())?;
    Some(Change::SetRole { account: *heir, role: Role::Admin })
}
