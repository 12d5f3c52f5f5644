//! Which schema a relay works on: its own, or a newer one that was made with it in mind.
//!
//! ```text
//!  found < known                              steps are taken, if that is wanted
//!  found = known                              nothing to do
//!  found > known, compatible_since ≤ known    a newer relay has been here and left room for this one
//!  found > known, compatible_since > known    refused
//! ```
//!
//! So the nodes of one version may go on, and start again, while the next version's are brought in.

use std::borrow::Cow;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::StorageError;

/// A step of a schema: the version it leads to, its name, and its statements.
pub(crate) type Step = (i64, &'static str, &'static str);

/// The newest step that was taken.
pub(super) const FOUND: &str = "SELECT max(version) FROM _sqlx_migrations";
/// The oldest schema whose relays can work on what is there.
pub(super) const SINCE: &str = "SELECT number FROM metadata WHERE name = 'compatible_since'";

/// What to do about a schema that is not this relay's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Schema {
    /// Bring an older one up to date.
    #[default]
    Migrate,
    /// Refuse an older one.
    AsItIs,
    /// Bring it up to date although a restore is not finished; for whoever finishes it.
    Unfinished,
}

/// Whether steps are to be taken from the schema `found` to the one that is `known`.
pub(super) fn wants_steps(
    found: Option<i64>,
    compatible_since: Option<i64>,
    known: i64,
    wanted: Schema,
) -> Result<bool, StorageError> {
    match found {
        Some(found) if found > known => match compatible_since {
            Some(since) if since <= known => Ok(false),
            _ => Err(StorageError::TooNew { found, known }),
        },
        // Which steps were taken, and whether they were these, is the migrator's to check.
        found => match wanted {
            Schema::AsItIs if found != Some(known) => {
                Err(StorageError::TooOld { found: found.unwrap_or_default(), known })
            }
            Schema::AsItIs => Ok(false),
            Schema::Migrate | Schema::Unfinished => Ok(true),
        },
    }
}

/// The version that the last of these steps leads to.
pub(crate) fn newest(steps: &[Step]) -> i64 {
    steps.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

/// Takes the steps that are missing.
pub(super) fn migrator(steps: &[Step]) -> Migrator {
    let steps = steps.iter().map(|(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(steps.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_worked_on_if_it_leaves_room() {
        let newer = |since| wants_steps(Some(9), since, 7, Schema::Migrate);

        assert_eq!(newer(Some(7)), Ok(false));
        assert_eq!(newer(Some(8)), Err(StorageError::TooNew { found: 9, known: 7 }));
        assert_eq!(newer(None), Err(StorageError::TooNew { found: 9, known: 7 }));
    }

    #[test]
    fn an_older_schema_is_changed_only_if_that_is_wanted() {
        let older = |wanted| wants_steps(Some(3), None, 7, wanted);

        assert_eq!(older(Schema::Migrate), Ok(true));
        assert_eq!(older(Schema::AsItIs), Err(StorageError::TooOld { found: 3, known: 7 }));
        assert_eq!(
            wants_steps(None, None, 7, Schema::AsItIs),
            Err(StorageError::TooOld { found: 0, known: 7 })
        );
        assert_eq!(wants_steps(Some(7), None, 7, Schema::AsItIs), Ok(false));
    }
}
