#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (steps, bytes) = input.split_at(input.len().min(3));
    portcullis_fuzz::http1::any_split_gives_the_same_body(bytes, steps);
});
