#![no_main]

use portcullis_fuzz::http1;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    http1::requests_are_forwarded_with_their_meaning(bytes);
    http1::responses_are_forwarded_with_their_meaning(bytes);
});
