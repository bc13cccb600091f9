#![no_main]

use portcullis_fuzz::http2::hpack;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    hpack::what_is_accepted_means_the_same_to_another_decoder([first, second]);
});
