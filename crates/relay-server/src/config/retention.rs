//! Settings for how long messages are kept, and how many.

use std::fmt;
use std::path::Path;

use super::settings::Settings;
use crate::retention::{Rules, WrittenRules};

/// Takes the settings of `[retention]`.
pub(super) fn take(settings: &mut Settings) -> Rules {
    let until_delivered = settings.take("retention.until_delivered", yes_or_no);
    let written = WrittenRules {
        keep_days: settings.take("retention.keep_days", count),
        until_delivered: until_delivered.unwrap_or(false),
        mebibytes_an_account: settings.take("retention.mebibytes_an_account", count),
        mebibytes_a_workspace: settings.take("retention.mebibytes_a_workspace", count),
    };
    written.into()
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
    let written = WrittenRules::from(rules);
    if let Some(days) = written.keep_days {
        writeln!(f, "keep_days = {days}")?;
    }
    if written.until_delivered {
        writeln!(f, "until_delivered = true")?;
    }
    for (name, mebibytes) in [
        ("mebibytes_an_account", written.mebibytes_an_account),
        ("mebibytes_a_workspace", written.mebibytes_a_workspace),
    ] {
        if let Some(mebibytes) = mebibytes {
            writeln!(f, "{name} = {mebibytes}")?;
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
