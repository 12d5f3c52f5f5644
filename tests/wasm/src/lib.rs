//! What lets tests run in WebAssembly: those of core and crypto as they are, and the SDK's.
//!
//! ```text
//!  cargo xtask wasm
//!    ├ cargo test --target wasm32-unknown-unknown -p chat-core -p chat-crypto --test all
//!    │   └ wasm-bindgen-test-runner   makes the module loadable, and calls every test in it
//!    │       └ node                   the vectors come through its file system
//!    └ cargo test --target wasm32-unknown-unknown -p browser-tests --test sdk
//!        └ wasm-bindgen-test-runner
//!            ├ node                   files in memory, in place of those of a page's origin
//!            └ chromium               a dedicated worker, a real relay beside it
//! ```
//!
//! The test binaries of core and crypto are those that run natively; the SDK's are `tests/sdk`. In a
//! browser there is no test harness of the standard library that could say anything, so `#[test]`
//! means another attribute there: the binaries take [`test`] from here with `#[macro_use(test)]`.
//! And there are no files: whoever needs one asks `read`.
//!
//! Empty on every other target.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen::prelude::wasm_bindgen;
pub use wasm_bindgen_test::wasm_bindgen_test as test;

#[wasm_bindgen(module = "node:fs")]
extern "C" {
    #[wasm_bindgen(js_name = readFileSync, catch)]
    fn read_file(path: &str, encoding: &str) -> Result<String, wasm_bindgen::JsValue>;
}

/// Reads a text file by its absolute path.
///
/// # Errors
///
/// What Node says, in words.
pub fn read(path: &str) -> Result<String, String> {
    read_file(path, "utf8").map_err(|error| format!("{error:?}"))
}
