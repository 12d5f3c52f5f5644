//! Vectors of identity, handshake and ratchet.
//!
//! Everything is computed twice: by chat-crypto, and by the few lines of [`spec`], which follow
//! `docs/protocol` and nothing else. The files hold every value in between, so that a third
//! implementation can find where it differs.

mod handshake;
mod identity;
mod ratchet;
mod spec;

use chat_crypto::identity::DeviceSecrets;
use chat_crypto::prekey::PrekeySecrets;
use minicbor::Decode;
use minicbor::bytes::ByteArray;
use rand_core::Rng as _;
use std::collections::BTreeMap;

use crate::people::{Person, rng};

/// The secrets of a device, as identity.md §5 says them.
#[derive(Decode)]
#[cbor(map)]
struct DeviceState {
    #[n(0)]
    signing: ByteArray<32>,
    #[n(1)]
    agreement: ByteArray<64>,
}

/// The secrets of a prekey set, as handshake.md §5 says them.
#[derive(Decode)]
#[cbor(map)]
struct PrekeyState {
    #[n(2)]
    signed: ByteArray<64>,
    #[n(3)]
    last_resort: ByteArray<64>,
    #[n(4)]
    one_time: BTreeMap<u16, OneTimeState>,
}

#[derive(Decode)]
#[cbor(map)]
struct OneTimeState {
    #[n(0)]
    agreement: ByteArray<64>,
    #[n(1)]
    kem: ByteArray<64>,
}

fn device_state(device: &DeviceSecrets) -> DeviceState {
    let (version, state): (u8, _) = minicbor::decode(&device.to_snapshot()).unwrap();
    assert_eq!(version, 1);
    state
}

fn prekey_state(prekeys: &PrekeySecrets) -> PrekeyState {
    let (version, state): (u8, _) = minicbor::decode(&prekeys.to_snapshot()).unwrap();
    assert_eq!(version, 1);
    state
}

fn secret(both: &[u8; 64]) -> [u8; 32] {
    both[..32].try_into().unwrap()
}

/// One side of a handshake, in the specification's terms.
fn party(person: &Person) -> spec::Party {
    spec::Party {
        account: *person.address.account.as_bytes(),
        device: *person.address.device.as_bytes(),
        identity: *person.keyring.identity().key().as_bytes(),
        agreement: *person.device.agreement().as_bytes(),
    }
}

/// What the generator with this seed draws, 32 bytes at a time.
fn drawn<const N: usize>(seed: u64) -> [[u8; 32]; N] {
    let mut rng = rng(seed);
    std::array::from_fn(|_| {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        bytes
    })
}
