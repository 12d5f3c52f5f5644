//! Which types are secrets: all of them erase themselves, few of them can be copied.
//!
//! [`erases!`] says of a type that it is erased when it is dropped, and lets the compiler check it
//! field by field: a field that is added has to be named, as a secret or as none. Types that derive
//! `ZeroizeOnDrop` need no such line.
//!
//! | may be copied | why |
//! |---|---|
//! | `SecretBytes`, `AgreementSecret` | what ratchet states are made of |
//! | states of ratchets, sessions and sender chains, their keys | a state is a value: the next one is made beside it and stored, then it is dropped |
//! | `MessageSecret` | is wrapped for many, kept to wrap for one more, and shown to report a message |
//! | `KeyringLock` | the next one is made beside it and stored with what it sealed |
//! | `RecoveryPhrase` | is shown to the person while the account keeps it |
//! | `AttachmentDescription` | belongs to its message, to what opens it, and to whom it is forwarded |
//!
//! Where secrets, or digests and commitments that decide on one, are compared, `subtle` does it, in
//! constant time: message secrets (`wrap.rs`), header keys (`ratchet/header.rs`), backup and identity
//! keys of two keyrings (`keyring.rs`), commitments (`envelope/keys.rs`, `attachment/keys.rs`,
//! `backup/sealing.rs`, `linking/pairing.rs`), digests of what is read in parts (`attachment/opener.rs`,
//! `backup/reader.rs`). Tags are compared by the ciphers, the zero of X25519 by its crate.
//!
//! Secrets that are not in the table move and are never copied; the list below does not compile otherwise. What is
//! erased is shown by `tests/all/erasure.rs`, which looks for secrets in the process's own memory.

use zeroize::ZeroizeOnDrop;

/// Declares that a type erases itself, and checks its fields: `pattern => checks`.
macro_rules! erases {
    ($type:ident, $pattern:pat => $checks:block) => {
        impl zeroize::ZeroizeOnDrop for $type {}
        const _: fn(&$type) = |$pattern| $checks;
    };
}
pub(crate) use erases;

/// Compiles for what erases itself.
pub(crate) const fn erased<T: ZeroizeOnDrop + ?Sized>(_: &T) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles for a type that cannot be copied: for any other there are two traits to choose from.
    macro_rules! not_clone {
        ($($type:ty),* $(,)?) => {$(
            const _: fn() = || {
                trait Copied<T> {
                    fn is() {}
                }
                impl<T: ?Sized> Copied<()> for T {}
                struct AsClone;
                impl<T: ?Sized + Clone> Copied<AsClone> for T {}
                <$type as Copied<_>>::is();
            };
        )*};
    }

    not_clone!(
        crate::attachment::AttachmentOpener,
        crate::attachment::AttachmentPart,
        crate::attachment::AttachmentReader,
        crate::attachment::AttachmentSealer,
        crate::backup::BackupKey,
        crate::backup::Records,
        crate::backup::Segment,
        crate::handshake::SessionKey,
        crate::identity::DeviceSecrets,
        crate::identity::IdentitySecret,
        crate::keyring::Keyring,
        crate::linking::Admission,
        crate::linking::Admitted,
        crate::linking::Answered<crate::linking::New>,
        crate::linking::Candidate,
        crate::linking::Comparing<crate::linking::New>,
        crate::linking::Confirmed,
        crate::linking::Introduced,
        crate::linking::Showing<crate::linking::New>,
        crate::prekey::OneTimeSecret,
        crate::prekey::PrekeySecrets,
        crate::secret::KemSecret,
        crate::wrap::EnvelopeSecrets,
    );

    const fn erases<T: ZeroizeOnDrop>() {}

    const _: () = {
        erases::<crate::attachment::AttachmentDescription>();
        erases::<crate::attachment::AttachmentOpener>();
        erases::<crate::attachment::AttachmentPart>();
        erases::<crate::attachment::AttachmentReader>();
        erases::<crate::attachment::AttachmentSealer>();
        erases::<crate::backup::BackupKey>();
        erases::<crate::backup::Records>();
        erases::<crate::backup::Segment>();
        erases::<crate::handshake::SessionKey>();
        erases::<crate::identity::DeviceSecrets>();
        erases::<crate::identity::IdentitySecret>();
        erases::<crate::keyring::Keyring>();
        erases::<crate::keyring::KeyringLock>();
        erases::<crate::prekey::OneTimeSecret>();
        erases::<crate::prekey::PrekeySecrets>();
        erases::<crate::recovery::RecoveryPhrase>();
        erases::<crate::ratchet::Ratchet>();
        erases::<crate::secret::AgreementSecret>();
        erases::<crate::secret::KemSecret>();
        erases::<crate::secret::SecretBytes<32>>();
        erases::<crate::secret::SharedSecret>();
        erases::<crate::session::Sessions>();
        erases::<crate::wrap::Carried>();
        erases::<crate::wrap::EnvelopeSecrets>();
        erases::<crate::wrap::MessageSecret>();
    };
}
