//! Every domain-separation label, in one list.
//!
//! A signature or a derived key made for one purpose must mean nothing for another, so each
//! purpose has a label of its own, and all labels stand here, where two alike would be seen.
//! Normative: `docs/protocol/wire.md` §4.

/// What a signature or a derivation is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Label(&'static str);

impl Label {
    /// The label's bytes, at most 255 ASCII characters.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        self.0.as_bytes()
    }
}

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Label = Label($text);)*

        /// All of them.
        pub const ALL: &[Label] = &[$($name),*];
    };
}

labels! {
    // Signatures by an account's identity key.
    /// A device certificate.
    DEVICE_CERTIFICATE = "sealwire/1/sign/device-certificate";
    /// A device list.
    DEVICE_LIST = "sealwire/1/sign/device-list";
    /// An epoch of account envelope keys.
    ENVELOPE_KEYS = "sealwire/1/sign/envelope-keys";

    // Signatures by a device key.
    /// A prekey set.
    PREKEY_SET = "sealwire/1/sign/prekey-set";
    /// A membership entry.
    MEMBERSHIP_ENTRY = "sealwire/1/sign/membership-entry";
    /// A deletion.
    DELETION = "sealwire/1/sign/deletion";
    /// A receipt.
    RECEIPT = "sealwire/1/sign/receipt";
    /// A device's answer to a log-in challenge.
    DEVICE_LOGIN = "sealwire/1/sign/device-login";
    /// A device's claim to a refresh token that was spent a moment ago.
    REFRESH = "sealwire/1/sign/refresh";
    /// What answers for a recovery phrase to a log-in challenge.
    RECOVERY_LOGIN = "sealwire/1/sign/recovery-login";
    /// A device's word that its account is to be deleted.
    ACCOUNT_DELETION = "sealwire/1/sign/account-deletion";
    /// Content of a message whose wraps do not authenticate its sender.
    CONTENT = "sealwire/1/sign/content";

    /// What a device says of its keys when it is linked.
    LINK_INTRODUCTION = "sealwire/1/sign/link-introduction";

    // Signatures by the key of a sender chain.
    /// A message on a sender chain.
    SENDER_CHAIN = "sealwire/1/sign/sender-chain";

    // Derivations: handshake and ratchet.
    /// The shared secret of a handshake.
    HANDSHAKE = "sealwire/1/kdf/handshake";
    /// The first root and header keys of a session.
    SESSION_START = "sealwire/1/kdf/session-start";
    /// A step of the root chain.
    ROOT_CHAIN = "sealwire/1/kdf/root-chain";
    /// A step of the root chain that ends a post-quantum exchange.
    PQ_ROOT_CHAIN = "sealwire/1/kdf/pq-root-chain";
    /// The next chain key.
    CHAIN_KEY = "sealwire/1/kdf/chain-key";
    /// A message key.
    MESSAGE_KEY = "sealwire/1/kdf/message-key";
    /// Cipher key and nonce of one session message.
    MESSAGE_CIPHER = "sealwire/1/kdf/message-cipher";

    // Derivations: envelope.
    /// Key, nonce and commitment of an envelope.
    ENVELOPE = "sealwire/1/kdf/envelope";
    /// What ties wraps to a payload.
    BINDING = "sealwire/1/hash/binding";
    /// What a wrap is made for: scheme, recipient, epoch.
    WRAP = "sealwire/1/kdf/wrap";
    /// The recipients that a signed message names.
    RECIPIENTS = "sealwire/1/hash/recipients";

    // Derivations: sender chains.
    /// The next key of a sender chain.
    SENDER_CHAIN_KEY = "sealwire/1/kdf/sender-chain-key";
    /// A message key of a sender chain.
    SENDER_MESSAGE_KEY = "sealwire/1/kdf/sender-message-key";
    /// What a sender chain is: whose, where, for whom.
    SENDER_CHAIN_ID = "sealwire/1/hash/sender-chain-id";
    /// The devices that a sender chain is handed out to.
    SENDER_AUDIENCE = "sealwire/1/hash/sender-audience";

    // Derivations: keyring, recovery, comparison.
    /// The seed of the key pair that a password's export key stands for.
    KEYRING_PASSWORD = "sealwire/1/kdf/keyring-password";
    /// The seed of the key pair that a recovery phrase stands for.
    KEYRING_PHRASE = "sealwire/1/kdf/keyring-phrase";
    /// The seed of the key that answers for a recovery phrase.
    RECOVERY_KEY = "sealwire/1/kdf/recovery-key";
    /// The key of the keyring's lock, sealed for one of those.
    KEYRING_LOCK = "sealwire/1/kdf/keyring-lock";
    /// The keyring itself.
    KEYRING = "sealwire/1/aad/keyring";
    /// A safety number.
    SAFETY_NUMBER = "sealwire/1/hash/safety-number";

    // Derivations: attachments.
    /// What an attachment's blob begins with: shows which key and size it was sealed with.
    ATTACHMENT_COMMITMENT = "sealwire/1/kdf/attachment-commitment";
    /// Cipher key and nonce prefix for the chunks of one run.
    ATTACHMENT_RUN = "sealwire/1/kdf/attachment-run";
    /// The digest of a blob.
    ATTACHMENT_DIGEST = "sealwire/1/hash/attachment";

    // Derivations: linking.
    /// The nonce that the device with the code commits to.
    LINK_COMMITMENT = "sealwire/1/hash/link-commitment";
    /// Everything that was said before the emoji.
    LINK_TRANSCRIPT = "sealwire/1/hash/link-transcript";
    /// What two devices agree on.
    LINK_CHANNEL = "sealwire/1/kdf/link-channel";
    /// The emoji that people compare.
    LINK_EMOJI = "sealwire/1/kdf/link-emoji";
    /// Cipher key and nonce of one message.
    LINK_MESSAGE = "sealwire/1/kdf/link-message";
    /// What proves the agreement key of the new device.
    LINK_RECEIPT = "sealwire/1/kdf/link-receipt";

    // Derivations: backup of history.
    /// Key, nonce and commitment of a segment.
    BACKUP_SEGMENT = "sealwire/1/kdf/backup-segment";
    /// Key, nonce and commitment of a head.
    BACKUP_HEAD = "sealwire/1/kdf/backup-head";
    /// The digest that a segment's successor, or the head, names it by.
    BACKUP_LINK = "sealwire/1/hash/backup-segment";

    // Derivations: the relay's own.
    /// A key that signs access tokens.
    TOKEN_KEY = "sealwire/1/kdf/token-key";
    /// A refresh token from the one before it.
    REFRESH_TOKEN = "sealwire/1/kdf/refresh-token";
    /// An entry of the relay's audit log and those before it.
    AUDIT = "sealwire/1/hash/audit";
    /// The checksum of a block of a blob, as the relay stores it.
    BLOB_BLOCK = "sealwire/1/hash/blob-block";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_is_another_or_begins_another() {
        for (place, label) in ALL.iter().enumerate() {
            for other in &ALL[place + 1..] {
                assert!(!other.0.starts_with(label.0), "{label:?} begins {other:?}");
                assert!(!label.0.starts_with(other.0), "{other:?} begins {label:?}");
            }
        }
    }

    #[test]
    fn every_label_fits_its_length_byte_and_is_ascii() {
        assert!(ALL.iter().all(|label| label.0.len() < 256 && label.0.is_ascii()));
    }
}
