#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    portcullis_fuzz::path::normal_form_is_a_fixed_point(bytes);
    portcullis_fuzz::path::host_is_a_fixed_point(bytes);
});
