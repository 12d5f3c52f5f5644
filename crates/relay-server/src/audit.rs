//! The security audit log: what was done, by whom, to whom; chained, so that cutting it shows.
//!
//! ```text
//!  note ─▶ queue ─▶ one task ─▶ Storage::append_audit
//!
//!  entry 1            entry 2            entry 3
//!  record ─┐          record ─┐          record ─┐
//!  hash 0 ─┴▶ hash 1 ────────┴▶ hash 2 ────────┴▶ hash 3      hash n = H(label ‖ hash n-1 ‖ record n)
//! ```
//!
//! An entry that was changed, taken out or put in breaks every hash behind it. Whoever can write
//! the database could make all of them anew; so note the last hash elsewhere from time to time
//! (`audit tail` shows it), and let `audit verify --anchor` compare.
//!
//! A record holds ids, the network an address belongs to, and words of this program. Absent:
//! content, names, keys, tokens, whole addresses, and who writes to whom.

mod chain;
mod event;
mod queue;

pub use chain::{Anchor, BrokenChain, Chained, follow, hash, verify};
pub use event::{AuditEvent, AuditRecord, Note, Outcome};
pub use queue::Audit;
