//! Who is limited.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use chat_core::codec::Digest;
use chat_core::id::{AccountId, ConversationId, DeviceAddress};

/// Who is limited.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// An account.
    Account(AccountId),
    /// A device.
    Device(DeviceAddress),
    /// An account in one conversation.
    Member(AccountId, ConversationId),
    /// A username, known or not, by its digest.
    Name(Digest),
    /// An IPv4 address or an IPv6 /64.
    Address(IpAddr),
}

impl Subject {
    /// The subject that a network address counts as: in IPv6 its /64, which is what one household
    /// is given.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.into()),
            IpAddr::V6(address) => {
                let prefix = address.to_bits() & !u128::from(u64::MAX);
                Self::Address(Ipv6Addr::from_bits(prefix).into())
            }
        }
    }
}

/// As it is named among the nodes.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "a:{account}"),
            Self::Device(address) => write!(f, "d:{address}"),
            Self::Member(account, conversation) => write!(f, "m:{account}:{conversation}"),
            Self::Name(digest) => {
                f.write_str("n:")?;
                digest.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Address(address) => write!(f, "i:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_is_one_subject() {
        let here: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let beside: IpAddr = "2001:db8:1:2:ffff::9".parse().unwrap();
        let elsewhere: IpAddr = "2001:db8:1:3::1".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let plain: IpAddr = "192.0.2.1".parse().unwrap();

        assert_eq!(Subject::address(here), Subject::address(beside));
        assert_ne!(Subject::address(here), Subject::address(elsewhere));
        assert_eq!(Subject::address(mapped), Subject::address(plain));
    }

    #[test]
    fn no_two_subjects_share_a_name() {
        let (account, other) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        let device = chat_core::id::DeviceId::from_bytes([1; 16]);
        let subjects = [
            Subject::Account(account),
            Subject::Account(other),
            Subject::Device(DeviceAddress { account, device }),
            Subject::Member(account, ConversationId::from_bytes([1; 16])),
            Subject::Name(Digest::of(b"alice")),
            Subject::Address("192.0.2.1".parse().unwrap()),
            Subject::Address("2001:db8::".parse().unwrap()),
        ];

        let mut names: Vec<_> = subjects.iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();

        assert_eq!(names.len(), subjects.len());
    }
}
