//! libFuzzer's way into the target `devices`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::run("devices", bytes));
