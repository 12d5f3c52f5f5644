//! A relay that does to a linking whatever comes to its mind, a few hundred times.

use chat_core::device::DeviceCertificate;
use chat_core::signed::Unverified;
use chat_crypto::emoji::Emoji;
use chat_crypto::linking::{Admission, EMOJI, Existing, LinkError, New, Showing};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;

use crate::household::{Household, NewDevice, scan, schemes};
use crate::people::{NOW, rng};

/// Carries messages, mostly.
struct Relay {
    rng: ChaCha20Rng,
    /// Everything that it ever saw, of other linkings too.
    seen: Vec<Vec<u8>>,
    meddled: bool,
}

impl Relay {
    /// What arrives in place of `message`; nothing before the deadline if it was dropped.
    fn carry(&mut self, message: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.seen.push(message.to_vec());
        let any = usize::try_from(self.rng.next_u32()).unwrap();
        let arrives = match self.rng.next_u32() % 24 {
            0 => Err(LinkError::Stale),
            1 => Ok(message[..any % message.len()].to_vec()),
            2 => Ok(flipped(message, any)),
            3 => Ok([message, &[0]].concat()),
            4 | 5 => Ok(self.seen[any % self.seen.len()].clone()),
            _ => Ok(message.to_vec()),
        };
        self.meddled |= arrives.as_deref() != Ok(message);
        arrives
    }
}

fn flipped(message: &[u8], bit: usize) -> Vec<u8> {
    let mut message = message.to_vec();
    let byte = bit / 8 % message.len();
    message[byte] ^= 1 << (bit % 8);
    message
}

/// How far a linking came.
#[derive(Default)]
struct Reached {
    emoji: Option<[[Emoji; EMOJI]; 2]>,
    admission: Option<Admission>,
    certificate: Option<Unverified<DeviceCertificate>>,
}

#[test]
fn a_relay_that_meddles_reaches_that_nothing_is_linked_and_no_more() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let mut relay = Relay { rng: rng(5), seen: Vec::new(), meddled: false };
    let (mut linked, mut ended) = (0, 0);

    for seed in 0..250 {
        relay.meddled = false;
        let mut reached = Reached::default();
        let outcome = linking(&household, &device, &mut relay, seed * 10, &mut reached);

        assert_eq!(outcome.is_ok(), !relay.meddled, "seed {seed}: {outcome:?}");
        assert_eq!(reached.certificate.is_some(), outcome.is_ok());
        if let Some([new, existing]) = reached.emoji {
            let agreed = new == existing;
            assert!(agreed || reached.admission.is_none(), "seed {seed}");
        }
        if let Some(certificate) = reached.certificate {
            let admission = reached.admission.unwrap();
            assert_eq!(admission.certificate().source(), &certificate);
            linked += 1;
        } else {
            ended += 1;
        }
    }

    assert!(linked > 20 && ended > 20, "{linked} linked, {ended} ended");
}

/// A linking of two people who confirm without looking.
fn linking(
    household: &Household,
    device: &NewDevice,
    relay: &mut Relay,
    seed: u64,
    reached: &mut Reached,
) -> Result<(), LinkError> {
    let showing = Showing::<New>::begin(NOW, &mut rng(seed));
    let scanned = scan::<Existing>(showing.code().as_bytes())?;
    let hello = relay.carry(showing.hello())?;
    let (answered, answer) = scanned.answer(&hello, NOW, &mut rng(seed + 1))?;
    let (new, reveal) = showing.answered(&relay.carry(&answer)?, NOW)?;
    let existing = answered.revealed(&relay.carry(&reveal)?, NOW)?;
    reached.emoji = Some([new.emoji(), existing.emoji()]);

    let (introduced, introduction) = new.confirm(device.id, &device.secrets, schemes());
    let candidate = existing.confirm().introduced(&relay.carry(&introduction)?, NOW)?;
    let Household { owner, lock, devices, .. } = household;
    let (admitted, admission) =
        candidate.admit(&owner.keyring, lock, devices, NOW, &mut rng(seed + 2))?;
    let admission = relay.carry(&admission)?;
    let (admission, receipt) = introduced.admitted(&admission, &device.secrets, NOW)?;
    reached.admission = Some(admission);
    reached.certificate = Some(admitted.received(&relay.carry(&receipt)?, NOW)?);
    Ok(())
}
