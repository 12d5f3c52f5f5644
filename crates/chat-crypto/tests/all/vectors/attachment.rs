//! Vectors of attachments: `docs/protocol/attachment.md`.
#![allow(clippy::cast_possible_truncation, reason = "the files here are small")]

use chat_crypto::attachment::{AttachmentDescription, AttachmentOpener, AttachmentSealer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{check, hex};
use crate::attachments::spec::{self, CHUNK, HEADER, SEALED_CHUNK};
use crate::people::rng;

/// Size, and after how many chunks the sealer was restored.
const CASES: [(usize, &[usize]); 6] = [
    (0, &[]),
    (11, &[]),
    (4097, &[]),
    (CHUNK, &[]),
    (2 * CHUNK + 1, &[]),
    (5 * CHUNK - 7, &[1, 3]),
];

#[test]
fn attachments_are_as_written() {
    let cases: Vec<Value> = CASES.into_iter().map(|(size, stops)| case(size, stops)).collect();
    let padding: Vec<Value> = [
        0,
        1,
        4096,
        4097,
        8192,
        8193,
        65_536,
        65_537,
        131_073,
        1_000_000,
        104_857_600,
        1_073_741_825,
        5_301_600_255,
        5_301_600_256,
    ]
    .into_iter()
    .map(|size: u64| {
        let blob = AttachmentSealer::new(size, &mut rng(1)).unwrap().blob_length();
        let padded = spec::padded_length(size);
        assert_eq!(blob, HEADER as u64 + padded + 16 * padded.div_ceil(CHUNK as u64));
        json!({ "size": size, "padded_size": padded, "blob_length": blob })
    })
    .collect();

    check(
        "attachment.json",
        &json!({
            "specification": "attachment.md §2, §3, §4, §5, §6",
            "content": "byte i is i modulo 251",
            "cases": cases,
            "padding": padding,
        }),
    );
}

fn case(size: usize, stops: &[usize]) -> Value {
    let content: Vec<u8> = (0..size).map(|place| (place % 251) as u8).collect();
    let (description, blob) = seal(&content, stops);
    let bytes = description.to_bytes();
    let mut opened = vec![0; size];
    let mut opener = AttachmentOpener::new(&description);
    opener.open(&blob, &mut opened).unwrap();
    assert_eq!((opener.finish(), opened), (Ok(()), content.clone()));

    // The same by nothing but primitives.
    let fields: spec::Description = minicbor::decode(&bytes).unwrap();
    assert_eq!(fields.clone().seal(&content), blob);
    assert_eq!(fields.open(&blob).unwrap(), content);
    let (header, chunks) = blob.split_at(HEADER);
    let chunks: Vec<Value> = chunks
        .chunks(SEALED_CHUNK)
        .enumerate()
        .map(|(number, sealed)| {
            let (key, prefix) = fields.run_key(number);
            let last = (number + 1) * SEALED_CHUNK >= chunks.len();
            json!({
                "key": hex(key),
                "nonce": hex(spec::nonce(prefix, number, last)),
                "sealed_begins": hex(&sealed[..16]),
                "tag": hex(&sealed[sealed.len() - 16..]),
                "leaf": hex(Sha256::digest([&[0], sealed].concat())),
            })
        })
        .collect();

    json!({
        "size": size,
        "file_key": hex(&fields.key[..]),
        "runs": fields.runs.iter().flatten()
            .map(|run| json!({ "first": run.first, "salt": hex(&run.salt[..]) }))
            .collect::<Vec<_>>(),
        "header": hex(header),
        "chunks": chunks,
        "blob": (blob.len() < 5000).then(|| hex(&blob)),
        "blob_length": blob.len(),
        "blob_sha256": hex(Sha256::digest(&blob)),
        "digest": hex(fields.digest.as_bytes()),
        "description_cbor": hex(&*bytes),
    })
}

/// Seals, and is restored after each of these numbers of chunks.
fn seal(content: &[u8], stops: &[usize]) -> (AttachmentDescription, Vec<u8>) {
    let mut rng = rng(content.len() as u64);
    let mut sealer = AttachmentSealer::new(content.len() as u64, &mut rng).unwrap();
    let mut blob = Vec::new();
    let mut output = vec![0; content.len() + 70_000];
    let mut from = 0;
    for until in stops.iter().map(|chunks| chunks * CHUNK).chain([content.len()]) {
        let progress = sealer.seal(&content[from..until], &mut output).unwrap();
        blob.extend_from_slice(&output[..progress.written]);
        from = until;
        if until < content.len() {
            sealer = AttachmentSealer::resume(&sealer.to_snapshot(), &mut rng).unwrap();
        }
    }
    (sealer.finish().unwrap(), blob)
}
