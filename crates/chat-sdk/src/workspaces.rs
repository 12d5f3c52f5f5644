//! The workspace of an account: who is in it, inviting, deciding, and the conversations that are
//! shared with all of it; log-ins, and the end of the account.
//!
//! What is said here of people and roles is the relay's word: a workspace is what the relay keeps
//! apart, not a secret it cannot read. Who is in a *conversation* is signed and verified as ever.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::auth::{DeviceChallenge, DeviceLoginStart};
use chat_core::api::workspaces::{
    AccountState, Channel, ChannelPage, DeleteAccount, DocumentConversation, Invitation,
    InvitationPage, IssuedInvitation, MemberPage, NamePage, NewInvitation, SessionInfo, Sessions,
    SetRole, SetState, Workspace, WorkspaceMember, WorkspaceRole, deletion_input,
};
use chat_core::id::{AccountId, ConversationId, DeviceId, InvitationId};
use chat_core::label;
use chat_core::membership::{Change, ConversationKind, Policy};

use crate::client::Client;
use crate::context::Context;
use crate::conversation::Conversation;
use crate::devices;
use crate::error::{Kind, Result};
use crate::heirs;
use crate::hub::Hub;
use crate::membership::{self, Beginning};
use crate::message::Contact;
use crate::resume::begin_cursor;
use crate::store::account as stored;
use crate::store::conversations;
use crate::sync::is_about_us;

/// How often an entry is made anew when somebody else was first.
const ATTEMPTS: usize = 8;

impl Client {
    // ── the workspace ───────────────────────────────────────────────────────────────────────────

