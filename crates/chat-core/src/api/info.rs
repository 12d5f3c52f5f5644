//! What a relay says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::WorkspaceId;

/// `GET /v1/limits`: what this relay allows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limits {
    /// Largest payload, in bytes.
    pub payload_bytes_max: usize,
    /// Largest frame, in bytes.
    pub frame_bytes_max: usize,
    /// Largest REST body, in bytes.
    pub body_bytes_max: usize,
    /// Most wraps of a message.
    pub wraps_max: usize,
    /// Most members of a group.
    pub group_members_max: usize,
    /// Most members of a channel.
    pub channel_members_max: usize,
    /// Most devices of an account.
    pub devices_max: usize,
    /// Most unacknowledged deliveries.
    pub delivery_window_messages: usize,
    /// Largest blob, in bytes.
    pub blob_bytes_max: u64,
    /// Most bytes that one request may upload of a blob.
    pub blob_piece_bytes_max: u64,
    /// Most bytes that all blobs of an account may have.
    pub blob_bytes_an_account: u64,
    /// Most blobs that one message may name.
    pub blobs_a_message: usize,
    /// MiB of blobs an account may upload and fetch in fifteen minutes.
    pub blob_mebibytes_a_quarter_hour: u32,
    /// Messages an account may send in a minute.
    pub messages_a_minute: u32,
    /// How often an account may say in a minute that it types, in each conversation.
    pub typing_a_minute: u32,
    /// WebSocket connections a device may make in a minute.
    pub connections_a_minute: u32,
    /// Log-ins by password in fifteen minutes, for each username and each address.
    pub logins_a_quarter_hour: u32,
    /// Registrations in three minutes from one address.
    pub registrations_in_3_minutes: u32,
    /// Requests for prekey bundles an account may make in a minute.
    pub fetches_a_minute: u32,
    /// REST requests an account may make in fifteen minutes; an address that has not logged in may
    /// make a tenth of it.
    pub requests_a_quarter_hour: u32,
    /// WebSocket connections of one account at once.
    pub connections_an_account: u32,
    /// Seconds that the body of a request may take to arrive.
    pub body_seconds: u32,
    /// Seconds that a request and its answer may take in all.
    pub request_seconds: u32,
    /// Where new accounts belong.
    pub default_workspace: WorkspaceId,
}

/// `GET /healthz` and `GET /readyz`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// `ok`, or what is wrong.
    pub status: String,
    /// The relay's version.
    pub version: String,
    /// How what the relay needs is doing, by its name: `ok`, or what is wrong with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, String>,
}
