//! What the two hosts have in common, and what only one of them has.

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(module = "/tests/sdk/host.js")]
extern "C" {
    /// Sees to it that there are files that can be read at once.
    pub(crate) fn prepare();

    /// Where the relay is.
    pub(crate) fn relay() -> String;

    /// `node` or `web`.
    fn host() -> String;

    #[wasm_bindgen(js_name = nativeStore)]
    fn written_natively() -> Uint8Array;

    #[wasm_bindgen(catch)]
    async fn everything() -> Result<JsValue, JsValue>;

    /// Takes a store's files as another worker would, until they are given back.
    #[wasm_bindgen(catch)]
    pub(crate) async fn hold() -> Result<JsValue, JsValue>;

    /// Puts other bytes in place of a closed store's.
    #[wasm_bindgen(catch)]
    pub(crate) async fn replace(name: &str, bytes: &[u8]) -> Result<JsValue, JsValue>;

    /// Gives them back.
    #[wasm_bindgen(js_name = giveBack)]
    pub(crate) fn give_back();
}

/// A name that nobody has at the relay, which both hosts speak to one after the other.
pub(crate) fn of_this_host(name: &str) -> String {
    format!("{name}-{}", host())
}

/// A store that the SDK has written natively; only Node has a file system to find it in.
pub(crate) fn native_store() -> Vec<u8> {
    written_natively().to_vec()
}

/// Every byte of every file that the SDK has in the origin's file system; all stores are closed.
pub(crate) async fn bytes_on_disk() -> Vec<u8> {
    Uint8Array::new(&everything().await.unwrap()).to_vec()
}

/// Tells whether `bytes` has `part` somewhere.
pub(crate) fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
