//! The objects once more, as `docs/protocol` says them: deterministic CBOR by hand, and SHA-256.

use chat_core::deletion::Deletion;
use chat_core::device::{DeviceCertificate, DeviceList};
use chat_core::envelope::Expiry;
use chat_core::id::DeviceAddress;
use chat_core::membership::{Change, Member, MembershipEntry, Policy};
use chat_core::receipt::Receipt;
use sha2::{Digest as _, Sha256};

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A major type and its shortest argument (RFC 8949 §4.2.1).
fn head(major: u8, argument: u64) -> Vec<u8> {
    let big = argument.to_be_bytes();
    let (short, bytes) = match argument {
        0..24 => return vec![major << 5 | big[7]],
        24..0x100 => (24, &big[7..]),
        0x100..0x1_0000 => (25, &big[6..]),
        0x1_0000..0x1_0000_0000 => (26, &big[4..]),
        _ => (27, &big[..]),
    };
    [&[major << 5 | short], bytes].concat()
}

pub(crate) fn uint(number: impl Into<u64>) -> Vec<u8> {
    head(0, number.into())
}

pub(crate) fn bytes(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len() as u64), bytes.to_vec()].concat()
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    [head(3, text.len() as u64), text.as_bytes().to_vec()].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len() as u64), items.concat()].concat()
}

pub(crate) fn map(fields: &[(u64, Vec<u8>)]) -> Vec<u8> {
    assert!(fields.is_sorted_by(|(one, _), (next, _)| one < next));
    let fields: Vec<_> =
        fields.iter().flat_map(|(key, value)| [uint(*key), value.clone()]).collect();
    [head(5, fields.len() as u64 / 2), fields.concat()].concat()
}

pub(super) fn address(address: DeviceAddress) -> Vec<u8> {
    map(&[(0, bytes(address.account.as_bytes())), (1, bytes(address.device.as_bytes()))])
}

/// membership.md §2.
pub(super) fn entry(entry: &MembershipEntry) -> Vec<u8> {
    let mut fields = vec![(0, uint(entry.version))];
    if let Some(conversation) = entry.conversation {
        fields.push((1, bytes(conversation.as_bytes())));
    }
    fields.extend([
        (2, uint(entry.index)),
        (3, bytes(entry.previous.as_bytes())),
        (4, address(entry.author)),
        (5, uint(entry.at.as_millis())),
        (6, change(&entry.change)),
    ]);
    map(&fields)
}

fn change(change: &Change) -> Vec<u8> {
    let (number, fields) = match change {
        Change::Create { kind, workspace, members: first, policy: rules, nonce, document } => {
            let mut fields = vec![
                (0, uint(*kind as u8 + 1)),
                (1, bytes(workspace.as_bytes())),
                (2, members(first)),
                (3, policy(rules)),
                (4, bytes(nonce)),
            ];
            if let Some(document) = document {
                fields.push((5, text(document)));
            }
            (1u8, fields)
        }
        Change::Add { members: new } => (2, vec![(0, members(new))]),
        Change::Remove { account } => (3, vec![(0, bytes(account.as_bytes()))]),
        Change::Leave => (4, vec![]),
        Change::SetRole { account, role } => {
            (5, vec![(0, bytes(account.as_bytes())), (1, uint(*role as u8 + 1))])
        }
        Change::SetPolicy { policy: rules } => (6, vec![(0, policy(rules))]),
        Change::Join => (7, vec![]),
    };
    array(&[uint(number), map(&fields)])
}

fn members(members: &[Member]) -> Vec<u8> {
    let members: Vec<_> = members
        .iter()
        .map(|one| map(&[(0, bytes(one.account.as_bytes())), (1, uint(one.role as u8 + 1))]))
        .collect();
    array(&members)
}

fn policy(policy: &Policy) -> Vec<u8> {
    let mut fields = vec![
        (0, uint(policy.post as u8 + 1)),
        (1, uint(policy.add as u8 + 1)),
        (2, uint(policy.rename as u8 + 1)),
        (3, uint(policy.scheme as u8 + 1)),
    ];
    if let Some(Expiry { mode, after_ms }) = policy.timer {
        fields.push((4, map(&[(0, uint(mode as u8 + 1)), (1, uint(after_ms))])));
    }
    if let Some(allowed) = policy.delete {
        fields.push((5, uint(allowed as u8 + 1)));
    }
    // What is as it is by default is not written.
    let rules = [(6, policy.join as u8), (7, policy.history as u8), (8, policy.departed as u8)];
    fields.extend(rules.into_iter().filter(|(_, n)| *n > 0).map(|(key, n)| (key, uint(n + 1))));
    map(&fields)
}

/// deletion.md §2.
pub(super) fn deletion(deletion: &Deletion) -> Vec<u8> {
    map(&[
        (0, uint(deletion.version)),
        (1, bytes(deletion.conversation.as_bytes())),
        (2, bytes(deletion.message.as_bytes())),
        (3, address(deletion.author)),
        (4, uint(deletion.at.as_millis())),
    ])
}

/// membership.md §8.
pub(super) fn receipt(receipt: &Receipt) -> Vec<u8> {
    map(&[
        (0, uint(receipt.version)),
        (1, bytes(receipt.conversation.as_bytes())),
        (2, address(receipt.reader)),
        (3, uint(receipt.kind as u8 + 1)),
        (4, uint(receipt.up_to)),
        (5, uint(receipt.at.as_millis())),
    ])
}

/// identity.md §4.
pub(super) fn certificate(certificate: &DeviceCertificate) -> Vec<u8> {
    let schemes: Vec<_> =
        certificate.schemes.iter().map(|scheme| uint(*scheme as u8 + 1)).collect();
    map(&[
        (0, uint(certificate.version)),
        (1, address(certificate.address)),
        (2, bytes(certificate.key.as_bytes())),
        (3, bytes(certificate.agreement.as_bytes())),
        (4, array(&schemes)),
        (5, uint(certificate.created_at.as_millis())),
    ])
}

/// identity.md §4.
pub(super) fn list(list: &DeviceList) -> Vec<u8> {
    let devices: Vec<_> = list
        .devices
        .iter()
        .map(|listed| {
            let mut fields = vec![
                (0, bytes(listed.device.as_bytes())),
                (1, bytes(listed.certificate.as_bytes())),
            ];
            fields.extend(listed.removed_at.map(|at| (2, uint(at.as_millis()))));
            map(&fields)
        })
        .collect();
    map(&[
        (0, uint(list.version)),
        (1, bytes(list.account.as_bytes())),
        (2, uint(list.number)),
        (3, bytes(list.previous.as_bytes())),
        (4, array(&devices)),
        (5, uint(list.created_at.as_millis())),
    ])
}
