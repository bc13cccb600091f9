#![no_main]

use portcullis_fuzz::http2::text;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    text::any_fields_are_one_request_or_refused(&text::fields(bytes));
});
