#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| bearergate::fuzzing::challenge(input));
