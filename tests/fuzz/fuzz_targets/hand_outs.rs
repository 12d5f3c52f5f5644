//! libFuzzer's way into the target `hand_outs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::run("hand_outs", bytes));
