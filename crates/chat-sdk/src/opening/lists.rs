//! The device lists that sender and reader went by, compared.
//!
//! A relay that serves somebody an old list is found out by the numbers that travel with the next
//! message, in either direction.

use std::time::Duration;

use chat_core::device::AccountDevices;
use chat_core::envelope::Header;
use chat_core::id::AccountId;

use crate::context::Own;
use crate::event::Warning;

/// How long a new device list may take to everybody, clocks that differ included.
const LISTS_TRAVEL_FOR: Duration = Duration::from_secs(300);

/// The numbers of the device lists that a sender went by.
pub(super) struct Lists {
    /// Ours, where it was said.
    pub(super) ours: Option<u32>,
    /// The sender's own.
    pub(super) theirs: u32,
}

/// Compares the device lists that the sender went by with those that we know.
pub(super) fn compare(
    own: &Own,
    ours: Option<&AccountDevices>,
    theirs: &AccountDevices,
    lists: Lists,
    header: &Header,
) -> (Vec<AccountId>, Option<Warning>) {
    let mut stale = Vec::new();
    if lists.theirs > theirs.number() {
        stale.push(theirs.account());
    }
    let Some((ours, list)) = ours.zip(lists.ours) else { return (stale, None) };
    if list > ours.number() {
        stale.push(own.account());
    }
    // A message may have been on the road while our list grew; one that was sealed well after
    // that, by the sender's own clock, shows that the sender was not told.
    let grew_at = ours.list().created_at.after(LISTS_TRAVEL_FOR);
    let warning = (list < ours.number() && header.sent_at > grew_at)
        .then_some(Warning::DeviceListStale { account: theirs.account() });
    (stale, warning)
}
