//! Accounts: their names, public keys, and sealed keyring.
//!
//! Two of the caller's own things are replaced by signed objects that need no body of their own:
//! `PUT /v1/account/devices` takes [`PublishedDevices`] (the next list; this is how a device is
//! removed), `PUT /v1/account/envelope-keys` the next epoch of [`EnvelopeKeys`], signed.

use serde::{Deserialize, Serialize};

use crate::codec::Bytes;
use crate::device::PublishedDevices;
use crate::envelope::EnvelopeKeys;
use crate::id::{AccountId, WorkspaceId};
use crate::limits::KEYRING_BYTES_MAX;
use crate::signed::Unverified;
use crate::time::Timestamp;

/// `GET /v1/accounts/by-name/{username}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountName {
    /// The account.
    pub account: AccountId,
    /// Its username.
    pub username: String,
}

/// `GET /v1/accounts/{account}/keys`: everything public, to be verified.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountKeys {
    /// The account.
    pub account: AccountId,
    /// Its username, as the relay has it.
    pub username: String,
    /// Identity key, device list, certificates.
    pub devices: PublishedDevices,
    /// The newest epoch of envelope keys.
    pub envelope_keys: Unverified<EnvelopeKeys>,
    /// When the account was deleted. What is left of it is here: the public keys with which others
    /// check what it signed. No message is wrapped for it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// `GET /v1/account`: the caller's own account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OwnAccount {
    /// The account.
    pub account: AccountId,
    /// Its username.
    pub username: String,
    /// Its workspace.
    pub workspace: WorkspaceId,
}

/// `GET` and `PUT /v1/account/keyring`: opaque to the relay.
///
/// A `PUT` must carry the number after the stored one, else `conflict`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Keyring {
    /// 1 for the first, then rising by one.
    pub number: u64,
    /// The sealed keyring.
    pub sealed: Bytes<KEYRING_BYTES_MAX>,
}
