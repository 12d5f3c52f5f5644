//! Fetching prekey bundles; uploading them is `PUT /v1/prekeys` with a
//! [`PrekeyUpload`](crate::prekey::PrekeyUpload).

use serde::{Deserialize, Serialize};

use crate::codec::List;
use crate::id::DeviceAddress;
use crate::limits::BUNDLES_A_REQUEST_MAX;
use crate::prekey::PrekeyBundle;

/// `POST /v1/prekeys/fetch`: one request for all the devices of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FetchBundles {
    /// For which devices.
    pub devices: List<DeviceAddress, BUNDLES_A_REQUEST_MAX>,
}

/// The answer: a bundle for each device that has prekeys; each one-time prekey is spent by this.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bundles {
    /// In no particular order.
    pub bundles: List<PrekeyBundle, BUNDLES_A_REQUEST_MAX>,
}

/// `GET /v1/prekeys`: how many of the caller's own are left.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PrekeyCount {
    /// The number of the newest set; zero if there is none.
    pub number: u32,
    /// One-time prekeys left.
    pub remaining: u32,
}
