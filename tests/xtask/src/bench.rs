//! `cargo xtask bench`: what the cryptography and the SDK cost, by benchmarks of their own.
//!
//! `bench` and `bench crypto` are the same; what follows goes to cargo, so that
//! `bench crypto --features chat-crypto/aws-lc` measures the faster provider, and
//! `bench sdk -- --stored 10000` a smaller store.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;

const CRYPTO: [&str; 6] = ["bench", "--locked", "-p", "chat-crypto", "--bench", "*"];
const SDK: [&str; 6] = ["run", "--release", "--locked", "--quiet", "-p", "sdk-bench"];

/// Measures an optimised build; `arguments` go to cargo.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (benches, arguments) = match arguments {
        [what, rest @ ..] if what == "sdk" => (SDK, rest),
        [what, rest @ ..] if what == "crypto" => (CRYPTO, rest),
        all => (CRYPTO, all),
    };
    run_command(cargo(benches).args(arguments))
}
