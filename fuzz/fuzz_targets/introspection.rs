#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bearergate::fuzzing::introspection(input));
