//! Vectors of the backup: `docs/protocol/backup.md`.

use chat_crypto::backup::{BackupHead, Records};
use rand_core::Rng as _;
use serde_json::{Value, json};

use super::{check, hex};
use crate::backups::spec::{self, Key, Sealed};
use crate::people::{Person, rng};

const RECORDS: [&[&[u8]]; 3] = [&[b"first", b"second"], &[], &[&[b'x'; 5000]]];

#[test]
fn backups_are_as_written() {
    let mut keyring = Person::new(1).keyring;
    let account = keyring.account();
    let mut rng = rng(3);
    let mut head = BackupHead::begin(&mut rng);
    let mut steps = Vec::new();
    for (round, texts) in RECORDS.into_iter().enumerate() {
        if round == 2 {
            keyring.rotate_backup_key(&mut rng).unwrap();
        }
        let mut records = Records::new();
        texts.iter().for_each(|text| records.push(text, None).unwrap());

        let segment_salt = salt(&rng);
        let (segment, next) = head.append(&keyring, &records, &mut rng);
        let head_salt = salt(&rng);
        let sealed_head = next.seal(&keyring, &mut rng);
        head = next;

        let number = u32::try_from(keyring.backup_key_number()).unwrap();
        let key = Key(number, *keyring.backup_key().as_bytes());
        let place = spec::place(account, head.backup(), *head.segments().end());
        steps.push(json!({
            "segment": step(&key, &place, &segment, segment_salt),
            "head": head_step(&key, account, &sealed_head, head_salt),
        }));
    }

    let case = json!({
        "account": hex(account.as_bytes()),
        "backup": hex(head.backup()),
        "steps": steps,
    });
    check("backup.json", &json!({ "specification": "backup.md §3, §4, §5", "cases": [case] }));
}

/// What the next 32 bytes of the generator are.
fn salt(rng: &rand_chacha::ChaCha20Rng) -> [u8; 32] {
    let mut salt = [0; 32];
    rng.clone().fill_bytes(&mut salt);
    salt
}

fn step(key: &Key, place: &[u8], segment: &[u8], salt: [u8; 32]) -> Value {
    // The same by nothing but primitives.
    let content = key.open_segment(place, segment);
    assert_eq!(key.seal_segment(place, &content, salt), segment);
    let digest = spec::digest(segment);
    let mut json = sealed(key, b"sealwire/1/kdf/backup-segment", place, segment);
    json["records"] = content.records.iter().map(|record| hex(record.as_slice())).collect();
    json["content_cbor"] = hex(minicbor::to_vec(&content).unwrap()).into();
    json["previous"] = hex(&content.previous[..]).into();
    json["digest"] = hex(digest.as_bytes()).into();
    json
}

fn head_step(
    key: &Key,
    account: chat_core::id::AccountId,
    sealed_head: &[u8],
    salt: [u8; 32],
) -> Value {
    let head = key.open_head(account, sealed_head);
    assert_eq!(key.seal_head(account, &head, salt), sealed_head);
    let place = account.as_bytes();
    let mut json = sealed(key, b"sealwire/1/kdf/backup-head", place, sealed_head);
    json["content_cbor"] = hex(minicbor::to_vec(&head).unwrap()).into();
    json["revision"] = head.revision.into();
    json["first"] = head.first.into();
    json["last"] = head.last.into();
    json
}

fn sealed(key: &Key, label: &[u8], place: &[u8], bytes: &[u8]) -> Value {
    let parts: Sealed = minicbor::decode(bytes).unwrap();
    let (cipher_key, nonce, commitment) = key.derive(label, &parts.salt, place);
    json!({
        "backup_key_number": key.0,
        "backup_key": hex(key.1),
        "place": hex(place),
        "salt": hex(&parts.salt[..]),
        "key": hex(cipher_key),
        "nonce": hex(nonce),
        "commitment": hex(commitment),
        "sealed_cbor": hex(bytes),
    })
}
