//! A row for each path and method, in the order of `http.rs`.

use chat_core::api::conversations::{AddWraps, AddedWrap, AppendEntry, DeleteMessage};
use chat_core::codec::{Bytes, List};
use chat_core::envelope::{Recipient, Wrap, WrapScheme};
use chat_core::id::MessageId;
use chat_core::membership::{Change, ConversationKind, Policy};
use chat_core::reject::RejectCode::{
    AccountSuspended, Conflict, DeviceRemoved, Forbidden, InvalidCredentials, Malformed, NotFound,
    NotVerified, TokenExpired, TokenInvalid, Unauthenticated,
};
use serde_json::{Value, json};

use super::world::{Who, World};
use super::{Needs, Outcome};
use crate::people::Person;

/// What a path is sent: nothing, or what this makes for the caller.
pub type Body = fn(&World, &Person) -> Option<Value>;

/// One path with one method.
pub struct Row {
    /// As it is routed: `GET /v1/account`.
    pub route: &'static str,
    /// Who may.
    pub needs: Needs,
    /// What it is sent.
    pub body: Body,
    /// What whoever may gets.
    pub granted: Outcome,
    /// Who gets something else than the need says.
    but: Vec<(Who, Outcome)>,
}

impl Row {
    /// What `who` must get.
    pub fn expects(&self, who: Who) -> Outcome {
        let exception = self.but.iter().find(|(other, _)| *other == who);
        exception.map_or_else(|| self.needs.expects(who, self.granted), |(_, outcome)| *outcome)
    }

    /// One of them gets something else.
    fn but(mut self, who: Who, outcome: Outcome) -> Self {
        self.but.push((who, outcome));
        self
    }
}

/// A row for a path that takes no body.
fn row(route: &'static str, needs: Needs, granted: Outcome) -> Row {
    Row { route, needs, body: |_, _| None, granted, but: Vec::new() }
}

/// A row for a path that is sent an empty object.
fn empty(route: &'static str, needs: Needs, granted: Outcome) -> Row {
    with(route, needs, |_, _| Some(json!({})), granted)
}

/// A row for a path that is sent something.
fn with(route: &'static str, needs: Needs, body: Body, granted: Outcome) -> Row {
    Row { body, ..row(route, needs, granted) }
}

