//! Rules as operators write and read them: in days and mebibytes.

use serde::Serialize;

use super::{Hold, Rules};
use crate::clock::A_DAY;

const BYTES_A_MEBIBYTE: u64 = 1024 * 1024;

/// [`Rules`] in the units that they are set in; what is absent is not limited.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct WrittenRules {
    /// Days after which a message is gone.
    pub keep_days: Option<u32>,
    /// Whether a message is gone as soon as every device has it.
    pub until_delivered: bool,
    /// Mebibytes that an account may have stored.
    pub mebibytes_an_account: Option<u32>,
    /// Mebibytes that the workspace may have stored.
    pub mebibytes_a_workspace: Option<u32>,
}

impl From<WrittenRules> for Rules {
    fn from(written: WrittenRules) -> Self {
        let bytes = |mebibytes: u32| u64::from(mebibytes) * BYTES_A_MEBIBYTE;
        let days = |days: u32| A_DAY.saturating_mul(days);
        Self {
            keep: written.keep_days.map(days),
            hold: if written.until_delivered { Hold::UntilDelivered } else { Hold::Kept },
            account_bytes: written.mebibytes_an_account.map(bytes),
            workspace_bytes: written.mebibytes_a_workspace.map(bytes),
        }
    }
}

/// What does not come to whole days or mebibytes is rounded down.
impl From<Rules> for WrittenRules {
    fn from(rules: Rules) -> Self {
        let whole = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let mebibytes = |bytes: u64| whole(bytes / BYTES_A_MEBIBYTE);
        Self {
            keep_days: rules.keep.map(|keep| whole(keep.as_secs() / A_DAY.as_secs())),
            until_delivered: rules.hold == Hold::UntilDelivered,
            mebibytes_an_account: rules.account_bytes.map(mebibytes),
            mebibytes_a_workspace: rules.workspace_bytes.map(mebibytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let written = WrittenRules {
            keep_days: Some(u32::MAX),
            until_delivered: true,
            mebibytes_an_account: None,
            mebibytes_a_workspace: Some(1),
        };

        let rules = Rules::from(written);

        assert_eq!(rules.workspace_bytes, Some(1_048_576));
        assert_eq!(WrittenRules::from(rules), written);
    }
}
