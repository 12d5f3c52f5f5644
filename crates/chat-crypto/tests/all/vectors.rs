//! The vectors of `docs/protocol/vectors`: made here with seeded generators, compared with the
//! files, and rewritten when `SEALWIRE_VECTORS=write` is set. A difference changes the protocol.

mod attachment;
mod backup;
mod envelope;
mod keyring;
mod linking;
mod safety_number;
mod sender_chain;
mod wrap;

use std::path::Path;

use serde_json::Value;

/// Compares `produced` with the file of this name, or writes it.
pub(crate) fn check(name: &str, produced: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors");
    let path = folder.join(name);
    if std::env::var_os("SEALWIRE_VECTORS").is_some_and(|value| value == "write") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, format!("{produced:#}\n")).unwrap();
        return;
    }
    let written = read(&path);
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(&written, produced, "{name} no longer says what this code does");
}

/// Reads a file of the repository; a browser has none, so there the host does.
fn read(path: &Path) -> String {
    #[cfg(target_arch = "wasm32")]
    return browser_tests::read(path.to_str().unwrap()).unwrap();
    #[cfg(not(target_arch = "wasm32"))]
    std::fs::read_to_string(path).expect("the vectors are part of the repository")
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
