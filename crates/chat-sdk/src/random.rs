//! Randomness as the SDK draws it: from the operating system, or in tests from a seed.
//!
//! chat-crypto takes a generator as a parameter; this is the only place that knows where one
//! comes from. Each caller gets a generator of its own, so no lock is held while keys are made.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{StdRng, SysRng};
use rand_core::{Rng as _, SeedableRng as _, TryCryptoRng, TryRng, UnwrapErr};

use crate::error::{Kind, Result};

/// Where randomness comes from; clones share it.
#[derive(Clone)]
pub struct Randomness(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Randomness {
    /// The operating system's generator.
    ///
    /// # Errors
    ///
    /// [`Kind::Internal`] if there is none.
    pub fn system() -> Result<Self> {
        let mut byte = [0];
        SysRng.try_fill_bytes(&mut byte).map_err(|error| Kind::Internal.because(error))?;
        Ok(Self(Source::System))
    }

    /// A generator that gives the same numbers for the same seed. For tests only.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// A generator for one caller.
    #[must_use]
    pub fn rng(&self) -> Rng {
        match &self.0 {
            Source::System => Rng(Generator::System(UnwrapErr(SysRng))),
            Source::Seeded(seed) => {
                let mut seed = seed.lock().unwrap_or_else(PoisonError::into_inner);
                Rng(Generator::Seeded(Box::new(StdRng::from_rng(&mut *seed))))
            }
        }
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness(..)")
    }
}

/// A cryptographic generator.
pub struct Rng(Generator);

enum Generator {
    // INVARIANT: `Randomness::system` has read from it once; it does not fail afterwards.
    System(UnwrapErr<SysRng>),
    Seeded(Box<StdRng>),
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(match &mut self.0 {
            Generator::System(rng) => rng.next_u32(),
            Generator::Seeded(rng) => rng.next_u32(),
        })
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(match &mut self.0 {
            Generator::System(rng) => rng.next_u64(),
            Generator::Seeded(rng) => rng.next_u64(),
        })
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match &mut self.0 {
            Generator::System(rng) => rng.fill_bytes(bytes),
            Generator::Seeded(rng) => rng.fill_bytes(bytes),
        }
        Ok(())
    }
}

impl TryCryptoRng for Rng {}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_each_caller_other_numbers_and_each_run_the_same() {
        let (first, second) = (Randomness::seeded(1), Randomness::seeded(1));

        let (a, b) = (first.rng().next_u64(), first.rng().next_u64());

        assert_ne!(a, b);
        assert_eq!((a, b), (second.rng().next_u64(), second.rng().next_u64()));
    }

    #[test]
    fn the_system_does_not_repeat_itself() {
        let randomness = Randomness::system().unwrap();
        let mut bytes = [[0; 32]; 2];

        bytes.iter_mut().for_each(|bytes| randomness.rng().fill_bytes(bytes));

        assert_ne!(bytes[0], bytes[1]);
    }
}
