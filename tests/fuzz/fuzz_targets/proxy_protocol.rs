#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    portcullis_fuzz::proxy_protocol::any_split_gives_the_same_header(bytes);
});
