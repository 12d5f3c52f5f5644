//! The backup of an account's history: what a new device gets its old messages from.
//!
//! Absent on purpose: what a record means, where segments are kept, when the next one is due.
//! Normative: `docs/protocol/backup.md`.

mod key;

pub use self::key::BackupKey;
