//! libFuzzer's way into the target `linking`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::run("linking", bytes));