/// All of them.
pub fn rows() -> Vec<Row> {
    use Needs::{Acquaintance, Device, Enrolment, Insider, Manager, Member, Nothing, Reader};
    vec![
        empty("POST /v1/auth/register/start", Nothing, Err(Malformed)),
        empty("POST /v1/auth/register/finish", Nothing, Err(Malformed)),
        empty("POST /v1/auth/login/start", Nothing, Err(Malformed)),
        with("POST /v1/auth/login/finish", Nothing, unknown_login, Err(InvalidCredentials)),
        empty("POST /v1/auth/device/start", Nothing, Err(Malformed)),
        empty("POST /v1/auth/device/finish", Nothing, Err(Malformed)),
        with("POST /v1/auth/refresh", Nothing, unknown_refresh, Err(TokenInvalid)),
        row("POST /v1/auth/logout", Device, Ok(())),
        empty("POST /v1/devices/enrol", Enrolment, Err(Malformed)),
        row("GET /v1/account", Device, Ok(())),
        with("DELETE /v1/account", Device, unsigned_deletion, Err(InvalidCredentials)),
        row("GET /v1/account/sessions", Device, Ok(())),
        row("DELETE /v1/account/sessions", Device, Ok(())),
        // There is no such device, so nobody's session is ended.
        row("DELETE /v1/account/sessions/{device}", Device, Err(NotFound)),
        empty("PUT /v1/account/devices", Device, Err(Malformed)),
        empty("PUT /v1/account/envelope-keys", Device, Err(Malformed)),
        row("GET /v1/account/keyring", Device, Ok(())),
        with("PUT /v1/account/keyring", Device, skipping_keyring, Err(Conflict)),
        row("GET /v1/accounts", Device, Err(Malformed)),
        row("GET /v1/accounts/by-name/{username}", Acquaintance, Ok(())),
        row("GET /v1/accounts/{account}/keys", Acquaintance, Ok(())),
        row("GET /v1/prekeys", Device, Ok(())),
        empty("PUT /v1/prekeys", Device, Err(Malformed)),
        with("POST /v1/prekeys/fetch", Device, |_, _| Some(json!({"devices": []})), Ok(())),
        row("GET /v1/conversations", Device, Ok(())),
        with("POST /v1/conversations", Device, anothers_creation, Err(NotVerified)),
        row("GET /v1/conversations/{conversation}/membership", Reader, Ok(())),
        with(
            "POST /v1/conversations/{conversation}/membership",
            Member,
            anothers_entry,
            Err(NotVerified),
        ),
        row("GET /v1/conversations/{conversation}/messages", Reader, Ok(())),
        row("GET /v1/conversations/{conversation}/receipts", Member, Ok(())),
        empty("PUT /v1/devices/self/push", Device, Err(Malformed)),
        row("DELETE /v1/devices/self/push", Device, Ok(())),
        row("GET /v1/account/backup", Device, Err(NotFound)),
        empty("PUT /v1/account/backup", Device, Err(Malformed)),
        row("GET /v1/account/backup/segments", Device, Ok(())),
        row("GET /v1/account/kept-blobs", Device, Ok(())),
        empty("PUT /v1/account/kept-blobs", Device, Err(Malformed)),
        empty("POST /v1/blobs", Device, Err(Malformed)),
        row("GET /v1/blobs/{blob}", Device, Err(NotFound)),
        row("PUT /v1/blobs/{blob}", Device, Err(Malformed)),
        row("DELETE /v1/blobs/{blob}", Device, Err(NotFound)),
        row("GET /v1/blobs/{blob}/upload", Device, Err(NotFound)),
        with("POST /v1/conversations/{conversation}/deletions", Member, own_deletion, Ok(())),
        with("POST /v1/conversations/{conversation}/wraps", Member, early_wrap, Ok(())),
        row("GET /v1/unread", Device, Ok(())),
        with("POST /v1/reports", Reader, unknown_message, Err(NotFound)),
        empty("POST /v1/auth/recovery/start", Nothing, Err(Malformed)),
        empty("POST /v1/auth/recovery/finish", Nothing, Err(Malformed)),
        empty("PUT /v1/account/recovery-key", Device, Err(Malformed)),
        empty("POST /v1/account/password/start", Device, Err(Malformed)),
        empty("POST /v1/account/password/finish", Device, Err(Malformed)),
        empty("POST /v1/linking/write", Nothing, Err(Malformed)),
        empty("POST /v1/linking/read", Nothing, Err(Malformed)),
        row("GET /v1/workspace", Device, Ok(())),
        // Nobody but the operator makes workspaces here, owners of one neither.
        with("POST /v1/workspaces", Nothing, a_name, Err(Forbidden))
            .but(Who::NoToken, Err(Unauthenticated))
            .but(Who::Expired, Err(TokenExpired))
            .but(Who::RevokedDevice, Err(DeviceRemoved))
            .but(Who::Suspended, Err(AccountSuspended)),
        row("GET /v1/workspace/members", Insider, Ok(())),
        with("PUT /v1/workspace/members/{account}/role", Manager, stays_member, Ok(())),
        with("PUT /v1/workspace/members/{account}/state", Manager, stays_active, Ok(())),
        row("DELETE /v1/workspace/members/{account}", Manager, Ok(())),
        row("GET /v1/workspace/invitations", Manager, Ok(())).but(Who::OtherWorkspace, Ok(())),
        with("POST /v1/workspace/invitations", Manager, invites_a_guest, Ok(()))
            .but(Who::OtherWorkspace, Ok(())),
        row("DELETE /v1/workspace/invitations/{invitation}", Manager, Ok(())),
        row("GET /v1/workspace/channels", Insider, Ok(())),
        row("GET /v1/workspace/documents", Device, Err(Malformed)),
        row("GET /v1/socket", Nothing, Err(Malformed)),
        row("GET /v1/limits", Nothing, Ok(())),
        row("GET /v1/openapi.json", Nothing, Ok(())),
        row("GET /v1/asyncapi.json", Nothing, Ok(())),
        row("GET /.well-known/jwks.json", Nothing, Ok(())),
        row("GET /healthz", Nothing, Ok(())),
        row("GET /readyz", Nothing, Ok(())),
        row("GET /metrics", Nothing, Ok(())),
    ]
}

