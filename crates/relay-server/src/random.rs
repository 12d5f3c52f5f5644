//! Randomness for ids, nonces, tokens and OPAQUE: the thread's generator, seeded by the system.

use rand::Rng as _;

/// Draws `N` bytes.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// Draws a number below `end`; zero if that is zero.
#[must_use]
pub fn below(end: u64) -> u64 {
    u64::from_le_bytes(bytes()).checked_rem(end).unwrap_or_default()
}

/// The thread's generator, as the older traits of opaque-ke ask for it.
#[derive(Clone, Copy, Debug)]
pub struct OpaqueRng;

impl opaque_ke::rand::RngCore for OpaqueRng {
    fn next_u32(&mut self) -> u32 {
        rand::rng().next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        rand::rng().next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), opaque_ke::rand::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl opaque_ke::rand::CryptoRng for OpaqueRng {}
