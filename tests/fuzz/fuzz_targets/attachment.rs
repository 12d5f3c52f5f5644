//! libFuzzer's way into the target `attachment`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::run("attachment", bytes));
