//! Live views: what an app shows of a conversation, or of all of them, and what changes in it.
//!
//! ```text
//!  store ──commit──▶ look again ──▶ what differs from what was handed out ──▶ [Diff] ──▶ app
//!                       ▲
//!            load earlier, fill a gap
//! ```
//!
//! A view is read from the store, and so are its changes: nothing is passed on that could be missed,
//! doubled or come in another order than it was committed. Nothing waits for a view that is not
//! asked, and one that is slow gets everything at once when it asks again: as a
//! [`Diff::Reset`], where most has changed. Applied to what was there before, the changes always
//! give what the store holds.

mod diff;
mod list;
mod past;
mod timeline;
mod watch;

pub use self::diff::Diff;
pub use self::list::{ConversationList, Summary};
pub(crate) use self::past::{fetch as fetch_past, fetch_newest};
pub use self::timeline::{Earlier, Item, Pager, Timeline};
pub use crate::store::history::Gap;

#[cfg(test)]
mod tests;
