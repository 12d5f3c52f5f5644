//! libFuzzer's way into the target `dialogue`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::run("dialogue", bytes));
