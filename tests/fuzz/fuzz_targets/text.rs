//! libFuzzer's way into the target `text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::run("text", bytes));