    /// The account's workspace, and what the account is in it.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn workspace(&self) -> Result<Workspace> {
        self.hub.context.relay.get("/v1/workspace".into()).await
    }

    /// Everybody in it.
    ///
    /// # Errors
    ///
    /// [`Kind::Forbidden`] for guests.
    pub async fn workspace_members(&self) -> Result<Vec<WorkspaceMember>> {
        let mut all: Vec<WorkspaceMember> = Vec::new();
        loop {
            let after = all.last().map(|last| format!("?after={}", last.account));
            let path = format!("/v1/workspace/members{}", after.unwrap_or_default());
            let page: MemberPage = self.hub.context.relay.get(path).await?;
            all.extend(page.members.into_vec());
            if !page.more {
                return Ok(all);
            }
        }
    }

    /// People whose names begin with `prefix`, at most a hundred; for a guest, of those it shares a
    /// conversation with.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`] for what no name begins with.
    pub async fn search_people(&self, prefix: &str) -> Result<Vec<Contact>> {
        // SECURITY: what is typed goes into a query, so it can be part of a name before it does.
        if !prefix.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c)) {
            return Err(Kind::Malformed.into());
        }
        let path = format!("/v1/accounts?search={}", prefix.to_ascii_lowercase());
        let page: NamePage = self.hub.context.relay.get(path).await?;
        let found = page.accounts.into_vec().into_iter();
        let contact = |name: chat_core::api::account::AccountName| Contact {
            account: name.account,
            username: name.username,
        };
        Ok(found.map(contact).collect())
    }

    /// Issues an invitation; the token is said this once.
    ///
    /// # Errors
    ///
    /// [`Kind::Forbidden`] for who may not invite, or not with this role.
    pub async fn invite(
        &self,
        role: WorkspaceRole,
        uses: u32,
        good_for: Duration,
    ) -> Result<IssuedInvitation> {
        let new = NewInvitation { role, uses, expires_at: self.hub.now().after(good_for) };
        self.hub.context.relay.post("/v1/workspace/invitations".into(), &new).await
    }

    /// The invitations that can still be used; at most a hundred.
    ///
    /// # Errors
    ///
    /// [`Kind::Forbidden`].
    pub async fn invitations(&self) -> Result<Vec<Invitation>> {
        let page: InvitationPage =
            self.hub.context.relay.get("/v1/workspace/invitations".into()).await?;
        Ok(page.invitations.into_vec())
    }

    /// Revokes an invitation.
    ///
    /// # Errors
    ///
    /// [`Kind::Forbidden`], [`Kind::NotFound`].
    pub async fn revoke_invitation(&self, invitation: InvitationId) -> Result<()> {
        let path = format!("/v1/workspace/invitations/{invitation}");
        self.hub.context.relay.delete(path, None).await
    }

    /// Gives somebody another role in the workspace.
    ///
    /// # Errors
    ///
    /// [`Kind::Forbidden`], [`Kind::NotFound`], [`Kind::LastOwner`].
    pub async fn set_workspace_role(&self, account: AccountId, role: WorkspaceRole) -> Result<()> {
        let path = format!("/v1/workspace/members/{account}/role");
        self.hub.context.relay.put(path, &SetRole { role }).await
    }

    /// Suspends somebody: they are cut off until they are reinstated, and lose nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::set_workspace_role`].
    pub async fn suspend(&self, account: AccountId) -> Result<()> {
        self.set_state(account, AccountState::Suspended).await
    }

    /// Reinstates somebody.
    ///
    /// # Errors
    ///
    /// As [`Self::set_workspace_role`].
    pub async fn reinstate(&self, account: AccountId) -> Result<()> {
        self.set_state(account, AccountState::Active).await
    }

    async fn set_state(&self, account: AccountId, state: AccountState) -> Result<()> {
        let path = format!("/v1/workspace/members/{account}/state");
        self.hub.context.relay.put(path, &SetState { state }).await
    }

    /// Removes somebody from the workspace, and with that their account, for good.
    ///
    /// # Errors
    ///
    /// As [`Self::set_workspace_role`].
    pub async fn remove_from_workspace(&self, account: AccountId) -> Result<()> {
        let path = format!("/v1/workspace/members/{account}");
        self.hub.context.relay.delete(path, None).await
    }

    // ── channels and documents ──────────────────────────────────────────────────────────────────

    /// The conversations of the workspace that may be joined, or were (those whose rules are
    /// [`Policy::CHANNEL`], for example); at most a hundred from
    /// `after` on, in the order of their ids. Their names are sealed, and show to who has joined.
    ///
    /// # Errors
    ///
    /// [`Kind::Forbidden`] for guests.
    pub async fn channels(&self, after: Option<ConversationId>) -> Result<Vec<Channel>> {
        let after = after.map(|id| format!("?after={id}")).unwrap_or_default();
        let path = format!("/v1/workspace/channels{after}");
        let page: ChannelPage = self.hub.context.relay.get(path).await?;
        Ok(page.channels.into_vec())
    }

    /// Joins a channel, or a document's conversation, whose rules let the workspace in.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`] where they do not, and for guests.
    pub async fn join(&self, id: ConversationId) -> Result<Conversation> {
        join(&self.hub, id).await?;
        self.hub.nudge.notify_one();
        self.conversation(id).await
    }

    /// The conversation that is attached to a document: the one there is, which is joined if need
    /// be, or a new one with these rules.
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] for an id that is empty or longer than 256 bytes;
    /// [`Kind::NotAMember`] if there is one that does not let this account in.
    pub async fn open_document(&self, document: &str, policy: Policy) -> Result<Conversation> {
        let query: String = document.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let path = format!("/v1/workspace/documents?document={query}");
        let found: Result<DocumentConversation> = self.hub.context.relay.get(path).await;
        match found {
            Ok(found) => self.join_for(found.conversation, document).await,
            Err(error) if error.kind() == Kind::NotFound => self.attach(document, policy).await,
            Err(error) => Err(error),
        }
    }

    async fn attach(&self, document: &str, policy: Policy) -> Result<Conversation> {
        let kind = ConversationKind::Document;
        let attached = Some(document.to_owned());
        let (others, nonce) = (Vec::new(), None);
        let beginning = Beginning { kind, others, policy, document: attached, nonce };
        let (signed, id) = membership::creation(&self.hub, &beginning)?;
        match self.hub.context.relay.create_conversation(signed.clone()).await {
            Ok(_) => {
                membership::keep(&self.hub, id, vec![signed]).await?;
                self.conversation(id).await
            }
            // Somebody has opened the same document at the same moment.
            Err(error) if error.kind() == Kind::ConversationExists => {
                let existing = error.reject().and_then(|reject| reject.conversation);
                self.join_for(existing.ok_or(error)?, document).await
            }
            Err(error) => Err(error),
        }
    }

    async fn join_for(&self, id: ConversationId, document: &str) -> Result<Conversation> {
        let joined = self.join(id).await?;
        self.check_is_of(&joined, document).await?;
        Ok(joined)
    }

    /// The relay names a conversation; whose document it is stands in its signed log.
    async fn check_is_of(&self, conversation: &Conversation, document: &str) -> Result<()> {
        let (id, document) = (conversation.id(), document.to_owned());
        let fits = move |tx: &rusqlite::Transaction<'_>| {
            let row = conversations::load(tx, id)?;
            Ok(row.is_some_and(|row| row.membership.document() == Some(document.as_str())))
        };
        if self.hub.context.store.read(fits).await? {
            Ok(())
        } else {
            Err(Kind::NotVerified.into())
        }
    }

    // ── log-ins, and the end ────────────────────────────────────────────────────────────────────

    /// The account's log-ins that last, the most recently used first.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>> {
        let sessions: Sessions = self.hub.context.relay.get("/v1/account/sessions".into()).await?;
        Ok(sessions.sessions)
    }

    /// Ends the log-ins of one device, whose tokens may be in other hands. The device itself logs in
    /// again by its key; to take that from it, remove it.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] for a device without one.
    pub async fn end_session(&self, device: DeviceId) -> Result<()> {
        self.hub.context.relay.delete(format!("/v1/account/sessions/{device}"), None).await
    }

    /// Ends all log-ins but this one.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn end_other_sessions(&self) -> Result<()> {
        self.hub.context.relay.delete("/v1/account/sessions".into(), None).await
    }

    /// Removes every device from the account, this one last, erases the store and ends the client:
    /// whoever wants in again needs the password.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayUnreachable`] if the relay cannot be told; devices that were removed before
    /// stay so.
    pub async fn log_out_everywhere(&self) -> Result<()> {
        for device in self.devices().await? {
            if !device.is_this && device.removed_at.is_none() {
                self.remove_device(device.device).await?;
            }
        }
        self.log_out().await
    }

    /// Deletes the account for good, erases the store and ends the client. Others keep what was said
    /// to them, unless a conversation's rules say otherwise, and see that the account is gone.
    ///
    /// Where it is the last admin, whoever has been a member the longest becomes one first; to leave
    /// it to somebody else, give them the role before.
    ///
    /// # Errors
    ///
    /// [`Kind::LastOwner`]; [`Kind::RelayUnreachable`] if the relay cannot be told: then nothing is
    /// erased, and it may be asked again.
    pub async fn delete_account(&self) -> Result<()> {
        match heirs::name_all(&self.hub).await {
            Err(error) if error.kind() == Kind::DeviceRemoved => {}
            outcome => outcome?,
        }
        match delete(&self.hub.context).await {
            Ok(()) => {}
            // The relay has done it before, and its answer was lost.
            Err(error) if error.kind() == Kind::DeviceRemoved => {}
            Err(error) => return Err(error),
        }
        self.hub.context.store.write(stored::erase_everything).await?;
        self.hub.context.store.scrub().await?;
        self.close().await
    }
}

