//! REST bodies, one file per resource. All are JSON; see `docs/protocol/relay.md`.
//!
//! | routes | bodies |
//! |---|---|
//! | `/v1/auth/…` | [`auth`] |
//! | `/v1/accounts/…`, `/v1/account/…` | [`account`] |
//! | `/v1/prekeys/…` | [`prekeys`] |
//! | `/v1/conversations/…` | [`conversations`] |
//! | `/v1/blobs/…` | [`blobs`] |
//! | `/v1/account/backup/…` | [`backup`] |
//! | `/v1/devices/self/push` | [`push`] |
//! | `/v1/unread` | [`unread`] |
//! | `/v1/reports` | [`reports`] |
//! | `/v1/linking/…` | [`linking`] |
//! | `/v1/auth/recovery/…`, `/v1/account/password/…` | [`recovery`] |
//! | `/v1/workspace…`, `/v1/account/sessions`, `DELETE /v1/account` | [`workspaces`] |
//! | `/v1/limits`, `/healthz` | [`info`] |
//!
//! Every refusal is a [`Reject`](crate::reject::Reject).

pub mod account;
pub mod auth;
pub mod backup;
pub mod blobs;
pub mod conversations;
pub mod info;
pub mod linking;
pub mod prekeys;
pub mod push;
pub mod recovery;
pub mod reports;
pub mod unread;
pub mod workspaces;
