//! A store's file: who may have it open, how it is opened with its key, how it ends.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
pub(super) use self::native::{Claim, claim, open, remove};

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
pub(super) use self::browser::{Claim, claim, open, remove};
