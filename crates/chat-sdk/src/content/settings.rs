//! What one device of an account tells the others: `{ 0: [register] }`.
//!
//! ```text
//!  register   { 0: name, 1: subject, 2: value, 3: counter, 4: device }
//! ```
//!
//! Counts only in a conversation of the account with itself. Names that are not known are kept: a
//! newer version may know them.

use chat_core::codec::{Bytes, List, from_bytes, to_bytes};
use chat_core::id::DeviceId;
use minicbor::{Decode, Encode};

use crate::error::{Kind, Result};

pub(super) const KIND: &str = "settings";

/// Most registers of one message.
pub const REGISTERS_A_MESSAGE_MAX: usize = 256;
/// Longest name of a register, in bytes.
const NAME_BYTES_MAX: usize = 32;
/// Longest subject: an id.
const SUBJECT_BYTES_MAX: usize = 16;
/// Longest value.
const VALUE_BYTES_MAX: usize = 4096;

/// Something that an account has settled, and when in the count of its devices.
#[derive(Clone, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
#[non_exhaustive]
pub struct Register {
    /// What it is about.
    #[n(0)]
    pub name: String,
    /// Which conversation or account it is about, if it is.
    #[n(1)]
    pub subject: Bytes<SUBJECT_BYTES_MAX>,
    /// What was settled.
    #[n(2)]
    pub value: Bytes<VALUE_BYTES_MAX>,
    /// Higher than any that the device had seen.
    #[n(3)]
    pub counter: u64,
    /// The device that settled it.
    #[n(4)]
    pub device: DeviceId,
}

impl Register {
    /// A register.
    ///
    /// # Errors
    ///
    /// [`Kind::TooLarge`] beyond a limit.
    pub fn new(
        name: String,
        subject: Vec<u8>,
        value: Vec<u8>,
        counter: u64,
        device: DeviceId,
    ) -> Result<Self> {
        if name.len() > NAME_BYTES_MAX {
            return Err(Kind::TooLarge.into());
        }
        let subject = Bytes::new(subject).map_err(|error| Kind::TooLarge.because(error))?;
        let value = Bytes::new(value).map_err(|error| Kind::TooLarge.because(error))?;
        Ok(Self { name, subject, value, counter, device })
    }
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Register({}, {}, ..)", self.name, self.counter)
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    registers: List<Register, REGISTERS_A_MESSAGE_MAX>,
}

pub(super) fn encode(registers: &[Register]) -> Result<Vec<u8>> {
    let registers = List::new(registers.to_vec()).map_err(|error| Kind::TooLarge.because(error))?;
    Ok(to_bytes(&Body { registers }))
}

pub(super) fn decode(body: &[u8]) -> Option<Vec<Register>> {
    let registers = from_bytes::<Body>(body).ok()?.registers.into_vec();
    registers.iter().all(|register| register.name.len() <= NAME_BYTES_MAX).then_some(registers)
}
