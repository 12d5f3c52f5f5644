//! How many connections there may be at once: in total, and from one address before log-in.
//!
//! ```text
//!  accept ─▶ admit(address) ─▶ Admitted ──settle()──▶ counts in the total only ──drop──▶ leaves
//!                │ too many                (logged in)
//!                └▶ closed at once; clients try elsewhere, or later
//! ```
//!
//! A declared proxy speaks for many: its connections count in the total only. The limit for an
//! address then falls to the proxy; how often its clients may do something is still limited here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Caps;
use crate::limits::Subject;

/// Counts the connections of this node.
#[derive(Clone, Debug)]
pub struct Admission {
    caps: Caps,
    present: Arc<Mutex<Present>>,
}

#[derive(Debug, Default)]
struct Present {
    total: u32,
    unsettled: HashMap<Subject, u32>,
}

/// There are too many connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TooMany {
    /// In total.
    #[error("there are too many connections")]
    InTotal,
    /// From this address.
    #[error("there are too many connections from this address")]
    FromAddress,
}

impl Admission {
    /// Admits as many as `caps` says.
    #[must_use]
    pub fn new(caps: Caps) -> Self {
        Self { caps, present: Arc::default() }
    }

    /// Counts a connection; nothing is counted for an address that is not given.
    ///
    /// # Errors
    ///
    /// [`TooMany`].
    pub fn admit(&self, address: Option<IpAddr>) -> Result<Arc<Admitted>, TooMany> {
        let subject = address.map(Subject::address);
        let mut present = self.lock();
        if present.total >= self.caps.connections {
            return Err(TooMany::InTotal);
        }
        if let Some(subject) = subject {
            let count = present.unsettled.get(&subject).copied().unwrap_or_default();
            if count >= self.caps.unauthenticated_an_address {
                return Err(TooMany::FromAddress);
            }
            present.unsettled.insert(subject, count + 1);
        }
        present.total += 1;
        Ok(Arc::new(Admitted { admission: self.clone(), unsettled: Mutex::new(subject) }))
    }

    /// How many there are now.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        // What the lock guards is whole between any two statements.
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub struct Admitted {
    admission: Admission,
    unsettled: Mutex<Option<Subject>>,
}

impl Admitted {
    /// Somebody has logged in: the address has room for another.
    pub fn settle(&self) {
        let subject = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(subject) = subject else { return };
        let mut present = self.admission.lock();
        if let Some(count) = present.unsettled.get_mut(&subject) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                present.unsettled.remove(&subject);
            }
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.settle();
        let mut present = self.admission.lock();
        present.total = present.total.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_gets_its_share_and_no_more() {
        let admission = Admission::new(Caps { unauthenticated_an_address: 2, ..Caps::DEFAULT });
        let first = admission.admit(address("2001:db8::1")).unwrap();
        let _second = admission.admit(address("2001:db8::2")).unwrap();

        assert_eq!(admission.admit(address("2001:db8::3")).err(), Some(TooMany::FromAddress));
        assert!(admission.admit(address("192.0.2.1")).is_ok());
        drop(first);
        assert!(admission.admit(address("2001:db8::3")).is_ok());
    }

    #[test]
    fn who_has_logged_in_counts_in_the_total_only() {
        let caps = Caps { unauthenticated_an_address: 1, connections: 2, ..Caps::DEFAULT };
        let admission = Admission::new(caps);
        let phone = admission.admit(address("192.0.2.1")).unwrap();

        phone.settle();
        phone.settle();

        let laptop = admission.admit(address("192.0.2.1")).unwrap();
        assert_eq!(admission.admit(address("192.0.2.1")).err(), Some(TooMany::InTotal));
        assert_eq!(admission.admit(None).err(), Some(TooMany::InTotal));
        drop((phone, laptop));
        assert_eq!(admission.count(), 0);
        assert!(admission.lock().unsettled.is_empty());
    }
}
