#![no_main]

use portcullis_fuzz::http2::frames;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (steps, bytes) = input.split_at(input.len().min(6));
    frames::any_split_gives_the_same(bytes, steps);
    frames::any_use_is_bounded(bytes, steps);
});
