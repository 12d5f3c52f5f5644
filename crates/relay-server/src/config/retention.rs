//! Settings for how long messages are kept, and how many.

use std::fmt;
use std::path::Path;

use super::A_DAY;
use super::settings::Settings;
use crate::retention::{Hold, Rules};

/// What quotas are given in.
const A_MEBIBYTE: u64 = 1024 * 1024;

/// Takes the settings of `[retention]`.
pub(super) fn take(settings: &mut Settings) -> Rules {
    let mebibytes = |text: &str| count(text).map(|count| u64::from(count) * A_MEBIBYTE);
    let until_delivered = settings.take("retention.until_delivered", yes_or_no).unwrap_or(false);
    Rules {
        keep: settings.take("retention.keep_days", count).map(|days| A_DAY * days),
        hold: if until_delivered { Hold::UntilDelivered } else { Hold::Kept },
        account_bytes: settings.take("retention.mebibytes_an_account", mebibytes),
        workspace_bytes: settings.take("retention.mebibytes_a_workspace", mebibytes),
    }
}

/// Writes them as they stand in a file; nothing where nothing was set.
pub(super) fn write(
    rules: Rules,
    archive: Option<&Path>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    if rules == Rules::default() && archive.is_none() {
        return Ok(());
    }
    writeln!(f, "\n[retention]")?;
    if let Some(keep) = rules.keep {
        writeln!(f, "keep_days = {}", keep.as_secs() / A_DAY.as_secs())?;
    }
    if rules.hold == Hold::UntilDelivered {
        writeln!(f, "until_delivered = true")?;
    }
    for (name, bytes) in [
        ("mebibytes_an_account", rules.account_bytes),
        ("mebibytes_a_workspace", rules.workspace_bytes),
    ] {
        if let Some(bytes) = bytes {
            writeln!(f, "{name} = {}", bytes / A_MEBIBYTE)?;
        }
    }
    match archive {
        Some(folder) => {
            let folder = toml::Value::from(folder.display().to_string());
            writeln!(f, "archive = {folder}")
        }
        None => Ok(()),
    }
}

fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    text.parse().map_err(|_| "true or false")
}

fn count(text: &str) -> Result<u32, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a whole number from 1 on"),
        Ok(count) => Ok(count),
    }
}