async fn delete(context: &Context) -> Result<()> {
    let (address, relay) = (context.own.address, &context.relay);
    let start = DeviceLoginStart { address };
    let challenge: DeviceChallenge = relay.api().device_start(&start).await?;
    let origin = relay.api().origin().as_str();
    let input = deletion_input(origin, &challenge.nonce, address);
    let signature = context.own.device.sign(label::ACCOUNT_DELETION, &input);
    let request = DeleteAccount { nonce: challenge.nonce, signature };
    let body = crate::api::write(&request)?;
    relay.delete("/v1/account".into(), Some(body)).await
}

/// Verifies the log as it is, and appends the entry that joins.
async fn join(hub: &Arc<Hub>, id: ConversationId) -> Result<()> {
    let ours = hub.context.own.account();
    for _ in 0..ATTEMPTS {
        membership::catch_up(hub, id).await?;
        let row = hub.context.store.read(move |tx| conversations::load(tx, id)).await?;
        let membership = row.ok_or(Kind::NotAMember)?.membership;
        if membership.role(ours).is_some() {
            return Ok(());
        }
        if !membership.may_join(ours) {
            return Err(Kind::NotAMember.into());
        }
        let signed = membership::sign(hub, &membership, Change::Join)?;
        match hub.context.relay.append_entry(id, signed.clone()).await {
            Ok(_) => {
                membership::keep(hub, id, vec![signed]).await?;
                // It is joined; where its past ends, the next connection asks as well.
                return begin_cursor(hub, id)
                    .await
                    .or_else(|error| if is_about_us(error.kind()) { Err(error) } else { Ok(()) });
            }
            Err(error) if error.kind() == Kind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(Kind::Conflict.into())
}

/// What is known of whether somebody's account was deleted.
pub(crate) async fn is_deleted(context: &Context, account: AccountId) -> Result<bool> {
    context.store.read(move |tx| devices::is_deleted(tx, account)).await
}
