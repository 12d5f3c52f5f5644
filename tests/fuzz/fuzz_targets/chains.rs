//! libFuzzer's way into the target `chains`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::run("chains", bytes));
