//! Vectors of deletions.

use chat_core::codec::to_bytes;
use chat_core::deletion::{Deletion, VERSION};
use serde_json::{Value, json};

use super::{check, device, hex, signed as twice, spec, verify_error};
use crate::deletions::{bobs, devices, signed};
use crate::people::Person;

#[test]
fn deletions_are_as_written() {
    let (bob, deletion) = bobs();
    let whole = signed(2, &bob, &deletion);
    assert!(whole.clone().verify(&devices(&bob, &[])).is_ok());

    check(
        "deletions.json",
        &json!({
            "specification": "deletion.md §2",
            "author": device(&bob, 2),
            "deletion": twice(&whole.deletion, &spec::deletion(&deletion), &Person::device_key(2)),
            "cbor": hex(to_bytes(&whole)),
            "json": whole,
            "refused": refused(&bob, &deletion),
        }),
    );
}

fn refused(bob: &Person, deletion: &Deletion) -> Vec<Value> {
    let carols = Deletion { author: Person::new(3).address(2), ..*deletion };
    let newer = Deletion { version: VERSION + 1, ..*deletion };
    let cases = [
        ("it speaks for somebody else", signed(2, bob, &carols)),
        ("another device signed it", signed(3, bob, deletion)),
        ("another version", signed(2, bob, &newer)),
    ];
    cases
        .into_iter()
        .map(|(title, whole)| {
            let error = whole.clone().verify(&devices(bob, &[])).unwrap_err();
            json!({ "title": title, "cbor": hex(to_bytes(&whole)), "error": verify_error(error) })
        })
        .collect()
}