fn unknown_login(_: &World, _: &Person) -> Option<Value> {
    Some(json!({"login": "AAAA", "finalization": "AAAA"}))
}

fn unknown_refresh(_: &World, _: &Person) -> Option<Value> {
    Some(json!({"refresh": "A".repeat(43)}))
}

fn skipping_keyring(_: &World, _: &Person) -> Option<Value> {
    Some(json!({"number": 9, "sealed": "AAAA"}))
}

fn unsigned_deletion(_: &World, _: &Person) -> Option<Value> {
    Some(json!({"nonce": "A".repeat(43), "signature": "A".repeat(86)}))
}

fn a_name(_: &World, _: &Person) -> Option<Value> {
    Some(json!({"name": "Elsewhere"}))
}

fn invites_a_guest(_: &World, _: &Person) -> Option<Value> {
    let soon = crate::people::NOW.as_millis() + 86_400_000;
    Some(json!({"role": "guest", "uses": 1, "expires_at": soon}))
}

fn stays_member(_: &World, _: &Person) -> Option<Value> {
    Some(json!({"role": "member"}))
}

fn stays_active(_: &World, _: &Person) -> Option<Value> {
    Some(json!({"state": "active"}))
}

/// Signed by a device that is not the caller's.
fn anothers_creation(world: &World, _: &Person) -> Option<Value> {
    let (kind, others) = (ConversationKind::Group, &[][..]);
    let entry = world.outsider.creation_in(world.workspace, kind, others, Policy::DEFAULT);
    to_value(&AppendEntry { entry: world.outsider.device.entry(&entry) })
}

fn anothers_entry(world: &World, _: &Person) -> Option<Value> {
    let author = world.outsider.device.address;
    let entry = world.group.next_entry(author, Change::Leave, crate::people::NOW);
    to_value(&AppendEntry { entry: world.outsider.device.entry(&entry) })
}

/// Of a message that there is not: whoever may read the group may try.
fn unknown_message(world: &World, _: &Person) -> Option<Value> {
    let message = MessageId::from_bytes([9; 16]);
    let disclosed = json!({"message": message, "secret": "A".repeat(43)});
    Some(json!({
        "report": message,
        "conversation": world.group.id(),
        "reason": "spam",
        "messages": [disclosed],
    }))
}

/// Of a message that there is not: whoever may, may ask for that.
fn own_deletion(world: &World, person: &Person) -> Option<Value> {
    let deletion = person.device.deletion(world.group.id(), MessageId::from_bytes([9; 16]));
    to_value(&DeleteMessage { deletion })
}

/// Of a message that there is not: whoever may give the past, may try.
fn early_wrap(world: &World, _: &Person) -> Option<Value> {
    let wrap = |account| Wrap {
        scheme: WrapScheme::HpkeXwing,
        to: Recipient::Account(account),
        epoch: 1,
        bytes: Bytes::new(vec![7; 1_172]).unwrap(),
    };
    let members = world.channel.members();
    let wraps = members.map(|it| AddedWrap { sequence: 9, wrap: wrap(it.account) }).collect();
    to_value(&AddWraps { wraps: List::new(wraps).unwrap() })
}

fn to_value(body: &impl serde::Serialize) -> Option<Value> {
    Some(serde_json::to_value(body).unwrap())
}
